/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every function that makes a piece gives it to its caller, or NULL when there is no memory.
 * Jansson passes that NULL on: a piece that is made of one that failed is NULL itself, and nothing
 * leaks.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "config_foreign.h"
#include "config_namespace.h"
#include "config_place.h"
#include "schema.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"
#define NAME_MAX_BYTES 128
#define CHOICES_MAX_BYTES 512

/* What the readers of values take; keywords about strings say nothing about a number or null. */
#define REFERENCE "\\$\\{"
#define DURATION                                                                                   \
    "^[-+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$|" REFERENCE
#define SIZE "^[0-9]+(KiB|MiB|GiB|KB|MB|GB|B)?$|" REFERENCE

/* The whole, unless a part of it is missing. */
static json_t *complete(json_t *whole, int error)
{
    if (!error)
        return whole;
    json_decref(whole);
    return NULL;
}

static json_t *reference_to(const struct config_place *place)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%s", place->id));
}

/* ---- values ---- */

/* A key that has nothing behind it may be there as long as it says nothing. */
static json_t *silent_value(void)
{
    return json_pack("{s:[b,i,s,[],{},n]}", "enum", false, 0, "");
}

static void append(char text[static CHOICES_MAX_BYTES], char c)
{
    size_t length = strlen(text);

    assert(length + 1 < CHOICES_MAX_BYTES);
    text[length] = c;
    text[length + 1] = '\0';
}

/* "[jJ][sS][oO][nN]": for most, the case of a name does not count. */
static void append_name(char pattern[static CHOICES_MAX_BYTES], const char *name)
{
    for (; *name; name++) {
        append(pattern, '[');
        append(pattern, *name);
        if (isalpha((unsigned char)*name))
            append(pattern, (char)(*name ^ ' '));
        append(pattern, ']');
    }
}

static json_t *choice_names(const struct config_choice *choice)
{
    json_t *names = json_array();
    int error = 0;

    for (; choice->name; choice++)
        error |= json_array_append_new(names, json_string(choice->name));
    return complete(names, error);
}

/* The names for the editor to offer, and what else is taken for one of them. */
static json_t *choice_value(const struct config_key *key)
{
    char pattern[CHOICES_MAX_BYTES] = "";

    for (const struct config_choice *choice = key->choices; choice->name; choice++) {
        append_name(pattern, choice->name);
        append(pattern, '|');
    }
    return json_pack("{s:[{s:o},{s:[s,s],s:o}]}", "anyOf", "enum", choice_names(key->choices),
        "type", "string", "null", "pattern",
        key->is_open ? json_string("") : json_sprintf("^(%s)$|" REFERENCE, pattern));
}

static json_t *number_value(const struct config_key *key)
{
    bool is_int = key->type == KEY_INT, is_duration = key->type == KEY_DURATION;

    /* The one number that is a duration is 0. */
    return json_pack("{s:[s,s,s],s:I,s:I,s:s}", "type", "integer", "string", "null", "minimum",
        is_duration ? 0 : (json_int_t)key->min, "maximum", is_duration ? 0 : (json_int_t)key->max,
        "pattern", is_int ? REFERENCE : (is_duration ? DURATION : SIZE));
}

/* ---- what leads to other levels ---- */

/* All the names that a namespace goes by. */
struct names {
    size_t n;
    char text[2][NAME_MAX_BYTES];
};

static struct names names_of(const struct config_place *place)
{
    const char *v2_name = config_foreign_v2_name(place->namespace);
    struct names names = {.n = v2_name ? 2 : 1};

    (void)snprintf(names.text[0], NAME_MAX_BYTES, "%s", place->namespace);
    if (v2_name)
        (void)snprintf(names.text[1], NAME_MAX_BYTES, "github.com/%s", v2_name);
    return names;
}

static int put_namespace(json_t *properties, const struct config_place *place)
{
    struct names names = names_of(place);
    int error = 0;

    for (size_t i = 0; i < names.n; i++)
        error |= json_object_set_new(properties, names.text[i], reference_to(place));
    return error;
}

