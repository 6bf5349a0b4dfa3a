/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "scene.h"

TestSuite(refusal, .init = scene_open, .fini = scene_close, .timeout = 30);

static void refused(const char *text, int status)
{
    stage_say(&stage, &client, text);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, status, "%d instead of %d", reply.status, status);
    cr_assert(stage_is_quiet(&stage));
}

Test(refusal, an_unknown_path_is_404)
{
    refused(GET("/nope"), 404);
    next_request_works();
}

Test(refusal, a_wrong_method_is_405_and_says_which_would_do)
{
    refused(GET("/produce/x"), 405);
    cr_assert(reply_has(&reply, "Allow: POST"));
    next_request_works();
}

Test(refusal, a_head_gets_no_body)
{
    stage_say(&stage, &client, "HEAD /consume HTTP/1.1\r\nHost: a\r\n\r\n");
    reply_read(&reply, &client, false);
    cr_assert_eq(reply.status, 405);
    cr_assert(reply_has(&reply, "Allow: GET"));
    next_request_works();
}

Test(refusal, a_slash_too_many_is_a_307_that_keeps_the_query)
{
    refused(POST("/produce/x/?a=b", 0), 307);
    cr_assert(reply_has(&reply, "Location: /produce/x?a=b"));
    next_request_works();
}

Test(refusal, an_endpoint_without_a_backend_is_501)
{
    refused(GET("/none"), 501);
}

Test(refusal, a_body_over_the_endpoints_bound_is_413)
{
    refused(POST("/small/x", 17) "12345678901234567", 413);
    cr_assert(reply_has(&reply, "Connection: close"));
}

Test(refusal, a_body_that_is_announced_as_too_large_is_413_before_it_is_sent)
{
    refused(POST("/small/x", 17), 413);
    cr_assert(strstr(reply.body, "/problems/body-too-large"));
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(refusal, a_chunked_body_is_413_as_soon_as_it_is_too_large)
{
    refused("POST /small/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            "11\r\n12345678901234567\r\n",
        413);
}

Test(refusal, an_empty_line_before_a_request_is_forgiven)
{
    stage_say(&stage, &client, "\r\n" GET("/__health"));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

/* ---- many bodies ---- */

enum { N_SENDERS = 60, N_ROOM = 16 };

static struct raw_client senders[N_SENDERS];

static bool is_refused(const struct raw_client *sender)
{
    struct pollfd ended = {.fd = sender->fd, .events = POLLRDHUP};
    return poll(&ended, 1, 0) == 1;
}

static bool is_taken(const struct raw_client *sender)
{
    int n;
    cr_assert_eq(ioctl(sender->fd, SIOCOUTQ, &n), 0);
    return n == 0;
}

static int n_refused(void)
{
    int n = 0;
    for (int i = 0; i < N_SENDERS; i++)
        n += is_refused(&senders[i]);
    return n;
}

/* Bodies of 1 MiB, all but their last byte. Some are cut off before they are sent. */
static void send_bodies(void)
{
    static char body[STAGE_MAX_BODY];
    for (int i = 0; i < N_SENDERS; i++)
        stage_say(&stage, &senders[i], POST("/produce/x", 1048576));
    for (int i = 0; i < N_SENDERS; i++)
        (void)raw_client_send(&senders[i], body, sizeof(body) - 1);
    for (int i = 0; i < N_SENDERS; i++)
        await(is_refused(&senders[i]) || is_taken(&senders[i]), STAGE_WAIT_MS, "it stands still");
}

Test(refusal, bodies_that_are_too_much_together_are_refused_in_one_go)
{
    send_bodies();
    int n_before = n_refused();
    await(n_before >= N_SENDERS - N_ROOM || n_refused() > n_before, STAGE_WAIT_MS, "too much");
    stage_say(&stage, &client, GET("/__health")); /* so the front is done with what it was at */
    reply_read(&reply, &client, true);
    cr_assert_geq(n_refused(), N_SENDERS - N_ROOM);
    for (int i = 0; i < N_SENDERS; i++)
        raw_client_close(&senders[i]);
    cr_assert(raw_client_say(&client, POST("/produce/x", 0)));
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(refusal, a_body_of_exactly_the_endpoints_bound_is_taken)
{
    stage_say(&stage, &client, POST("/small/x", 16) "1234567890123456");
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(refusal, a_body_over_every_bound_is_413_before_it_is_sent)
{
    refused(POST("/produce/x", 99999999), 413);
}

Test(refusal, a_routing_key_that_is_too_long_is_400)
{
    char text[1024] = "POST /produce/";
    memset(text + strlen(text), 'k', 256);
    strcat(text, " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    refused(text, 400);
    cr_assert(strstr(reply.body, "routing_key (parameter route)"));
    next_request_works();
}

Test(refusal, headers_that_are_too_large_are_431)
{
    static char text[16384] = "GET /consume HTTP/1.1\r\nHost: a\r\nX-Long: ";
    memset(text + strlen(text), 'h', 9000);
    strcat(text, "\r\n\r\n");
    refused(text, 431);
    cr_assert(reply_has(&reply, "Connection: close"));
}

Test(refusal, headers_that_are_too_large_are_431_before_they_end)
{
    static char text[16384] = "GET /consume HTTP/1.1\r\nHost: a\r\nX-Long: ";
    memset(text + strlen(text), 'h', 9000);
    refused(text, 431);
}

Test(refusal, two_lengths_are_400_and_the_connection_is_closed)
{
    refused(
        "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        400);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(refusal, http2_is_not_spoken)
{
    stage_say(&stage, &client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 400);
    raw_client_close(&client);
    stage_say(&stage, &client,
        "GET /__health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}
