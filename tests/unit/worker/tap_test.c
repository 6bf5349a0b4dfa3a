/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap between a front, played over a real lane, and a channel that only writes down what it is to
 * say. The script reads like the wire: "consume 1/4" starts consumer 1 with a credit of 4.
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "desk.h"
#include "fake_front.h"
#include "shm/clock.h"
#include "tap.h"

enum { JSON, TEXT, AUTO_ACK, DISCARDS, SMALL, N_BACKENDS };

static const struct plan_backend backends[N_BACKENDS] = {
    [JSON] = {.encoding = PLAN_JSON, .max_body_bytes = 1 << 20},
    [TEXT] = {.encoding = PLAN_STRING, .max_body_bytes = 1 << 20},
    [AUTO_ACK] = {.encoding = PLAN_STRING, .max_body_bytes = 1 << 20, .is_auto_acked = 1},
    [DISCARDS] = {.encoding = PLAN_JSON, .max_body_bytes = 1 << 20, .discards_malformed = 1},
    [SMALL] = {.encoding = PLAN_STRING, .max_body_bytes = 4},
};

static struct fake_front front;
static struct desk *desk;
static struct tap tap;
static struct tap_config config;
static uint64_t now_ns = 1000 * CLOCK_S;
static uint64_t last_delivery;
static char said[4096];
static struct tap_spoiled last_spoiled;
static int n_told;

/* ---- the stage ---- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    size_t n = strlen(said);
    va_list arguments;
    va_start(arguments, format);
    (void)snprintf(said + n, sizeof(said) - n, "%s", n ? "; " : "");
    n = strlen(said);
    (void)vsnprintf(said + n, sizeof(said) - n, format, arguments);
    va_end(arguments);
}

static void on_consume(void *owner, uint32_t consumer, uint16_t prefetch)
{
    say("consume %u/%u", consumer, prefetch);
}

static void on_cancel(void *owner, uint32_t consumer)
{
    say("cancel %u", consumer);
}

static void on_ack(void *owner, uint64_t delivery_tag)
{
    say("ack %lu", delivery_tag);
}

static void on_nack(void *owner, uint64_t delivery_tag, bool is_requeued)
{
    say("%s %lu", is_requeued ? "requeue" : "discard", delivery_tag);
}

static void on_spoiled(void *owner, const struct tap_spoiled *spoiled)
{
    last_spoiled = *spoiled;
    n_told++;
}

static const struct tap_ops tap_ops = {on_consume, on_cancel, on_ack, on_nack, on_spoiled};

static void on_get(void *owner, struct desk_slot *slot)
{
    tap_get(&tap, slot, now_ns);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    tap_cancelled(&tap, slot, now_ns);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    tap_verdict(&tap, slot, is_ack);
}

static const struct desk_ops desk_ops = {on_get, on_get, on_cancelled, on_verdict};

static void set_up(void)
{
    static const uint8_t verbs[N_BACKENDS] = {
        PLAN_CONSUME, PLAN_CONSUME, PLAN_CONSUME, PLAN_CONSUME, PLAN_CONSUME};
    struct desk_config desk_config = {.verbs = verbs, .n_backends = N_BACKENDS, .ops = &desk_ops};
    fake_front_open(&front);
    cr_assert_eq(desk_new(&desk, front.memory_fd, &desk_config), 0);
    config = (struct tap_config){
        .prefetch_count = 100, .idle_release_ns = CLOCK_S, .backends = backends, .ops = &tap_ops};
}

static void tear_down(void)
{
    tap_done(&tap);
    desk_free(desk);
    fake_front_close(&front);
}

TestSuite(tap, .init = set_up, .fini = tear_down);

/* What was said since the last time, then a turn of the loop. */
static void turn(const char *expected)
{
    (void)desk_turn(desk);
    (void)tap_settle(&tap, now_ns);
    cr_assert_str_eq(said, expected);
    said[0] = '\0';
}

