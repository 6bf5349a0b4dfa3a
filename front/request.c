/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <assert.h>
#include <errno.h>

#include "shm/plan.h"

#include "dock.h"

/* Row: from. A bit for each state that may follow. */
static const uint8_t arrows[REQUEST_N_STATES] = {
    [REQUEST_NEW] = 1u << REQUEST_WAITING | 1u << REQUEST_OVER,
    [REQUEST_WAITING] = 1u << REQUEST_CLOSING | 1u << REQUEST_ANSWERING | 1u << REQUEST_OVER,
    [REQUEST_CLOSING] = 1u << REQUEST_ANSWERING | 1u << REQUEST_OVER,
    [REQUEST_ANSWERING] = 1u << REQUEST_OVER,
};

static void request_move(struct request *request, enum request_state to)
{
    assert(arrows[request->state] >> to & 1);
    request->state = to;
}

static bool is_pending(const struct request *request)
{
    return request->state == REQUEST_WAITING || request->state == REQUEST_CLOSING;
}

static uint32_t *in_flight(const struct request *request)
{
    return &request->all->in_flight[request->endpoint - request->all->endpoints];
}

int requests_init(struct requests *all, const struct plan *plan, struct deadlines *timers,
    void (*on_answer)(struct request *request))
{
    const struct plan_front *front = plan->root;
    uint32_t *counts = calloc((size_t)front->endpoints.count + 1, sizeof(*counts));
    if (!counts)
        return -ENOMEM;
    *all = (struct requests){.timers = timers,
        .endpoints = plan_items(plan, front->endpoints),
        .in_flight = counts,
        .on_answer = on_answer};
    return 0;
}

void requests_done(struct requests *all)
{
    free(all->in_flight);
    *all = (struct requests){0};
}

/* ---- the pending list ---- */

static void enlist(struct request *request)
{
    struct requests *all = request->all;
    request->next = all->first;
    request->prev = &all->first;
    if (all->first)
        all->first->prev = &request->next;
    all->first = request;
    all->n_pending++;
    ++*in_flight(request);
}

static void delist(struct request *request)
{
    *request->prev = request->next;
    if (request->next)
        request->next->prev = request->prev;
    request->all->n_pending--;
    --*in_flight(request);
    timer_clear(request->all->timers, &request->timer);
}

static void finish(struct request *request)
{
    delist(request);
    request_move(request, REQUEST_ANSWERING);
    request->all->on_answer(request);
}

static void part_end(struct request *request, struct part *part, enum outcome outcome)
{
    lanes_abandon(request->all->lanes, part);
    part->reply = (struct part_reply){.outcome = outcome, .is_listening = outcome == OUTCOME_EMPTY};
}

/* ---- one part after the other ---- */

enum turn { TURN_RUNS, TURN_SUCCEEDED, TURN_FAILED };

/* How those are doing that were asked. */
static enum turn turn_of(const struct request *request)
{
    enum turn turn = TURN_SUCCEEDED;
    for (uint32_t i = 0; i < request->n_asked; i++) {
        if (!part_is_settled(&request->parts[i]))
            return TURN_RUNS;
        if (!part_is_success(&request->parts[i]))
            turn = TURN_FAILED;
    }
    return turn;
}

static void ask_no_more(struct request *request)
{
    while (request->n_asked < request->n_parts)
        part_end(request, &request->parts[request->n_asked++], OUTCOME_NOT_ASKED);
}

static enum outcome refusal_of(enum lanes_outcome outcome)
{
    return outcome == LANES_FULL ? OUTCOME_BUSY : OUTCOME_NO_WORKER;
}

static void ask_next(struct request *request)
{
    struct part *part = &request->parts[request->n_asked++];
    enum lanes_outcome outcome = lanes_submit(request->all->lanes, part, 1);
    if (outcome != LANES_OK)
        part_end(request, part, refusal_of(outcome));
}

/* Does nothing where all were asked at once. */
static void take_turns(struct request *request)
{
    enum turn turn = TURN_SUCCEEDED;
    while (request->n_asked < request->n_parts && (turn = turn_of(request)) == TURN_SUCCEEDED)
        ask_next(request);
    if (turn == TURN_FAILED)
        ask_no_more(request);
}

static bool finish_if_settled(struct request *request)
{
    take_turns(request);
    for (uint32_t i = 0; i < request->n_parts; i++)
        if (!part_is_settled(&request->parts[i]))
            return false;
    finish(request);
    return true;
}

void requests_on_part(struct part *part)
{
    struct request *request = part->owner;
    if (is_pending(request))
        (void)finish_if_settled(request); /* if not, others are still to come */
}

/* ---- the deadline ---- */

/* The deadline came. A GET that its worker can still speak for is left aboard, unless this is the
 * last call. */
static void part_expire(struct request *request, struct part *part, bool is_last_call)
{
    if (part_is_settled(part))
        return;
    if (part->state != PART_ABOARD) {
        part_end(request, part, OUTCOME_NO_WORKER);
        return;
    }
    bool is_ours = dock_cancel(part);
    if (part->plan->verb == PLAN_PRODUCE)
        part_end(request, part, is_ours ? OUTCOME_CANCELLED : OUTCOME_UNKNOWN);
    else if (is_last_call) /* what is not ours was bound to a message, so it was listening */
        part_end(request, part, is_ours ? OUTCOME_NO_WORKER : OUTCOME_EMPTY);
}

