/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <leveret/message.h>
#include <sys/mman.h>

#include "shm/clock.h"

#include "dock.h"
#include "fake_worker.h"
#include "lanes.h"

enum { MAX_SEEN = 64, N_BACKENDS = 10 };

static const struct plan_part publish_plan = {
    .backend = 7, .worker = PLAN_ANY_WORKER, .verb = PLAN_PRODUCE};
static const struct plan_part consume_plan = {.backend = 9, .worker = 0, .verb = PLAN_CONSUME};

/* What the lanes told. */
struct witness {
    struct part *seen[MAX_SEEN];
    unsigned n_seen;
    unsigned n_broken;
    const char *reason;
    struct part *cut_off;
    unsigned n_cut_off;
    void (*then)(struct witness *, struct part *);
    struct lanes *lanes;
    struct part *other;
};

static void saw_part(void *owner, struct part *part)
{
    struct witness *witness = owner;
    cr_assert_lt(witness->n_seen, MAX_SEEN);
    witness->seen[witness->n_seen++] = part;
    if (witness->then)
        witness->then(witness, part);
}

static void saw_broken(void *owner, uint32_t worker, const char *reason)
{
    struct witness *witness = owner;
    witness->n_broken++;
    witness->reason = reason;
}

static void saw_cut_off(void *owner, struct part *part)
{
    struct witness *witness = owner;
    witness->cut_off = part;
    witness->n_cut_off++;
}

static struct witness witness;
static struct lanes *lanes;
static struct fake_worker worker;

static void attach(struct fake_worker *fake, uint32_t index)
{
    cr_assert_eq(lanes_attach(lanes, index, fake->memory_fd, dup(fake->doorbell.rope)), 0);
}

static void setup_workers(uint32_t n)
{
    witness = (struct witness){0};
    lanes = lanes_new(n, N_BACKENDS,
        &(struct lanes_events){.owner = &witness,
            .on_part = saw_part,
            .on_cut_off = saw_cut_off,
            .on_broken = saw_broken});
    witness.lanes = lanes;
    fake_worker_open(&worker);
    attach(&worker, 0);
}

static void setup(void)
{
    setup_workers(1);
}

static void teardown(void)
{
    lanes_free(lanes);
    fake_worker_close(&worker);
}

static struct part publish_of(const char *body)
{
    return (struct part){.plan = &publish_plan,
        .fields = slice_of("fields"),
        .body = slice_of(body),
        .deadline_ns = 12345};
}

static struct part consume_of(void)
{
    return (struct part){.plan = &consume_plan};
}

static void submit(struct part *part)
{
    cr_assert_eq(lanes_submit(lanes, part, 1), LANES_OK);
    cr_assert_eq(part->state, PART_ABOARD);
}

/* A held part: a message lies in the lane and the verdict is due. */
static uint32_t hold(struct part *part, const char *body)
{
    submit(part);
    uint32_t slot = fake_worker_wait(&worker);
    fake_worker_deliver(&worker, slot, body, strlen(body));
    lanes_poll(lanes);
    cr_assert_eq(part->state, PART_HELD);
    return slot;
}

static void setup_two(void)
{
    setup_workers(2);
}

TestSuite(lanes, .init = setup, .fini = teardown);
TestSuite(two_lanes, .init = setup_two, .fini = teardown);

/* ---- what the worker is given ---- */

Test(lanes, a_small_part_stands_inside_its_slot)
{
    struct part part = publish_of("body");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    struct slot_request request = worker.lane.slots[slot].request;
    cr_assert_eq(request.backend, 7);
    cr_assert_eq(request.deadline_ns, 12345);
    cr_assert_eq(request.fields.offset, lane_inline_offset(&worker.lane, slot));
    cr_assert_arr_eq(lane_request_bytes(&worker.lane, slot, request.fields), "fields", 6);
    cr_assert_arr_eq(lane_request_bytes(&worker.lane, slot, request.body), "body", 4);
    lanes_abandon(lanes, &part);
}

Test(lanes, what_does_not_fit_stands_in_the_area_and_is_given_back)
{
    static char body[FAKE_AREA_BYTES];
    memset(body, 'b', sizeof(body));
    for (int i = 0; i < 3; i++) {
        struct part part = publish_of("");
        part.body = (struct slice){.at = body, .len = sizeof(body)};
        submit(&part);
        uint32_t slot = fake_worker_publish(&worker, OUTCOME_CONFIRMED);
        struct slot_request request = worker.lane.slots[slot].request;
        cr_assert_eq(request.body.length, sizeof(body));
        cr_assert_arr_eq(lane_request_bytes(&worker.lane, slot, request.body), body, sizeof(body));
        lanes_poll(lanes);
        cr_assert_eq(part.state, PART_OVER);
    }
}

Test(lanes, fields_too_large_for_the_slot_stand_in_the_area_too)
{
    static char fields[LANE_INLINE_BYTES + 1];
    memset(fields, 'f', sizeof(fields));
    struct part part = publish_of("small");
    part.fields = (struct slice){.at = fields, .len = sizeof(fields)};
    submit(&part);
    uint32_t slot = fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    struct slot_request request = worker.lane.slots[slot].request;
    cr_assert_arr_eq(
        lane_request_bytes(&worker.lane, slot, request.fields), fields, sizeof(fields));
    cr_assert_arr_eq(lane_request_bytes(&worker.lane, slot, request.body), "small", 5);
    lanes_poll(lanes);
}

