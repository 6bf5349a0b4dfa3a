/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "shm/json_string.h"
#include "config_path.h"

#define KEY_MAX 128

/* What does not fit whole is left out whole. */
__attribute__((format(printf, 2, 3))) static void append(
    struct config_path_text *text, const char *format, ...)
{
    size_t space = sizeof text->text - text->length;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text->text + text->length, space, format, arguments);
    va_end(arguments);
    if (n >= 0 && (size_t)n < space)
        text->length += (size_t)n;
    else
        text->text[text->length] = '\0';
}

static bool is_identifier(const char *raw, size_t length)
{
    if (length == 0 || isdigit((unsigned char)*raw))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)raw[i]) && raw[i] != '_')
            return false;
    return true;
}

void config_path_text_key(struct config_path_text *text, const char *raw, size_t length)
{
    int shown = length < KEY_MAX ? (int)length : KEY_MAX;

    append(text, is_identifier(raw, length) ? ".%.*s" : "[\"%.*s\"]", shown, raw);
}

void config_path_text_index(struct config_path_text *text, size_t index)
{
    append(text, "[%zu]", index);
}

void config_path_text_cut(struct config_path_text *text, size_t length)
{
    text->length = length;
    text->text[length] = '\0';
}

/* A key by its meaning. Of a long one only the beginning is written: the rest would be cut. */
static void append_key(struct config_path_text *text, const char *key)
{
    char quoted[6 * KEY_MAX + 2];
    size_t length = strnlen(key, KEY_MAX);
    size_t n = json_string_write(quoted, sizeof quoted, key, length);

    config_path_text_key(text, quoted + 1, n - 2);
}

void config_path_write(const struct config_path *path, struct config_path_text *text)
{
    if (!path->parent) {
        text->length = 0;
        append(text, "%s", path->key ? path->key : "$");
        return;
    }
    config_path_write(path->parent, text);
    if (path->key)
        append_key(text, path->key);
    else
        config_path_text_index(text, path->index);
}
