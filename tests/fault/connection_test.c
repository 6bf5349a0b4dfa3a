/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker that vanishes, falls silent, stops to read or talks nonsense: what was in flight is told
 * at once as what it is, and the sidecar comes back by itself. The test is the broker.
 */
#include "tests/fault/play.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/support/island.h"
#include "tests/support/require.h"

TestSuite(connection_fault, .timeout = 120);

static struct play play;

/* Its deadline is minutes away: what is answered at all is so because the end was seen. */
static void expect_unknown(struct play_request *request)
{
    struct http_answer answer = play_answer(request);
    expect_problem(&answer, 504, "outcome-unknown");
    http_answer_done(&answer);
}

/* ---- ways to end ---- */

#define FRAME(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static void reset_in_a_frame(void)
{
    amqp_peer_send(&play.peer, FRAME(1, 0, 1, 0, 0, 0, 13, 0, 60));
    amqp_peer_reset(&play.peer);
}

static void hang_up_in_a_frame(void)
{
    amqp_peer_send(&play.peer, FRAME(1, 0, 1, 0, 0));
    amqp_peer_hang_up(&play.peer);
}

static void shut_down(void)
{
    amqp_peer_close(&play.peer, AMQP_CONNECTION_FORCED, "CONNECTION_FORCED - shutdown");
}

static void say_garbage(void)
{
    amqp_peer_send(&play.peer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 47);
}

static void say_zeroes(void)
{
    static const uint8_t zeroes[4096];
    amqp_peer_send(&play.peer, zeroes, sizeof zeroes);
}

static void announce_four_gigabytes(void)
{
    amqp_peer_send(&play.peer, FRAME(1, 0, 1, 0xff, 0xff, 0xff, 0xff));
}

static void say_one_byte_more_than_agreed(void)
{
    static uint8_t frame[131072 + 1] = {3, 0, 1, 0, 1, 0xff, 0xf9};
    frame[sizeof frame - 1] = AMQP_FRAME_END;
    amqp_peer_send(&play.peer, frame, sizeof frame);
}

static void end_a_frame_wrongly(void)
{
    amqp_peer_send(&play.peer, FRAME(8, 0, 0, 0, 0, 0, 0, 0xcd));
}

static void say_a_method_that_is_not(void)
{
    amqp_peer_send(&play.peer, FRAME(1, 0, 1, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 0xce));
}

static void say_a_method_cut_short(void)
{
    amqp_peer_send(&play.peer, FRAME(1, 0, 1, 0, 0, 0, 6, 0, 60, 0, 80, 0, 0, 0xce));
}

static void say_a_body_for_nothing(void)
{
    amqp_peer_body(&play.peer, 1, "what?", 5);
}

static void confirm_what_was_not_published(void)
{
    amqp_peer_ack(&play.peer, &(struct amqp_heard){.channel = 1, .tag = 1000}, false);
}

static void close_a_channel_that_is_not(void)
{
    amqp_peer_close_channel(&play.peer, 200, AMQP_NOT_FOUND, "NOT_FOUND", 0);
}

/* Each of these ends with a message in flight, one after the other. */
static void after_each(const char *name, void (*const *ends)(void), size_t n)
{
    play_begin(&play, name, "publish.json");
    for (size_t i = 0; i < n; i++) {
        struct amqp_heard heard;
        struct play_request request = play_publish(&play, "/out/in-flight", &heard);
        ends[i]();
        expect_unknown(&request);
        if (play.peer.fd >= 0)
            amqp_peer_hang_up(&play.peer);
        play_accept(&play);
        play_expect_works(&play, "/out/afterwards");
    }
    play_end(&play);
}

Test(connection_fault,
    what_is_in_flight_when_the_broker_goes_is_unknown_at_once_and_it_is_found_again)
{
    static void (*const goes[])(void) = {reset_in_a_frame, hang_up_in_a_frame, shut_down};
    after_each("goes", goes, sizeof goes / sizeof *goes);
}

Test(connection_fault, a_broker_that_sends_what_is_no_frame_is_left_and_found_again)
{
    static void (*const sends[])(void) = {say_garbage, say_zeroes, announce_four_gigabytes,
        say_one_byte_more_than_agreed, end_a_frame_wrongly};
    after_each("no_frame", sends, sizeof sends / sizeof *sends);
}

Test(connection_fault, a_broker_that_says_what_it_may_not_is_left_and_found_again)
{
    static void (*const says[])(void) = {say_a_method_that_is_not, say_a_method_cut_short,
        say_a_body_for_nothing, confirm_what_was_not_published, close_a_channel_that_is_not};
    after_each("may_not", says, sizeof says / sizeof *says);
}

/* ---- every frame in pieces ---- */

