/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "desk.h"
#include "fake_front.h"
#include "shm/doorbell.h"

enum { PRODUCER = 0, CONSUMER = 1 };

/* What the desk told its owner, and a line of what is held. */
struct holder {
    struct fake_front front;
    struct desk *desk;
    struct line publishes, gets;
    int n_cancelled, n_acks, n_requeues;
    void (*then)(struct holder *holder); /* after a verdict; NULL: nothing */
    bool ends_at_once;
};

static void on_publish(void *owner, struct desk_slot *slot)
{
    struct holder *holder = owner;
    if (holder->ends_at_once)
        desk_end(slot, OUTCOME_DOWN);
    else
        line_join(&holder->publishes, slot);
}

static void on_get(void *owner, struct desk_slot *slot)
{
    struct holder *holder = owner;
    line_join(&holder->gets, slot);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    struct holder *holder = owner;
    holder->n_cancelled++;
    line_leave(slot);
    desk_end_get(slot, OUTCOME_CANCELLED, true);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    struct holder *holder = owner;
    *(is_ack ? &holder->n_acks : &holder->n_requeues) += 1;
    if (holder->then)
        holder->then(holder);
}

static const struct desk_ops ops = {on_publish, on_get, on_cancelled, on_verdict};
static const uint8_t verbs[] = {[PRODUCER] = PLAN_PRODUCE, [CONSUMER] = PLAN_CONSUME};

static void holder_open(struct holder *holder)
{
    *holder = (struct holder){0};
    fake_front_open(&holder->front);
    struct desk_config config = {.verbs = verbs, .n_backends = 2, .ops = &ops, .owner = holder};
    cr_assert_eq(desk_new(&holder->desk, holder->front.memory_fd, &config), 0);
}

static void holder_close(struct holder *holder)
{
    desk_free(holder->desk);
    fake_front_close(&holder->front);
}

static struct desk_slot *published(struct holder *holder, uint32_t slot)
{
    fake_front_submit(&holder->front, slot, &(struct slot_request){.backend = PRODUCER});
    desk_turn(holder->desk);
    return line_take(&holder->publishes);
}

static struct desk_slot *delivered(struct holder *holder, uint32_t slot)
{
    fake_front_get(&holder->front, slot, CONSUMER);
    desk_turn(holder->desk);
    struct desk_slot *get = line_take(&holder->gets);
    cr_assert(desk_bind(get));
    uint64_t block = desk_block_take(holder->desk, 100);
    memcpy(desk_block_bytes(holder->desk, block), "\"body\"", 6);
    desk_deliver(get, &(struct desk_delivery){
                          .block = block, .body = {(uint32_t)block, 6}, .is_redelivered = true});
    return get;
}

Test(desk, takes_a_publish_through_claimed_and_sent_to_done)
{
    struct holder holder;
    holder_open(&holder);
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "id-1", 4};
    struct slot_request request = fake_front_message(&holder.front, 3, &id, 1, "hello");
    request.backend = PRODUCER;
    request.deadline_ns = 77;
    fake_front_submit(&holder.front, 3, &request);
    cr_assert_not(desk_turn(holder.desk));
    struct desk_slot *slot = line_take(&holder.publishes);
    cr_assert_eq(fake_front_state(&holder.front, 3), SLOT_CLAIMED);
    cr_assert_eq(slot->deadline_ns, 77);
    cr_assert_arr_eq(desk_bytes(slot, slot->body), "hello", 5);
    cr_assert_eq(desk_n_busy(holder.desk), 1);
    desk_sent(slot);
    cr_assert_eq(fake_front_state(&holder.front, 3), SLOT_SENT);
    desk_end(slot, OUTCOME_CONFIRMED);
    fake_front_expect(&holder.front, 3, OUTCOME_CONFIRMED);
    cr_assert_eq(desk_n_busy(holder.desk), 0);
    cr_assert_null(desk_complaint(holder.desk));
    holder_close(&holder);
}

