/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include "config_foreign.h"
#include "config_place.h"
#include "config_scalar.h"
#include "keys.h"

static const char *const type_names[] = {
    [KEY_STRING] = "string",
    [KEY_BOOL] = "boolean",
    [KEY_INT] = "integer",
    [KEY_DURATION] = "duration",
    [KEY_SIZE] = "size",
    [KEY_CHOICE] = "one of",
    [KEY_LIST] = "array of strings",
    [KEY_SCALARS] = "object of strings, numbers and booleans",
    [KEY_STRINGS] = "object of strings",
    [KEY_OBJECT] = "object",
    [KEY_LEVEL] = "object",
    [KEY_LEVELS] = "array of objects",
    [KEY_ANY] = "any",
};

static void print_choices(const struct config_choice *choice, FILE *out)
{
    for (; choice->name; choice++)
        fprintf(out, " `%s`%s", choice->name, choice[1].name ? "," : "");
}

static void print_range(const struct config_key *key, FILE *out)
{
    char least[CONFIG_SCALAR_BOUND_MAX], most[CONFIG_SCALAR_BOUND_MAX];

    config_scalar_write_bound(key, key->min, least);
    config_scalar_write_bound(key, key->max, most);
    fprintf(out, ", %s to %s", least, most);
}

static const char *nested_type(const struct config_level *level, const struct config_key *key)
{
    if (config_place_of_list(level, key->name))
        return "array of objects";
    return strcmp(key->name, "extra_config") == 0 ? "object" : "integer";
}

static void print_type(const struct config_level *level, const struct config_key *key, FILE *out)
{
    fputs(key->type == KEY_NESTED ? nested_type(level, key) : type_names[key->type], out);
    if (key->type == KEY_CHOICE)
        print_choices(key->choices, out);
    else if (key->type == KEY_INT || key->type == KEY_DURATION || key->type == KEY_SIZE)
        print_range(key, out);
}

static void print_key(const struct config_level *level, const struct config_key *key, FILE *out)
{
    fprintf(out, "| `%s`", key->name);
    if (key->v2_name)
        fprintf(out, "<br>version 2: `%s`", key->v2_name);
    fputs(" | ", out);
    print_type(level, key, out);
    if (key->initial && *key->initial)
        fprintf(out, " | `%s`", key->initial);
    else
        fputs(" |", out);
    fprintf(out, " | %s%s |\n", key->use == KEY_LATER ? "*Not built yet.* " : "", key->help);
}

static void print_table(const struct config_level *level, FILE *out)
{
    fputs("| Key | Type | Default | What it does |\n|---|---|---|---|\n", out);
    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++)
            print_key(level, &level->keys[i], out);
}

static void print_place(const struct config_place *place, FILE *out)
{
    const char *v2_name = place->namespace ? config_foreign_v2_name(place->namespace) : NULL;

    fprintf(
        out, "### %c%s\n\n", toupper((unsigned char)*place->level->name), place->level->name + 1);
    if (place->owner) {
        fputs("At `", out);
        config_place_write(place, out);
        fputc('`', out);
    } else {
        fputs("At the first level of the file", out);
    }
    if (v2_name)
        fprintf(out, ", in version 2 `github.com/%s`", v2_name);
    if (place->beside)
        fprintf(out, ", beside a %s", place->beside->level->name);
    fputs(".\n\n", out);
    print_table(place->level, out);
}

void keys_print(FILE *out)
{
    for (size_t i = 0; i < config_n_places; i++) {
        if (i > 0)
            fputc('\n', out);
        print_place(&config_places[i], out);
    }
}