Test(lanes, a_body_larger_than_the_area_is_refused)
{
    static char body[FAKE_AREA_BYTES + 1];
    struct part part = publish_of("");
    part.body = (struct slice){.at = body, .len = sizeof(body)};
    cr_assert_eq(lanes_submit(lanes, &part, 1), LANES_FULL);
    cr_assert_eq(part.state, PART_IDLE);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
}

Test(lanes, all_parts_of_a_request_have_a_place_before_the_first_is_seen)
{
    struct part first[FAKE_SLOTS - 1], rest[2];
    for (int i = 0; i < FAKE_SLOTS - 1; i++)
        first[i] = publish_of("x");
    rest[0] = rest[1] = publish_of("y");
    cr_assert_eq(lanes_submit(lanes, first, FAKE_SLOTS - 1), LANES_OK);
    for (int i = 0; i < FAKE_SLOTS - 1; i++)
        fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert_eq(lanes_submit(lanes, rest, 2), LANES_FULL);
    cr_assert_not(fake_worker_has_entry(&worker), "half of a request was submitted");
    cr_assert_eq(rest[0].state, PART_IDLE);
    cr_assert_eq(lanes_submit(lanes, rest, 1), LANES_OK, "the place was not given back");
    lanes_abandon(lanes, &rest[0]);
    for (int i = 0; i < FAKE_SLOTS - 1; i++)
        lanes_abandon(lanes, &first[i]);
}

Test(two_lanes, a_fixed_worker_gets_its_parts_and_no_other)
{
    struct plan_part plan = consume_plan;
    plan.worker = 1;
    struct part part = {.plan = &plan};
    cr_assert_eq(lanes_submit(lanes, &part, 1), LANES_NO_WORKER);
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    submit(&part);
    fake_worker_wait(&second);
    cr_assert_not(fake_worker_has_entry(&worker));
    lanes_abandon(lanes, &part);
    fake_worker_close(&second);
}

Test(two_lanes, any_worker_means_the_one_with_the_least_to_do)
{
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part parts[3] = {publish_of("1"), publish_of("2"), publish_of("3")};
    submit(&parts[0]);
    submit(&parts[1]);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    submit(&parts[2]);
    fake_worker_publish(&second, OUTCOME_CONFIRMED);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(witness.n_seen, 3);
    fake_worker_close(&second);
}

/* The window that a worker has is one for each backend. */
Test(two_lanes, what_a_worker_does_for_others_matters_less)
{
    static const struct plan_part bound = {.backend = 5, .worker = 0, .verb = PLAN_PRODUCE};
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part others[3], parts[4];
    for (int i = 0; i < 3; i++) {
        others[i] = publish_of("other");
        others[i].plan = &bound;
        submit(&others[i]);
        fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    }
    for (int i = 0; i < 4; i++) {
        parts[i] = publish_of("x");
        submit(&parts[i]);
    }
    for (int i = 0; i < 2; i++) {
        fake_worker_publish(&worker, OUTCOME_CONFIRMED);
        fake_worker_publish(&second, OUTCOME_CONFIRMED);
    }
    lanes_poll(lanes);
    struct part later = publish_of("later");
    submit(&later); /* nothing of the four counts any more */
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(witness.n_seen, 3 + 4 + 1);
    fake_worker_close(&second);
}

Test(two_lanes, a_large_body_goes_where_there_is_space)
{
    static char body[FAKE_AREA_BYTES];
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part small = publish_of("x"),
                large[3] = {publish_of(""), publish_of(""), publish_of("")};
    for (int i = 0; i < 3; i++)
        large[i].body = (struct slice){.at = body, .len = sizeof(body)};
    submit(&large[0]);
    submit(&small);
    submit(&large[1]); /* both have one: the first is asked first, and has no space */
    cr_assert_eq(lanes_submit(lanes, &large[2], 1), LANES_FULL);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    fake_worker_publish(&second, OUTCOME_CONFIRMED);
    fake_worker_publish(&second, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(large[0].state, PART_OVER);
    cr_assert_eq(large[1].state, PART_OVER);
    cr_assert_eq(lanes_submit(lanes, &large[2], 1), LANES_OK);
    lanes_abandon(lanes, &large[2]);
    fake_worker_close(&second);
}

/* ---- what a worker does not take ---- */

static struct part patient_publish(void)
{
    struct part part = publish_of("x");
    part.deadline_ns = CLOCK_NEVER;
    return part;
}

static void refuse(struct fake_worker *fake, enum outcome outcome)
{
    uint32_t slot = fake_worker_take(fake, LANE_SUBMIT);
    cr_assert(fake_worker_move(fake, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_done(fake, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = outcome});
    lanes_poll(lanes);
}

Test(two_lanes, what_one_worker_does_not_take_goes_to_another)
{
    static const enum outcome refusals[] = {
        OUTCOME_DOWN, OUTCOME_BLOCKED, OUTCOME_STALLED, OUTCOME_BUSY};
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    for (unsigned i = 0; i < 4; i++) {
        struct part part = patient_publish();
        submit(&part);
        refuse(&worker, refusals[i]);
        cr_assert_eq(witness.n_seen, i, "its client was told so");
        fake_worker_publish(&second, OUTCOME_CONFIRMED);
        lanes_poll(lanes);
        cr_assert_eq(witness.n_seen, i + 1);
        cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
    }
    fake_worker_close(&second);
}

Test(two_lanes, what_no_worker_takes_is_told_as_the_last_one_says)
{
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part part = patient_publish();
    submit(&part);
    refuse(&worker, OUTCOME_BUSY);
    refuse(&second, OUTCOME_DOWN);
    cr_assert_eq(witness.n_seen, 1);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_DOWN);
    cr_assert_not(fake_worker_has_entry(&worker));
    fake_worker_close(&second);
}

Test(two_lanes, what_the_broker_does_not_take_is_told_at_once)
{
    static const enum outcome outcomes[] = {OUTCOME_TOPOLOGY, OUTCOME_INVALID, OUTCOME_UNKNOWN};
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct part part = patient_publish();
        submit(&part);
        refuse(&worker, outcomes[i]);
        cr_assert_eq(witness.n_seen, i + 1);
        cr_assert_eq(part.reply.outcome, outcomes[i]);
    }
    fake_worker_close(&second);
}

