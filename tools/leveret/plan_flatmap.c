/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "shm/cleanup.h"
#include "plan_flatmap.h"
#include "plan_shape.h"

static size_t count(const struct config_operation *operation)
{
    return operation->verb == CONFIG_FLATMAP_DEL ? operation->args.n : 1;
}

size_t plan_count_flatmap(const struct config_items *flatmap)
{
    const struct config_operation *operations = flatmap->items;
    size_t n = 0;

    for (size_t i = 0; i < flatmap->n; i++)
        n += count(&operations[i]);
    return n;
}

static int add_del(
    struct plan_builder *builder, const struct config_list *args, struct plan_flatmap *planned)
{
    int error = 0;

    for (size_t i = 0; !error && i < args->n; i++) {
        planned[i] = (struct plan_flatmap){.verb = PLAN_FLATMAP_DEL};
        error = plan_add_path(builder, args->items[i], &planned[i].from);
    }
    return error;
}

static int add_operation(struct plan_builder *builder, const struct config_operation *operation,
    struct plan_flatmap *planned)
{
    const char *const *args = operation->args.items;
    int error;

    if (operation->verb == CONFIG_FLATMAP_DEL)
        return add_del(builder, &operation->args, planned);
    *planned = (struct plan_flatmap){
        .verb = operation->verb == CONFIG_FLATMAP_MOVE ? PLAN_FLATMAP_MOVE : PLAN_FLATMAP_APPEND};
    error = plan_add_path(builder, args[0], &planned->from);
    return error ? error : plan_add_path(builder, args[1], &planned->to);
}

int plan_add_flatmap(
    struct plan_builder *builder, const struct config_items *flatmap, struct plan_list *list)
{
    const struct config_operation *operations = flatmap->items;
    struct plan_flatmap planned[PLAN_FLATMAP_MAX];
    size_t n = 0;

    assert(plan_count_flatmap(flatmap) <= PLAN_FLATMAP_MAX); /* the file was checked */
    for (size_t i = 0; i < flatmap->n; i++) {
        int error = add_operation(builder, &operations[i], &planned[n]);

        if (error)
            return error;
        n += count(&operations[i]);
    }
    *list = plan_add_list(builder, planned, sizeof *planned, n);
    return 0;
}