Test(desk, refuses_a_claimed_publish_before_anything_is_sent)
{
    struct holder holder;
    holder_open(&holder);
    holder.ends_at_once = true;
    fake_front_submit(&holder.front, 0, &(struct slot_request){.backend = PRODUCER});
    desk_turn(holder.desk);
    fake_front_expect(&holder.front, 0, OUTCOME_DOWN);
    fake_front_submit(&holder.front, 0, &(struct slot_request){.backend = PRODUCER});
    desk_turn(holder.desk);
    fake_front_expect(&holder.front, 0, OUTCOME_DOWN);
    holder_close(&holder);
}

Test(desk, passes_on_the_brokers_code_and_words_cut_to_what_a_reply_holds)
{
    struct holder holder;
    holder_open(&holder);
    char words[300];
    memset(words, 'w', sizeof(words));
    struct desk_slot *slot = published(&holder, 1);
    desk_say(slot, 404, words, sizeof(words));
    desk_end(slot, OUTCOME_REJECTED);
    fake_front_expect(&holder.front, 1, OUTCOME_REJECTED);
    cr_assert_eq(fake_front_reply(&holder.front, 1)->broker_code, 404);
    cr_assert_eq(fake_front_reply(&holder.front, 1)->text_bytes, LANE_TEXT_BYTES);
    slot = published(&holder, 1);
    desk_end(slot, OUTCOME_DOWN);
    fake_front_expect(&holder.front, 1, OUTCOME_DOWN);
    cr_assert_eq(fake_front_reply(&holder.front, 1)->text_bytes, 0, "words of the last use");
    holder_close(&holder);
}

Test(desk, takes_a_get_through_waiting_and_bound_to_done_and_frees_it_with_the_verdict)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 5, CONSUMER);
    desk_turn(holder.desk);
    struct desk_slot *slot = line_take(&holder.gets);
    cr_assert_eq(fake_front_state(&holder.front, 5), SLOT_WAITING);
    cr_assert(desk_bind(slot));
    cr_assert_eq(fake_front_state(&holder.front, 5), SLOT_BOUND);
    uint64_t block = desk_block_take(holder.desk, 3000);
    memcpy(desk_block_bytes(holder.desk, block) + 16, "{\"a\":1}", 7);
    desk_deliver(slot, &(struct desk_delivery){.block = block, .body = {(uint32_t)block + 16, 7}});
    fake_front_expect(&holder.front, 5, OUTCOME_DELIVERED);
    fake_front_expect_body(&holder.front, 5, "{\"a\":1}");
    cr_assert_eq(fake_front_reply(&holder.front, 5)->is_listening, 1);
    cr_assert_eq(desk_n_busy(holder.desk), 1, "its verdict is due");
    fake_front_tell(&holder.front, LANE_ACK, 5);
    desk_turn(holder.desk);
    cr_assert_eq(holder.n_acks, 1);
    cr_assert_eq(desk_n_busy(holder.desk), 0);
    fake_front_expect_nothing(&holder.front);
    holder_close(&holder);
}

Test(desk, gives_the_block_back_with_either_verdict)
{
    struct holder holder;
    holder_open(&holder);
    for (int i = 0; i < 1000; i++) { /* the area holds 64 */
        (void)delivered(&holder, 9);
        fake_front_expect(&holder.front, 9, OUTCOME_DELIVERED);
        cr_assert_eq(fake_front_reply(&holder.front, 9)->is_redelivered, 1);
        fake_front_tell(&holder.front, i % 2 ? LANE_ACK : LANE_REQUEUE, 9);
        desk_turn(holder.desk);
    }
    cr_assert_eq(holder.n_acks, 500);
    cr_assert_eq(holder.n_requeues, 500);
    holder_close(&holder);
}

Test(desk, hears_a_verdict_and_the_next_submit_of_its_slot_in_one_turn)
{
    struct holder holder;
    holder_open(&holder);
    (void)delivered(&holder, 2);
    fake_front_expect(&holder.front, 2, OUTCOME_DELIVERED);
    fake_front_tell(&holder.front, LANE_ACK, 2);
    fake_front_get(&holder.front, 2, CONSUMER);
    desk_turn(holder.desk);
    cr_assert_eq(holder.n_acks, 1);
    cr_assert_eq(holder.gets.n, 1);
    cr_assert_null(desk_complaint(holder.desk));
    holder_close(&holder);
}