/* Sent so late, its outcome would perhaps not be known in time. */
Test(two_lanes, what_is_refused_at_the_last_moment_is_told)
{
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part part = publish_of("x");
    part.deadline_ns = clock_now_ns() + CLOCK_MS;
    submit(&part);
    refuse(&worker, OUTCOME_BUSY);
    cr_assert_eq(witness.n_seen, 1);
    cr_assert_eq(part.reply.outcome, OUTCOME_BUSY);
    fake_worker_close(&second);
}

Test(two_lanes, who_has_refused_it_is_asked_again_when_another_died_with_it)
{
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    struct part part = patient_publish();
    submit(&part);
    refuse(&worker, OUTCOME_DOWN);
    fake_worker_take(&second, LANE_SUBMIT);
    lanes_settle(lanes, 1);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
    fake_worker_close(&second);
}

/* ---- what the worker answers ---- */

Test(lanes, a_reply_comes_with_all_it_says)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    struct slot_reply reply = {.outcome = OUTCOME_REJECTED, .broker_code = 404, .text_bytes = 5};
    memcpy(reply.text, "no ex", 5);
    fake_worker_done(&worker, slot, SLOT_CLAIMED, &reply);
    cr_assert_eq(lanes_poll(lanes), 1);
    cr_assert_eq(witness.seen[0], &part);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_REJECTED);
    cr_assert_eq(part.reply.broker_code, 404);
    cr_assert_eq(part.reply.text_bytes, 5);
    cr_assert_arr_eq(part.reply.text, "no ex", 5);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
}

Test(lanes, a_delivery_is_held_until_the_verdict)
{
    struct part part = consume_of();
    uint32_t slot = hold(&part, "hello");
    cr_assert_eq(part.reply.body.len, 5);
    cr_assert_arr_eq(part.reply.body.at, "hello", 5);
    cr_assert(part.reply.is_listening);
    cr_assert_not(fake_worker_has_entry(&worker));
    cr_assert_eq(slot_look(&worker.lane.slots[slot]).state, SLOT_DONE);
    dock_pin(&part);
    dock_verdict(&part, LANE_ACK);
    cr_assert_eq(fake_worker_take(&worker, LANE_ACK), slot);
    cr_assert_eq(slot_look(&worker.lane.slots[slot]).state, SLOT_FREE);
    cr_assert_eq(part.state, PART_OVER);
}

Test(lanes, an_abandoned_delivery_goes_back)
{
    struct part part = consume_of();
    uint32_t slot = hold(&part, "hello");
    lanes_abandon(lanes, &part);
    cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), slot);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
}

Test(lanes, a_slot_is_used_again_under_another_generation)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    uint32_t generation = fake_worker_generation(&worker, slot);
    lanes_poll(lanes);
    struct part next = publish_of("y");
    submit(&next);
    cr_assert_eq(fake_worker_publish(&worker, OUTCOME_CONFIRMED), slot);
    cr_assert_neq(fake_worker_generation(&worker, slot), generation);
    lanes_poll(lanes);
}

/* ---- cancelling ---- */

Test(lanes, a_publish_is_cancelled_before_its_worker_claims_it)
{
    struct part part = publish_of("x");
    submit(&part);
    cr_assert(dock_cancel(&part));
    cr_assert(dock_cancel(&part), "twice is once");
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert_not(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert_not(fake_worker_has_entry(&worker), "the SUBMIT is enough to tell");
    fake_worker_done(
        &worker, slot, SLOT_CANCELLED, &(struct slot_reply){.outcome = OUTCOME_CANCELLED});
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CANCELLED);
}

Test(lanes, a_publish_is_not_cancelled_once_it_is_claimed_or_sent)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert_not(dock_cancel(&part));
    cr_assert(fake_worker_move(&worker, slot, SLOT_CLAIMED, SLOT_SENT));
    cr_assert_not(dock_cancel(&part));
    cr_assert_not(fake_worker_has_entry(&worker));
    lanes_abandon(lanes, &part);
}

Test(lanes, a_waiting_get_is_cancelled_with_an_entry_of_its_own)
{
    struct part part = consume_of();
    submit(&part);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(dock_cancel(&part));
    cr_assert_eq(fake_worker_take(&worker, LANE_CANCEL), slot);
    fake_worker_done(&worker, slot, SLOT_CANCELLED,
        &(struct slot_reply){.outcome = OUTCOME_CANCELLED, .is_listening = 1});
    lanes_poll(lanes);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert(part.reply.is_listening);
}