static void later(uint64_t ns, const char *expected)
{
    now_ns += ns;
    turn(expected);
}

static void start_shut(void)
{
    cr_assert_eq(tap_init(&tap, &config), 0);
    tap_use_desk(&tap, desk);
}

static void start(void)
{
    start_shut();
    tap_opened(&tap, 7);
    turn("");
}

/* A message of `body` on this consumer, with the next delivery tag. A broker says consume-ok before
 * it delivers. */
static void deliver_for(uint32_t consumer, const char *body, bool is_redelivered)
{
    tap_consume_ok(&tap, consumer);
    struct tap_message message = {.delivery_tag = ++last_delivery,
        .consumer = consumer,
        .is_redelivered = is_redelivered,
        .n_body = (uint32_t)strlen(body),
        .block = desk_block_take(desk, strlen(body))};
    cr_assert_neq(message.block, DESK_NO_BLOCK);
    memcpy(desk_block_bytes(desk, message.block), body, strlen(body));
    tap_message(&tap, &message, now_ns);
}

static void deliver(uint32_t consumer, const char *body)
{
    deliver_for(consumer, body, false);
}

static void deliver_again(uint32_t consumer, const char *body)
{
    deliver_for(consumer, body, true);
}

static void deliver_unstored(uint32_t consumer, enum tap_fit fit)
{
    tap_consume_ok(&tap, consumer);
    struct tap_message message = {.delivery_tag = ++last_delivery,
        .consumer = consumer,
        .n_body = 1024,
        .block = DESK_NO_BLOCK,
        .fit = fit};
    tap_message(&tap, &message, now_ns);
}

static void get(uint32_t slot)
{
    fake_front_get(&front, slot, TEXT);
    (void)desk_turn(desk);
}

static void expect_message(uint32_t slot, const char *body)
{
    fake_front_expect(&front, slot, OUTCOME_DELIVERED);
    fake_front_expect_body(&front, slot, body);
}

static void verdict(uint32_t slot, enum lane_op op)
{
    fake_front_tell(&front, op, slot);
    (void)desk_turn(desk);
}

/* So many GETs at once that the rate is a high one. */
static void hurry(void)
{
    tap.gap_ns = 0;
    tap.last_get_ns = now_ns;
}

/* ---- one GET at a time ---- */

Test(tap, asks_for_one_message_when_one_get_waits_and_stops_before_it_acks)
{
    start();
    get(1);
    turn("consume 1/1");
    cr_assert_eq(tap.state, TAP_STARTING);
    tap_consume_ok(&tap, 1);
    cr_assert_eq(tap.state, TAP_LISTENING);
    deliver(1, "one");
    expect_message(1, "one");
    verdict(1, LANE_ACK);
    turn("cancel 1; ack 1");
    later(60 * CLOCK_S, "");
    cr_assert(tap_is_quiet(&tap));
}

Test(tap, stops_before_it_gives_a_message_back_or_it_would_come_again)
{
    start();
    hurry();
    get(1);
    turn("consume 1/1");
    deliver(1, "one");
    expect_message(1, "one");
    verdict(1, LANE_REQUEUE);
    turn("cancel 1; requeue 1");
}

Test(tap, goes_on_without_a_pause_at_a_high_rate_and_stops_when_idle)
{
    start();
    hurry();
    get(1);
    turn("consume 1/1");
    deliver(1, "one");
    expect_message(1, "one");
    verdict(1, LANE_ACK);
    turn("ack 1");
    deliver(1, "two"); /* nobody waits */
    get(1);
    expect_message(1, "two");
    verdict(1, LANE_ACK);
    turn("ack 2");
    deliver(1, "three");
    later(CLOCK_S - 1, "");
    later(1, "cancel 1; requeue 3");
    deliver(1, "four"); /* it was under way */
    turn("requeue 4");
    cr_assert(tap_is_quiet(&tap));
}

