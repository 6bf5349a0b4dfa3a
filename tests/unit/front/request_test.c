/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "fake_worker.h"
#include "front_plan.h"
#include "request.h"

enum { ORDER, ORDERS, MESSAGE, MESSAGES, MIXED, ORDERS_IN_TURN, MESSAGES_IN_TURN, N_ENDPOINTS };

#define TIMEOUT_NS (100 * CLOCK_S)

static struct plan plan;
static const struct plan_endpoint *endpoints;
static struct deadlines timers;
static struct lanes *lanes;
static struct requests requests;
static struct fake_worker worker;
static struct request request;
static struct part parts[2];
static unsigned n_answers;

static void on_answer(struct request *answered)
{
    cr_assert_eq(answered->state, REQUEST_ANSWERING);
    n_answers++;
}

static void on_part(void *owner, struct part *part)
{
    requests_on_part(part);
}

static void on_broken(void *owner, uint32_t index, const char *reason)
{
    cr_assert_fail("%s", reason);
}

static void plan_make(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    const struct plan_part produce = {.verb = PLAN_PRODUCE, .worker = 0};
    const struct plan_part consume = {.verb = PLAN_CONSUME, .worker = 0};
    const struct plan_part all[N_ENDPOINTS][2] = {[ORDER] = {produce},
        [ORDERS] = {produce, produce},
        [MESSAGE] = {consume},
        [MESSAGES] = {consume, consume},
        [MIXED] = {produce, consume},
        [ORDERS_IN_TURN] = {produce, produce},
        [MESSAGES_IN_TURN] = {consume, consume}};
    struct plan_endpoint items[N_ENDPOINTS];
    for (size_t i = 0; i < N_ENDPOINTS; i++)
        items[i] = (struct plan_endpoint){.timeout_ns = TIMEOUT_NS,
            .max_in_flight = i == ORDER ? 1 : 0,
            .is_sequential = i >= ORDERS_IN_TURN,
            .parts = plan_add_list(builder, all[i], sizeof(all[i][0]), all[i][1].verb ? 2 : 1)};
    front_plan_join(&plan, builder, items, N_ENDPOINTS);
    endpoints = plan_items(&plan, ((const struct plan_front *)plan.root)->endpoints);
}

static void setup(void)
{
    plan_make();
    cr_assert_eq(deadlines_init(&timers, 64), 0);
    lanes = lanes_new(1, 1, &(struct lanes_events){.on_part = on_part, .on_broken = on_broken});
    cr_assert_eq(requests_init(&requests, &plan, &timers, on_answer), 0);
    requests.lanes = lanes;
    fake_worker_open(&worker);
    cr_assert_eq(lanes_attach(lanes, 0, worker.memory_fd, dup(worker.doorbell.rope)), 0);
    n_answers = 0;
}

static void teardown(void)
{
    request_leave(&request);
    requests_done(&requests);
    lanes_free(lanes);
    deadlines_done(&timers);
    plan_leave(&plan);
    fake_worker_close(&worker);
}

TestSuite(request, .init = setup, .fini = teardown);

static void begin_at(uint32_t endpoint, uint64_t now_ns)
{
    memset(parts, 0, sizeof(parts));
    request_init(&request, &requests, &plan, &endpoints[endpoint], parts);
    request_submit(&request, now_ns);
}

static void begin(uint32_t endpoint)
{
    begin_at(endpoint, 0);
}

/* Let the deadline come, and what is set at it. */
static void expire(void)
{
    cr_assert_eq(timers_run(&timers, deadlines_next(&timers)), 1);
}

static void is_over(const struct part *part, enum outcome outcome)
{
    cr_assert_eq(part->state, PART_OVER);
    cr_assert_eq(part->reply.outcome, outcome, "outcome %d", part->reply.outcome);
}