Test(lanes, a_bound_get_is_not_cancelled_and_its_message_still_comes)
{
    struct part part = consume_of();
    submit(&part);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
    cr_assert_not(dock_cancel(&part));
    fake_worker_done(&worker, slot, SLOT_BOUND,
        &(struct slot_reply){
            .outcome = OUTCOME_DELIVERED, .body = fake_worker_put(&worker, "m", 1)});
    lanes_poll(lanes);
    cr_assert_eq(part.state, PART_HELD);
    lanes_abandon(lanes, &part);
}

/* ---- orphans ---- */

Test(lanes, an_orphaned_publish_frees_its_slot_when_it_is_confirmed)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    lanes_abandon(lanes, &part);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(lanes_n_aboard(lanes), 1, "the slot was freed before its DONE");
    fake_worker_done(
        &worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    lanes_poll(lanes);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
    cr_assert_eq(witness.n_seen, 0, "an orphan has nobody to tell");
}

Test(lanes, an_orphaned_delivery_goes_back)
{
    struct part part = consume_of();
    submit(&part);
    uint32_t slot = fake_worker_wait(&worker);
    cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
    lanes_abandon(lanes, &part);
    fake_worker_done(&worker, slot, SLOT_BOUND,
        &(struct slot_reply){
            .outcome = OUTCOME_DELIVERED, .body = fake_worker_put(&worker, "m", 1)});
    lanes_poll(lanes);
    cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), slot);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
}

/* ---- the worker's death ---- */

/* What becomes of a publish whose slot the dead worker left in a state. */
static void die_in(struct part *part, enum slot_state state)
{
    submit(part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    static const enum slot_state way[] = {SLOT_READY, SLOT_CLAIMED, SLOT_SENT};
    for (size_t i = 0; i + 1 < sizeof(way) / sizeof(way[0]) && way[i] != state; i++)
        cr_assert(fake_worker_move(&worker, slot, way[i], way[i + 1]));
    lanes_settle(lanes, 0);
}

/* A replacement; the dead one's lane is let go of. */
static void replace_worker(void)
{
    struct fake_worker fresh;
    fake_worker_open(&fresh);
    attach(&fresh, 0);
    fake_worker_close(&worker);
    worker = fresh;
}

static void comes_back(enum slot_state state)
{
    struct part part = publish_of("again");
    die_in(&part, state);
    cr_assert_eq(part.state, PART_STRANDED);
    cr_assert_eq(witness.n_seen, 0);
    replace_worker();
    cr_assert_eq(part.state, PART_ABOARD);
    uint32_t slot = fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    cr_assert_arr_eq(
        lane_request_bytes(&worker.lane, slot, worker.lane.slots[slot].request.body), "again", 5);
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
}

Test(lanes, a_publish_that_was_ready_is_submitted_again)
{
    comes_back(SLOT_READY);
}

Test(lanes, a_publish_that_was_claimed_is_submitted_again)
{
    comes_back(SLOT_CLAIMED);
}

Test(lanes, a_publish_that_was_sent_is_unknown)
{
    struct part part = publish_of("x");
    die_in(&part, SLOT_SENT);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_UNKNOWN);
    cr_assert_eq(witness.n_seen, 1);
}

Test(lanes, a_publish_that_was_done_but_not_told_is_answered)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_settle(
        &worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
}

static void strange_word_is_unknown(uint64_t word)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    atomic_store(&worker.lane.slots[slot].word, word);
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_UNKNOWN);
}

Test(lanes, a_publish_with_a_strange_state_is_unknown)
{
    strange_word_is_unknown((uint64_t)1 << 32 | 0xdead);
}

Test(lanes, a_publish_with_a_strange_generation_is_unknown)
{
    strange_word_is_unknown((uint64_t)77 << 32 | SLOT_READY);
}

Test(lanes, a_publish_that_is_done_with_nonsense_is_unknown)
{
    struct part part = publish_of("x");
    submit(&part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_settle(
        &worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_DELIVERED});
    lanes_settle(lanes, 0);
    cr_assert_eq(part.reply.outcome, OUTCOME_UNKNOWN);
}

static void get_comes_back(struct part *part)
{
    lanes_settle(lanes, 0);
    cr_assert_eq(part->state, PART_STRANDED);
    replace_worker();
    cr_assert_eq(part->state, PART_ABOARD);
    fake_worker_deliver(&worker, fake_worker_wait(&worker), "new", 3);
    lanes_poll(lanes);
    cr_assert_eq(part->state, PART_HELD);
    cr_assert_arr_eq(part->reply.body.at, "new", 3);
    lanes_abandon(lanes, part);
}

Test(lanes, a_get_that_was_waiting_is_submitted_again)
{
    struct part part = consume_of();
    submit(&part);
    fake_worker_wait(&worker);
    get_comes_back(&part);
}

Test(lanes, a_delivery_that_was_not_told_is_not_given_out_twice)
{
    struct part part = consume_of();
    submit(&part);
    fake_worker_deliver(&worker, fake_worker_wait(&worker), "old", 3);
    get_comes_back(&part);
    cr_assert_eq(witness.n_seen, 1, "the old delivery was passed on");
}

