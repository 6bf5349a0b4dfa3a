/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "shm/json.h"
#include "config_object.h"
#include "config_scalar.h"

/* The copying of one object: what it may hold, and how deep it is by now. */
struct copying {
    const struct config_reading *reading;
    enum config_key_type type;
    unsigned depth;
};

static int copy_value(
    struct copying *copying, json_t *value, const struct config_path *path, json_t **copy);

/* Every function that makes a copy gives it to its caller, or NULL with a finding. */

static int copy_string(
    struct copying *copying, const json_t *value, const struct config_path *path, json_t **copy)
{
    const char *text;
    int error = config_scalar_expand(copying->reading, json_string_value(value), path, &text);

    if (error || !text)
        return error;
    *copy = json_string_nocheck(text);
    return *copy ? 0 : -ENOMEM;
}

static int copy_members(
    struct copying *copying, json_t *object, const struct config_path *path, json_t *members)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        struct config_path member = config_path_member(path, name);
        json_t *copy;
        int error = copy_value(copying, value, &member, &copy);

        if (error)
            return error;
        if (copy && json_object_set_new_nocheck(members, name, copy) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int copy_elements(
    struct copying *copying, const json_t *array, const struct config_path *path, json_t *elements)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct config_path element = config_path_element(path, i);
        json_t *copy;
        int error = copy_value(copying, json_array_get(array, i), &element, &copy);

        if (error)
            return error;
        if (copy && json_array_append_new(elements, copy) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int copy_container(
    struct copying *copying, json_t *value, const struct config_path *path, json_t **copy)
{
    bool is_object = json_is_object(value);
    int error;

    if (copying->depth == JSON_MAX_DEPTH) {
        config_report(
            copying->reading, FINDING_ERROR, path, "lies more than %d levels deep", JSON_MAX_DEPTH);
        return 0;
    }
    *copy = is_object ? json_object() : json_array();
    if (!*copy)
        return -ENOMEM;
    copying->depth++;
    error = is_object ? copy_members(copying, value, path, *copy)
                      : copy_elements(copying, value, path, *copy);
    copying->depth--;
    if (error) {
        json_decref(*copy);
        *copy = NULL;
    }
    return error;
}

static bool is_taken(enum config_key_type type, const json_t *value)
{
    if (type == KEY_OBJECT)
        return true;
    return type == KEY_SCALARS && (json_is_number(value) || json_is_boolean(value));
}

static int copy_value(
    struct copying *copying, json_t *value, const struct config_path *path, json_t **copy)
{
    *copy = NULL;
    if (json_is_string(value))
        return copy_string(copying, value, path, copy);
    if (!is_taken(copying->type, value))
        config_report(copying->reading, FINDING_ERROR, path, "must be %s, not %s",
            copying->type == KEY_SCALARS ? "a string, a number or a boolean" : "a string",
            config_type_name(json_typeof(value)));
    else if (json_is_object(value) || json_is_array(value))
        return copy_container(copying, value, path, copy);
    else
        *copy = json_incref(value);
    return 0;
}

int config_object_read(const struct config_reading *reading, enum config_key_type type,
    json_t *object, const struct config_path *path, json_t **copy)
{
    struct copying copying = {.reading = reading, .type = type, .depth = 1};
    json_t *members = json_object();
    int error;

    if (!members || config_pool_own(reading->pool, members) < 0)
        return -ENOMEM;
    error = copy_members(&copying, object, path, members);
    if (!error)
        *copy = members;
    return error;
}
