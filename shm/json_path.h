/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a place of a JSON text is, for messages like `file:12:9: $.endpoints[0].timeout: ...`.
 *
 * A path is `$`, then any number of `.name`, `[3]` and `["name"]`. A plain name ends before the
 * next
 * `.` or `[`; a quoted one is a JSON string, which a key like the namespaces of "extra_config"
 * needs: $.extra_config["backend/amqp/consumer"].name (json_string_write() makes one of any key).
 *
 * Somebody who has parsed the same bytes with another library and found fault with a value writes
 * the path of it and asks here for the place:
 *
 *     struct json_value root;
 *     struct json_member found;
 *     if (json_peek(text, len, &root) == JSON_OK) {
 *         (void)json_path_follow(&root, path, &found);   (its nearest parent will do as well)
 *         struct json_position where = json_position(text, (size_t)(found.value.text.at - text));
 *     }
 *
 * Each question scans the text up to the place: right for messages, wrong for reading a file.
 */
#ifndef LEVERET_SHM_JSON_PATH_H
#define LEVERET_SHM_JSON_PATH_H

#include "shm/json.h"

#include <stdbool.h>
#include <stddef.h>

struct json_position {
    size_t line;   /* from 1 */
    size_t column; /* from 1, in characters: a UTF-8 sequence is one, a tab too */
};

/*
 * Follows `path` from `root` as far as it leads, and says whether that was to its end. `found` is
 * where it got: the member or element, or the root with no key. False when the rest of the path is
 * not there, is no path, or stands behind bytes that are not JSON; then `found` is the last place
 * that is there. Of a repeated key it takes the last, as jansson does.
 */
bool json_path_follow(const struct json_value *root, const char *path, struct json_member *found);

/* Line and column of text[offset]; offset may be the length of the text. */
struct json_position json_position(const char *text, size_t offset);

#endif