Test(lanes, a_held_delivery_that_is_not_being_written_is_asked_for_again)
{
    struct part part = consume_of();
    hold(&part, "old");
    get_comes_back(&part);
}

/* How many lanes this process has mapped. */
static unsigned n_mapped(void)
{
    char line[512];
    unsigned n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps))
        n += strstr(line, "leveret-lane") != NULL;
    (void)fclose(maps);
    return n;
}

Test(lanes, a_dead_lane_is_unmapped_when_its_last_pin_goes)
{
    struct part parts[2] = {consume_of(), consume_of()};
    for (int i = 0; i < 2; i++) {
        hold(&parts[i], "x");
        dock_pin(&parts[i]);
    }
    lanes_settle(lanes, 0);
    unsigned n = n_mapped();
    dock_verdict(&parts[0], LANE_ACK);
    cr_assert_eq(n_mapped(), n);
    dock_verdict(&parts[1], LANE_REQUEUE);
    cr_assert_eq(n_mapped(), n - 1);
}

Test(lanes, whoever_reads_out_of_an_older_dead_lane_is_cut_off_when_the_next_one_dies)
{
    enum { N_DEATHS = 5 };
    struct part parts[N_DEATHS];
    for (int i = 0; i < N_DEATHS; i++) {
        parts[i] = consume_of();
        hold(&parts[i], "x");
        dock_pin(&parts[i]);
        unsigned n = n_mapped();
        replace_worker();
        cr_assert_eq(witness.n_cut_off, (unsigned)i);
        if (i == 0)
            continue;
        cr_assert_eq(witness.cut_off, &parts[i - 1]);
        lanes_abandon(lanes, &parts[i - 1]);
        cr_assert_eq(n_mapped(), n, "dead lanes pile up");
    }
    lanes_abandon(lanes, &parts[N_DEATHS - 1]);
}

Test(lanes, a_worker_that_dies_with_nothing_pinned_cuts_nobody_off)
{
    struct part part = consume_of();
    hold(&part, "hello");
    dock_pin(&part);
    for (int i = 0; i < 3; i++)
        replace_worker();
    cr_assert_eq(witness.n_cut_off, 0);
    cr_assert_arr_eq(part.reply.body.at, "hello", 5);
    dock_verdict(&part, LANE_ACK);
}

Test(lanes, a_pinned_delivery_keeps_its_bytes_beyond_its_worker)
{
    struct part part = consume_of();
    hold(&part, "hello");
    dock_pin(&part);
    lanes_settle(lanes, 0);
    replace_worker();
    cr_assert_eq(part.state, PART_PINNED);
    cr_assert_arr_eq(part.reply.body.at, "hello", 5);
    dock_verdict(&part, LANE_ACK);
    cr_assert_not(fake_worker_has_entry(&worker), "the verdict went to the wrong worker");
}

Test(lanes, a_get_that_was_told_to_wait_in_vain_is_answered)
{
    struct part part = consume_of();
    submit(&part);
    uint32_t slot = fake_worker_wait(&worker);
    fake_worker_settle(&worker, slot, SLOT_WAITING,
        &(struct slot_reply){.outcome = OUTCOME_TOPOLOGY, .broker_code = 406});
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_TOPOLOGY);
}

Test(lanes, a_cancelled_part_does_not_come_back)
{
    struct part part = consume_of();
    submit(&part);
    fake_worker_wait(&worker);
    cr_assert(dock_cancel(&part));
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_CANCELLED);
}

Test(lanes, an_orphan_dies_with_its_lane)
{
    struct part part = publish_of("x");
    submit(&part);
    fake_worker_take(&worker, LANE_SUBMIT);
    lanes_abandon(lanes, &part);
    lanes_settle(lanes, 0);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
    cr_assert_eq(witness.n_seen, 0);
}

Test(lanes, a_part_is_given_up_when_its_third_worker_dies)
{
    struct part part = publish_of("poison");
    submit(&part);
    for (int death = 1; death < PART_MAX_DEATHS; death++) {
        lanes_settle(lanes, 0);
        cr_assert_eq(part.state, PART_STRANDED);
        replace_worker();
        cr_assert_eq(part.state, PART_ABOARD);
    }
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_OVER);
    cr_assert_eq(part.reply.outcome, OUTCOME_NO_WORKER);
    cr_assert_eq(witness.n_seen, 1);
}

Test(lanes, stranded_parts_go_aboard_in_the_order_in_which_they_came)
{
    struct part parts[4];
    for (int i = 0; i < 4; i++) {
        parts[i] = publish_of("x");
        parts[i].body = (struct slice){.at = &"abcd"[i], .len = 1};
    }
    submit(&parts[0]);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes); /* so that slots are not taken in the order of their numbers */
    for (int i = 1; i < 4; i++)
        submit(&parts[i]);
    lanes_settle(lanes, 0);
    replace_worker();
    for (int i = 1; i < 4; i++) {
        uint32_t slot = fake_worker_publish(&worker, OUTCOME_CONFIRMED);
        struct lane_ref body = worker.lane.slots[slot].request.body;
        cr_assert_eq(*lane_request_bytes(&worker.lane, slot, body), "abcd"[i]);
    }
    lanes_poll(lanes);
}