Test(desk, grants_a_cancellation_before_it_has_seen_the_submit)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 4, CONSUMER);
    cr_assert(fake_front_cancel(&holder.front, 4));
    desk_turn(holder.desk);
    fake_front_expect(&holder.front, 4, OUTCOME_CANCELLED);
    fake_front_submit(&holder.front, 6, &(struct slot_request){.backend = PRODUCER});
    cr_assert(fake_front_cancel(&holder.front, 6));
    desk_turn(holder.desk);
    fake_front_expect(&holder.front, 6, OUTCOME_CANCELLED);
    cr_assert_eq(holder.n_cancelled, 0, "nobody had been asked");
    cr_assert_eq(holder.gets.n + holder.publishes.n, 0);
    cr_assert_eq(desk_n_busy(holder.desk), 0);
    holder_close(&holder);
}

Test(desk, grants_a_cancellation_of_a_waiting_get_and_says_whether_it_was_listening)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 4, CONSUMER);
    desk_turn(holder.desk);
    cr_assert(fake_front_cancel(&holder.front, 4));
    desk_turn(holder.desk);
    cr_assert_eq(holder.n_cancelled, 1);
    fake_front_expect(&holder.front, 4, OUTCOME_CANCELLED);
    cr_assert_eq(fake_front_reply(&holder.front, 4)->is_listening, 1);
    holder_close(&holder);
}

Test(desk, does_not_bind_a_get_that_was_cancelled_a_moment_ago)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 4, CONSUMER);
    desk_turn(holder.desk);
    struct desk_slot *slot = line_take(&holder.gets);
    cr_assert(fake_front_cancel(&holder.front, 4));
    cr_assert_not(desk_bind(slot));
    fake_front_expect(&holder.front, 4, OUTCOME_CANCELLED);
    desk_turn(holder.desk); /* the CANCEL crossed our DONE */
    cr_assert_null(desk_complaint(holder.desk));
    fake_front_expect_nothing(&holder.front);
    holder_close(&holder);
}

Test(desk, ends_a_waiting_get_or_grants_the_cancellation_that_was_quicker)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 1, CONSUMER);
    fake_front_get(&holder.front, 2, CONSUMER);
    desk_turn(holder.desk);
    struct desk_slot *first = line_take(&holder.gets), *second = line_take(&holder.gets);
    cr_assert(fake_front_cancel(&holder.front, 2));
    desk_end_get(first, OUTCOME_TOPOLOGY, false);
    desk_end_get(second, OUTCOME_TOPOLOGY, false);
    fake_front_expect(&holder.front, 1, OUTCOME_TOPOLOGY);
    fake_front_expect(&holder.front, 2, OUTCOME_CANCELLED);
    desk_turn(holder.desk);
    cr_assert_null(desk_complaint(holder.desk));
    holder_close(&holder);
}

Test(desk, cannot_be_robbed_of_a_publish_by_a_late_cancellation)
{
    struct holder holder;
    holder_open(&holder);
    struct desk_slot *slot = published(&holder, 0);
    cr_assert_not(fake_front_cancel(&holder.front, 0));
    desk_sent(slot);
    cr_assert_not(fake_front_cancel(&holder.front, 0));
    desk_end(slot, OUTCOME_NACKED);
    fake_front_expect(&holder.front, 0, OUTCOME_NACKED);
    holder_close(&holder);
}

Test(desk, leaves_the_loop_its_turn_when_the_ring_is_long)
{
    struct holder holder;
    holder_open(&holder);
    for (uint32_t i = 0; i < 300; i++) /* CANCELs that crossed a DONE */
        fake_front_tell(&holder.front, LANE_CANCEL, i % 100);
    cr_assert(desk_turn(holder.desk));
    cr_assert_not(desk_park(holder.desk));
    cr_assert_not(desk_turn(holder.desk));
    cr_assert(desk_park(holder.desk));
    holder_close(&holder);
}

/* ---- a front that lies ---- */