/* What is left of the endpoint's timeout at the deadline. */
static uint64_t grace_of(const struct request *request)
{
    uint64_t grace_ns = request->endpoint->timeout_ns / 100 * REQUEST_GRACE_PERCENT;
    return grace_ns < REQUEST_MAX_GRACE_NS ? grace_ns : REQUEST_MAX_GRACE_NS;
}

/* A loop that is late gives no more time, but one turn: it must have heard the workers once. */
static uint64_t last_call_of(const struct request *request, uint64_t now_ns)
{
    uint64_t deadline_ns = request->parts[0].deadline_ns;
    uint64_t last_ns = (now_ns < deadline_ns ? now_ns : deadline_ns) + grace_of(request);
    return last_ns > now_ns + CLOCK_MS ? last_ns : now_ns + CLOCK_MS;
}

static void expire(struct request *request, bool is_last_call)
{
    ask_no_more(request);
    for (uint32_t i = 0; i < request->n_parts; i++)
        part_expire(request, &request->parts[i], is_last_call);
    if (finish_if_settled(request))
        return;
    assert(!is_last_call);
    request_move(request, REQUEST_CLOSING);
    timer_set(request->all->timers, &request->timer, last_call_of(request, clock_now_ns()));
}

static void on_deadline(void *owner)
{
    struct request *request = owner;
    expire(request, request->state == REQUEST_CLOSING);
}

static uint32_t n_consumers(const struct request *request)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < request->n_parts; i++)
        n += request->parts[i].plan->verb == PLAN_CONSUME;
    return n;
}

bool request_has_consumer(const struct request *request)
{
    return n_consumers(request) > 0;
}

bool request_has_producer(const struct request *request)
{
    return n_consumers(request) < request->n_parts;
}

void requests_hurry(struct requests *all)
{
    for (struct request *request = all->first, *next; request; request = next) {
        next = request->next; /* answering one never ends another */
        if (request->state == REQUEST_WAITING && n_consumers(request) == request->n_parts)
            expire(request, false);
    }
}

void requests_close(struct requests *all)
{
    while (all->first)
        expire(all->first, true);
}

/* ---- the life of a request ---- */

void request_init(struct request *request, struct requests *all, const struct plan *plan,
    const struct plan_endpoint *endpoint, struct part *parts)
{
    const struct plan_part *plans = plan_items(plan, endpoint->parts);
    *request = (struct request){
        .all = all, .endpoint = endpoint, .n_parts = endpoint->parts.count, .parts = parts};
    timer_init(&request->timer, on_deadline, request);
    for (uint32_t i = 0; i < request->n_parts; i++) {
        parts[i].plan = &plans[i];
        parts[i].owner = request;
    }
}

static uint64_t deadline_of(const struct request *request, uint64_t now_ns)
{
    uint64_t timeout_ns = request->endpoint->timeout_ns;
    if (n_consumers(request) > 1)
        return now_ns + timeout_ns / 100 * REQUEST_MERGE_PERCENT;
    return now_ns + timeout_ns - grace_of(request);
}

static enum lanes_outcome parts_submit(struct request *request)
{
    uint32_t most = request->endpoint->max_in_flight;
    if (most && *in_flight(request) > most)
        return LANES_FULL;
    return lanes_submit(request->all->lanes, request->parts, request->n_asked);
}

void request_submit(struct request *request, uint64_t now_ns)
{
    uint64_t deadline_ns = deadline_of(request, now_ns);
    for (uint32_t i = 0; i < request->n_parts; i++)
        request->parts[i].deadline_ns = deadline_ns;
    request_move(request, REQUEST_WAITING);
    enlist(request);
    request->n_asked = request->endpoint->is_sequential ? 1 : request->n_parts;
    enum lanes_outcome outcome = parts_submit(request);
    if (outcome == LANES_OK) {
        timer_set(request->all->timers, &request->timer, deadline_ns);
        return;
    }
    for (uint32_t i = 0; i < request->n_parts; i++)
        part_end(request, &request->parts[i], refusal_of(outcome));
    request->n_asked = request->n_parts;
    finish(request);
}

void request_pin(struct request *request)
{
    for (uint32_t i = 0; i < request->n_parts; i++)
        if (request->parts[i].state == PART_HELD)
            dock_pin(&request->parts[i]);
}

void request_settle(struct request *request, enum lane_op verdict)
{
    for (uint32_t i = 0; i < request->n_parts; i++) {
        struct part *part = &request->parts[i];
        if (part->state == PART_HELD || part->state == PART_PINNED)
            dock_verdict(part, verdict);
        assert(part->state == PART_OVER);
    }
    request_move(request, REQUEST_OVER);
}

void request_leave(struct request *request)
{
    if (request->state == REQUEST_OVER)
        return;
    if (is_pending(request))
        delist(request);
    for (uint32_t i = 0; i < request->n_parts; i++)
        lanes_abandon(request->all->lanes, &request->parts[i]);
    request_move(request, REQUEST_OVER);
}