static void finish_with(enum lane_op verdict)
{
    cr_assert_eq(n_answers, 1);
    request_settle(&request, verdict);
    cr_assert_eq(request.state, REQUEST_OVER);
}

/* ---- the way through ---- */

Test(request, is_answered_when_its_part_is)
{
    begin(ORDER);
    cr_assert_eq(requests.n_pending, 1);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    cr_assert_eq(n_answers, 0);
    lanes_poll(lanes);
    is_over(&parts[0], OUTCOME_CONFIRMED);
    finish_with(LANE_REQUEUE);
    cr_assert_not(fake_worker_has_entry(&worker), "a publish takes no verdict");
}

Test(request, is_answered_when_its_last_part_is)
{
    begin(ORDERS);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(n_answers, 0);
    fake_worker_publish(&worker, OUTCOME_NACKED);
    lanes_poll(lanes);
    finish_with(LANE_REQUEUE);
}

Test(request, acks_all_that_its_answer_carried)
{
    begin(MESSAGES);
    uint32_t first = fake_worker_wait(&worker), second = fake_worker_wait(&worker);
    fake_worker_deliver(&worker, first, "1", 1);
    fake_worker_deliver(&worker, second, "2", 1);
    lanes_poll(lanes);
    request_pin(&request);
    cr_assert_eq(parts[0].state, PART_PINNED);
    finish_with(LANE_ACK);
    cr_assert_eq(fake_worker_take(&worker, LANE_ACK), first);
    cr_assert_eq(fake_worker_take(&worker, LANE_ACK), second);
}

Test(request, gives_back_what_an_error_does_not_carry)
{
    begin(MIXED);
    fake_worker_publish(&worker, OUTCOME_UNROUTABLE);
    uint32_t slot = fake_worker_wait(&worker);
    fake_worker_deliver(&worker, slot, "1", 1);
    lanes_poll(lanes);
    finish_with(LANE_REQUEUE);
    cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), slot);
}

/* ---- refusals ---- */

Test(request, over_the_endpoints_bound_is_refused_before_it_is_sent)
{
    struct request other;
    struct part other_parts[1] = {0};
    begin(ORDER);
    request_init(&other, &requests, &plan, &endpoints[ORDER], other_parts);
    request_submit(&other, 0);
    cr_assert_eq(n_answers, 1);
    is_over(&other_parts[0], OUTCOME_BUSY);
    request_settle(&other, LANE_REQUEUE);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    cr_assert_not(fake_worker_has_entry(&worker));
    lanes_poll(lanes);
    cr_assert_eq(n_answers, 2);
    cr_assert_eq(requests.n_pending, 0);
    cr_assert_eq(requests.in_flight[ORDER], 0, "an answered request still counts");
    cr_assert_eq(deadlines_next(&timers), CLOCK_NEVER, "an answered request still has a deadline");
}

Test(request, without_a_slot_is_busy)
{
    enum { MANY = FAKE_SLOTS / 2 }; /* the other half is for publishes */
    struct request many[MANY];
    static struct part many_parts[MANY][1];
    for (int i = 0; i < MANY; i++) {
        request_init(&many[i], &requests, &plan, &endpoints[MESSAGE], many_parts[i]);
        request_submit(&many[i], 0);
    }
    begin(MESSAGES);
    is_over(&parts[0], OUTCOME_BUSY);
    is_over(&parts[1], OUTCOME_BUSY);
    finish_with(LANE_REQUEUE);
    for (int i = 0; i < MANY; i++)
        request_leave(&many[i]);
}

Test(request, without_a_worker_is_refused)
{
    lanes_settle(lanes, 0);
    begin(ORDERS);
    is_over(&parts[0], OUTCOME_NO_WORKER);
    is_over(&parts[1], OUTCOME_NO_WORKER);
    finish_with(LANE_REQUEUE);
}

/* ---- deadlines ---- */

