/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which header fields of a request go with its message, and under which name.
 *
 * Pass: those that the endpoint lists, or all. Never pass, whatever the endpoint lists: what belongs to this
 * connection alone (RFC 9110, 7.6.1), which is Connection and every field that it names,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding and Upgrade; Host and Content-Length, which
 * describe this request and not the message. X-Forwarded-For, X-Forwarded-Host, traceparent and
 * tracestate are not passed either: fields.h makes them.
 */
#ifndef LEVERET_FRONT_HEADER_RULES_H
#define LEVERET_FRONT_HEADER_RULES_H

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "slice.h"

/* One field line of a request, in any case, with or without white space around the value. */
struct header_line {
    struct slice name;
    struct slice value;
};

struct header_lines {
    const struct header_line *items; /* in the order in which they came */
    size_t n;
};

enum { HEADER_MAX_OPTIONS = 32 };

enum header_outcome {
    HEADER_OK,
    HEADER_MANY_OPTIONS, /* Connection names more than HEADER_MAX_OPTIONS things */
};

/* The rules for one request. Borrows what it was made of. */
struct header_rules {
    const struct plan_text *listed; /* what the endpoint lists */
    size_t n_listed;
    const struct plan *plan;
    bool passes_all;
    struct slice options[HEADER_MAX_OPTIONS]; /* what Connection names */
    size_t n_options;
};

enum header_outcome header_rules_init(struct header_rules *rules, const struct plan *plan,
    const struct plan_endpoint *endpoint, const struct header_lines *lines) MUST_USE;

/* Does a field of this name go with the message? */
bool header_rules_pass(const struct header_rules *rules, struct slice name);

/* Does it concern this connection alone? */
bool header_rules_hop(const struct header_rules *rules, struct slice name);

/* The value of the first line of that name, trimmed; empty when there is none. */
struct slice header_find(const struct header_lines *lines, struct slice name);

/* All values of that name, trimmed and joined with ", " (RFC 9110, 5.3). One alone is not copied;
 * several are written to `out`, which has room for them all. Empty when there is none. */
struct slice header_join(const struct header_lines *lines, struct slice name, char *out);

/* `name` as it is usually written, X-Request-Id, into `out` of name.len bytes. The names of a trace
 * stay in lower case, as the W3C's Trace Context (3.2, 3.3) writes them: HTTP does not care, but
 * the names in an AMQP table differ by case, and that is where tracing libraries look. */
struct slice header_canonical(struct slice name, char *out);

#endif