static void expect_complaint(struct holder *holder)
{
    desk_turn(holder->desk);
    cr_assert(desk_complaint(holder->desk));
    uint32_t n_gets = holder->gets.n;
    fake_front_get(&holder->front, 30, CONSUMER);
    desk_turn(holder->desk);
    cr_assert_eq(holder->gets.n, n_gets, "a liar is not heard again");
    cr_assert(desk_park(holder->desk), "and cannot keep us awake");
    holder_close(holder);
}

#define LIE(name)                                                                                  \
    static void name(struct fake_front *front);                                                    \
    Test(desk, complains_about_##name)                                                             \
    {                                                                                              \
        struct holder holder;                                                                      \
        holder_open(&holder);                                                                      \
        name(&holder.front);                                                                       \
        expect_complaint(&holder);                                                                 \
    }                                                                                              \
    static void name(struct fake_front *front)

LIE(a_slot_that_is_not_there)
{
    fake_front_push(front, LANE_ENTRY(LANE_SUBMIT, 100, 1));
}

LIE(a_submit_of_a_slot_that_is_not_ready)
{
    fake_front_push(front, LANE_ENTRY(LANE_SUBMIT, 1, 0));
}

LIE(a_submit_of_another_generation)
{
    fake_front_ready(front, 1, &(struct slot_request){.backend = PRODUCER});
    fake_front_push(front, LANE_ENTRY(LANE_SUBMIT, 1, front->generations[1] + 1));
}

LIE(a_backend_that_is_not_there)
{
    fake_front_submit(front, 1, &(struct slot_request){.backend = 2});
}

LIE(fields_outside_the_lane)
{
    fake_front_submit(front, 1, &(struct slot_request){.fields = {UINT32_MAX - 10, 100}});
}

LIE(a_body_in_the_reply_area)
{
    uint32_t area = (uint32_t)front->lane.reply_area;
    fake_front_submit(front, 1, &(struct slot_request){.body = {area, 10}});
}

LIE(a_body_that_runs_over_the_end)
{
    uint32_t end = (uint32_t)(front->lane.request_area + front->lane.request_area_bytes);
    fake_front_submit(front, 1, &(struct slot_request){.body = {end - 10, 11}});
}

LIE(a_body_in_the_inline_bytes_of_another_slot)
{
    uint32_t other = (uint32_t)lane_inline_offset(&front->lane, 2);
    fake_front_submit(front, 1, &(struct slot_request){.body = {other, 10}});
}

LIE(a_slot_submitted_twice)
{
    fake_front_get(front, 1, CONSUMER);
    fake_front_tell(front, LANE_SUBMIT, 1);
}

LIE(a_cancellation_of_what_is_not_cancelled)
{
    fake_front_get(front, 1, CONSUMER);
    fake_front_tell(front, LANE_CANCEL, 1);
}

LIE(a_cancellation_of_a_publish)
{
    fake_front_submit(front, 1, &(struct slot_request){.backend = PRODUCER});
    fake_front_tell(front, LANE_CANCEL, 1);
}

LIE(a_verdict_on_a_free_slot)
{
    fake_front_tell(front, LANE_ACK, 1);
}

LIE(a_verdict_on_a_get_that_waits)
{
    fake_front_get(front, 1, CONSUMER);
    fake_front_tell(front, LANE_REQUEUE, 1);
}

LIE(a_verdict_of_another_generation)
{
    fake_front_push(front, LANE_ENTRY(LANE_ACK, 1, 9));
}

LIE(an_unknown_operation)
{
    fake_front_push(front, LANE_ENTRY(LANE_DONE, 1, 0));
}

LIE(a_ring_that_claims_more_than_it_holds)
{
    atomic_store(&front->lane.request_ring->tail, 1u << 20);
}

Test(desk, complains_when_a_bound_slot_is_not_bound_any_more)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 3, CONSUMER);
    desk_turn(holder.desk);
    struct desk_slot *slot = line_take(&holder.gets);
    cr_assert(desk_bind(slot));
    slot_free(&holder.front.lane.slots[3], holder.front.generations[3]);
    desk_end(slot, OUTCOME_UNDECODABLE);
    cr_assert(desk_complaint(holder.desk));
    holder_close(&holder);
}