Test(connection_fault, a_broker_whose_frames_come_byte_by_byte_is_understood)
{
    struct amqp_heard heard, back;
    play.peer.is_split = true;
    play_begin(&play, "split", "publish.json");
    struct play_request confirmed = play_publish(&play, "/out/m", &heard);
    struct play_request returned = play_publish(&play, "/out/back", &back);
    amqp_peer_return(&play.peer, &back);
    amqp_peer_ack(&play.peer, &back, true);
    play_expect(&confirmed, 200, NULL);
    play_expect(&returned, 422, "unroutable");
    struct play_request rejected = play_publish(&play, "/other/m", &heard);
    amqp_peer_close_channel(&play.peer, heard.channel, AMQP_NOT_FOUND, "NOT_FOUND - no exchange",
        AMQP_BASIC_PUBLISH_METHOD);
    play_expect(&rejected, 502, "rejected");
    play_expect_works(&play, "/other/n");
    play_end(&play);
}

/* ---- no word, no ear ---- */

Test(connection_fault, a_broker_that_accepts_and_says_nothing_is_503_and_tried_again)
{
    amqp_door_open(&play.door, NULL);
    play_start(&play, "mute", "publish.json");
    amqp_peer_accept_mutely(&play.peer, &play.door);
    struct play_request request = play_post(&play, "/brief/not-sent");
    struct http_answer answer = play_answer(&request);
    expect_status(&answer, 503);
    http_answer_done(&answer);
    amqp_peer_hang_up(&play.peer);
    play_accept(&play);
    play_expect_works(&play, "/out/afterwards");
    play_end(&play);
}

enum { N_LARGE = 16, LARGE = 2 << 20 };

static int large_statuses[N_LARGE];

static struct play_request post_large(const char *body, int i)
{
    struct play_request request = {.url = format_text("%s/brief/m%d", play.scene.sidecar.url, i)};
    request.call = http_begin(&(struct http_request){
        .method = "POST", .url = request.url, .body = body, .body_bytes = LARGE});
    return request;
}

/* More than the sockets hold: each is told at its own deadline, as sent or as not. */
static void post_all_large(void)
{
    struct play_request requests[N_LARGE];
    char *body = calloc(1, LARGE);
    cr_assert_not_null(body);
    for (int i = 0; i < N_LARGE; i++)
        requests[i] = post_large(body, i);
    for (int i = 0; i < N_LARGE; i++) {
        struct http_answer answer = play_answer(&requests[i]);
        cr_assert(answer.status == 503 || answer.status == 504, "%d: %d", i, answer.status);
        large_statuses[i] = answer.status;
        http_answer_done(&answer);
    }
    free(body);
}

Test(connection_fault,
    a_broker_that_stops_reading_gets_later_what_was_told_as_unknown_and_nothing_else)
{
    struct amqp_heard patient, heard;
    int n_unknown = 0;
    play_begin(&play, "deaf", "publish.json");
    play_expect_works(&play, "/brief/first"); /* its channel is open */
    struct play_request other = play_publish(&play, "/out/patient", &patient);
    post_all_large();
    for (int i = 0; i < N_LARGE; i++)
        n_unknown += large_statuses[i] == 504;
    cr_assert_gt(n_unknown, 0);
    struct play_request refused = play_post(&play, "/out/not-sent");
    play_expect(&refused, 503, "broker-stalled");
    for (int i = 0; i < n_unknown; i++) {
        int n = -1;
        heard = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
        cr_assert_eq(sscanf(heard.message_id, "m%d", &n), 1, "%s was sent", heard.message_id);
        cr_assert(n >= 0 && n < N_LARGE);
        cr_assert_eq(large_statuses[n], 504, "%d was told as not sent", n);
        cr_assert_eq(heard.n_body, LARGE);
        large_statuses[n] = 0;
    }
    amqp_peer_ack(&play.peer, &heard, true);
    amqp_peer_ack(&play.peer, &patient, false);
    play_expect(&other, 200, NULL);
    play_expect_works(&play, "/out/afterwards");
    play_end(&play);
}

Test(connection_fault, a_wire_that_is_cut_silently_is_found_by_heartbeats)
{
    enum { N_BEATS = 6 }; /* half an interval each: it lives longer than two */
    struct island island;
    struct amqp_heard heard;
    if (!island_new(&island))
        cr_skip_test("this needs the rights to make a network namespace");
    island_enter(&island);
    amqp_door_open(&play.door, island.address);
    island_leave(&island);
    play.peer.heartbeat_s = 1;
    play_start(&play, "cut", "publish.json");
    play_accept(&play);
    struct play_request request = play_publish(&play, "/out/in-flight", &heard);
    for (int i = 0; i < N_BEATS; i++)
        amqp_peer_beat(&play.peer);
    island_cut(&island);
    uint64_t cut_ns = clock_now_ns();
    expect_unknown(&request);
    printf("# found after %llu ms\n", (unsigned long long)((clock_now_ns() - cut_ns) / CLOCK_MS));
    request = play_post(&play, "/out/not-sent");
    play_expect(&request, 503, "broker-down");
    amqp_peer_hang_up(&play.peer);
    island_mend(&island);
    play_accept(&play);
    play_expect_works(&play, "/out/afterwards");
    play_end(&play);
}
