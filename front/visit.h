/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A visit: one HTTP request as the library sees it, from its handler to its disposal. It writes the
 * answer and proves that it arrived.
 *
 *   PENDING ─visit_answer(): nothing delivered─────────────────────────────▶ ENDING ─disposed
 *      │ visit_answer() with what was delivered                                ▲
 *      ▼                                                                       │
 *   WRITING ─last byte taken by the kernel─▶ PROVING ─ACK or REQUEUE───────────┘
 *
 *   any ─disposed (the connection is gone)─▶ REQUEUE
 *
 * The proof: a delivered message is written as a piece that is not the last one. Once the kernel
 * took all of it the socket tells whether somebody is at the other end. A connection that is up and
 * goes on: ACK. One that was reset: REQUEUE. One on which the client had ended its own side may be
 * half closed or closed; there the bytes must first be acknowledged, which the kernel of a closed
 * client answers with a reset instead. So must they on a connection that ends with this answer: to
 * close it over bytes that the client had sent ahead would throw away what is still on its way
 * (RFC 9112, 9.6). Only then comes the empty last piece.
 *
 * A client that ends its side while it waits for a message has mostly given up, though it may read
 * on. It is asked, or the message would make a round trip to nobody, and such round trips count: a
 * queue with a delivery limit drops a message that was given back too often.
 *
 * While a visit is pending its socket is watched without reading from it: the library's buffer,
 * into which the request still points, is left alone.
 */
#ifndef LEVERET_FRONT_VISIT_H
#define LEVERET_FRONT_VISIT_H

#include <h2o.h>

#include "access.h"
#include "answer.h"
#include "books.h"
#include "connection.h"
#include "message_id.h"
#include "request.h"
#include "timing.h"
#include "trace.h"

struct front;

#define VISIT_NO_ROW UINT32_MAX

enum visit_state { VISIT_PENDING, VISIT_WRITING, VISIT_PROVING, VISIT_ENDING, VISIT_N_STATES };

struct visit {
    h2o_generator_t generator;
    h2o_req_t *req;
    struct front *front;
    struct connection *connection;
    enum visit_state state;
    bool is_asked;          /* the client, whether it still reads */
    struct timer timer;     /* while proving: the next look */
    uint64_t look_after_ns; /* how long to it */
    struct timing timing;
    uint64_t write_until_ns;
    struct request request;    /* NEW until it is submitted */
    enum plan_encoding output; /* of the endpoint, or what was negotiated */
    uint32_t row;              /* where it is counted (books.h); VISIT_NO_ROW: nowhere */
    bool is_gone;              /* its client left before there was an answer */
    struct slice message_id;   /* of the first publish */
    struct trace trace;        /* of the request */
    bool is_trace_made;        /* by us: the client does not know it */
    struct access *access;     /* what its line will say; NULL: there is no access log */
    char generated_id[MESSAGE_ID_BYTES];
};

/* A visit for `req`; it lives in the request's pool. */
struct visit *visit_new(struct front *front, h2o_req_t *req);

/* It is known what it asks for: it counts from now on. `row`: books.h. */
void visit_admit(struct visit *visit, uint32_t row);

/* Where the visit's own bytes are made. */
struct answer_memory visit_memory(struct visit *visit);

/* Submit the request and watch the client while it is pending. */
void visit_submit(struct visit *visit);

/* Answer; once for each visit. */
void visit_answer(struct visit *visit, const struct answer *answer);

/* on_answer: every part of the request is settled. */
void visit_on_settled(struct request *request);

/* The client is gone, and nothing was answered yet. */
void visit_on_gone(struct visit *visit);

/* The bytes that it writes are wanted back: the connection is cut, and its end disposes of it. */
void visit_cut_off(struct visit *visit);

/* Now and then: is its client still there, and does it read? */
void visit_sweep(struct visit *visit, uint64_t now_ns);

#endif
