/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a value stands in a document:
 * "$.endpoints[0].backend[1].extra_config["backend/amqp/producer"]".
 *
 * A path is a chain through the stack frames that lead to a value; it is made text only when there
 * is something to say about it. Long keys and deep paths are cut, always in the same way, so
 * that two texts of one path are equal.
 */
#ifndef LEVERET_CONFIG_PATH_H
#define LEVERET_CONFIG_PATH_H

#include <stddef.h>

#define CONFIG_PATH_MAX 1024

/*
 * key NULL: an element of an array. No parent: the document itself, or what `key` says, a path that
 * was written before.
 */
struct config_path {
    const struct config_path *parent;
    const char *key;
    size_t index;
};

static inline struct config_path config_path_member(
    const struct config_path *parent, const char *key)
{
    return (struct config_path){.parent = parent, .key = key};
}

static inline struct config_path config_path_element(const struct config_path *parent, size_t index)
{
    return (struct config_path){.parent = parent, .index = index};
}

static inline struct config_path config_path_again(const char *written)
{
    return (struct config_path){.key = written};
}

/* Text under construction, cut at CONFIG_PATH_MAX. */
struct config_path_text {
    size_t length;
    char text[CONFIG_PATH_MAX];
};

/* The whole of path. */
void config_path_write(const struct config_path *path, struct config_path_text *text);

/* One more step. A key is given as it stands between its quotes in a JSON text. */
void config_path_text_key(struct config_path_text *text, const char *raw, size_t length);
void config_path_text_index(struct config_path_text *text, size_t index);

/* Back to what the text was when it was this long. */
void config_path_text_cut(struct config_path_text *text, size_t length);

#endif
