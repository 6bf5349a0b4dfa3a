/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices of a JSON text (RFC 8259): what it is, whether it is JSON at all, and where its members
 * stand, without copying a byte of it. A message passes through as it was written: 2.50, 1e3 and
 * 12345678901234567890123 keep their digits, a key keeps its escapes.
 *
 * Why not a library: jansson turns every number into a double or a 64-bit integer, prints it its
 * own way and allocates for each value; jsmn accepts much that is not JSON. What they leave over is
 * this one scanner. It allocates nothing, does not recurse, and refuses whatever the grammar does
 * not say: control characters and NUL inside strings, anything but shortest-form UTF-8, a byte
 * order mark, a number like 01 or .5. Two liberties that the grammar gives are kept: a lone
 * surrogate escape such as \uD800 is syntax and goes through, and so do repeated keys, all of them.
 *
 * The text may lie in memory that another process writes to. Every byte is read between the two
 * ends of the slice, whatever it was a moment ago, and every step checks the text again: a liar
 * gets an outcome or an answer about bytes that are gone, never a read outside.
 */
#ifndef LEVERET_SHM_JSON_H
#define LEVERET_SHM_JSON_H

#include "shm/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/* So many arrays and objects may stand one inside the other. */
#define JSON_MAX_DEPTH 512

/* Not JSON_OBJECT and so on: jansson.h has those. */
enum json_kind {
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_TRUE,
    JSON_KIND_FALSE,
    JSON_KIND_NULL,
};

enum json_outcome {
    JSON_OK,
    JSON_END,       /* of a container: there is no further member */
    JSON_MALFORMED, /* not JSON, or JSON that breaks off */
    JSON_TOO_DEEP,  /* more than JSON_MAX_DEPTH */
    JSON_TRAILING,  /* a whole value, and then something more */
};

/* Bytes that belong to somebody else and outlive their use here. */
struct json_slice {
    const char *at;
    size_t len;
};

struct json_value {
    struct json_slice text; /* without white space around it; a string has its quotes */
    enum json_kind kind;
};

struct json_member {
    struct json_slice key; /* between its quotes, as written: compare with json_string_equal();
                              in an array {NULL, 0} */
    struct json_value value;
};

/* A walk over the members of one object or the elements of one array. */
struct json_cursor {
    const char *at; /* after a failed step: the byte that spoiled it */
    const char *end;
    enum json_kind kind; /* of the container */
    bool has_begun;
};

/*
 * Checks that `text` holds one value and nothing but white space around it.
 * JSON_OK: `value` is that value. JSON_MALFORMED, JSON_TOO_DEEP or JSON_TRAILING: `fault` is the
 * offset of the byte, or of the character or literal, that spoils it; `len` when the text breaks
 * off (an empty one does so at once, and may be NULL). One pass over the text.
 */
MUST_USE enum json_outcome json_check(
    const char *text, size_t len, struct json_value *value, size_t *fault);

/*
 * Says by its first byte what `text` is, and trims it, for a walk that checks the rest on its way.
 * JSON_OK or JSON_MALFORMED: no value begins like that, nor is an empty text one, which may be NULL.
 * Costs the white space around the value.
 */
MUST_USE enum json_outcome json_peek(const char *text, size_t len, struct json_value *value);

/* Starts a walk over `container`, which must be an object or an array. */
void json_open(struct json_cursor *cursor, const struct json_value *container);

/*
 * Steps to the next member, one pass over it however deep it is.
 * JSON_OK: `member` is set. JSON_END: there was none, and the container ended where its slice does.
 * JSON_MALFORMED, JSON_TOO_DEEP, JSON_TRAILING: what json_check() would have said, at cursor->at;
 * so a walk over a whole text to JSON_END is a full check. The walk is over after all but JSON_OK.
 */
MUST_USE enum json_outcome json_next(struct json_cursor *cursor, struct json_member *member);

#endif
