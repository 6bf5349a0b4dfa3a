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

/* Of a literal, where a constant is wanted. */
#define SLICE(literal)                                                                             \
    {                                                                                              \
        .at = "" literal, .len = sizeof(literal) - 1                                               \
    }

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

/* Is it a method or the name of a field: a token (RFC 9110, 5.6.2)? */
static inline bool slice_is_token(struct slice text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && !memchr(others, c, sizeof(others) - 1))
            return false;
    }
    return text.len > 0;
}

/* May it be the value of a field: has it no control character but the tab (RFC 9110, 5.5)? */
static inline bool slice_is_field_value(struct slice text)
{
    bool has_control = false;
    for (size_t i = 0; i < text.len; i++) { /* to the end: then many are looked at at a time */
        unsigned char byte = (unsigned char)text.at[i];
        has_control |= (byte < 0x20 && byte != '\t') || byte == 0x7f;
    }
    return !has_control;
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
