/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a POST is answered for everything that a broker can say, or not say, about its message, in
 * every order: the test is the broker.
 */
#include "tests/fault/play.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/load.h"
#include "tests/support/require.h"

TestSuite(publish_fault, .timeout = 120);

static struct play play;

/* ---- acks, nacks and returns ---- */

Test(publish_fault, confirms_reach_their_own_requests_out_of_order_and_several_at_a_time)
{
    enum { N = 6 };
    struct play_request requests[N];
    struct amqp_heard heard[N];
    play_begin(&play, "confirm_order", "publish.json");
    for (int i = 0; i < N; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/out/m%d", i);
        requests[i] = play_publish(&play, path, &heard[i]);
    }
    amqp_peer_ack(&play.peer, &heard[3], false);
    play_expect(&requests[3], 200, NULL);
    amqp_peer_nack(&play.peer, &heard[5]);
    play_expect(&requests[5], 502, "rejected");
    amqp_peer_return(&play.peer, &heard[1]);
    amqp_peer_ack(&play.peer, &heard[2], true); /* 0, 1 and 2 */
    play_expect(&requests[2], 200, NULL);
    play_expect(&requests[1], 422, "unroutable");
    play_expect(&requests[0], 200, NULL);
    amqp_peer_ack(&play.peer, &heard[4], false);
    play_expect(&requests[4], 200, NULL);
    play_end(&play);
}

enum { N_MANY = 512, EVERY = 100 };

static struct amqp_heard many[N_MANY];
static char many_urls[N_MANY][96];
static int many_statuses[N_MANY];

static bool is_nowhere(int i)
{
    return i % EVERY == EVERY / 2;
}

static void on_request(void *context, int i, struct http_request *request)
{
    (void)snprintf(many_urls[i], sizeof many_urls[i], "%s/out/m%d/%s", play.scene.sidecar.url, i,
        is_nowhere(i) ? "nowhere" : "k");
    *request = (struct http_request){.method = "POST",
        .url = many_urls[i],
        .body = "x",
        .body_bytes = 1,
        .timeout_ms = 2 * HTTP_DEFAULT_TIMEOUT_MS};
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    many_statuses[i] = answer->status;
}

/* All are in flight before the first is settled. Returns come first, then the confirms, the last
 * one first. */
Test(publish_fault, one_in_a_hundred_is_unroutable_among_512_in_flight_and_each_hears_its_own)
{
    play_begin(&play, "many", "publish.json");
    const struct load load = {.n_connections = N_MANY,
        .n_requests = N_MANY,
        .on_request = on_request,
        .on_answer = on_answer};
    struct load_run *run = load_begin(&load);
    for (int i = 0; i < N_MANY; i++)
        many[i] = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    for (int i = 0; i < N_MANY; i++)
        if (strcmp(many[i].name, "nowhere") == 0)
            amqp_peer_return(&play.peer, &many[i]);
    for (int i = N_MANY - 1; i >= 0; i--)
        amqp_peer_ack(&play.peer, &many[i], false);
    load_end(run);
    for (int i = 0; i < N_MANY; i++)
        cr_assert_eq(many_statuses[i], is_nowhere(i) ? 422 : 200, "%d: %d", i, many_statuses[i]);
    play_end(&play);
}

Test(publish_fault, equal_message_ids_are_never_in_flight_together_so_returns_cannot_be_mistaken)
{
    play_begin(&play, "equal_ids", "publish.json");
    struct amqp_heard heard;
    struct play_request first = play_publish(&play, "/out/same", &heard);
    struct play_request second = play_post(&play, "/out/same");
    scene_let_front_read(&play.scene);
    struct amqp_heard other;
    struct play_request another = play_publish(&play, "/out/another", &other);
    amqp_peer_return(&play.peer, &heard);
    amqp_peer_ack(&play.peer, &other, false);
    amqp_peer_ack(&play.peer, &heard, false);
    play_expect(&first, 422, "unroutable");
    play_expect(&another, 200, NULL);
    heard = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert_str_eq(heard.message_id, "same");
    amqp_peer_ack(&play.peer, &heard, false);
    play_expect(&second, 200, NULL);
    play_end(&play);
}

Test(publish_fault, an_unroutable_message_that_need_not_be_routed_is_200_and_told)
{
    play_begin(&play, "optional", "publish.json");
    struct amqp_heard heard;
    struct play_request request = play_publish(&play, "/optional/m", &heard);
    amqp_peer_return(&play.peer, &heard);
    amqp_peer_ack(&play.peer, &heard, false);
    struct http_answer answer = play_answer(&request);
    expect_status(&answer, 200);
    expect_header(&answer, "X-Leveret-Outcome", "unroutable");
    http_answer_done(&answer);
    play_end(&play);
}