Test(tap, is_not_idle_while_gets_find_their_messages_waiting)
{
    start();
    hurry();
    get(1);
    turn("consume 1/1");
    deliver(1, "x");
    for (uint32_t i = 0; i < 10; i++) {
        expect_message(1, "x");
        verdict(1, LANE_ACK);
        said[0] = '\0';
        deliver(1, "x"); /* before its GET */
        later(CLOCK_S / 2, "");
        hurry();
        get(1);
        turn("");
    }
}

Test(tap, keeps_what_came_for_nobody_for_the_next_get_within_idle_release)
{
    start();
    get(1);
    turn("consume 1/1");
    cr_assert(fake_front_cancel(&front, 1));
    turn("");
    fake_front_expect(&front, 1, OUTCOME_CANCELLED);
    deliver(1, "one");
    later(CLOCK_S / 2, "");
    get(2);
    expect_message(2, "one");
    turn("");
}

Test(tap, never_releases_where_the_file_says_keep)
{
    config.idle_release_ns = 0;
    start();
    hurry();
    get(1);
    turn("consume 1/1");
    cr_assert(fake_front_cancel(&front, 1));
    turn("");
    deliver(1, "one");
    later(3600 * CLOCK_S, "");
    tap_leave(&tap);
    turn("cancel 1; requeue 1");
}

/* ---- several ---- */

Test(tap, serves_gets_in_the_order_in_which_they_came)
{
    start();
    for (uint32_t slot = 1; slot <= 3; slot++)
        get(slot);
    turn("consume 1/4");
    deliver(1, "a");
    deliver(1, "b");
    deliver(1, "c");
    expect_message(1, "a");
    expect_message(2, "b");
    expect_message(3, "c");
}

Test(tap, grows_by_a_new_consumer_before_it_cancels_the_old_one)
{
    start();
    get(1);
    turn("consume 1/1");
    tap_consume_ok(&tap, 1);
    get(2);
    get(3);
    turn("consume 2/4; cancel 1");
    cr_assert_eq(tap.state, TAP_LISTENING, "it is listened to all the time");
    deliver(1, "a"); /* sent before the cancel was read */
    deliver(2, "b");
    expect_message(1, "a");
    expect_message(2, "b");
    verdict(1, LANE_ACK);
    verdict(2, LANE_ACK);
    turn("ack 1; ack 2");
}

/* RabbitMQ's channel dies of a consume-ok whose consumer is gone. */
Test(tap, replaces_no_consumer_before_its_consume_ok)
{
    start();
    get(1);
    turn("consume 1/1");
    get(2);
    get(3);
    turn("");
    tap_consume_ok(&tap, 1);
    turn("consume 2/4; cancel 1");
    for (uint32_t slot = 4; slot <= 7; slot++)
        get(slot);
    tap_consume_ok(&tap, 1); /* of the old one */
    turn("");
    tap_consume_ok(&tap, 2);
    turn("consume 3/8; cancel 2");
}

Test(tap, cancels_no_consumer_before_its_consume_ok)
{
    start();
    get(1);
    turn("consume 1/1");
    cr_assert(fake_front_cancel(&front, 1));
    turn("");
    later(60 * CLOCK_S, "");
    tap_leave(&tap);
    turn("");
    cr_assert_not(tap_is_quiet(&tap));
    tap_consume_ok(&tap, 1);
    turn("cancel 1");
    cr_assert(tap_is_quiet(&tap));
}

Test(tap, a_verdict_does_not_wait_for_the_consume_ok_of_a_later_consumer)
{
    start();
    get(1);
    turn("consume 1/1");
    deliver(1, "a");
    get(2);
    turn("consume 2/1; cancel 1");
    cr_assert(fake_front_cancel(&front, 2));
    verdict(1, LANE_ACK);
    turn("ack 1");
    tap_consume_ok(&tap, 2);
    turn("");
    later(CLOCK_S, "cancel 2");
}

Test(tap, does_not_grow_while_the_credit_is_enough)
{
    start();
    for (uint32_t slot = 1; slot <= 3; slot++)
        get(slot);
    turn("consume 1/4");
    tap_consume_ok(&tap, 1);
    get(4);
    turn("");
    get(5);
    turn("consume 2/8; cancel 1");
}

