/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "plan_declaration.h"

/* config_read.c lets nothing but strings, numbers and booleans in. */
static struct plan_argument make_argument(
    struct plan_builder *builder, const char *name, const json_t *value)
{
    struct plan_argument argument = {.name = plan_add_string(builder, name)};

    if (json_is_boolean(value)) {
        argument.kind = PLAN_ARGUMENT_BOOL;
        argument.integer = json_boolean_value(value);
    } else if (json_is_integer(value)) {
        argument.kind = PLAN_ARGUMENT_INT;
        argument.integer = json_integer_value(value);
    } else if (json_is_real(value)) {
        argument.kind = PLAN_ARGUMENT_DOUBLE;
        argument.number = json_real_value(value);
    } else {
        argument.kind = PLAN_ARGUMENT_STRING;
        argument.text = plan_add_string(builder, json_string_value(value));
    }
    return argument;
}

static int add_arguments(struct plan_builder *builder, json_t *table, struct plan_list *list)
{
    CLEANUP(cleanup_free)
    struct plan_argument *arguments = calloc(json_object_size(table) + 1, sizeof *arguments);
    const char *name;
    json_t *value;
    size_t n = 0;

    if (!arguments)
        return -ENOMEM;
    json_object_foreach(table, name, value) arguments[n++] = make_argument(builder, name, value);
    *list = plan_add_list(builder, arguments, sizeof *arguments, n);
    return 0;
}

/* Has the file asked for a classic queue that one consumer at a time is active on? */
static bool is_single_active(const json_t *arguments)
{
    const char *type = json_string_value(json_object_get(arguments, "x-queue-type"));

    return json_is_true(json_object_get(arguments, "x-single-active-consumer")) &&
           (!type || strcmp(type, "classic") == 0);
}

int plan_add_queue(struct plan_builder *builder, const struct config_amqp *amqp, bool is_exclusive,
    struct plan_queue *queue)
{
    *queue = (struct plan_queue){
        .name = plan_add_string(builder, amqp->queue),
        .is_durable = amqp->is_durable,
        .is_auto_delete = amqp->is_auto_delete,
        .is_exclusive = is_exclusive,
        .is_single_active = is_single_active(amqp->queue_arguments),
    };
    return add_arguments(builder, amqp->queue_arguments, &queue->arguments);
}

static int add_exchange(
    struct plan_builder *builder, const struct config_amqp *amqp, struct plan_exchange *exchange)
{
    *exchange = (struct plan_exchange){
        .name = plan_add_string(builder, amqp->exchange),
        .type = plan_add_string(builder, amqp->exchange_type),
        .is_durable = amqp->is_durable,
        .is_auto_delete = amqp->is_auto_delete,
    };
    return add_arguments(builder, amqp->exchange_arguments, &exchange->arguments);
}

static int add_texts(
    struct plan_builder *builder, const struct config_list *strings, struct plan_list *list)
{
    CLEANUP(cleanup_free) struct plan_text *texts = calloc(strings->n + 1, sizeof *texts);

    if (!texts)
        return -ENOMEM;
    for (size_t i = 0; i < strings->n; i++)
        texts[i] = plan_add_string(builder, strings->items[i]);
    *list = plan_add_list(builder, texts, sizeof *texts, strings->n);
    return 0;
}

int plan_add_binding(
    struct plan_builder *builder, const struct config_amqp *amqp, struct plan_binding *binding)
{
    int error;

    *binding = (struct plan_binding){0};
    error = add_exchange(builder, amqp, &binding->exchange);
    if (error || amqp->declare != CONFIG_DECLARE_ACTIVE)
        return error;
    return add_texts(builder, &amqp->bindings, &binding->routing_keys);
}

static bool is_equal_list(const struct config_list *a, const struct config_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool is_equal_table(json_t *a, json_t *b)
{
    return json_object_size(a) + json_object_size(b) == 0 || json_equal(a, b);
}

/* Whether two backends would declare and bind the same. */
static bool is_repeated(const struct config_amqp *a, const struct config_amqp *b)
{
    return strcmp(a->exchange, b->exchange) == 0 &&
           strcmp(a->exchange_type, b->exchange_type) == 0 && a->is_durable == b->is_durable &&
           a->is_auto_delete == b->is_auto_delete &&
           is_equal_table(a->exchange_arguments, b->exchange_arguments) &&
           is_equal_list(&a->bindings, &b->bindings);
}

/* Whether a backend has a binding of its own, behind `last`, the one before it that had one. */
static bool has_binding(const struct config_amqp *amqp, const struct config_amqp *last)
{
    return *amqp->exchange && !(last && is_repeated(last, amqp));
}

static size_t count_backends(const struct topology *topology, uint32_t tap)
{
    size_t n = 0;

    for (uint32_t i = topology->taps[tap].first; i != TOPOLOGY_NONE; i = topology->backends[i].next)
        n++;
    return n;
}

const struct topology_backend *plan_binding_backend(
    const struct topology *topology, uint32_t tap, uint32_t nth)
{
    const struct config_amqp *last = NULL;

    for (uint32_t i = topology->taps[tap].first; i != TOPOLOGY_NONE;
         i = topology->backends[i].next) {
        const struct config_amqp *amqp = &topology->backends[i].backend->amqp;

        if (!has_binding(amqp, last))
            continue;
        if (nth-- == 0)
            return &topology->backends[i];
        last = amqp;
    }
    return NULL;
}

int plan_add_tap_bindings(struct plan_builder *builder, const struct topology *topology,
    uint32_t tap, struct plan_list *list)
{
    CLEANUP(cleanup_free)
    struct plan_binding *bindings = calloc(count_backends(topology, tap), sizeof *bindings);
    const struct config_amqp *last = NULL;
    size_t n = 0;

    if (!bindings)
        return -ENOMEM;
    for (uint32_t i = topology->taps[tap].first; i != TOPOLOGY_NONE;
         i = topology->backends[i].next) {
        const struct config_amqp *amqp = &topology->backends[i].backend->amqp;
        int error;

        if (!has_binding(amqp, last))
            continue;
        error = plan_add_binding(builder, amqp, &bindings[n]);
        if (error)
            return error;
        last = amqp;
        n++;
    }
    *list = plan_add_list(builder, bindings, sizeof *bindings, n);
    return 0;
}