/* It came back: so it is on no queue, whatever became of the connection. */
Test(publish_fault,
    a_message_that_came_back_is_unroutable_also_when_the_connection_is_cut_before_its_ack)
{
    play_begin(&play, "return_cut", "publish.json");
    struct amqp_heard back, other;
    struct play_request returned = play_publish(&play, "/out/returned", &back);
    struct play_request unknown = play_publish(&play, "/out/unknown", &other);
    amqp_peer_return(&play.peer, &back);
    amqp_peer_hang_up(&play.peer);
    struct http_answer answer = play_answer(&returned);
    expect_problem(&answer, 422, "unroutable");
    expect_in_body(&answer, "NO_ROUTE");
    http_answer_done(&answer);
    play_expect(&unknown, 504, "outcome-unknown");
    play_accept(&play);
    play_expect_works(&play, "/out/after");
    play_end(&play);
}

Test(publish_fault, a_broker_that_returns_what_it_has_confirmed_is_left_and_the_answer_stands)
{
    play_begin(&play, "late_return", "publish.json");
    struct amqp_heard heard;
    struct play_request request = play_publish(&play, "/out/m", &heard);
    amqp_peer_ack(&play.peer, &heard, false);
    amqp_peer_return(&play.peer, &heard);
    play_expect(&request, 200, NULL);
    (void)amqp_peer_expect(&play.peer, AMQP_CONNECTION_CLOSE_METHOD);
    amqp_peer_hang_up(&play.peer);
    play_accept(&play);
    play_expect_works(&play, "/out/after");
    play_end(&play);
}

/* ---- no word ---- */

Test(publish_fault, a_held_confirm_is_504_with_the_message_id_and_harms_nobody_when_it_comes)
{
    struct amqp_heard patient, slow;
    play_begin(&play, "held", "publish.json");
    struct play_request other = play_publish(&play, "/out/patient", &patient);
    struct play_request request = play_publish(&play, "/brief/slow", &slow);
    struct http_answer answer = play_answer(&request);
    expect_problem(&answer, 504, "outcome-unknown");
    expect_in_body(&answer, "\"message_id\":\"slow\"");
    http_answer_done(&answer);
    amqp_peer_ack(&play.peer, &slow, false);
    amqp_peer_ack(&play.peer, &patient, false);
    play_expect(&other, 200, NULL);
    play_expect_works(&play, "/brief/next");
    play_end(&play);
}

Test(publish_fault, a_broker_that_says_nothing_more_is_503_at_once_and_nothing_is_sent_to_it)
{
    struct amqp_heard patient, lost;
    play_begin(&play, "silent", "publish.json");
    struct play_request other = play_publish(&play, "/out/patient", &patient);
    struct play_request request = play_publish(&play, "/brief/lost", &lost);
    play_expect(&request, 504, "outcome-unknown");
    for (int i = 0; i < 3; i++) {
        request = play_post(&play, "/out/not-sent"); /* with 30 s of patience */
        struct http_answer answer = play_answer(&request);
        expect_problem(&answer, 503, "broker-stalled");
        expect_header(&answer, "Retry-After", "1");
        http_answer_done(&answer);
    }
    amqp_peer_ack(&play.peer, &patient, false);
    play_expect(&other, 200, NULL);
    request = play_publish(&play, "/out/after", &patient); /* the next one, so none was sent */
    amqp_peer_ack(&play.peer, &patient, false);
    play_expect(&request, 200, NULL);
    play_end(&play);
}

/* ---- a full window ---- */

enum { N_TOO_MANY = 400 };
static atomic_int n_refused;

static void on_refusal(void *context, int i, const struct http_answer *answer)
{
    many_statuses[i] = answer->status;
    if (answer->status != 200)
        atomic_fetch_add(&n_refused, 1);
}

Test(publish_fault, what_the_window_does_not_hold_is_503_at_once_while_the_rest_is_in_flight)
{
    cr_assert_eq(setenv("LEVERET_TEST_MEMORY", "16MiB", 1), 0);
    play_begin(&play, "window", "publish.json");
    const struct load load = {.n_connections = N_TOO_MANY,
        .n_requests = N_TOO_MANY,
        .on_request = on_request,
        .on_answer = on_refusal};
    struct load_run *run = load_begin(&load);
    int n_heard = 0;
    struct pollfd says = {.fd = play.peer.fd, .events = POLLIN};
    uint64_t deadline = deadline_in_ms(AMQP_PEER_TIMEOUT_MS);
    while (n_heard + atomic_load(&n_refused) < N_TOO_MANY) {
        cr_assert_lt(clock_now_ns(), deadline, "%d heard, %d refused", n_heard, n_refused);
        if (poll(&says, 1, 5) == 1)
            many[n_heard++] = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    }
    cr_assert_gt(n_heard, 0);
    cr_assert_lt(n_heard, N_TOO_MANY, "the window is larger than the test");
    amqp_peer_ack(&play.peer, &many[n_heard - 1], true);
    load_end(run);
    int n_confirmed = 0;
    for (int i = 0; i < N_TOO_MANY; i++) {
        cr_assert(many_statuses[i] == 200 || many_statuses[i] == 503, "%d", many_statuses[i]);
        n_confirmed += many_statuses[i] == 200;
    }
    cr_assert_eq(n_confirmed, n_heard);
    play_end(&play);
}

