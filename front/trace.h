/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace that a request or a message belongs to: traceparent and tracestate of the W3C's Trace
 * Context, level 1 (https://www.w3.org/TR/trace-context-1/).
 *
 *      00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *      version  trace id                   parent id        flags, 01: sampled
 *
 * A context that came is passed on as it is: Leveret tells nobody of a span of its own, so it must
 * not be anybody's parent. One that is none is left out, and its tracestate with it (3.2.2, 4.2):
 * no traceparent or several, wrong characters, an id of zeros, version ff, or version 00 that is
 * longer than it should be; a later version may be, behind another hyphen. A tracestate with a
 * member that is none, or with more than TRACE_STATE_MEMBERS, is left out alone; from one that is
 * longer than TRACE_STATE_BYTES members are taken, first those of more than 128 bytes, then from
 * the end (3.3.1.5).
 */
#ifndef LEVERET_FRONT_TRACE_H
#define LEVERET_FRONT_TRACE_H

#include <stdbool.h>

#include "header_rules.h"
#include "message_id.h"
#include "slice.h"

#define TRACE_PARENT "traceparent"
#define TRACE_STATE "tracestate"

enum {
    TRACE_PARENT_BYTES = 55, /* of version 00 */
    TRACE_ID_BYTES = 32,
    TRACE_STATE_BYTES = 512,
    TRACE_STATE_MEMBERS = 32
};

/* Empty where there is none; a state never without a parent. */
struct trace {
    struct slice parent, state;
};

/* The context in these two values, which came from anywhere. `room` is where a state is shortened. */
struct trace trace_of(struct slice parent, struct slice state, char room[TRACE_STATE_BYTES]);

/* That of a request. `scratch` has room for all values of its headers, and TRACE_STATE_BYTES. */
struct trace trace_of_request(const struct header_lines *lines, char *scratch);

/* A new one. */
struct trace trace_make(
    struct message_id_source *source, bool is_sampled, char out[TRACE_PARENT_BYTES]);

/* Its trace id in hexadecimal; empty: there is no context. */
struct slice trace_id(const struct trace *trace);

#endif
