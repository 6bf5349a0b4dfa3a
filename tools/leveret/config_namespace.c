/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "config_foreign.h"
#include "config_namespace.h"

#define EXTRA_CONFIG "extra_config"

static struct config_namespace *find(struct config_namespace *ours, size_t n_ours, const char *name)
{
    for (size_t i = 0; i < n_ours; i++)
        if (strcmp(ours[i].name, config_foreign_alias(name)) == 0)
            return &ours[i];
    return NULL;
}

static int read_one(const struct config_reading *reading, json_t *value,
    const struct config_path *path, struct config_namespace *namespace)
{
    struct config_path_text where;

    if (json_is_null(value))
        return 0;
    if (!json_is_object(value)) {
        config_report(reading, FINDING_ERROR, path, "must be an object, not %s",
            config_type_name(json_typeof(value)));
        return 0;
    }
    if (namespace->path) {
        config_report(reading, FINDING_ERROR, path, "says the same as %s", namespace->path);
        return 0;
    }
    config_path_write(path, &where);
    namespace->path = config_pool_copy(reading->pool, where.text, where.length);
    if (!namespace->path)
        return -ENOMEM;
    return config_read_level(reading, namespace->level, value, path, namespace->fields);
}

int config_namespace_read(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, struct config_namespace *ours, size_t n_ours)
{
    struct config_path extra_path = config_path_member(path, EXTRA_CONFIG);
    json_t *extra = config_read_member(reading, object, &extra_path, JSON_OBJECT), *value;
    const char *name;

    json_object_foreach(extra, name, value)
    {
        struct config_path member = config_path_member(&extra_path, name);
        struct config_namespace *namespace = find(ours, n_ours, name);
        int error;

        if (!namespace) {
            config_foreign_namespace(reading, &member);
            continue;
        }
        error = read_one(reading, value, &member, namespace);
        if (error)
            return error;
    }
    return 0;
}

bool config_namespace_is_there(const json_t *object, const char *name)
{
    json_t *value;
    const char *found;

    json_object_foreach(json_object_get(object, EXTRA_CONFIG), found,
        value) if (!json_is_null(value) &&
                   strcmp(config_foreign_alias(found), name) == 0) return true;
    return false;
}
