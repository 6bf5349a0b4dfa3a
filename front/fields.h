/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a published message, from the request that asks for it.
 *
 *  - What the plan names (routing key, expiration, reply-to, priority, message id): the parameter's
 *    value or the fixed text. An empty one is left out, and the message goes without the property.
 *  - Content type: the request's, whether or not the header is passed on.
 *  - Message id: the parameter's; else the value of Idempotency-Key as it stands; else the
 *    generated one. So a client that repeats a request may tell the consumer that it does.
 *  - Headers: those that header_rules.h passes, in canonical spelling; several lines of one name
 *    are one header, joined with ", ", or one header each where the backend asks for arrays.
 *  - X-Forwarded-For, always: what the client sent, then the address of the peer that we saw
 *    ourselves, as proxies do; the last entry is the one that can be trusted. A peer without an
 *    address (a unix socket) is "unknown" (RFC 7239, 6.2).
 *  - X-Forwarded-Host, always: the host that this request was for. A client cannot set it.
 *  - traceparent and tracestate, whatever the endpoint lists, so that a trace goes on behind the
 *    queue: those of the request's context (trace.h), unless Connection names them.
 *
 * Every value is checked against AMQP's limits as it is written (shm/message.h); the first that
 * breaks one is named, and nothing is sent.
 */
#ifndef LEVERET_FRONT_FIELDS_H
#define LEVERET_FRONT_FIELDS_H

#include "shm/cleanup.h"
#include "shm/message.h"
#include "shm/plan.h"

#include "header_rules.h"
#include "slice.h"
#include "trace.h"

enum {
    FIELDS_FAULT_BYTES = 512,
    FIELDS_ADDRESS_BYTES = 64 /* most that `peer` may have */
};

enum fields_outcome {
    FIELDS_OK,
    FIELDS_REFUSED, /* 400: `fault` says which value breaks which limit */
    FIELDS_FULL,    /* the writer had less room than fields_max_bytes() */
};

struct fields_request {
    const struct plan *plan;
    const struct plan_endpoint *endpoint;
    const struct slice *parameters; /* of the route, from the left */
    size_t n_parameters;
    struct header_lines headers;
    struct slice host;         /* empty: the client named none */
    struct slice peer;         /* a textual address without a port; empty: it has none */
    struct trace trace;        /* none: the message belongs to none */
    struct slice generated_id; /* the message's id when the client gives none; not empty */
};

/* The routing key of the message that `part`, a producer, sends; it may be empty. */
struct slice fields_routing_key(const struct fields_request *request, const struct plan_part *part);

/* An upper bound of what fields_write() takes, for any part of this endpoint; the same for any
 * request whose head has `n_lines` fields at most and `head_bytes` in all. */
size_t fields_max_bytes(const struct fields_request *request);
size_t fields_most_bytes(size_t n_lines, size_t head_bytes);

/* Write the fields of the message that `part`, a producer, sends. `scratch` has room for
 * fields_max_bytes() and is free again afterwards; `writer` may write to shared memory.
 * OK: `*message_id` is the id that was written, a slice of the request's or the plan's memory.
 * REFUSED: `fault` is a sentence, "exp_key (parameter a) is not a decimal number". It may quote a
 * header's name or the plan, 256 bytes at most; write it as any other text of a peer's. The writer
 * may hold fields after a failure: throw them away. */
enum fields_outcome fields_write(const struct fields_request *request, const struct plan_part *part,
    struct message_writer *writer, char *scratch, struct slice *message_id,
    char fault[FIELDS_FAULT_BYTES]) MUST_USE;

#endif