Test(desk, complains_about_a_second_verdict)
{
    struct holder holder;
    holder_open(&holder);
    (void)delivered(&holder, 2);
    fake_front_tell(&holder.front, LANE_ACK, 2);
    fake_front_tell(&holder.front, LANE_ACK, 2);
    desk_turn(holder.desk);
    cr_assert_eq(holder.n_acks, 1);
    cr_assert(desk_complaint(holder.desk));
    holder_close(&holder);
}

/* ---- the front's death ---- */

Test(desk, hears_the_last_words_of_a_dead_front_and_settles_the_rest)
{
    struct holder holder;
    holder_open(&holder);
    (void)delivered(&holder, 0);
    (void)delivered(&holder, 1);
    fake_front_get(&holder.front, 2, CONSUMER);
    struct desk_slot *sent = published(&holder, 3), *claimed = published(&holder, 4);
    desk_sent(sent);
    fake_front_tell(&holder.front, LANE_ACK, 0); /* pushed: counts */
    fake_front_get(&holder.front, 5, CONSUMER);  /* pushed: nobody waits for it */
    desk_front_died(holder.desk);
    cr_assert_eq(holder.n_acks, 1);
    cr_assert_eq(holder.n_requeues, 1);
    cr_assert_eq(holder.n_cancelled, 1);
    cr_assert_eq(holder.gets.n, 0);
    cr_assert_eq(fake_front_state(&holder.front, 5), SLOT_READY);
    cr_assert_eq(desk_n_busy(holder.desk), 2, "publishes go on");
    cr_assert_arr_eq(desk_bytes(claimed, claimed->body), "", 0);
    desk_sent(claimed);
    desk_end(claimed, OUTCOME_CONFIRMED);
    desk_end(sent, OUTCOME_UNKNOWN);
    cr_assert_eq(desk_n_busy(holder.desk), 0);
    fake_front_expect(&holder.front, 0, OUTCOME_DELIVERED);
    fake_front_expect(&holder.front, 1, OUTCOME_DELIVERED);
    fake_front_expect_nothing(&holder.front);
    holder_close(&holder);
}

Test(desk, gives_a_message_back_that_was_bound_for_a_front_that_died_meanwhile)
{
    struct holder holder;
    holder_open(&holder);
    fake_front_get(&holder.front, 3, CONSUMER);
    desk_turn(holder.desk);
    struct desk_slot *slot = line_take(&holder.gets);
    cr_assert(desk_bind(slot));
    desk_front_died(holder.desk);
    cr_assert_eq(desk_n_busy(holder.desk), 1, "its message is still underway");
    uint64_t block = desk_block_take(holder.desk, desk_block_max(holder.desk));
    desk_deliver(slot, &(struct desk_delivery){.block = block, .body = {(uint32_t)block, 6}});
    cr_assert_eq(holder.n_requeues, 1);
    cr_assert_eq(desk_n_busy(holder.desk), 0, "nobody will ever judge it");
    cr_assert_eq(desk_block_take(holder.desk, desk_block_max(holder.desk)), block);
    fake_front_expect_nothing(&holder.front);
    holder_close(&holder);
}

/* The one that died has left somebody behind who fills the ring again, with one more ACK at its
 * end, whenever an ACK was heard. */
static void fill_again(struct holder *holder)
{
    struct fake_front *front = &holder->front;
    struct ring_shared *ring = front->lane.request_ring;
    uint32_t n = front->lane.n_entries, slot = (uint32_t)holder->n_acks;
    for (uint32_t i = 0; i < n; i++)
        atomic_store(&ring->entries[i], LANE_ENTRY(LANE_SUBMIT, slot, 1));
    uint64_t tail = atomic_load(&ring->head) + n;
    atomic_store(&ring->entries[(tail - 1) % n], LANE_ENTRY(LANE_ACK, slot, 1));
    atomic_store(&ring->tail, tail);
}