/* ---- blocked ---- */

/* What is acked behind a word tells when the word was heard. */
Test(publish_fault, a_blocked_connection_is_503_at_once_and_recovers_when_it_is_unblocked)
{
    struct amqp_heard first, second;
    play_begin(&play, "blocked", "publish.json");
    struct play_request before = play_publish(&play, "/out/first", &first);
    struct play_request meanwhile = play_publish(&play, "/out/second", &second);
    amqp_peer_block(&play.peer, true);
    amqp_peer_ack(&play.peer, &first, false);
    play_expect(&before, 200, NULL);
    for (int i = 0; i < 3; i++) {
        struct play_request request = play_post(&play, "/out/not-sent");
        struct http_answer answer = play_answer(&request);
        expect_problem(&answer, 503, "broker-blocked");
        expect_header(&answer, "Retry-After", "1");
        http_answer_done(&answer);
    }
    amqp_peer_block(&play.peer, false);
    amqp_peer_ack(&play.peer, &second, false);
    play_expect(&meanwhile, 200, NULL);
    play_expect_works(&play, "/out/after");
    play_end(&play);
}

/* ---- several producers ---- */

Test(publish_fault, some_of_several_producers_confirmed_is_502_partial_and_504_when_one_is_unknown)
{
    struct amqp_heard one, two;
    play_begin(&play, "partial", "publish.json");
    struct play_request request = play_post(&play, "/both/m");
    one = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    two = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    amqp_peer_ack(&play.peer, &one, false);
    amqp_peer_nack(&play.peer, &two);
    play_expect(&request, 502, "partial");
    request = play_post(&play, "/both/n");
    one = amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    (void)amqp_peer_expect(&play.peer, AMQP_BASIC_PUBLISH_METHOD);
    amqp_peer_ack(&play.peer, &one, false);
    amqp_peer_reset(&play.peer);
    struct http_answer answer = play_answer(&request);
    expect_status(&answer, 504);
    expect_in_body(&answer, "outcome-unknown");
    http_answer_done(&answer);
    play_end(&play);
}

/* ---- a channel's end ---- */

Test(publish_fault, a_channel_that_is_closed_costs_its_own_messages_alone_and_is_opened_again)
{
    struct amqp_heard bad[3], good;
    struct play_request requests[3];
    static const char *const paths[] = {"/other/b0", "/other/b1", "/other/b2"};
    play_begin(&play, "channel_close", "publish.json");
    struct play_request fine = play_publish(&play, "/out/good", &good);
    for (int i = 0; i < 3; i++)
        requests[i] = play_publish(&play, paths[i], &bad[i]);
    amqp_peer_close_channel(&play.peer, bad[0].channel, AMQP_NOT_FOUND,
        "NOT_FOUND - no exchange 'two'", AMQP_BASIC_PUBLISH_METHOD);
    play_expect(&requests[0], 504, "outcome-unknown");
    play_expect(&requests[1], 504, "outcome-unknown");
    struct http_answer answer = play_answer(&requests[2]);
    expect_problem(&answer, 502, "rejected");
    expect_in_body(&answer, "NOT_FOUND - no exchange 'two'");
    http_answer_done(&answer);
    amqp_peer_ack(&play.peer, &good, false);
    play_expect(&fine, 200, NULL);
    play_expect_works(&play, "/out/still-there");
    play_expect_works(&play, "/other/again");
    play_end(&play);
}

Test(publish_fault, a_channel_that_is_closed_time_and_again_never_costs_another_one)
{
    enum { N = 5 };
    play_begin(&play, "channel_closes", "publish.json");
    play_expect_works(&play, "/out/first");
    for (int i = 0; i < N; i++) {
        struct amqp_heard bad, good;
        struct play_request refused = play_publish(&play, "/other/bad", &bad);
        struct play_request fine = play_publish(&play, "/out/good", &good);
        amqp_peer_close_channel(&play.peer, bad.channel, AMQP_ACCESS_REFUSED, "ACCESS_REFUSED - no",
            AMQP_BASIC_PUBLISH_METHOD);
        play_expect(&refused, 502, "rejected");
        amqp_peer_ack(&play.peer, &good, false);
        play_expect(&fine, 200, NULL);
    }
    play_end(&play);
}
