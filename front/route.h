/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoint a method and a path mean.
 *
 * A table is built once from the plan and never changes. A pattern is a row of segments between
 * slashes, written as they are without escapes; a segment `{name}` takes any one segment of the
 * path, `text{name}` one that begins with the text and goes on. The cost of a match depends on the length of the path and on how many patterns fit its
 * beginning, not on how many there are; it allocates nothing.
 *
 * What fits:
 *  - The path is split at its slashes first and each segment is percent-decoded then (RFC 3986,
 *    2.4), so `%2F` is a slash inside a value and `/%70roduce` means `/produce`. `+` is a plus.
 *    Dots are dots: `.` and `..` are values like any other.
 *  - Segments are compared byte for byte: `/Produce` is not `/produce` (RFC 3986, 6.2.2.1). Who asks
 *    for what nobody has, but for a slash too many at its end or the case of its ASCII letters, is
 *    sent to what there is; the values of parameters stay as they came.
 *  - A plain segment is tried before a parameter, from the left, and a longer text in front of one
 *    before a shorter; where that leads nowhere the next is tried. Each method has its own patterns: `POST /a/{b}` serves `POST /a/c` also
 *    when only GET is registered for `/a/c`.
 *  - An empty segment is a value like any other, except at the end, where it is a slash too many.
 *  - HEAD is a method like any other, and nobody registers it.
 */
#ifndef LEVERET_FRONT_ROUTE_H
#define LEVERET_FRONT_ROUTE_H

#include <stdint.h>

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "slice.h"

enum {
    ROUTE_MAX_PARAMETERS = 32, /* of one pattern */
    ROUTE_MAX_SEGMENTS = 64,   /* of one pattern */
    ROUTE_MAX_METHODS = 16,    /* in one table */
    ROUTE_ALLOW_BYTES = 256,   /* all methods of a table as the value of Allow, with a NUL */
};

enum route_outcome {
    ROUTE_FOUND,
    ROUTE_NOT_FOUND,    /* 404 */
    ROUTE_WRONG_METHOD, /* 405: `allow` says which would do */
    ROUTE_REDIRECT,     /* 307: another spelling of the path would be found, at `location` */
    ROUTE_BAD_ESCAPE,   /* 400: a `%` without two hexadecimal digits, or `%00` */
};

struct route_match {
    uint32_t endpoint; /* FOUND, REDIRECT: index into plan_front.endpoints */
    uint32_t n_parameters;
    struct slice parameters[ROUTE_MAX_PARAMETERS]; /* FOUND: from the left; into scratch */
    char allow[ROUTE_ALLOW_BYTES];                 /* WRONG_METHOD: "GET, POST" */
    struct slice location;                         /* REDIRECT: a path; into scratch */
};

struct route_table;

/* A table of the plan's endpoints; `*table` is the caller's, who keeps the plan joined as long.
 * -EINVAL: a pattern that does not begin with a slash or has a brace that is no parameter's; -E2BIG: past
 * a bound above; -EEXIST: two endpoints that mean the same; -ENOMEM. Where a pattern is to blame,
 * `*culprit` is its endpoint's index. */
int route_table_new(
    struct route_table **table, const struct plan *plan, uint32_t *culprit) MUST_USE;
void route_table_free(struct route_table *table);

/* What `method` on `path` means. `path` is as it came, up to but without `?`; it begins with a
 * slash. `scratch` has room for path.len bytes and holds the values as long as they are used. Only
 * what the outcome names is set in `match`.
 *
 * REDIRECT is never given for a path that begins with `//` or `/\`, which a client would take for
 * another host's name. */
enum route_outcome route_find(const struct route_table *table, struct slice method,
    struct slice path, char *scratch, struct route_match *match) MUST_USE;

#endif
