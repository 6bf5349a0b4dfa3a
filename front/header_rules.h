/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which header fields of a request go with its message, and under which name.
 *
 * Pass: those that the endpoint lists, or all; `traceparent` and `tracestate` always, so that a
 * trace goes on behind the queue. Never pass, whatever the endpoint lists: what belongs to this
 * connection alone (RFC 9110, 7.6.1), which is Connection and every field that it names,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding and Upgrade; Host and Content-Length, which a
 * broker would only copy wrongly. X-Forwarded-For and X-Forwarded-Host are not passed either:
 * fields.h makes them.
 */
#ifndef LEVERET_FRONT_HEADER_RULES_H
#define LEVERET_FRONT_HEADER_RULES_H

#include <stdbool.h>

#include "shm/plan.h"

#include "slice.h"

/* One field line of a request, in any case. */
struct header_line {
    struct slice name;
    struct slice value;
};

struct header_lines {
    const struct header_line *items; /* in the order in which they came */
    size_t n;
};

/* Does line `i` of `lines` go with a message of `endpoint`? */
bool header_passes(const struct plan *plan, const struct plan_endpoint *endpoint,
    const struct header_lines *lines, size_t i);

/* The value of the first line of that name, trimmed; at is NULL when there is none. */
struct slice header_find(const struct header_lines *lines, const char *name);

/* All values of that name, trimmed and joined with ", " (RFC 9110, 5.3) into `out`, which has room
 * for header_joined_bytes(); empty when there is none. One line's value is not copied. */
struct slice header_join(const struct header_lines *lines, struct slice name, char *out);
size_t header_joined_bytes(const struct header_lines *lines, struct slice name);

/* `name` as it is usually written, X-Request-Id, into `out` of name.len bytes. */
struct slice header_canonical(struct slice name, char *out);

#endif