Test(tap, counts_what_is_being_answered_as_used_credit)
{
    start();
    get(1);
    turn("consume 1/1");
    deliver(1, "slow");
    expect_message(1, "slow");
    get(2);
    turn("consume 2/1; cancel 1");
    deliver(2, "next");
    expect_message(2, "next");
    verdict(1, LANE_ACK);
    turn("cancel 2; ack 1");
    verdict(2, LANE_ACK);
    turn("ack 2");
}

Test(tap, at_a_high_rate_grows_for_those_who_will_be_back)
{
    start();
    hurry();
    for (uint32_t slot = 1; slot <= 4; slot++)
        get(slot);
    turn("consume 1/4");
    for (uint32_t slot = 1; slot <= 4; slot++) {
        deliver(1, "x");
        expect_message(slot, "x");
    }
    get(5);
    turn("consume 2/8; cancel 1");
}

Test(tap, never_holds_more_than_prefetch_count)
{
    config.prefetch_count = 2;
    start();
    for (uint32_t slot = 1; slot <= 5; slot++)
        get(slot);
    turn("consume 1/2");
    deliver(1, "a");
    deliver(1, "b");
    expect_message(1, "a");
    expect_message(2, "b");
    turn("");
    verdict(1, LANE_ACK);
    turn("ack 1"); /* which is credit for the third */
    deliver(1, "c");
    expect_message(3, "c");
    verdict(2, LANE_REQUEUE);
    turn("requeue 2");
}

Test(tap, never_asks_for_more_than_its_own_bound)
{
    config.prefetch_count = UINT16_MAX;
    start();
    cr_assert_eq(tap.config.prefetch_count, TAP_MAX_PREFETCH);
}

Test(tap, asks_again_when_a_verdict_makes_room_and_no_consumer_is_left)
{
    config.prefetch_count = 1;
    start();
    get(1);
    turn("consume 1/1");
    deliver(1, "a");
    expect_message(1, "a");
    cr_assert(tap.consumer);
    tap_leave(&tap); /* the consumer goes at once when nobody waits */
    turn("cancel 1");
    get(2);
    turn(""); /* one is held: no room */
    verdict(1, LANE_ACK);
    turn("ack 1; consume 2/1");
}

Test(tap, a_get_that_was_cancelled_a_moment_ago_leaves_its_message_to_the_next)
{
    start();
    get(1);
    get(2);
    turn("consume 1/2");
    cr_assert(fake_front_cancel(&front, 1));
    deliver(1, "a");
    fake_front_expect(&front, 1, OUTCOME_CANCELLED);
    expect_message(2, "a");
    turn("");
}

/* ---- is it listened to? ---- */

static void expect_cancelled(uint32_t slot, bool is_listening)
{
    cr_assert(fake_front_cancel(&front, slot));
    (void)desk_turn(desk);
    fake_front_expect(&front, slot, OUTCOME_CANCELLED);
    cr_assert_eq(fake_front_reply(&front, slot)->is_listening, is_listening);
}

Test(tap, tells_whether_the_queue_was_being_listened_to)
{
    start_shut();
    get(1);
    expect_cancelled(1, false);
    get(2);
    tap_opened(&tap, 7);
    turn("consume 1/1");
    expect_cancelled(2, false);
    tap_consume_ok(&tap, 1);
    get(3);
    expect_cancelled(3, true);
}

/* ---- what a GET cannot have ---- */

Test(tap, an_undecodable_message_costs_its_get_and_is_held_while_others_flow)
{
    config.prefetch_count = 1;
    start();
    fake_front_get(&front, 1, JSON);
    turn("consume 1/1");
    deliver(1, "not json");
    fake_front_expect(&front, 1, OUTCOME_UNDECODABLE);
    turn("");
    fake_front_get(&front, 2, JSON);
    turn("consume 2/1; cancel 1");
    deliver(2, " {\"a\":1} ");
    expect_message(2, "{\"a\":1}");
    turn("");
    later(POISON_FIRST_NS - 1, "");
    later(1, "cancel 2; requeue 1");
    verdict(2, LANE_ACK);
    turn("ack 2");
    cr_assert(tap_is_quiet(&tap));
}

