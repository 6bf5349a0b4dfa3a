/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GET is answered, and what is said to the broker about its message, when broker, front or
 * time get between the two: the test is the broker.
 */
#include "tests/fault/play.h"

#include <signal.h>
#include "tests/support/child.h"
#include "tests/support/require.h"

TestSuite(consume_fault, .timeout = 120);

static struct play play;

/* A GET for which the broker is asked. */
static struct play_request get(const char *path, struct amqp_heard *consume)
{
    struct play_request request = play_get(&play, path);
    *consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    return request;
}

static void expect_message(struct play_request *request, const char *body)
{
    struct http_answer answer = play_answer(request);
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

/* The consumer goes before the ack, or the broker would send another message. */
static void expect_ack(uint64_t tag)
{
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_CANCEL_METHOD);
    struct amqp_heard ack = amqp_peer_expect(&play.peer, AMQP_BASIC_ACK_METHOD);
    cr_assert_eq(ack.tag, tag);
    cr_assert_not(ack.is_multiple);
}

static void expect_requeue(uint64_t tag)
{
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_CANCEL_METHOD);
    struct amqp_heard nack = amqp_peer_expect(&play.peer, AMQP_BASIC_NACK_METHOD);
    cr_assert_eq(nack.tag, tag);
    cr_assert(nack.is_requeued);
    cr_assert_not(nack.is_multiple);
}

/* A GET whose message comes, is answered and acked: all is well. */
static void expect_works(uint64_t tag)
{
    struct amqp_heard consume;
    struct play_request request = get("/in", &consume);
    amqp_peer_deliver(&play.peer, &consume, tag, "all is well");
    expect_message(&request, "all is well");
    expect_ack(tag);
}

static void tells_what_it_gets(const char *name)
{
    play_begin(&play, name, "consume.json");
    struct amqp_heard consume;
    struct play_request request = get("/in", &consume);
    cr_assert_str_eq(consume.name, "q");
    amqp_peer_deliver(&play.peer, &consume, 1, "for the first");
    expect_message(&request, "for the first");
    expect_ack(1);
    play_end(&play);
}

Test(consume_fault, a_message_is_acked_once_it_was_answered)
{
    tells_what_it_gets("acked");
}

Test(consume_fault, a_message_that_comes_byte_by_byte_is_answered_whole)
{
    play.peer.is_split = true;
    tells_what_it_gets("split_message");
}

Test(consume_fault, a_message_that_is_complete_after_the_deadline_goes_back)
{
    struct amqp_heard consume;
    play_begin(&play, "late_body", "consume.json");
    struct play_request request = get("/in/brief", &consume);
    amqp_peer_deliver_head(&play.peer, &consume, 1, 10);
    amqp_peer_body(&play.peer, consume.channel, "01234", 5);
    play_expect(&request, 204, NULL);
    amqp_peer_body(&play.peer, consume.channel, "56789", 5);
    expect_requeue(1);
    play_end(&play);
}

Test(consume_fault, a_message_that_crosses_the_cancel_goes_back)
{
    struct amqp_heard consume;
    play_begin(&play, "crossing", "consume.json");
    struct play_request request = get("/in/brief", &consume);
    play_expect(&request, 204, NULL);
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_CANCEL_METHOD);
    amqp_peer_deliver(&play.peer, &consume, 1, "too late");
    struct amqp_heard nack = amqp_peer_expect(&play.peer, AMQP_BASIC_NACK_METHOD);
    cr_assert_eq(nack.tag, 1);
    cr_assert(nack.is_requeued);
    play_end(&play);
}

Test(consume_fault, half_a_message_is_forgotten_with_its_connection_and_its_get_waits_on)
{
    struct amqp_heard consume;
    play_begin(&play, "half", "consume.json");
    struct play_request request = get("/in", &consume);
    amqp_peer_deliver_head(&play.peer, &consume, 1, 100);
    amqp_peer_body(&play.peer, consume.channel, "the beginning", 13);
    amqp_peer_reset(&play.peer);
    play_accept(&play);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    amqp_peer_deliver(&play.peer, &consume, 1, "the whole");
    expect_message(&request, "the whole");
    expect_ack(1);
    play_end(&play);
}