Test(lanes, a_stranded_part_can_be_abandoned)
{
    struct part parts[3] = {publish_of("1"), publish_of("2"), publish_of("3")};
    for (int i = 0; i < 3; i++)
        submit(&parts[i]);
    lanes_settle(lanes, 0);
    lanes_abandon(lanes, &parts[2]);
    lanes_abandon(lanes, &parts[0]);
    cr_assert_eq(lanes_n_aboard(lanes), 1);
    replace_worker();
    cr_assert_eq(parts[0].state, PART_OVER);
    cr_assert_eq(parts[1].state, PART_ABOARD);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
}

Test(two_lanes, another_worker_takes_at_once_what_any_may_do)
{
    struct part part = publish_of("x");
    submit(&part);
    struct fake_worker second;
    fake_worker_open(&second);
    attach(&second, 1);
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_ABOARD);
    fake_worker_publish(&second, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
    fake_worker_close(&second);
}

static void abandon_the_other(struct witness *told, struct part *part)
{
    if (told->other && part != told->other)
        lanes_abandon(told->lanes, told->other);
    told->other = NULL;
}

Test(lanes, a_callback_may_abandon_a_part_that_is_still_to_be_settled)
{
    struct part sent = publish_of("1"), ready = publish_of("2");
    submit(&sent);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert(fake_worker_move(&worker, slot, SLOT_CLAIMED, SLOT_SENT));
    submit(&ready);
    witness.other = &ready;
    witness.then = abandon_the_other;
    lanes_settle(lanes, 0);
    cr_assert_eq(ready.state, PART_OVER);
    replace_worker();
    cr_assert_not(fake_worker_has_entry(&worker), "an abandoned part was submitted again");
}

Test(lanes, new_parts_are_refused_while_their_worker_is_dead)
{
    lanes_settle(lanes, 0);
    lanes_settle(lanes, 0);
    struct part part = publish_of("x");
    cr_assert_eq(lanes_submit(lanes, &part, 1), LANES_NO_WORKER);
}

Test(lanes, a_new_lane_settles_the_old_one_first)
{
    struct part part = publish_of("x");
    submit(&part);
    replace_worker();
    cr_assert_eq(part.state, PART_ABOARD);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
}

Test(lanes, what_is_not_a_lane_is_not_attached)
{
    int fd = memfd_create("not a lane", 0);
    cr_assert_eq(lanes_attach(lanes, 0, fd, -1), -EPROTO);
    cr_assert_eq(lanes_attach(lanes, 1, worker.memory_fd, -1), -EINVAL, "no such worker");
    (void)close(fd);
}

/* ---- liars ---- */

/* Push an entry and see that the lane is given up because of it. */
static void breaks(uint64_t entry)
{
    cr_assert_eq(ring_push(&worker.replies, entry), RING_OK);
    lanes_poll(lanes);
    cr_assert_eq(witness.n_broken, 1);
    cr_assert_eq(witness.n_seen, 0);
    struct part refused = publish_of("x");
    cr_assert_eq(lanes_submit(lanes, &refused, 1), LANES_NO_WORKER);
    cr_assert_eq(lanes_poll(lanes), 0, "a broken lane is read no more");
    cr_assert_eq(witness.n_broken, 1, "it is reported once");
}

Test(lanes, a_reply_for_a_slot_that_does_not_exist_breaks_the_lane)
{
    breaks(LANE_ENTRY(LANE_DONE, FAKE_SLOTS, 1));
}

Test(lanes, a_reply_for_a_free_slot_breaks_the_lane)
{
    breaks(LANE_ENTRY(LANE_DONE, 3, 0));
}

Test(lanes, an_operation_that_is_not_the_workers_breaks_the_lane)
{
    struct part part = publish_of("x");
    submit(&part);
    breaks(LANE_ENTRY(LANE_SUBMIT, part.berth, 1));
    lanes_abandon(lanes, &part);
}

Test(lanes, a_reply_of_another_generation_breaks_the_lane)
{
    struct part part = publish_of("x");
    submit(&part);
    breaks(LANE_ENTRY(LANE_DONE, part.berth, 2));
    lanes_abandon(lanes, &part);
}

Test(lanes, a_reply_for_a_slot_that_is_not_done_breaks_the_lane)
{
    struct part part = publish_of("x");
    submit(&part);
    breaks(LANE_ENTRY(LANE_DONE, part.berth, 1));
    lanes_abandon(lanes, &part);
}

Test(lanes, a_second_reply_to_a_held_delivery_breaks_the_lane)
{
    struct part part = consume_of();
    uint32_t slot = hold(&part, "x");
    witness.n_seen = 0;
    breaks(LANE_ENTRY(LANE_DONE, slot, 1));
    lanes_abandon(lanes, &part);
}