Test(request, ends_a_grace_before_the_endpoints_timeout_and_merges_at_85_percent_of_it)
{
    static const bool merges[N_ENDPOINTS] = {[MESSAGES] = true, [MESSAGES_IN_TURN] = true};
    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        uint64_t deadline_ns =
            merges[i] ? TIMEOUT_NS / 100 * 85 : TIMEOUT_NS - REQUEST_MAX_GRACE_NS;
        begin(i);
        cr_assert_eq(deadlines_next(&timers), deadline_ns);
        cr_assert_eq(parts[0].deadline_ns, deadline_ns);
        request_leave(&request);
    }
}

Test(request, whose_worker_says_no_last_word_is_answered_at_the_endpoints_timeout)
{
    uint64_t begin_ns = clock_now_ns() - TIMEOUT_NS + REQUEST_MAX_GRACE_NS; /* it is due now */
    begin_at(MESSAGE, begin_ns);
    expire();
    cr_assert_eq(request.state, REQUEST_CLOSING);
    cr_assert_eq(deadlines_next(&timers), begin_ns + TIMEOUT_NS);
    expire();
    finish_with(LANE_REQUEUE);
}

Test(request, whose_loop_is_late_still_hears_its_worker_once)
{
    begin_at(MESSAGE, clock_now_ns() - 2 * TIMEOUT_NS);
    uint64_t now_ns = clock_now_ns();
    expire();
    cr_assert_eq(request.state, REQUEST_CLOSING);
    cr_assert_gt(deadlines_next(&timers), now_ns, "not in the same turn");
    expire();
    finish_with(LANE_REQUEUE);
}

Test(request, whose_publish_was_not_claimed_is_cancelled)
{
    begin(ORDER);
    expire();
    is_over(&parts[0], OUTCOME_CANCELLED);
    finish_with(LANE_REQUEUE);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    fake_worker_done(
        &worker, slot, SLOT_CANCELLED, &(struct slot_reply){.outcome = OUTCOME_CANCELLED});
    lanes_poll(lanes);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
    cr_assert_eq(n_answers, 1);
}

Test(request, whose_publish_was_claimed_is_unknown)
{
    begin(ORDER);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    expire();
    is_over(&parts[0], OUTCOME_UNKNOWN);
    finish_with(LANE_REQUEUE);
    fake_worker_done(
        &worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    lanes_poll(lanes);
    cr_assert_eq(n_answers, 1, "answered twice");
}

Test(request, that_waited_in_vain_hears_its_workers_last_word)
{
    begin(MESSAGE);
    uint32_t slot = fake_worker_wait(&worker);
    expire();
    cr_assert_eq(request.state, REQUEST_CLOSING);
    cr_assert_eq(fake_worker_take(&worker, LANE_CANCEL), slot);
    fake_worker_done(&worker, slot, SLOT_CANCELLED,
        &(struct slot_reply){.outcome = OUTCOME_CANCELLED, .is_listening = 1});
    lanes_poll(lanes);
    is_over(&parts[0], OUTCOME_CANCELLED);
    cr_assert(parts[0].reply.is_listening);
    finish_with(LANE_REQUEUE);
}

Test(request, whose_worker_has_no_last_word_is_answered_all_the_same)
{
    begin(MESSAGE);
    fake_worker_wait(&worker);
    expire();
    cr_assert_eq(n_answers, 0);
    expire();
    is_over(&parts[0], OUTCOME_NO_WORKER);
    finish_with(LANE_REQUEUE);
}

Test(request, that_was_bound_at_its_deadline_still_gets_the_message)
{
    begin(MESSAGE);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
    expire();
    cr_assert_eq(request.state, REQUEST_CLOSING);
    fake_worker_done(&worker, slot, SLOT_BOUND,
        &(struct slot_reply){
            .outcome = OUTCOME_DELIVERED, .body = fake_worker_put(&worker, "m", 1)});
    lanes_poll(lanes);
    cr_assert_eq(parts[0].state, PART_HELD);
    finish_with(LANE_ACK);
}

Test(request, that_was_bound_and_got_nothing_was_listening_and_gives_the_message_back)
{
    begin(MESSAGE);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
    expire();
    expire();
    is_over(&parts[0], OUTCOME_EMPTY);
    cr_assert(parts[0].reply.is_listening);
    finish_with(LANE_REQUEUE);
    fake_worker_done(&worker, slot, SLOT_BOUND,
        &(struct slot_reply){
            .outcome = OUTCOME_DELIVERED, .body = fake_worker_put(&worker, "m", 1)});
    lanes_poll(lanes);
    cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), slot);
}

