/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "config_foreign.h"
#include "config_object.h"
#include "config_read.h"
#include "config_scalar.h"

#define ENVIRONMENT_PREFIX "KRAKEND_"

static const char *const type_names[] = {
    [JSON_OBJECT] = "an object",
    [JSON_ARRAY] = "an array",
    [JSON_STRING] = "a string",
    [JSON_INTEGER] = "an integer",
    [JSON_REAL] = "a number with a fraction",
    [JSON_TRUE] = "true",
    [JSON_FALSE] = "false",
    [JSON_NULL] = "null",
};

const char *config_type_name(json_type type)
{
    return type_names[type];
}

void config_report(const struct config_reading *reading, enum finding_severity severity,
    const struct config_path *path, const char *format, ...)
{
    struct config_path_text where;
    char message[512];
    va_list arguments;

    config_path_write(path, &where);
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments); /* findings cut there too */
    va_end(arguments);
    findings_add(reading->findings, severity,
        (struct finding_place){.source = reading->source, .path = where.text}, "%s", message);
}

json_t *config_read_member(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, json_type type)
{
    json_t *value = json_object_get(object, path->key);

    if (!value || json_is_null(value) || json_typeof(value) == type)
        return value && json_typeof(value) == type ? value : NULL;
    config_report(reading, FINDING_ERROR, path, "must be %s, not %s", config_type_name(type),
        config_type_name(json_typeof(value)));
    return NULL;
}

static void *field_of(const struct config_key *key, void *fields)
{
    return (char *)fields + key->offset;
}

static bool is_scalar(const struct config_key *key)
{
    return key->type <= KEY_CHOICE;
}

static int set_one_element(
    const struct config_reading *reading, const char *element, struct config_list *list)
{
    const char **items = config_pool_alloc(reading->pool, sizeof *items);

    if (!items)
        return -ENOMEM;
    items[0] = element;
    *list = (struct config_list){.items = items, .n = 1};
    return 0;
}

static int set_default(
    const struct config_reading *reading, const struct config_key *key, void *field)
{
    struct config_text text = {.written = key->initial, .value = key->initial};
    struct config_path path = {.key = key->name};

    if (key->type == KEY_LEVEL)
        return config_read_defaults(reading, key->level, field);
    if (!key->initial)
        return 0;
    if (key->type == KEY_LIST)
        return set_one_element(reading, key->initial, field);
    return config_scalar_set_text(reading, key, &text, &path, field);
}

int config_read_defaults(
    const struct config_reading *reading, const struct config_level *level, void *fields)
{
    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++) {
            int error = set_default(reading, &level->keys[i], field_of(&level->keys[i], fields));

            if (error)
                return error;
        }
    return 0;
}

/* One element of a list; NULL with a finding when it is no string. */
static int read_element(const struct config_reading *reading, const json_t *value,
    const struct config_path *path, const char **text)
{
    *text = NULL;
    if (json_is_string(value))
        return config_scalar_expand(reading, json_string_value(value), path, text);
    config_report(reading, FINDING_ERROR, path, "must be a string, not %s",
        config_type_name(json_typeof(value)));
    return 0;
}

static int read_list(const struct config_reading *reading, const json_t *array,
    const struct config_path *path, struct config_list *list)
{
    size_t n_items = 0, n_elements = json_array_size(array);
    const char **items = config_pool_alloc(reading->pool, n_elements * sizeof *items);

    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < n_elements; i++) {
        struct config_path element = config_path_element(path, i);
        int error = read_element(reading, json_array_get(array, i), &element, &items[n_items]);

        if (error)
            return error;
        if (items[n_items])
            n_items++;
    }
    *list = (struct config_list){.items = items, .n = n_items};
    return 0;
}

static bool says_nothing(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    case JSON_INTEGER:
        return json_integer_value(value) == 0;
    default:
        return !json_is_true(value);
    }
}

static void report_missing(const struct config_reading *reading, const struct config_level *level,
    const json_t *object, const struct config_path *path)
{
    for (size_t i = 0; i < level->n_keys; i++) {
        const json_t *value = json_object_get(object, level->keys[i].name);

        if (level->keys[i].is_required && (!value || json_is_null(value)))
            config_report(reading, FINDING_ERROR, path, "has no \"%s\"", level->keys[i].name);
    }
}