/* Tag 1 of the next channel is another message. */
Test(consume_fault, a_verdict_on_a_message_of_a_lost_connection_is_never_said)
{
    struct amqp_heard consume;
    play_begin(&play, "stale", "consume.json");
    struct play_request request = get("/in", &consume);
    struct play_request other = play_get(&play, "/in");
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD); /* with credit for both */
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_CANCEL_METHOD);
    pid_t front = sidecar_front(&play.scene.sidecar);
    process_freeze(front);
    amqp_peer_deliver(&play.peer, &consume, 1, "of the first connection");
    amqp_peer_close(&play.peer, AMQP_CONNECTION_FORCED, "CONNECTION_FORCED");
    (void)amqp_peer_expect(&play.peer, 0); /* it has heard both */
    amqp_peer_hang_up(&play.peer);
    play_accept(&play);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    process_thaw(front);
    expect_message(&request, "of the first connection");
    amqp_peer_deliver(&play.peer, &consume, 1, "of the second");
    expect_message(&other, "of the second");
    expect_ack(1); /* once */
    expect_works(2);
    play_end(&play);
}

/* ---- the broker takes the consumer away ---- */

Test(consume_fault, a_consumer_that_the_broker_cancels_comes_back_by_itself)
{
    struct amqp_heard consume;
    play_begin(&play, "cancelled", "consume.json");
    struct play_request request = get("/in", &consume);
    amqp_peer_cancel(&play.peer, &consume);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    amqp_peer_deliver(&play.peer, &consume, 1, "afterwards");
    expect_message(&request, "afterwards");
    expect_ack(1);
    play_end(&play);
}

/* As RabbitMQ does it to who takes too long over an ack. */
Test(consume_fault, a_channel_that_the_broker_closes_over_a_late_ack_is_opened_again)
{
    struct amqp_heard consume;
    play_begin(&play, "late_ack", "consume.json");
    struct play_request request = get("/in", &consume);
    amqp_peer_close_channel(&play.peer, consume.channel, AMQP_PRECONDITION_FAILED,
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out", 0);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    amqp_peer_deliver(&play.peer, &consume, 1, "afterwards");
    expect_message(&request, "afterwards");
    expect_ack(1);
    play_end(&play);
}

/* ---- the broker is away ---- */

Test(consume_fault,
    a_waiting_get_gets_its_message_over_another_connection_with_its_queue_declared_anew)
{
    struct amqp_heard consume;
    play_begin(&play, "waits_on", "consume.json");
    struct play_request request = get("/in", &consume);
    amqp_peer_reset(&play.peer);
    play_accept(&play);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    cr_assert_eq(play.peer.n_declared, 1);
    amqp_peer_deliver(&play.peer, &consume, 1, "afterwards");
    expect_message(&request, "afterwards");
    expect_ack(1);
    play_end(&play);
}

Test(consume_fault, a_get_whose_deadline_comes_while_the_broker_is_away_is_503)
{
    struct amqp_heard consume;
    play_begin(&play, "away", "consume.json");
    struct play_request request = get("/in/brief", &consume);
    amqp_door_close(&play.door);
    amqp_peer_reset(&play.peer);
    struct http_answer answer = play_answer(&request);
    expect_problem(&answer, 503, "broker-down");
    char retry_after[16];
    cr_assert_not_null(http_header(&answer, "Retry-After", retry_after, sizeof retry_after));
    http_answer_done(&answer);
    sidecar_stop(&play.scene.sidecar);
}

/* ---- our own die ---- */

Test(consume_fault, what_was_on_its_way_to_a_front_that_dies_goes_back)
{
    struct amqp_heard consume;
    play_begin(&play, "front_dies", "consume.json");
    struct play_request request = get("/in", &consume);
    pid_t front = sidecar_front(&play.scene.sidecar);
    process_freeze(front);
    amqp_peer_deliver(&play.peer, &consume, 1, "for nobody");
    cr_assert_eq(kill(front, SIGKILL), 0);
    expect_requeue(1);
    struct http_answer answer = play_answer(&request);
    expect_status(&answer, 0);
    http_answer_done(&answer);
    await(sidecar_front(&play.scene.sidecar) != front, 10000, "no new front");
    request = get("/in", &consume);
    amqp_peer_deliver(&play.peer, &consume, 2, "for the next one");
    expect_message(&request, "for the next one");
    expect_ack(2);
    play_end(&play);
}

Test(consume_fault, a_worker_that_dies_leaves_its_messages_to_the_broker_and_the_get_to_the_next)
{
    struct amqp_heard consume;
    play_begin(&play, "worker_dies", "consume.json");
    struct play_request request = get("/in", &consume);
    pid_t worker = sidecar_worker(&play.scene.sidecar);
    cr_assert_eq(kill(worker, SIGKILL), 0);
    (void)amqp_peer_expect(&play.peer, 0);
    amqp_peer_hang_up(&play.peer);
    play_accept(&play);
    consume = amqp_peer_expect(&play.peer, AMQP_BASIC_CONSUME_METHOD);
    amqp_peer_deliver(&play.peer, &consume, 1, "by the next worker");
    expect_message(&request, "by the next worker");
    expect_ack(1);
    play_end(&play);
}
