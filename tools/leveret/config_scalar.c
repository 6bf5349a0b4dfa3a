/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "config_expand.h"
#include "config_scalar.h"
#include "config_value.h"

#define HOUR INT64_C(3600000000000)
#define MIB (INT64_C(1) << 20)
#define NAMES_MAX 200

static const char *const expectations[] = {
    [KEY_STRING] = "a string",
    [KEY_BOOL] = "true or false",
    [KEY_INT] = "an integer",
    [KEY_DURATION] = "a duration such as \"2s\", \"1500ms\" or \"1m30s\"",
    [KEY_SIZE] = "a size such as \"8MiB\"",
    [KEY_CHOICE] = "a string",
};

/* What stands in for a text that is not to be seen, or not to be seen whole. */
#define SHOWN "\"%.64s\""

static int mismatch(const struct config_reading *reading, const struct config_key *key,
    const char *written, const struct config_path *path)
{
    config_report(
        reading, FINDING_ERROR, path, SHOWN " is not %s", written, expectations[key->type]);
    return 0;
}

void config_scalar_write_bound(
    const struct config_key *key, int64_t bound, char text[static CONFIG_SCALAR_BOUND_MAX])
{
    const char *name = "";
    int64_t unit = 1;

    if (bound != 0 && key->type == KEY_DURATION) {
        name = "h";
        unit = HOUR;
    } else if (bound != 0 && key->type == KEY_SIZE) {
        name = "MiB";
        unit = MIB;
    }
    (void)snprintf(text, CONFIG_SCALAR_BOUND_MAX, "%" PRId64 "%s", bound / unit, name);
}

static int out_of_range(const struct config_reading *reading, const struct config_key *key,
    const struct config_path *path)
{
    char least[CONFIG_SCALAR_BOUND_MAX], most[CONFIG_SCALAR_BOUND_MAX];

    config_scalar_write_bound(key, key->min, least);
    config_scalar_write_bound(key, key->max, most);
    config_report(reading, FINDING_ERROR, path, "is out of range: %s to %s", least, most);
    return 0;
}

static int set_number(const struct config_reading *reading, const struct config_key *key,
    int64_t number, const struct config_path *path, void *field)
{
    if (number == 0 && key->skips_zero)
        return 0;
    if (number < key->min || number > key->max)
        return out_of_range(reading, key, path);
    *(int64_t *)field = number;
    return 0;
}

static enum value_outcome parse_number(enum config_key_type type, const char *text, int64_t *number)
{
    switch (type) {
    case KEY_DURATION:
        return value_duration(text, number);
    case KEY_SIZE:
        return value_size(text, number);
    default:
        return value_int(text, number);
    }
}

static int set_number_text(const struct config_reading *reading, const struct config_key *key,
    const struct config_text *text, const struct config_path *path, void *field)
{
    int64_t number;

    switch (parse_number(key->type, text->value, &number)) {
    case VALUE_OK:
        return set_number(reading, key, number, path, field);
    case VALUE_TOO_LARGE:
        return out_of_range(reading, key, path);
    case VALUE_MALFORMED:
        break;
    }
    return mismatch(reading, key, text->written, path);
}

/* "json, string, no-op" */
static void write_names(const struct config_choice *choice, char names[static NAMES_MAX])
{
    size_t length = 0;

    names[0] = '\0';
    for (; choice->name; choice++)
        length += (size_t)snprintf(
            names + length, NAMES_MAX - length, "%s%s", choice->name, choice[1].name ? ", " : "");
}

static int no_such_choice(const struct config_reading *reading, const struct config_key *key,
    const char *written, const struct config_path *path)
{
    char names[NAMES_MAX];

    write_names(key->choices, names);
    if (key->is_open)
        config_report(reading, FINDING_WARNING, path, SHOWN " is none of %s: taken as %s", written,
            names, key->initial);
    else
        config_report(reading, FINDING_ERROR, path, SHOWN " is none of %s", written, names);
    return 0;
}

static int set_choice(const struct config_reading *reading, const struct config_key *key,
    const struct config_text *text, const struct config_path *path, void *field)
{
    const struct config_choice *choice = key->choices;

    if (!*text->value && !key->is_required)
        return 0;
    while (choice->name && strcasecmp(choice->name, text->value) != 0)
        choice++;
    if (!choice->name)
        return no_such_choice(reading, key, text->written, path);
    *(int *)field = choice->value;
    return 0;
}

int config_scalar_set_text(const struct config_reading *reading, const struct config_key *key,
    const struct config_text *text, const struct config_path *path, void *field)
{
    switch (key->type) {
    case KEY_STRING:
        if (*text->value || !key->skips_zero)
            *(const char **)field = text->value;
        return 0;
    case KEY_BOOL:
        if (value_bool(text->value, field) != VALUE_OK)
            return mismatch(reading, key, text->written, path);
        return 0;
    case KEY_CHOICE:
        return set_choice(reading, key, text, path, field);
    default:
        return set_number_text(reading, key, text, path, field);
    }
}

int config_scalar_expand(const struct config_reading *reading, const char *written,
    const struct config_path *path, const char **text)
{
    struct config_expanded expanded;
    int error;

    *text = NULL;
    if (strstr(written, "{{")) {
        config_report(reading, FINDING_ERROR, path,
            "template braces {{ are not replaced: render the file before Leveret reads it");
        return 0;
    }
    error = config_expand(reading->pool, reading->variables, written, &expanded);
    if (error)
        return error;
    if (expanded.complaint)
        config_report(reading, FINDING_ERROR, path, "%s", expanded.complaint);
    *text = expanded.text;
    return 0;
}

/* A string also serves for a number or a boolean when it holds a reference: there is no other way.
 */
static bool takes_strings(const struct config_key *key, const char *written)
{
    return (key->type != KEY_BOOL && key->type != KEY_INT) || config_expand_is_needed(written);
}

static int set_string(const struct config_reading *reading, const struct config_key *key,
    const json_t *value, const struct config_path *path, void *field)
{
    struct config_text text = {.written = json_string_value(value)};
    int error = config_scalar_expand(reading, text.written, path, &text.value);

    if (error || !text.value)
        return error;
    return config_scalar_set_text(reading, key, &text, path, field);
}

int config_scalar_set(const struct config_reading *reading, const struct config_key *key,
    const json_t *value, const struct config_path *path, void *field)
{
    bool is_zero = json_is_integer(value) && json_integer_value(value) == 0;

    if (json_is_string(value) && takes_strings(key, json_string_value(value)))
        return set_string(reading, key, value, path, field);
    if (json_is_integer(value) && (key->type == KEY_INT || key->type == KEY_SIZE))
        return set_number(reading, key, json_integer_value(value), path, field);
    if (is_zero && key->type == KEY_DURATION)
        return set_number(reading, key, 0, path, field);
    if (json_is_boolean(value) && key->type == KEY_BOOL) {
        *(bool *)field = json_boolean_value(value);
        return 0;
    }
    config_report(reading, FINDING_ERROR, path, "must be %s, not %s", expectations[key->type],
        config_type_name(json_typeof(value)));
    return 0;
}