/* Which level it is follows from the name that stands beside it. */
static int put_dependent(json_t *dependents, const struct config_place *place)
{
    struct names names = names_of(place->beside);
    int error = 0;

    for (size_t i = 0; i < names.n; i++)
        error |= json_object_set_new(dependents, names.text[i],
            json_pack("{s:{s:o}}", "properties", place->namespace, reference_to(place)));
    return error;
}

static json_t *namespaces_of(const struct config_level *owner)
{
    json_t *properties = json_object(), *dependents = json_object();
    int error = 0;

    for (size_t i = 0; i < config_n_places; i++) {
        const struct config_place *place = &config_places[i];

        if (!place->namespace || place->owner->level != owner)
            continue;
        error |=
            place->beside ? put_dependent(dependents, place) : put_namespace(properties, place);
    }
    return json_pack("{s:[s,s],s:o,s:o}", "type", "object", "null", "properties",
        complete(properties, error), "dependentSchemas", complete(dependents, error));
}

static json_t *nested_value(const struct config_level *level, const struct config_key *key)
{
    const struct config_place *elements = config_place_of_list(level, key->name);

    if (elements)
        return json_pack("{s:[s,s],s:o}", "type", "array", "null", "items", reference_to(elements));
    if (strcmp(key->name, "extra_config") == 0)
        return namespaces_of(level);
    return json_pack("{s:[i,i]}", "enum", 2, 3);
}

static json_t *level_value(const struct config_level *level)
{
    const struct config_place *place = config_places;

    while (place->level != level)
        place++;
    return reference_to(place);
}

/* ---- keys ---- */

static json_t *value_of(const struct config_level *level, const struct config_key *key)
{
    if (key->use == KEY_LATER)
        return silent_value();
    switch (key->type) {
    case KEY_STRING:
        return json_pack("{s:[s,s]}", "type", "string", "null");
    case KEY_BOOL:
        return json_pack(
            "{s:[s,s,s],s:s}", "type", "boolean", "string", "null", "pattern", REFERENCE);
    case KEY_INT:
    case KEY_DURATION:
    case KEY_SIZE:
        return number_value(key);
    case KEY_CHOICE:
        return choice_value(key);
    case KEY_LIST:
        return json_pack("{s:[s,s],s:{s:s}}", "type", "array", "null", "items", "type", "string");
    case KEY_SCALARS:
        return json_pack("{s:[s,s],s:{s:[s,s,s]}}", "type", "object", "null",
            "additionalProperties", "type", "string", "number", "boolean");
    case KEY_STRINGS:
        return json_pack("{s:[s,s],s:{s:s}}", "type", "object", "null", "additionalProperties",
            "type", "string");
    case KEY_OBJECT:
        return json_pack("{s:[s,s]}", "type", "object", "null");
    case KEY_LEVELS:
        return json_pack(
            "{s:[s,s],s:o}", "type", "array", "null", "items", level_value(key->level));
    case KEY_LEVEL:
        return level_value(key->level);
    case KEY_NESTED:
        return nested_value(level, key);
    case KEY_ANY:
        break;
    }
    return json_object();
}

static int put_default(json_t *schema, const struct config_key *key)
{
    const char *initial = key->initial;

    if (!initial || !*initial)
        return 0;
    switch (key->type) {
    case KEY_BOOL:
        return json_object_set_new(schema, "default", json_boolean(strcmp(initial, "true") == 0));
    case KEY_INT:
        return json_object_set_new(schema, "default", json_integer(strtoll(initial, NULL, 10)));
    case KEY_LIST:
        return json_object_set_new(schema, "default", json_pack("[s]", initial));
    default:
        return json_object_set_new(schema, "default", json_string(initial));
    }
}