static void expect_told(uint64_t n, enum outcome outcome, uint64_t hold_s)
{
    cr_expect_eq(n_told, 1);
    cr_expect_eq(last_spoiled.delivery_tag, last_delivery);
    cr_expect_eq(last_spoiled.n, n);
    cr_expect_eq(last_spoiled.outcome, outcome);
    cr_expect_eq(last_spoiled.hold_ns, hold_s * CLOCK_S);
    n_told = 0;
}

/* Alone on its queue, with a GET that waits whenever it comes. */
Test(tap, an_undecodable_message_that_comes_back_is_held_longer_each_time_and_told)
{
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    char expected[64];
    config.idle_release_ns = 0;
    start();
    for (uint32_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        fake_front_get(&front, 1, JSON);
        (void)desk_turn(desk);
        (void)tap_settle(&tap, now_ns);
        said[0] = '\0';
        deliver_for(tap.consumer, "not json", i > 0);
        fake_front_expect(&front, 1, OUTCOME_UNDECODABLE);
        expect_told(i + 1, OUTCOME_UNDECODABLE, seconds[i]);
        later(seconds[i] * CLOCK_S - 1, "");
        (void)snprintf(expected, sizeof expected, "cancel %u; requeue %u", i + 1, i + 1);
        later(1, expected);
    }
}

Test(tap, good_messages_are_served_at_once_however_often_a_bad_one_has_come_back)
{
    config.prefetch_count = 1;
    start();
    for (uint32_t i = 0; i < 5; i++) {
        fake_front_get(&front, 1, JSON);
        (void)desk_turn(desk);
        (void)tap_settle(&tap, now_ns);
        deliver_again(tap.consumer, "not json");
        fake_front_expect(&front, 1, OUTCOME_UNDECODABLE);
        for (uint32_t good = 0; good < 1000; good++) {
            fake_front_get(&front, 2, JSON);
            (void)desk_turn(desk);
            (void)tap_settle(&tap, now_ns); /* not a nanosecond later */
            deliver(tap.consumer, "{}");
            expect_message(2, "{}");
            verdict(2, LANE_ACK);
        }
        cr_assert_eq(tap.held.n, 1);
        now_ns += last_spoiled.hold_ns;
        (void)tap_settle(&tap, now_ns);
        cr_assert_eq(tap.held.n, 0);
        said[0] = '\0';
    }
    cr_assert_eq(last_spoiled.hold_ns, 16 * CLOCK_S);
}

Test(tap, how_long_bad_messages_are_held_outlives_the_channel)
{
    start();
    fake_front_get(&front, 1, JSON);
    turn("consume 1/1");
    deliver(1, "not json");
    expect_told(1, OUTCOME_UNDECODABLE, 1);
    tap_closed(&tap);
    tap_opened(&tap, 8);
    now_ns += CLOCK_S;
    fake_front_get(&front, 2, JSON);
    turn("consume 2/1");
    deliver_again(2, "not json");
    expect_told(2, OUTCOME_UNDECODABLE, 2);
}

Test(tap, an_undecodable_message_is_discarded_where_the_file_says_so)
{
    start();
    fake_front_get(&front, 1, DISCARDS);
    turn("consume 1/1");
    deliver(1, "not json");
    fake_front_expect(&front, 1, OUTCOME_UNDECODABLE);
    turn("cancel 1; discard 1");
    expect_told(1, OUTCOME_UNDECODABLE, 0);
}

