/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of a client, from the moment in which its endpoint is known to its end, and all
 * the requests of a front. It has a part for each backend. No HTTP here: the owner of them all is
 * asked to answer, once for each request, and tells what became of the answer.
 *
 *   NEW ─submit─▶ WAITING ─every part is settled────────────▶ ANSWERING ─settle─▶ OVER
 *                    │                                           ▲
 *                    │ deadline, or hurry: cancel the GETs       │ every last word is here,
 *                    ▼                                           │ or the grace is over
 *                 CLOSING ───────────────────────────────────────┘
 *
 *   any ─leave (the client is gone)─▶ OVER
 *
 * All parts are submitted at once, or none is. A sequential request submits its first one, and each
 * other when those before it are settled and have succeeded; at the first that has not, and at the
 * deadline, those that are left are over, never asked:
 *
 *   [0] ─success─▶ [1] ─success─▶ [2] ─settled─▶ ANSWERING
 *    └──failure─────┴──failure: the rest is OUTCOME_NOT_ASKED ─▶ ANSWERING
 *
 * Slots are then reserved one by one: where there is none for a later part, that part is the one
 * that failed.
 *
 * WAITING and CLOSING requests are pending. Only finish() takes one out of the pending list, and
 * calls on_answer; so each is answered exactly once, and before its endpoint's timeout, whatever
 * its workers do.
 *
 * The deadline is the endpoint's timeout less a grace, or 85 % of it where several consumers are
 * merged. At the deadline a publish that no worker has claimed was never sent; any other is
 * unknown. A GET is cancelled, and the worker's last word, which takes microseconds and is waited
 * for as long as the grace, tells whether the queue was being listened to (204) or not (503).
 */
#ifndef LEVERET_FRONT_REQUEST_H
#define LEVERET_FRONT_REQUEST_H

#include "shm/clock.h"

#include "lanes.h"
#include "timer.h"

#define REQUEST_MAX_GRACE_NS (50 * CLOCK_MS)

enum { REQUEST_MERGE_PERCENT = 85, REQUEST_GRACE_PERCENT = 5 };

enum request_state {
    REQUEST_NEW,
    REQUEST_WAITING,
    REQUEST_CLOSING,
    REQUEST_ANSWERING,
    REQUEST_OVER,
    REQUEST_N_STATES
};

struct request {
    struct requests *all;
    const struct plan_endpoint *endpoint;
    enum request_state state;
    struct timer timer;
    struct request *next, **prev; /* among the pending */
    uint32_t n_parts;
    uint32_t n_asked; /* parts that had their turn, from the first */
    struct part *parts;
    void *owner;
};

/* Bound to one plan; in_flight has a count for each of its endpoints. */
struct requests {
    struct lanes *lanes;
    struct deadlines *timers;
    const struct plan_endpoint *endpoints;
    uint32_t *in_flight;
    struct request *first; /* pending */
    uint32_t n_pending;
    /* Every part is settled: answer. It may call request_settle() at once or later. */
    void (*on_answer)(struct request *request);
};

/* Room for the endpoints of `plan`. 0 or -ENOMEM. */
int requests_init(struct requests *all, const struct plan *plan, struct deadlines *timers,
    void (*on_answer)(struct request *request)) MUST_USE;
void requests_done(struct requests *all);

/* A part is settled: to be called from the lanes' on_part. */
void requests_on_part(struct part *part);

/* Answer what waits for messages now, as if its deadline had come: there will be no later. */
void requests_hurry(struct requests *all);

/* Answer everything that is pending now, whatever is known of it. */
void requests_close(struct requests *all);

/* A request for `endpoint`. `parts` is borrowed, one for each part of the plan, zeroed; the owner
 * sets fields and body of each. */
void request_init(struct request *request, struct requests *all, const struct plan *plan,
    const struct plan_endpoint *endpoint, struct part *parts);

/* Hand the parts to the workers. When they cannot be taken, on_answer is called before this
 * returns. */
void request_submit(struct request *request, uint64_t now_ns);

/* ANSWERING: the answer carries what was delivered, and from now on the bytes stay where they are.
 */
void request_pin(struct request *request);

/* ANSWERING: LANE_ACK when the answer that carries the deliveries was written to a client that was
 * still there, else LANE_REQUEUE. Without deliveries it does not matter. */
void request_settle(struct request *request, enum lane_op verdict);

/* Is there a message that it may take off a queue? */
bool request_has_consumer(const struct request *request);

/* And one that it publishes? */
bool request_has_producer(const struct request *request);

/* In any state: the client is gone, or the memory goes. Deliveries go back. */
void request_leave(struct request *request);

#endif
