/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/json_path.h"
#include "shm/json_string.h"

#include <stdint.h>
#include <string.h>

#define INDEX_MAX (SIZE_MAX / 16)

struct path_step {
    bool is_index;
    size_t index;
    struct json_slice name; /* raw */
};

static bool take(const char **path, char c)
{
    if (**path != c)
        return false;
    (*path)++;
    return true;
}

/* `[3]`, from behind the bracket. */
static bool take_index(const char **path, struct path_step *step)
{
    const char *first = *path;
    step->is_index = true;
    for (step->index = 0; **path >= '0' && **path <= '9'; (*path)++) {
        if (step->index > INDEX_MAX)
            return false;
        step->index = step->index * 10 + (size_t)(**path - '0');
    }
    return *path > first && take(path, ']');
}

/* `["name"]`, from behind the quote. */
static bool take_quoted(const char **path, struct path_step *step)
{
    const char *first = *path;
    if (!json_string_skip(path, first + strlen(first)))
        return false;
    step->name = (struct json_slice){.at = first, .len = (size_t)(*path - first) - 1};
    return take(path, ']');
}

/* The next step of a path that does not end here. */
static bool take_step(const char **path, struct path_step *step)
{
    *step = (struct path_step){.is_index = false};
    if (take(path, '['))
        return take(path, '"') ? take_quoted(path, step) : take_index(path, step);
    if (!take(path, '.'))
        return false;
    size_t len = strcspn(*path, ".[");
    step->name = (struct json_slice){.at = *path, .len = len};
    *path += len;
    return len > 0;
}

static bool find(
    const struct json_value *container, const struct path_step *step, struct json_member *found)
{
    enum json_kind wanted = step->is_index ? JSON_KIND_ARRAY : JSON_KIND_OBJECT;
    if (container->kind != wanted)
        return false;
    struct json_cursor cursor;
    struct json_member member;
    bool is_found = false;
    json_open(&cursor, container);
    for (size_t i = 0; json_next(&cursor, &member) == JSON_OK; i++) {
        if (step->is_index ? i != step->index : !json_string_equal(member.key, step->name))
            continue;
        *found = member;
        is_found = true;
        if (step->is_index)
            break;
    }
    return is_found;
}

bool json_path_follow(const struct json_value *root, const char *path, struct json_member *found)
{
    struct path_step step;
    *found = (struct json_member){.key = {NULL, 0}, .value = *root};
    if (*path++ != '$')
        return false;
    while (*path != 0) {
        struct json_value container = found->value;
        if (!take_step(&path, &step) || !find(&container, &step, found))
            return false;
    }
    return true;
}

struct json_position json_position(const char *text, size_t offset)
{
    struct json_position position = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            position.line++;
            position.column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) { /* not inside a UTF-8 sequence */
            position.column++;
        }
    }
    return position;
}
