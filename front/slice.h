/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slice: bytes that somebody else owns, without a NUL at their end. What came over HTTP is handed
 * through the front as slices of the request's own memory.
 */
#ifndef LEVERET_FRONT_SLICE_H
#define LEVERET_FRONT_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "shm/plan.h"

struct slice {
    const char *at; /* may be NULL when len is 0 */
    size_t len;
};

static inline struct slice slice_of(const char *string)
{
    return (struct slice){.at = string, .len = strlen(string)};
}

static inline struct slice slice_of_plan(const struct plan *plan, struct plan_text text)
{
    return (struct slice){.at = plan_string(plan, text), .len = text.length};
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (!a.len || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII letters alone count as equal in both cases: the program never leaves the C locale. */
static inline bool slice_equals_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && (!a.len || strncasecmp(a.at, b.at, a.len) == 0);
}

/* Copy the bytes to `out`; the end of the copy. */
static inline char *slice_copy(struct slice text, char *out)
{
    if (text.len)
        memcpy(out, text.at, text.len);
    return out + text.len;
}

/* Without the blanks and tabs at both ends: the OWS around a field value (RFC 9110, 5.6.3). */
static inline struct slice slice_trim(struct slice text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.len--;
    }
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

#endif
