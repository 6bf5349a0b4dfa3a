/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of paths is first built as JSON objects: a name leads to the object of those below it, or
 * to `true` where a path ends.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "shm/cleanup.h"
#include "shm/json_string.h"
#include "plan_flatmap.h"
#include "plan_shape.h"

/* ---- names ---- */

/* A name as it stands between the quotes of a JSON string. */
static int add_name(struct plan_builder *builder, const char *name, struct plan_text *text)
{
    size_t n = json_string_write(NULL, 0, name, strlen(name));
    CLEANUP(cleanup_free) char *quoted = malloc(n);

    if (!quoted)
        return -ENOMEM;
    (void)json_string_write(quoted, n, name, strlen(name)); /* as long as it was measured */
    *text = plan_add_text(builder, quoted + 1, n - 2);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b); /* UTF-8: by code points */
}

static size_t count_names(const char *path)
{
    size_t n = 1;

    while ((path = strchr(path, '.'))) {
        path++;
        n++;
    }
    return n;
}

int plan_add_path(struct plan_builder *builder, const char *text, struct plan_list *list)
{
    CLEANUP(cleanup_free) char *path = strdup(text);
    struct plan_text names[PLAN_PATH_MAX];
    size_t n = 0;
    char *rest = path, *name;

    if (!path)
        return -ENOMEM;
    assert(count_names(path) <= PLAN_PATH_MAX); /* the file was checked */
    while ((name = strsep(&rest, "."))) {
        int error = add_name(builder, name, &names[n++]);

        if (error)
            return error;
    }
    *list = plan_add_list(builder, names, sizeof *names, n);
    return 0;
}

/* ---- allow, deny ---- */

/* The object of what is below `name`, in place of whatever else stood there. */
static json_t *grow_branch(json_t *tree, const char *name)
{
    json_t *below = json_object_get(tree, name);

    if (json_is_object(below))
        return below;
    below = json_object();
    if (!below || json_object_set_new_nocheck(tree, name, below) < 0)
        return NULL;
    return below;
}

static int grow_path(json_t *tree, const char *text)
{
    CLEANUP(cleanup_free) char *path = strdup(text);
    char *rest = path, *name;

    if (!path)
        return -ENOMEM;
    assert(count_names(path) <= PLAN_PATH_MAX);
    while ((name = strsep(&rest, ".")) && rest) {
        tree = grow_branch(tree, name);
        if (!tree)
            return -ENOMEM;
    }
    return json_object_set_new_nocheck(tree, name, json_true()) < 0 ? -ENOMEM : 0;
}

/* Goes as deep as the longest path: PLAN_PATH_MAX. */
static int add_level(struct plan_builder *builder, json_t *tree, struct plan_list *list)
{
    size_t n = json_object_size(tree), i = 0;
    CLEANUP(cleanup_free) const char **names = calloc(n + 1, sizeof *names);
    CLEANUP(cleanup_free) struct plan_path *paths = calloc(n + 1, sizeof *paths);
    const char *name;
    json_t *below;

    if (!names || !paths)
        return -ENOMEM;
    json_object_foreach(tree, name, below) names[i++] = name;
    qsort(names, n, sizeof *names, compare_names);
    for (i = 0; i < n; i++) {
        int error = add_name(builder, names[i], &paths[i].name);

        below = json_object_get(tree, names[i]);
        if (!error && json_is_object(below))
            error = add_level(builder, below, &paths[i].below);
        if (error)
            return error;
    }
    *list = plan_add_list(builder, paths, sizeof *paths, n);
    return 0;
}

static int add_paths(
    struct plan_builder *builder, const struct config_list *paths, struct plan_list *list)
{
    json_t *tree = json_object();
    int error = tree ? 0 : -ENOMEM;

    for (size_t i = 0; !error && i < paths->n; i++)
        error = grow_path(tree, paths->items[i]);
    if (!error)
        error = add_level(builder, tree, list);
    json_decref(tree);
    return error;
}

/* ---- mapping ---- */

/* One name that a mapping mentions. */
struct mention {
    const char *name, *new_name;
    uint16_t place, rank;
};

struct mentions {
    struct mention items[2 * PLAN_RENAMES_MAX];
    size_t n, n_places;
};

/* The place that goes by this name: one that it has already, or a fresh one. */
static uint16_t place_of(struct mentions *mentions, const char *new_name)
{
    for (size_t i = 0; i < mentions->n; i++)
        if (strcmp(mentions->items[i].new_name, new_name) == 0)
            return mentions->items[i].place;
    return (uint16_t)mentions->n_places++;
}