/* Under the key's name, or under version 2's. */
static int put_key(json_t *properties, const struct config_level *level,
    const struct config_key *key, const char *name)
{
    json_t *schema = json_pack("{s:o}", "description",
        json_sprintf("%s%s", key->use == KEY_LATER ? "Not built yet. " : "", key->help));
    json_auto_t *value = value_of(level, key);
    int error = put_default(schema, key);

    error |= json_object_update(schema, value);
    return json_object_set_new(properties, name, complete(schema, error));
}

static json_t *properties_of(const struct config_level *level)
{
    json_t *properties = json_object();
    int error = 0;

    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++) {
            const struct config_key *key = &level->keys[i];

            error |= put_key(properties, level, key, key->name);
            if (key->v2_name)
                error |= put_key(properties, level, key, key->v2_name);
        }
    return complete(properties, error);
}

/* ---- levels ---- */

/* A member or a namespace that is null is one that is not there. */
static json_t *type_of(const struct config_place *place)
{
    return place->member || place->namespace ? json_pack("[s,s]", "object", "null")
                                             : json_string("object");
}

static json_t *level_schema(const struct config_place *place)
{
    json_t *schema =
        json_pack("{s:o,s:o}", "type", type_of(place), "properties", properties_of(place->level));

    if (!place->required)
        return schema;
    return complete(
        schema, json_object_set_new(schema, "required", json_pack("[s]", place->required)));
}

/* An object whose extra_config has one of the names under which messages go to a broker or come. */
static json_t *amqp_backend(void)
{
    json_t *either = json_array();
    int error = 0;

    for (size_t i = 0; i < config_n_places; i++) {
        const struct config_place *role = config_places[i].beside;
        struct names names = role ? names_of(role) : (struct names){0};

        for (size_t j = 0; j < names.n; j++)
            error |= json_array_append_new(either, json_pack("{s:[s]}", "required", names.text[j]));
    }
    return json_pack("{s:[s],s:{s:{s:o}}}", "required", "extra_config", "properties",
        "extra_config", "anyOf", complete(either, error));
}

/*
 * One that says what it is, and it is not AMQP. An empty one says nothing yet: it is being written,
 * and the editor is to go on with its offers.
 */
static json_t *foreign_backend(void)
{
    return json_pack("{s:o,s:[{s:[s]},{s:[s],s:{s:{s:i}}}]}", "not", amqp_backend(), "anyOf",
        "required", "url_pattern", "required", "extra_config", "properties", "extra_config",
        "minProperties", 1);
}

/* Of an endpoint that is not served nothing but its route is read. */
static json_t *unless_foreign(const struct config_place *place, const char *list)
{
    json_auto_t *schema = level_schema(place);

    return json_pack("{s:O,s:O,s:{s:[s],s:{s:{s:s,s:o}}},s:{s:O}}", "type",
        json_object_get(schema, "type"), "required", json_object_get(schema, "required"), "if",
        "required", list, "properties", list, "type", "array", "contains", foreign_backend(),
        "else", "properties", json_object_get(schema, "properties"));
}

static json_t *definitions(void)
{
    json_t *definitions = json_object();
    int error = 0;

    for (size_t i = 0; i < config_n_places; i++) {
        const struct config_place *place = &config_places[i];
        bool is_endpoint = place->level == &config_level_endpoint;

        if (place->owner)
            error |= json_object_set_new(definitions, place->id,
                is_endpoint ? unless_foreign(place, "backend") : level_schema(place));
    }
    return complete(definitions, error);
}

static json_t *schema_new(void)
{
    json_t *schema =
        json_pack("{s:s,s:s,s:s}", "$schema", DRAFT, "title", "Configuration of Leveret",
            "description", "HTTP in, RabbitMQ out and back. `leveret check` says more than this.");
    json_auto_t *service = level_schema(&config_places[0]);
    int error = json_object_update(schema, service);

    error |= json_object_set_new(schema, "$defs", definitions());
    return complete(schema, error);
}

int schema_print(FILE *out)
{
    json_auto_t *schema = schema_new();

    if (!schema)
        return -ENOMEM;
    if (json_dumpf(schema, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF)
        return ferror(out) ? -EIO : -ENOMEM;
    return 0;
}