Test(tap, a_discarded_message_gives_its_credit_to_the_next_get)
{
    start();
    hurry();
    fake_front_get(&front, 1, DISCARDS);
    turn("consume 1/1");
    deliver(1, "not json");
    turn("discard 1");
    fake_front_get(&front, 2, DISCARDS);
    turn("");
}

Test(tap, a_message_that_is_too_large_for_its_get_is_held)
{
    start();
    fake_front_get(&front, 1, SMALL);
    turn("consume 1/1");
    deliver(1, "five!");
    fake_front_expect(&front, 1, OUTCOME_TOO_LARGE);
    expect_told(1, OUTCOME_TOO_LARGE, 1);
    cr_expect_eq(last_spoiled.backend, SMALL);
    fake_front_get(&front, 2, SMALL);
    turn("consume 2/1; cancel 1");
    deliver(2, "four");
    expect_message(2, "four");
    later(POISON_FIRST_NS, "cancel 2; requeue 1");
}

Test(tap, a_message_that_was_not_stored_is_too_large_for_everybody)
{
    start();
    get(1);
    turn("consume 1/1");
    deliver_unstored(1, TAP_TOO_LARGE);
    fake_front_expect(&front, 1, OUTCOME_TOO_LARGE);
    later(POISON_FIRST_NS, "cancel 1; requeue 1");
}

Test(tap, holds_a_bounded_number_and_gives_back_early_what_is_due_next)
{
    config.prefetch_count = 1000;
    start();
    hurry();
    for (uint32_t i = 1; i <= HELD_MAX; i++) {
        fake_front_get(&front, i, JSON);
        (void)desk_turn(desk);
    }
    (void)tap_settle(&tap, now_ns);
    said[0] = '\0';
    tap.poison = (struct poison){.hold_ns = POISON_MAX_NS, .calm_ns = CLOCK_NEVER};
    deliver_again(1, "poison, held for long");
    for (uint32_t i = 2; i <= HELD_MAX; i++)
        deliver(1, "poison");
    turn("");
    fake_front_get(&front, 99, JSON);
    turn("consume 2/1; cancel 1");
    deliver(2, "poison");
    turn("cancel 2; requeue 2");
    cr_assert_eq(tap.held.n, HELD_MAX);
    cr_assert_eq(n_told, HELD_MAX + 1);
}

Test(tap, a_message_without_room_is_given_back_shortly_and_its_get_waits_on)
{
    start();
    get(1);
    turn("consume 1/1");
    uint64_t all = desk_block_take(desk, desk_block_max(desk));
    deliver_unstored(1, TAP_NO_ROOM);
    turn("cancel 1"); /* or the same one would come again and again */
    get(2);
    turn("");
    expect_cancelled(2, false); /* nothing can be had now, so it is not an empty queue */
    later(TAP_NO_ROOM_NS, "requeue 1");
    later(TAP_NO_ROOM_NS, ""); /* still no room */
    desk_block_give(desk, all);
    later(TAP_NO_ROOM_NS, "consume 2/1");
    deliver(2, "one");
    expect_message(1, "one");
}

Test(tap, an_empty_message_waits_for_room_like_any_other)
{
    start();
    get(1);
    turn("consume 1/1");
    uint64_t all = desk_block_take(desk, desk_block_max(desk));
    struct tap_message empty = {
        .delivery_tag = ++last_delivery, .consumer = 1, .block = DESK_NO_BLOCK, .fit = TAP_NO_ROOM};
    tap_consume_ok(&tap, 1);
    tap_message(&tap, &empty, now_ns);
    turn("cancel 1");
    later(TAP_NO_ROOM_NS, "requeue 1");
    later(TAP_NO_ROOM_NS, "");
    desk_block_give(desk, all);
    later(TAP_NO_ROOM_NS, "consume 2/1");
}

