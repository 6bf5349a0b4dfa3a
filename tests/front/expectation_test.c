/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are well formed and odd: expectations (RFC 9110, 10.1.1), bodies where none is
 * wanted, targets in other forms, escapes that one reader takes for another byte, upgrades. Each has
 * one answer, and what reaches a worker is what stands in the request.
 */
#include "scene.h"

TestSuite(expectation, .init = scene_open, .fini = scene_close, .timeout = 60);

#define TO "POST /produce/x HTTP/1.1\r\nHost: a\r\n"
#define EXPECT "Expect: 100-continue\r\n"

/* ---- expectations ---- */

static void is_asked_for_the_body(const char *head)
{
    char interim[64];
    stage_say(&stage, &client, head);
    cr_assert(raw_client_read(
        &client, "\r\n\r\n", interim, sizeof(interim), deadline_in_ms(STAGE_WAIT_MS)));
    cr_assert_str_eq(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    cr_assert(stage_is_quiet(&stage));
}

static void hello_is_published(void)
{
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    cr_assert_eq(ref.length, 5);
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, ref), "hello", 5);
    stage_publish_taken(&stage, slot, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    next_request_works();
}

Test(expectation, who_waits_for_the_word_is_told_to_go_on)
{
    is_asked_for_the_body(TO EXPECT "Content-Length: 5\r\n\r\n");
    cr_assert(raw_client_say(&client, "hello"));
    hello_is_published();
}

Test(expectation, who_waits_for_the_word_with_chunks_is_told_to_go_on)
{
    is_asked_for_the_body(TO EXPECT "Transfer-Encoding: chunked\r\n\r\n");
    cr_assert(raw_client_say(&client, "5\r\nhello\r\n0\r\n\r\n"));
    hello_is_published();
}

Test(expectation, who_does_not_wait_for_the_word_is_served_too)
{
    stage_say(&stage, &client, TO EXPECT "Content-Length: 5\r\n\r\nhello");
    hello_is_published();
}

static void is_refused(const char *text, int status, const char *kind)
{
    stage_say(&stage, &client, text);
    (void)raw_client_say(&client, GET("/__health")); /* it may be closed by now */
    reply_read(&reply, &client, true);
    cr_expect_eq(reply.status, status, "%s: %d", text, reply.status);
    cr_expect(reply_has(&reply, "Content-Type: application/problem+json"), "%s", reply.head);
    cr_expect(strstr(reply.body, kind), "%s", reply.body);
    cr_expect(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)), "%s", text);
    cr_expect(stage_is_quiet(&stage), "%s", text);
    raw_client_close(&client);
    client.fd = -1;
}

Test(expectation, another_expectation_is_417_and_nothing_is_handed_over)
{
    is_refused(TO "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", 417, "expectation-failed");
    is_refused(TO EXPECT "Expect: x\r\nContent-Length: 5\r\n\r\nhello", 417, "expectation-failed");
    is_refused(TO "Expect:\r\nContent-Length: 5\r\n\r\nhello", 417, "expectation-failed");
}

Test(expectation, who_announces_too_much_is_refused_and_not_told_to_go_on)
{
    char text[64];
    static const char head[] = TO EXPECT "Content-Length: 99999999\r\n\r\n";
    stage_say(&stage, &client, head);
    cr_assert(raw_client_read(&client, "\r\n", text, sizeof(text), deadline_in_ms(STAGE_WAIT_MS)));
    cr_assert_eq(strncmp(text, "HTTP/1.1 413 ", 13), 0, "%s", text);
    raw_client_close(&client);
    is_refused(TO "Content-Length: 99999999\r\n\r\n", 413, "body-too-large");
}

/* ---- one answer to each ---- */

static const struct {
    const char *text;
    int status;
} answered[] = {
    {"GET /__health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200},
    {"GET /__health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        200},
    {"GET http://b.example:81/__health HTTP/1.1\r\nHost: a\r\n\r\n", 200},
    {"GET HTTPS://b.example/__health HTTP/1.1\r\nHost: a\r\n\r\n", 200},
    {"GET /__health HTTP/1.2\r\nHost: a\r\n\r\n", 200}, /* RFC 9110, 2.5: as the version we speak */
    {"GET /__health?a=%zz&b=\xff HTTP/1.1\r\nHost: a\r\n\r\n", 200},
    /* no upgrade, and its body is the request's (RFC 9110, 7.8) */
    {"GET /__health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
     "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: keep-alive\r\n\r\n",
        200},
    {"GET /__health HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
     "websocket\r\n"
     "Content-Length: 5\r\n\r\nhello",
        200},
    {"TRACE /__health HTTP/1.1\r\nHost: a\r\n\r\n", 404},
    {"OPTIONS /produce/x HTTP/1.1\r\nHost: a\r\n\r\n", 405},
    /* escapes: an overlong slash is two bytes of a parameter, which no decoder makes one */
    {"POST /produce/%u0041 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400},
    {"POST /produce/%00 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400},
    {"POST /produce/% HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400},
    {"POST /produce/..%2f..%2f__health/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404},
    {"POST /produce/../__health HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404},
    {"GET /%2e%2e/__health HTTP/1.1\r\nHost: a\r\n\r\n", 404},
    {"GET /%5f%5fhealth HTTP/1.1\r\nHost: a\r\n\r\n", 404},
};

Test(expectation, each_odd_request_has_one_answer_and_the_next_one_works)
{
    raw_client_connect(&client, stage.port);
    for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++) {
        cr_assert(raw_client_say(&client, answered[i].text));
        reply_read(&reply, &client, true);
        cr_expect_eq(reply.status, answered[i].status, "%s: %d", answered[i].text, reply.status);
        cr_expect_not(reply_has(&reply, "Upgrade: h2c"));
        cr_expect(stage_is_quiet(&stage), "%s", answered[i].text);
    }
    next_request_works();
}

/* ---- heads at their bounds ---- */

static void say_fields(size_t n)
{
    char field[32];
    stage_say(&stage, &client, "GET /__health HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 1; i < n; i++) {
        (void)snprintf(field, sizeof(field), "a%zu: b\r\n", i);
        cr_assert(raw_client_say(&client, field));
    }
    cr_assert(raw_client_say(&client, "\r\n"));
    reply_read(&reply, &client, true);
}

Test(expectation, a_hundred_fields_are_taken_and_one_more_is_400)
{
    say_fields(100);
    cr_assert_eq(reply.status, 200);
    raw_client_close(&client);
    say_fields(101);
    cr_assert_eq(reply.status, 400);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

/* The stage's heads may have 8 KiB. */
static void say_head_of(size_t n)
{
    static const char begin[] = "GET /__health HTTP/1.1\r\nHost: a\r\nx: ";
    char head[9000];
    size_t n_begin = strlen(begin), n_end = strlen("\r\n\r\n");
    memset(head, 'y', sizeof(head));
    memcpy(head, begin, n_begin);
    memcpy(head + n - n_end, "\r\n\r\n", n_end);
    raw_client_connect(&client, stage.port);
    cr_assert(raw_client_send(&client, head, n));
    reply_read(&reply, &client, true);
}

Test(expectation, a_head_of_the_largest_size_is_taken_and_one_byte_more_is_431)
{
    say_head_of(8192);
    cr_assert_eq(reply.status, 200);
    raw_client_close(&client);
    say_head_of(8193);
    cr_assert_eq(reply.status, 431);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}
