/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner turns two steps for as long as something is open: into the next value until it meets
 * a scalar or an empty container, and out of everything that closes behind it. What is open is one
 * bit a level, so the depth costs 64 bytes of stack and no call.
 */
#include "shm/json.h"
#include "shm/json_string.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct scan {
    const char *at;
    const char *end;
};

struct nest {
    unsigned floor; /* what was open before this value */
    unsigned depth;
    uint64_t is_object[JSON_MAX_DEPTH / 64];
};

static struct scan scan_of(const char *text, size_t len)
{
    return (struct scan){.at = text, .end = len ? text + len : text};
}

static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

static bool take(struct scan *scan, char c)
{
    if (peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at))
        scan->at++;
}

static bool skip_digits(struct scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && *at >= '0' && *at <= '9')
        at++;
    bool is_some = at > scan->at;
    scan->at = at;
    return is_some;
}

static bool skip_number(struct scan *scan)
{
    (void)take(scan, '-'); /* it may have one */
    if (!take(scan, '0') && !skip_digits(scan))
        return false;
    if (take(scan, '.') && !skip_digits(scan))
        return false;
    if (!take(scan, 'e') && !take(scan, 'E'))
        return true;
    if (!take(scan, '-'))
        (void)take(scan, '+'); /* either sign, or none */
    return skip_digits(scan);
}