Test(tap, looks_for_room_again_though_nothing_happens)
{
    start();
    get(1);
    turn("consume 1/1");
    tap_leave(&tap); /* what is held goes back at once */
    uint64_t all = desk_block_take(desk, desk_block_max(desk));
    deliver_unstored(1, TAP_NO_ROOM);
    cr_assert_eq(tap_settle(&tap, now_ns), now_ns + TAP_NO_ROOM_NS);
    turn("cancel 1; requeue 1");
    desk_block_give(desk, all);
    later(TAP_NO_ROOM_NS, "consume 2/1");
}

Test(tap, asks_by_ones_at_first_after_there_was_no_room)
{
    start();
    for (uint32_t slot = 1; slot <= 4; slot++)
        get(slot);
    turn("consume 1/4");
    deliver_unstored(1, TAP_NO_ROOM);
    turn("cancel 1");
    later(TAP_NO_ROOM_NS, "requeue 1; consume 2/1");
    deliver(2, "a");
    turn("consume 3/2; cancel 2");
}

Test(tap, auto_ack_acks_before_the_answer_and_whatever_the_verdict)
{
    start();
    fake_front_get(&front, 1, AUTO_ACK);
    turn("consume 1/1");
    deliver(1, "once");
    turn("cancel 1; ack 1");
    expect_message(1, "once");
    verdict(1, LANE_REQUEUE);
    turn("");
}

/* ---- loss ---- */

Test(tap, gets_wait_through_the_loss_of_the_channel)
{
    start();
    get(1);
    get(2);
    turn("consume 1/2");
    deliver(1, "a");
    expect_message(1, "a");
    tap_closed(&tap);
    turn("");
    tap_opened(&tap, 8);
    turn("consume 2/1");
    deliver(2, "b");
    expect_message(2, "b");
}

Test(tap, a_verdict_on_a_delivery_of_a_lost_channel_is_dropped)
{
    start();
    get(1);
    turn("consume 1/1");
    deliver(1, "a");
    expect_message(1, "a");
    tap_closed(&tap);
    tap_opened(&tap, 8);
    verdict(1, LANE_ACK);
    get(2);
    turn("consume 2/1");
    last_delivery = 0;
    deliver(2, "a"); /* tag 1 of the new channel */
    expect_message(2, "a");
    verdict(2, LANE_ACK);
    turn("cancel 2; ack 1");
}

Test(tap, gives_back_the_memory_of_what_a_lost_channel_had_brought)
{
    start();
    hurry();
    for (int round = 0; round < 200; round++) { /* the area holds 64 */
        get(1);
        (void)tap_settle(&tap, now_ns);
        deliver(tap.consumer, "a");
        expect_message(1, "a");
        deliver(tap.consumer, "for nobody");
        verdict(1, LANE_ACK);
        tap_closed(&tap);
        tap_opened(&tap, 8 + (uint64_t)round);
    }
}

Test(tap, tells_its_gets_that_the_queue_was_refused_until_it_is_opened)
{
    start_shut();
    get(1);
    tap_refused(&tap, 406, "inequivalent arg");
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    cr_assert_eq(fake_front_reply(&front, 1)->broker_code, 406);
    get(2);
    fake_front_expect(&front, 2, OUTCOME_TOPOLOGY);
    cr_assert_eq(fake_front_reply(&front, 2)->text_bytes, 16);
    tap_opened(&tap, 7);
    get(3);
    turn("consume 1/1");
}

Test(tap, a_get_that_comes_while_the_broker_is_away_is_told_so_one_that_waits_waits_on)
{
    start_shut();
    get(1);
    tap_is_away(&tap);
    fake_front_expect_nothing(&front);
    get(2);
    fake_front_expect(&front, 2, OUTCOME_DOWN);
    tap_opened(&tap, 7);
    turn("consume 1/1");
    deliver(1, "a");
    expect_message(1, "a");
}

/* ---- queues that go with their last consumer ---- */