Test(desk, hears_no_more_last_words_than_a_ring_holds)
{
    struct holder holder;
    holder_open(&holder);
    for (uint32_t slot = 0; slot < 3; slot++)
        (void)delivered(&holder, slot);
    holder.then = fill_again;
    fill_again(&holder);
    desk_front_died(holder.desk);
    cr_assert_eq(holder.n_acks, 1);
    cr_assert_eq(holder.n_requeues, 2);
    cr_assert_eq(desk_n_busy(holder.desk), 0);
    holder_close(&holder);
}

Test(desk, does_not_hear_the_last_words_of_a_liar)
{
    struct holder holder;
    holder_open(&holder);
    (void)delivered(&holder, 0);
    fake_front_push(&holder.front, LANE_ENTRY(LANE_SUBMIT, 100, 1));
    fake_front_tell(&holder.front, LANE_ACK, 0);
    desk_turn(holder.desk);
    desk_front_died(holder.desk);
    cr_assert_eq(holder.n_acks, 0);
    cr_assert_eq(holder.n_requeues, 1);
    holder_close(&holder);
}

/* ---- bells ---- */

Test(desk, rings_a_sleeping_front_once_for_all_that_it_told)
{
    struct holder holder;
    holder_open(&holder);
    holder.ends_at_once = true;
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    struct pollfd pulled = {.fd = rope, .events = POLLIN};
    for (uint32_t slot = 0; slot < 3; slot++)
        fake_front_submit(&holder.front, slot, &(struct slot_request){.backend = PRODUCER});
    desk_turn(holder.desk);
    desk_ring(holder.desk, rope);
    cr_assert_eq(poll(&pulled, 1, 0), 0, "the front was awake");
    doorbell_park(holder.front.lane.front);
    desk_ring(holder.desk, rope);
    cr_assert_eq(poll(&pulled, 1, 0), 0, "nothing new was told");
    fake_front_submit(&holder.front, 7, &(struct slot_request){.backend = PRODUCER});
    desk_turn(holder.desk);
    desk_ring(holder.desk, rope);
    cr_assert_eq(poll(&pulled, 1, 0), 1);
    holder_close(&holder);
}

Test(desk, does_not_go_to_sleep_on_a_request)
{
    struct holder holder;
    holder_open(&holder);
    cr_assert(desk_park(holder.desk));
    cr_assert_eq(atomic_load(&holder.front.lane.worker->is_parked), 1);
    desk_unpark(holder.desk);
    cr_assert_eq(atomic_load(&holder.front.lane.worker->is_parked), 0);
    fake_front_get(&holder.front, 1, CONSUMER);
    cr_assert_not(desk_park(holder.desk));
    cr_assert_eq(atomic_load(&holder.front.lane.worker->is_parked), 0);
    uint64_t beats = atomic_load(&holder.front.lane.worker->beats);
    desk_turn(holder.desk);
    cr_assert_eq(atomic_load(&holder.front.lane.worker->beats), beats + 1);
    holder_close(&holder);
}

Test(desk, does_not_go_to_sleep_before_it_has_rung_for_what_it_told)
{
    struct holder holder;
    holder_open(&holder);
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    struct desk_slot *slot = published(&holder, 0);
    cr_assert(desk_park(holder.desk));
    desk_unpark(holder.desk);
    desk_end(
        slot, OUTCOME_DOWN); /* after this turn's ring: a connection failed as it was flushed */
    cr_assert_not(desk_park(holder.desk));
    desk_ring(holder.desk, rope);
    cr_assert(desk_park(holder.desk));
    holder_close(&holder);
}

/* ---- the reply area ---- */

Test(desk, says_when_the_reply_area_is_full)
{
    struct holder holder;
    holder_open(&holder);
    cr_assert_eq(desk_block_take(holder.desk, desk_block_max(holder.desk) + 1), DESK_NO_BLOCK);
    uint64_t all = desk_block_take(holder.desk, desk_block_max(holder.desk));
    cr_assert_eq(all, holder.front.lane.reply_area);
    cr_assert_eq(desk_block_take(holder.desk, 1), DESK_NO_BLOCK);
    desk_block_give(holder.desk, all);
    cr_assert_neq(desk_block_take(holder.desk, 1), DESK_NO_BLOCK);
    holder_close(&holder);
}