Test(request, keeps_what_was_delivered_when_the_rest_does_not_come)
{
    begin(MESSAGES);
    fake_worker_deliver(&worker, fake_worker_wait(&worker), "1", 1);
    fake_worker_wait(&worker);
    lanes_poll(lanes);
    expire();
    expire();
    cr_assert_eq(parts[0].state, PART_HELD);
    is_over(&parts[1], OUTCOME_NO_WORKER);
    finish_with(LANE_ACK);
}

Test(request, that_is_stranded_at_its_deadline_was_never_sent)
{
    begin(ORDER);
    lanes_settle(lanes, 0);
    cr_assert_eq(parts[0].state, PART_STRANDED);
    expire();
    is_over(&parts[0], OUTCOME_NO_WORKER);
    finish_with(LANE_REQUEUE);
}

Test(request, whose_worker_dies_waits_for_both_parts_again)
{
    begin(MESSAGES);
    fake_worker_deliver(&worker, fake_worker_wait(&worker), "old", 3);
    lanes_poll(lanes);
    lanes_settle(lanes, 0);
    struct fake_worker fresh;
    fake_worker_open(&fresh);
    cr_assert_eq(lanes_attach(lanes, 0, fresh.memory_fd, dup(fresh.doorbell.rope)), 0);
    cr_assert_eq(n_answers, 0, "answered with a message that will come again");
    uint32_t one = fake_worker_wait(&fresh), other = fake_worker_wait(&fresh);
    fake_worker_deliver(&fresh, one, "new", 3);
    lanes_poll(lanes);
    cr_assert_eq(n_answers, 0);
    fake_worker_deliver(&fresh, other, "more", 4);
    lanes_poll(lanes);
    finish_with(LANE_ACK);
    fake_worker_close(&worker);
    worker = fresh;
}

/* ---- clients that leave, and the end ---- */

Test(request, whose_client_left_takes_nothing_along)
{
    begin(MIXED);
    request_leave(&request);
    cr_assert_eq(request.state, REQUEST_OVER);
    uint32_t publish = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert_not(fake_worker_move(&worker, publish, SLOT_READY, SLOT_CLAIMED));
    uint32_t get = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert_not(fake_worker_move(&worker, get, SLOT_READY, SLOT_WAITING));
    request_leave(&request);
    cr_assert_eq(n_answers, 0);
    cr_assert_eq(requests.n_pending, 0);
    cr_assert_eq(requests.in_flight[MIXED], 0);
    cr_assert_eq(deadlines_next(&timers), CLOCK_NEVER);
}

Test(request, whose_client_left_during_the_answer_gives_its_message_back)
{
    begin(MESSAGE);
    uint32_t slot = fake_worker_wait(&worker);
    fake_worker_deliver(&worker, slot, "m", 1);
    lanes_poll(lanes);
    request_pin(&request);
    request_leave(&request);
    cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), slot);
}

Test(request, that_was_never_submitted_leaves_without_a_trace)
{
    memset(parts, 0, sizeof(parts));
    request_init(&request, &requests, &plan, &endpoints[MIXED], parts);
    request_leave(&request);
    cr_assert_eq(request.state, REQUEST_OVER);
    cr_assert_not(fake_worker_has_entry(&worker));
}

