/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is told: from what became of a request's parts to a status, header fields and a
 * body. Pure: it decides and writes nothing anywhere but into the answer.
 *
 *   publish                                    consume
 *   confirmed     200 {}                       delivered          200, the message
 *   unconfirmed   202 {}                       empty, cancelled   204 if it was listened to, 503 if not
 *   unroutable    200 {}, 422 if mandatory     undecodable        502
 *   nacked        502                          too large          502
 *   rejected      502
 *   unknown       504
 *
 *   either: down, blocked, stalled, busy, no worker, cancelled before it was sent: 503 and
 *   Retry-After, for nothing was sent; topology: 503 without; invalid: 400; unsupported: 501
 *
 * Several producers that did not all succeed in the same way: 504 when one is unknown, 502 when one
 * was taken, so that nobody repeats what would then be there twice; else what the first one says.
 * Several consumers: 200 with what came as soon as one delivered, and X-Krakend-Completed says
 * whether all did. A producer beside a consumer is judged first; when it succeeded and the consumer
 * failed it is 502, for a repeated request would publish again.
 *
 * `static` adds its members to an answer that succeeded. Where a GET failed, or nothing came, and
 * its strategy is one for that case, its members are the answer: 200, not complete, and
 * X-Leveret-Outcome says what it would have been. It never hides a publish that failed.
 *
 * An endpoint with plan_endpoint.is_krakend gives the gateway's answers where they differ
 * (compatibility.h).
 *
 * Header fields of every answer of an endpoint: X-Krakend-Completed, X-Leveret-Outcome,
 * Cache-Control; X-Message-Id on a publish; Vary where the client had a choice of outputs;
 * traceparent and tracestate of the message that is delivered, or of one that was published with a
 * trace of our own making; the properties of a message where its backend shows them. Values that came from outside are left out
 * when they hold a control character.
 */
#ifndef LEVERET_FRONT_ANSWER_H
#define LEVERET_FRONT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/json_tree.h"
#include "shm/plan.h"

#include "part.h"
#include "problem.h"
#include "siphash.h"
#include "slice.h"
#include "trace.h"

#define ANSWER_OUTCOME "X-Leveret-Outcome"

enum { ANSWER_MAX_FIELDS = 10, ANSWER_MAX_PIECES = 3, ANSWER_RETRY_S = 1 };

/* Where an answer's bytes are made; they live as long as the answer. Never fails. */
struct answer_memory {
    void *(*take)(void *owner, size_t bytes);
    void *owner;
};

struct answer_field {
    const char *name;
    struct slice value;
};

struct answer {
    int status;
    uint32_t n_fields, n_pieces;
    bool has_deliveries; /* the pieces hold what the parts were given: prove before the ACK */
    bool must_close;     /* nothing that follows on this connection can be trusted */
    struct answer_field fields[ANSWER_MAX_FIELDS];
    struct answer_field *properties; /* more of them: what a message says of itself (received.h) */
    uint32_t n_properties;
    struct slice pieces[ANSWER_MAX_PIECES]; /* the body; may lie in a lane */
    size_t body_bytes;
    struct slice message_id; /* of the message that it is about; empty: of none */
    struct trace trace;      /* the same */
};

struct answer_question {
    const struct plan *plan;
    const struct plan_endpoint *endpoint;
    enum plan_encoding output; /* the endpoint's; never NEGOTIATE, but what came of it */
    const struct part *parts;  /* settled, in the file's order; at least one */
    struct slice message_id;   /* of the first publish; empty: there is none */
    struct trace made_trace;   /* of the publishes, when it is not the client's; else empty */
    const struct siphash_seed *seed;
    struct json_tree *tree; /* where flatmap_filter works; unused where there is none */
    struct answer_memory memory;
};

/* The answer to a request whose parts are settled. */
void answer_make(struct answer *answer, const struct answer_question *question);

/* An error that is not about a part. */
void answer_problem(
    struct answer *answer, const struct problem *problem, struct answer_memory memory);

/* A number as text, for a field. */
struct slice answer_decimal(uint64_t number, struct answer_memory memory);

/* Add a field, whose name is a literal; left out when the value is empty or holds a control
 * character. */
void answer_add(struct answer *answer, const char *name, struct slice value);

/* Add a piece of the body. */
void answer_append(struct answer *answer, struct slice piece);

/* "OK" and so on, for every status that is ever given. */
const char *answer_reason(int status);

#endif