static bool skip_literal(struct scan *scan, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, literal, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static bool skip_scalar(struct scan *scan)
{
    switch (peek(scan)) {
    case '"':
        scan->at++;
        return json_string_skip(&scan->at, scan->end);
    case 't':
        return skip_literal(scan, "true");
    case 'f':
        return skip_literal(scan, "false");
    case 'n':
        return skip_literal(scan, "null");
    default:
        return skip_number(scan);
    }
}

/* A key and its colon. */
static bool skip_key(struct scan *scan, struct json_slice *key)
{
    skip_space(scan);
    const char *quote = scan->at;
    if (!take(scan, '"') || !json_string_skip(&scan->at, scan->end))
        return false;
    *key = (struct json_slice){.at = quote + 1, .len = (size_t)(scan->at - quote) - 2};
    skip_space(scan);
    return take(scan, ':');
}

static bool nest_push(struct nest *nest, bool is_object)
{
    if (nest->depth == JSON_MAX_DEPTH)
        return false;
    uint64_t bit = UINT64_C(1) << (nest->depth % 64);
    uint64_t *word = &nest->is_object[nest->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    nest->depth++;
    return true;
}

static bool nest_in_object(const struct nest *nest)
{
    unsigned top = nest->depth - 1;
    return (nest->is_object[top / 64] >> (top % 64) & 1) != 0;
}

/* Goes in, through as many brackets as open, and behind the first scalar; an empty container is
 * left open for scan_out(). */
static enum json_outcome scan_in(struct scan *scan, struct nest *nest)
{
    struct json_slice key;
    for (;;) {
        skip_space(scan);
        int opener = peek(scan);
        if (opener != '{' && opener != '[')
            return skip_scalar(scan) ? JSON_OK : JSON_MALFORMED;
        if (!nest_push(nest, opener == '{'))
            return JSON_TOO_DEEP;
        scan->at++;
        skip_space(scan);
        if (peek(scan) == (opener == '{' ? '}' : ']'))
            return JSON_OK;
        if (opener == '{' && !skip_key(scan, &key))
            return JSON_MALFORMED;
    }
}

/* Goes out, through as many brackets as close, and behind the comma (and key) of what follows. */
static enum json_outcome scan_out(struct scan *scan, struct nest *nest)
{
    struct json_slice key;
    while (nest->depth > nest->floor) {
        bool in_object = nest_in_object(nest);
        skip_space(scan);
        if (take(scan, ','))
            return !in_object || skip_key(scan, &key) ? JSON_OK : JSON_MALFORMED;
        if (!take(scan, in_object ? '}' : ']'))
            return JSON_MALFORMED;
        nest->depth--;
    }
    return JSON_OK;
}

/* One value, whatever it holds, inside `depth` open containers. */
static enum json_outcome scan_value(struct scan *scan, unsigned depth)
{
    struct nest nest; /* its bits count between floor and depth only: nothing to clear */
    nest.floor = depth;
    nest.depth = depth;
    do {
        enum json_outcome outcome = scan_in(scan, &nest);
        if (outcome == JSON_OK)
            outcome = scan_out(scan, &nest);
        if (outcome != JSON_OK)
            return outcome;
    } while (nest.depth > depth);
    return JSON_OK;
}

static bool kind_of(int first, enum json_kind *kind)
{
    switch (first) {
    case '{':
        *kind = JSON_KIND_OBJECT;
        return true;
    case '[':
        *kind = JSON_KIND_ARRAY;
        return true;
    case '"':
        *kind = JSON_KIND_STRING;
        return true;
    case 't':
        *kind = JSON_KIND_TRUE;
        return true;
    case 'f':
        *kind = JSON_KIND_FALSE;
        return true;
    case 'n':
        *kind = JSON_KIND_NULL;
        return true;
    default:
        *kind = JSON_KIND_NUMBER;
        return first == '-' || (first >= '0' && first <= '9');
    }
}

/* The next value, seen and skipped. */
static enum json_outcome take_value(struct scan *scan, unsigned depth, struct json_value *value)
{
    skip_space(scan);
    const char *first = scan->at;
    if (!kind_of(peek(scan), &value->kind))
        return JSON_MALFORMED;
    enum json_outcome outcome = scan_value(scan, depth);
    value->text = (struct json_slice){.at = first, .len = (size_t)(scan->at - first)};
    return outcome;
}

enum json_outcome json_check(const char *text, size_t len, struct json_value *value, size_t *fault)
{
    struct scan scan = scan_of(text, len);
    struct json_value whole;
    enum json_outcome outcome = take_value(&scan, 0, &whole);
    if (outcome == JSON_OK) {
        skip_space(&scan);
        outcome = scan.at == scan.end ? JSON_OK : JSON_TRAILING;
    }
    if (outcome == JSON_OK)
        *value = whole;
    else
        *fault = (size_t)(scan.at - text);
    return outcome;
}

enum json_outcome json_peek(const char *text, size_t len, struct json_value *value)
{
    struct scan scan = scan_of(text, len);
    enum json_kind kind;
    skip_space(&scan);
    if (!kind_of(peek(&scan), &kind))
        return JSON_MALFORMED;
    while (scan.end - 1 > scan.at && is_space(scan.end[-1]))
        scan.end--;
    *value = (struct json_value){
        .text = {.at = scan.at, .len = (size_t)(scan.end - scan.at)}, .kind = kind};
    return JSON_OK;
}

void json_open(struct json_cursor *cursor, const struct json_value *container)
{
    assert(container->kind == JSON_KIND_OBJECT || container->kind == JSON_KIND_ARRAY);
    assert(container->text.len > 0);
    *cursor = (struct json_cursor){.at = container->text.at + 1, /* the bracket */
        .end = container->text.at + container->text.len,
        .kind = container->kind};
}

/* At the closing bracket: it must be the last byte of the slice. */
static enum json_outcome end_of(struct json_cursor *cursor, const char *closer)
{
    cursor->at = closer;
    if (closer + 1 == cursor->end)
        return JSON_END;
    cursor->at = closer + 1;
    return JSON_TRAILING;
}

enum json_outcome json_next(struct json_cursor *cursor, struct json_member *member)
{
    bool is_object = cursor->kind == JSON_KIND_OBJECT;
    struct scan scan = {.at = cursor->at, .end = cursor->end};
    struct json_member next = {0};

    skip_space(&scan);
    if (peek(&scan) == (is_object ? '}' : ']'))
        return end_of(cursor, scan.at);
    enum json_outcome outcome = JSON_MALFORMED;
    if ((!cursor->has_begun || take(&scan, ',')) && (!is_object || skip_key(&scan, &next.key)))
        outcome = take_value(&scan, 1, &next.value);
    cursor->at = scan.at;
    if (outcome != JSON_OK)
        return outcome;
    cursor->has_begun = true;
    *member = next;
    return JSON_OK;
}