static bool is_mentioned(const struct mentions *mentions, const char *name)
{
    for (size_t i = 0; i < mentions->n; i++)
        if (strcmp(mentions->items[i].name, name) == 0)
            return true;
    return false;
}

/* Who has a new name already gives way, unless it gets another name itself. */
static void mention_rivals(struct mentions *mentions)
{
    size_t n_renamed = mentions->n;

    for (size_t i = 0; i < n_renamed; i++) {
        const struct mention *mention = &mentions->items[i];

        if (!is_mentioned(mentions, mention->new_name))
            mentions->items[mentions->n++] = (struct mention){.name = mention->new_name,
                .new_name = mention->new_name,
                .place = mention->place,
                .rank = PLAN_LAST_RANK};
    }
}

static int add_mentions(
    struct plan_builder *builder, struct mentions *mentions, struct plan_list *list)
{
    struct plan_rename renames[2 * PLAN_RENAMES_MAX];

    static_assert(offsetof(struct mention, name) == 0, "compared by their names");
    qsort(mentions->items, mentions->n, sizeof *mentions->items, compare_names);
    for (size_t i = 0; i < mentions->n; i++) {
        const struct mention *mention = &mentions->items[i];
        int error = add_name(builder, mention->name, &renames[i].name);

        if (!error)
            error = add_name(builder, mention->new_name, &renames[i].new_name);
        if (error)
            return error;
        renames[i].place = mention->place;
        renames[i].rank = mention->rank;
        renames[i].reserved = 0;
    }
    *list = plan_add_list(builder, renames, sizeof *renames, mentions->n);
    return 0;
}

static int add_renames(struct plan_builder *builder, json_t *mapping, struct plan_list *list)
{
    struct mentions mentions = {.n = 0};
    char *new_names[PLAN_RENAMES_MAX];
    const char *name;
    json_t *value;
    size_t n = 0;
    int error = 0;

    assert(json_object_size(mapping) <= PLAN_RENAMES_MAX); /* the file was checked */
    json_object_foreach(mapping, name, value)
    {
        const char *written = json_string_value(value);
        char *new_name = strndup(written, strcspn(written, "."));

        if (!new_name) {
            error = -ENOMEM;
            break;
        }
        new_names[n] = new_name;
        mentions.items[n] = (struct mention){.name = name,
            .new_name = new_name,
            .place = place_of(&mentions, new_name),
            .rank = (uint16_t)n};
        mentions.n = ++n;
    }
    if (!error) {
        mention_rivals(&mentions);
        error = add_mentions(builder, &mentions, list);
    }
    while (n)
        free(new_names[--n]);
    return error;
}

/* ---- the whole ---- */

/* What flatmap_filter takes the place of. */
static int add_filters(
    struct plan_builder *builder, const struct config_backend *backend, struct plan_shape *planned)
{
    bool is_allow = backend->allow.n > 0;
    int error = 0;

    if (is_allow || backend->deny.n)
        planned->filter = is_allow ? PLAN_ALLOWS : PLAN_DENIES;
    if (planned->filter)
        error = add_paths(builder, is_allow ? &backend->allow : &backend->deny, &planned->paths);
    if (!error && json_object_size(backend->mapping))
        error = add_renames(builder, backend->mapping, &planned->renames);
    return error;
}

static bool has_rules(const struct config_backend *backend)
{
    return *backend->target || backend->allow.n || backend->deny.n || *backend->group ||
           json_object_size(backend->mapping) || backend->flatmap.n;
}

bool plan_is_shaped(const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    return backend->role == CONFIG_CONSUMER && endpoint->output != CONFIG_OUTPUT_NO_OP &&
           has_rules(backend);
}

int plan_add_shape(
    struct plan_builder *builder, const struct config_backend *backend, struct plan_shape *shape)
{
    struct plan_shape planned = {.is_any = has_rules(backend)};
    int error = 0;

    if (*backend->target)
        error = plan_add_path(builder, backend->target, &planned.target);
    if (!error && backend->flatmap.n)
        error = plan_add_flatmap(builder, &backend->flatmap, &planned.flatmap);
    else if (!error)
        error = add_filters(builder, backend, &planned);
    if (!error && *backend->group)
        error = add_name(builder, backend->group, &planned.group);
    if (!error)
        *shape = planned;
    return error;
}