/* Elements that are no objects become findings, and stay as the defaults say. */
static int read_levels(const struct config_reading *reading, const struct config_key *key,
    const json_t *array, const struct config_path *path, struct config_items *levels)
{
    size_t n = json_array_size(array);
    char *items = config_pool_alloc(reading->pool, n * key->item_bytes);

    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct config_path element = config_path_element(path, i);
        json_t *value = json_array_get(array, i);
        int error = config_read_defaults(reading, key->level, items + i * key->item_bytes);

        if (error)
            return error;
        if (!json_is_object(value)) {
            config_report(reading, FINDING_ERROR, &element, "must be an object, not %s",
                config_type_name(json_typeof(value)));
            continue;
        }
        report_missing(reading, key->level, value, &element);
        error =
            config_read_level(reading, key->level, value, &element, items + i * key->item_bytes);
        if (error)
            return error;
    }
    *levels = (struct config_items){.items = items, .n = n};
    return 0;
}

static int read_composite(const struct config_reading *reading, const struct config_key *key,
    json_t *value, const struct config_path *path, void *field)
{
    const char *list = key->type == KEY_LIST ? "an array of strings" : "an array of objects";
    bool is_list = key->type == KEY_LIST || key->type == KEY_LEVELS;

    if (json_typeof(value) != (is_list ? JSON_ARRAY : JSON_OBJECT)) {
        config_report(reading, FINDING_ERROR, path, "must be %s, not %s",
            is_list ? list : "an object", config_type_name(json_typeof(value)));
        return 0;
    }
    if (key->skips_zero && says_nothing(value))
        return 0;
    switch (key->type) {
    case KEY_LIST:
        return read_list(reading, value, path, field);
    case KEY_LEVELS:
        return read_levels(reading, key, value, path, field);
    case KEY_SCALARS:
    case KEY_STRINGS:
    case KEY_OBJECT:
        return config_object_read(reading, key->type, value, path, field);
    default:
        return config_read_level(reading, key->level, value, path, field);
    }
}

static int read_value(const struct config_reading *reading, const struct config_key *key,
    json_t *value, const struct config_path *path, void *field)
{
    if (json_is_null(value) || key->type == KEY_NESTED)
        return 0;
    if (key->use == KEY_LATER && !says_nothing(value)) {
        config_report(reading, FINDING_ERROR, path, "\"%s\" is not built yet", path->key);
        return 0;
    }
    if (key->type == KEY_ANY)
        return 0;
    if (is_scalar(key))
        return config_scalar_set(reading, key, value, path, field);
    return read_composite(reading, key, value, path, field);
}

static const char *spelling(const struct config_key *key, int version)
{
    return version == 2 && key->v2_name ? key->v2_name : key->name;
}

static const struct config_key *find_key(const struct config_level *level, const char *name)
{
    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++) {
            const struct config_key *key = &level->keys[i];

            if (strcmp(key->name, name) == 0 || (key->v2_name && strcmp(key->v2_name, name) == 0))
                return key;
        }
    return NULL;
}

/* The other version's spelling is read as well, unless this version's says something too. */
static bool is_spelling_taken(const struct config_reading *reading, const struct config_key *key,
    const json_t *object, const struct config_path *path)
{
    const char *right = spelling(key, reading->version);

    if (strcmp(path->key, right) == 0)
        return true;
    if (json_object_get(object, right)) {
        config_report(
            reading, FINDING_ERROR, path, "says the same as \"%s\": leave one of them out", right);
        return false;
    }
    config_report(reading, FINDING_WARNING, path, "in a version %d file this is spelt \"%s\"",
        reading->version, right);
    return true;
}

int config_read_level(const struct config_reading *reading, const struct config_level *level,
    json_t *object, const struct config_path *path, void *fields)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        struct config_path member = config_path_member(path, name);
        const struct config_key *key = find_key(level, name);
        int error;

        if (!key) {
            config_foreign_key(reading, level, value, &member);
            continue;
        }
        if (!is_spelling_taken(reading, key, object, &member))
            continue;
        error = read_value(reading, key, value, &member, field_of(key, fields));
        if (error)
            return error;
    }
    return 0;
}

/* "KRAKEND_CACHE_TTL" */
static char *variable_name(struct config_pool *pool, const char *key)
{
    char *name = config_pool_format(pool, ENVIRONMENT_PREFIX "%s", key);

    for (char *at = name; at && *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}

int config_read_environment(
    const struct config_reading *reading, const struct config_level *level, void *fields)
{
    for (size_t i = 0; i < level->n_keys; i++) {
        const struct config_key *key = &level->keys[i];
        struct config_path document = {0}, path = config_path_member(&document, key->name);
        struct config_reading variable = *reading;
        struct config_text text;
        int error;

        if (!is_scalar(key))
            continue;
        variable.source = variable_name(reading->pool, key->name);
        if (!variable.source)
            return -ENOMEM;
        text.written = text.value = getenv(variable.source);
        if (!text.value || !*text.value)
            continue;
        error = config_scalar_set_text(&variable, key, &text, &path, field_of(key, fields));
        if (error)
            return error;
    }
    return 0;
}