static void reply_breaks(struct part *part, const struct slot_reply *reply)
{
    submit(part);
    uint32_t slot = fake_worker_take(&worker, LANE_SUBMIT);
    cr_assert(fake_worker_move(&worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_settle(&worker, slot, SLOT_CLAIMED, reply);
    breaks(LANE_ENTRY(LANE_DONE, slot, 1));
    lanes_abandon(lanes, part);
}

Test(lanes, an_outcome_of_the_other_verb_breaks_the_lane)
{
    struct part part = publish_of("x");
    reply_breaks(&part, &(struct slot_reply){.outcome = OUTCOME_EMPTY});
}

Test(lanes, a_consume_that_was_confirmed_breaks_the_lane)
{
    struct part part = consume_of();
    reply_breaks(&part, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
}

Test(lanes, an_outcome_that_does_not_exist_breaks_the_lane)
{
    struct part part = publish_of("x");
    reply_breaks(&part, &(struct slot_reply){.outcome = OUTCOME_N});
}

Test(lanes, a_text_longer_than_its_place_breaks_the_lane)
{
    struct part part = publish_of("x");
    reply_breaks(&part,
        &(struct slot_reply){.outcome = OUTCOME_REJECTED, .text_bytes = LANE_TEXT_BYTES + 1});
}

Test(lanes, a_body_outside_the_reply_area_breaks_the_lane)
{
    struct part part = consume_of();
    reply_breaks(&part,
        &(struct slot_reply){.outcome = OUTCOME_DELIVERED, .body = {.offset = 0, .length = 64}});
}

Test(lanes, fields_beyond_the_lane_break_it)
{
    struct part part = consume_of();
    reply_breaks(&part, &(struct slot_reply){.outcome = OUTCOME_DELIVERED,
                            .fields = {.offset = UINT32_MAX - 3, .length = 64}});
}

Test(lanes, more_fields_than_a_delivery_has_break_the_lane)
{
    struct part part = consume_of();
    reply_breaks(
        &part, &(struct slot_reply){.outcome = OUTCOME_DELIVERED,
                   .fields = {(uint32_t)worker.lane.reply_area, MESSAGE_DELIVERY_BYTES + 1}});
}

Test(lanes, deliveries_that_cannot_lie_side_by_side_break_the_lane)
{
    struct part parts[2] = {consume_of(), consume_of()};
    struct lane_ref most = {
        .offset = (uint32_t)worker.lane.reply_area, .length = FAKE_AREA_BYTES / 4 * 3};
    for (int i = 0; i < 2; i++) {
        submit(&parts[i]);
        uint32_t slot = fake_worker_wait(&worker);
        cr_assert(fake_worker_move(&worker, slot, SLOT_WAITING, SLOT_BOUND));
        fake_worker_done(&worker, slot, SLOT_BOUND,
            &(struct slot_reply){.outcome = OUTCOME_DELIVERED, .body = most});
    }
    lanes_poll(lanes);
    cr_assert_eq(parts[0].state, PART_HELD);
    cr_assert_eq(parts[1].state, PART_ABOARD, "its bytes are those of the first one");
    cr_assert_eq(witness.n_broken, 1);
    lanes_abandon(lanes, &parts[0]);
    lanes_abandon(lanes, &parts[1]);
}

Test(lanes, the_reply_area_serves_one_delivery_after_the_other)
{
    for (int i = 0; i < 5; i++) {
        struct part part = consume_of();
        static char body[FAKE_AREA_BYTES];
        worker.reply_used = 0;
        hold(&part, "");
        lanes_abandon(lanes, &part);
        cr_assert_eq(fake_worker_take(&worker, LANE_REQUEUE), part.berth);
        part = consume_of();
        submit(&part);
        fake_worker_deliver(&worker, fake_worker_wait(&worker), body, sizeof(body));
        lanes_poll(lanes);
        cr_assert_eq(part.state, PART_HELD);
        dock_verdict(&part, LANE_ACK);
        cr_assert_eq(fake_worker_take(&worker, LANE_ACK), part.berth);
    }
}

Test(lanes, a_reply_ring_that_claims_too_much_breaks_the_lane)
{
    atomic_store(&worker.lane.reply_ring->tail, UINT64_C(1) << 40);
    cr_assert_not(lanes_park(lanes), "a broken ring is not empty");
    lanes_poll(lanes);
    cr_assert_eq(witness.n_broken, 1);
    cr_assert(lanes_park(lanes), "a broken lane keeps nobody awake");
}

Test(lanes, a_request_ring_that_is_never_drained_breaks_the_lane)
{
    for (unsigned i = 0; !witness.n_broken; i++) {
        cr_assert_lt(i, 1000);
        struct part part = consume_of();
        if (lanes_submit(lanes, &part, 1) != LANES_OK)
            break;
        /* answers without ever moving the head: only a liar could */
        cr_assert(fake_worker_move(&worker, part.berth, SLOT_READY, SLOT_WAITING));
        fake_worker_deliver(&worker, part.berth, "", 0);
        lanes_poll(lanes);
        lanes_abandon(lanes, &part);
    }
    cr_assert_eq(witness.n_broken, 1);
}

Test(lanes, what_was_aboard_a_broken_lane_is_settled_at_its_workers_death)
{
    struct part part = publish_of("x");
    submit(&part);
    breaks(LANE_ENTRY(LANE_DONE, 9, 9));
    cr_assert_eq(part.state, PART_ABOARD, "only its death makes it certain");
    lanes_settle(lanes, 0);
    cr_assert_eq(part.state, PART_STRANDED);
    replace_worker();
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    lanes_poll(lanes);
    cr_assert_eq(part.reply.outcome, OUTCOME_CONFIRMED);
}

/* ---- bounds ---- */

Test(lanes, what_waits_for_messages_leaves_half_of_the_slots_to_publishes)
{
    struct part gets[FAKE_SLOTS / 2], one_more = consume_of(), publish = publish_of("x");
    for (int i = 0; i < FAKE_SLOTS / 2; i++) {
        gets[i] = consume_of();
        submit(&gets[i]);
    }
    cr_assert_eq(lanes_submit(lanes, &one_more, 1), LANES_FULL);
    cr_assert_eq(one_more.state, PART_IDLE);
    submit(&publish);
    for (int i = 0; i < FAKE_SLOTS / 2; i++) {
        uint32_t slot = fake_worker_wait(&worker);
        fake_worker_done(
            &worker, slot, SLOT_WAITING, &(struct slot_reply){.outcome = OUTCOME_EMPTY});
    }
    lanes_poll(lanes);
    submit(&one_more);
    lanes_abandon(lanes, &one_more);
    lanes_abandon(lanes, &publish);
}

/* A lane of its own for worker 0, with so many slots. */
static void replace_worker_sized(uint32_t n_slots)
{
    fake_worker_close(&worker);
    fake_worker_open_sized(&worker, n_slots);
    attach(&worker, 0);
}

Test(lanes, a_long_ring_leaves_the_loop_its_turn)
{
    enum { MANY = 1000 };
    replace_worker_sized(MANY);
    for (int i = 0; i < MANY; i++) {
        struct part part = publish_of("x");
        submit(&part);
        fake_worker_publish(&worker, OUTCOME_CONFIRMED);
        lanes_abandon(lanes, &part);
    }
    lanes_ring(lanes);
    unsigned n = lanes_poll(lanes);
    cr_assert_gt(n, 0);
    cr_assert_lt(n, MANY);
    cr_assert_not(lanes_park(lanes), "it slept over the rest");
    while (n < MANY)
        n += lanes_poll(lanes);
    cr_assert_eq(lanes_n_aboard(lanes), 0);
    cr_assert(lanes_park(lanes));
}

/* Quadratic work would take minutes. */
Test(two_lanes, a_crowd_goes_aboard_past_one_that_must_wait, .timeout = 20)
{
    enum { CROWD = 60000 };
    static struct part parts[2 * CROWD];
    static struct plan_part plans[2] = {
        {.backend = 1, .worker = 0, .verb = PLAN_PRODUCE}, {.worker = 1, .verb = PLAN_PRODUCE}};
    struct fake_worker second;
    fake_worker_open_sized(&second, CROWD);
    attach(&second, 1);
    replace_worker_sized(CROWD);
    for (int i = 0; i < 2 * CROWD; i++) {
        parts[i].plan = &plans[i < CROWD];
        submit(&parts[i]);
    }
    lanes_settle(lanes, 1);
    lanes_settle(lanes, 0);
    replace_worker_sized(CROWD);
    for (int i = 0; i < 2 * CROWD; i++)
        cr_assert_eq(parts[i].state, i < CROWD ? PART_STRANDED : PART_ABOARD);
    for (int i = 2 * CROWD - 1; i >= 0; i--)
        lanes_abandon(lanes, &parts[i]);
    fake_worker_close(&second);
}

Test(lanes, stranded_parts_that_find_no_room_are_told_so)
{
    struct part parts[3] = {publish_of("1"), publish_of("2"), publish_of("3")};
    for (int i = 0; i < 3; i++)
        submit(&parts[i]);
    lanes_settle(lanes, 0);
    witness.other = &parts[2];
    witness.then = abandon_the_other;
    replace_worker_sized(1);
    cr_assert_eq(parts[0].state, PART_ABOARD);
    cr_assert_eq(parts[1].state, PART_OVER);
    cr_assert_eq(parts[1].reply.outcome, OUTCOME_BUSY);
    cr_assert_eq(parts[2].state, PART_OVER);
    cr_assert_eq(witness.n_seen, 1, "the third was abandoned before its turn came");
    lanes_abandon(lanes, &parts[0]);
}

/* ---- doorbells ---- */

Test(lanes, a_sleeping_worker_is_rung_once_a_turn)
{
    uint64_t rings = 0;
    doorbell_park(worker.lane.worker);
    struct part parts[2] = {publish_of("1"), publish_of("2")};
    submit(&parts[0]);
    submit(&parts[1]);
    cr_assert_eq(
        read(worker.doorbell.rope, &rings, sizeof(rings)), -1, "rung before the turn's end");
    lanes_ring(lanes);
    lanes_ring(lanes);
    cr_assert_eq(read(worker.doorbell.rope, &rings, sizeof(rings)), (ssize_t)sizeof(rings));
    cr_assert_eq(rings, 1);
    lanes_abandon(lanes, &parts[0]);
    lanes_abandon(lanes, &parts[1]);
}

Test(lanes, a_front_does_not_sleep_over_a_reply)
{
    cr_assert(lanes_park(lanes));
    cr_assert_eq(atomic_load(&worker.lane.front->is_parked), 1);
    lanes_unpark(lanes);
    cr_assert_eq(atomic_load(&worker.lane.front->is_parked), 0);
    cr_assert_eq(atomic_load(&worker.lane.front->beats), 1);
    struct part part = publish_of("x");
    submit(&part);
    lanes_ring(lanes);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);
    cr_assert_not(lanes_park(lanes));
    lanes_poll(lanes);
    cr_assert(lanes_park(lanes));
}

Test(lanes, a_front_does_not_sleep_before_it_has_rung)
{
    struct part part = publish_of("x");
    submit(&part);
    cr_assert_not(lanes_park(lanes));
    lanes_ring(lanes);
    cr_assert(lanes_park(lanes));
    lanes_abandon(lanes, &part);
}