Test(request, waiting_for_messages_alone_is_hurried)
{
    struct request order;
    struct part order_parts[1] = {0};
    begin(MESSAGE);
    request_init(&order, &requests, &plan, &endpoints[ORDER], order_parts);
    request_submit(&order, 0);
    requests_hurry(&requests);
    cr_assert_eq(request.state, REQUEST_CLOSING);
    cr_assert_eq(order.state, REQUEST_WAITING);
    requests_close(&requests);
    cr_assert_eq(n_answers, 2);
    cr_assert_eq(request.state, REQUEST_ANSWERING);
    cr_assert_eq(order.state, REQUEST_ANSWERING);
    request_settle(&order, LANE_REQUEUE);
}

/* ---- one part after the other ---- */

Test(request, in_turns_asks_the_second_part_when_the_first_has_succeeded)
{
    begin(ORDERS_IN_TURN);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    cr_assert_not(fake_worker_has_entry(&worker), "the second one was asked as well");
    lanes_poll(lanes);
    cr_assert_eq(n_answers, 0);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    is_over(&parts[1], OUTCOME_CONFIRMED);
    finish_with(LANE_REQUEUE);
}

Test(request, in_turns_asks_nobody_after_the_first_that_failed)
{
    begin(ORDERS_IN_TURN);
    fake_worker_publish(&worker, OUTCOME_NACKED);
    lanes_poll(lanes);
    is_over(&parts[0], OUTCOME_NACKED);
    is_over(&parts[1], OUTCOME_NOT_ASKED);
    cr_assert_not(fake_worker_has_entry(&worker));
    finish_with(LANE_REQUEUE);
}

Test(request, in_turns_whose_deadline_comes_first_asks_no_more)
{
    begin(ORDERS_IN_TURN);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    expire();
    is_over(&parts[0], OUTCOME_UNKNOWN);
    is_over(&parts[1], OUTCOME_NOT_ASKED);
    finish_with(LANE_REQUEUE);
    cr_assert(fake_worker_move(&worker, slot, SLOT_CLAIMED, SLOT_SENT));
    fake_worker_done(&worker, slot, SLOT_SENT, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    lanes_poll(lanes);
    cr_assert_not(fake_worker_has_entry(&worker), "a late confirm is no reason to go on");
}

Test(request, in_turns_whose_first_message_comes_with_the_deadline_asks_no_more)
{
    begin(MESSAGES_IN_TURN);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
    expire();
    cr_assert_eq(request.state, REQUEST_CLOSING);
    fake_worker_done(&worker, slot, SLOT_BOUND,
        &(struct slot_reply){.outcome = OUTCOME_DELIVERED,
            .is_listening = 1,
            .body = fake_worker_put(&worker, "1", 1)});
    lanes_poll(lanes);
    cr_assert_eq(parts[0].state, PART_HELD);
    is_over(&parts[1], OUTCOME_NOT_ASKED);
    finish_with(LANE_ACK);
}

Test(request, in_turns_whose_worker_dies_waits_for_all_that_it_had_asked)
{
    begin(MESSAGES_IN_TURN);
    fake_worker_deliver(&worker, fake_worker_wait(&worker), "1", 1);
    lanes_poll(lanes);
    (void)fake_worker_wait(&worker);
    lanes_settle(lanes, 0);
    cr_assert_eq(n_answers, 0, "both wait for the next worker");
    expire();
    is_over(&parts[0], OUTCOME_NO_WORKER);
    is_over(&parts[1], OUTCOME_NO_WORKER);
    finish_with(LANE_REQUEUE);
}

Test(request, in_turns_whose_client_left_asks_nobody)
{
    begin(ORDERS_IN_TURN);
    (void)fake_worker_take(&worker, LANE_SUBMIT);
    request_leave(&request);
    cr_assert_eq(parts[0].state, PART_OVER);
    cr_assert_eq(parts[1].state, PART_OVER);
}