Test(tap, a_queue_that_is_deleted_with_its_last_consumer_keeps_one_of_credit_1)
{
    config.is_auto_delete = true;
    start();
    get(1);
    get(2);
    turn("consume 1/2");
    deliver(1, "a");
    deliver(1, "b");
    expect_message(1, "a");
    expect_message(2, "b");
    verdict(1, LANE_ACK);
    verdict(2, LANE_ACK);
    turn("ack 1; ack 2");
    deliver(1, "c");
    deliver(1, "d");
    later(CLOCK_S, "consume 2/1; cancel 1; requeue 3; requeue 4");
    deliver(2, "c");
    later(3600 * CLOCK_S, "");
    get(3);
    expect_message(3, "c");
    verdict(3, LANE_ACK);
    turn("ack 5");
    tap_leave(&tap);
    turn("cancel 2");
}

Test(tap, attaches_to_a_queue_that_is_deleted_with_its_last_consumer_before_anybody_waits)
{
    config.is_auto_delete = true;
    start_shut();
    tap_attach(&tap);
    turn("");
    cr_assert_not(tap_is_attaching(&tap), "it is not there yet");
    tap_opened(&tap, 7);
    cr_assert(tap_is_attaching(&tap));
    turn("consume 1/1");
    cr_assert(tap_is_attaching(&tap));
    tap_consume_ok(&tap, 1);
    cr_assert_not(tap_is_attaching(&tap));
    deliver(1, "a");
    later(3600 * CLOCK_S, "");
    get(1);
    expect_message(1, "a");
}

Test(tap, attaches_to_no_other_queue)
{
    start_shut();
    tap_attach(&tap);
    tap_opened(&tap, 7);
    cr_assert_not(tap_is_attaching(&tap));
    turn("");
}

Test(tap, does_not_attach_when_it_leaves)
{
    config.is_auto_delete = true;
    start_shut();
    tap_attach(&tap);
    tap_leave(&tap);
    tap_opened(&tap, 7);
    turn("");
}

/* ---- the front's death ---- */

Test(tap, consumes_a_queue_with_one_active_consumer_steadily_until_it_is_idle)
{
    config.is_single_active = true;
    config.prefetch_count = 4;
    start();
    get(1);
    turn("consume 1/4");
    deliver(1, "one");
    expect_message(1, "one");
    for (uint32_t slot = 2; slot < 8; slot++)
        get(slot);
    turn(""); /* more than it has credit for */
    for (uint32_t slot = 2; slot < 5; slot++)
        deliver(1, "more");
    verdict(1, LANE_ACK);
    turn("ack 1");
    for (uint32_t slot = 5; slot < 8; slot++)
        deliver(1, "more");
    for (uint32_t slot = 2; slot < 7; slot++)
        verdict(slot, LANE_ACK);
    turn("ack 2; ack 3; ack 4; ack 5; ack 6");
    later(10 * CLOCK_S, ""); /* the last one is still being read */
    verdict(7, LANE_ACK);
    turn("ack 7");
    deliver(1, "for nobody");
    later(CLOCK_S, "cancel 1; requeue 8");
    cr_assert(tap_is_quiet(&tap));
}

Test(tap, gives_back_what_lies_in_a_dead_fronts_lane_and_serves_the_next_front)
{
    start();
    hurry();
    get(1);
    turn("consume 1/1");
    deliver(1, "a");
    expect_message(1, "a");
    get(2);
    deliver(1, "b");
    expect_message(2, "b");
    deliver(1, "for nobody");
    get(3);
    expect_message(3, "for nobody");
    get(4);
    turn("consume 2/4; cancel 1");
    tap_consume_ok(&tap, 2);
    desk_front_died(desk);
    tap_use_desk(&tap, NULL);
    (void)tap_settle(&tap, now_ns);
    cr_assert_str_eq(said, "cancel 2; requeue 1; requeue 2; requeue 3");
    said[0] = '\0';
    deliver_unstored(2, TAP_NO_ROOM); /* it was under way */
    (void)tap_settle(&tap, now_ns + TAP_NO_ROOM_NS);
    cr_assert_str_eq(said, "requeue 4");
    cr_assert_eq(desk_n_busy(desk), 0);
    cr_assert(tap_is_quiet(&tap));
}
