/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shm/control.h"
#include "shm/message.h"

#include "stage.h"

#define POST(path, body_bytes)                                                                     \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " #body_bytes "\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct stage stage;
static struct raw_client client;
static struct reply reply;

static void setup(void)
{
    stage_open(&stage, &(struct stage_settings){0});
    client.fd = -1;
}

static void setup_with(const struct stage_settings *settings)
{
    stage_close(&stage);
    stage_open(&stage, settings);
}

static void teardown(void)
{
    if (client.fd >= 0)
        raw_client_close(&client);
    stage_close(&stage);
}

TestSuite(front, .init = setup, .fini = teardown, .timeout = 30);

/* The client was told nothing more, and the connection still works. */
static void next_request_works(void)
{
    cr_assert(raw_client_say(&client, GET("/__health")));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

/* A field of the message in a slot. */
static bool slot_has_field(uint32_t slot, enum message_field_kind kind, const char *value)
{
    struct slot_request request = stage.worker.lane.slots[slot].request;
    struct message_reader reader = {
        .bytes = lane_request_bytes(&stage.worker.lane, slot, request.fields),
        .size = request.fields.length};
    struct message_field field;
    while (message_read(&reader, &field) == MESSAGE_OK)
        if (field.kind == kind && field.value_bytes == strlen(value) &&
            memcmp(field.value, value, field.value_bytes) == 0)
            return true;
    return false;
}

/* ---- produce ---- */

Test(front, a_confirmed_post_is_200_with_its_message_id)
{
    stage_say(&stage, &client, POST("/produce/orders", 4) "body");
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct slot_request request = stage.worker.lane.slots[slot].request;
    cr_assert_eq(request.backend, 0);
    cr_assert_eq(request.body.length, 4);
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, request.body), "body", 4);
    cr_assert(slot_has_field(slot, MESSAGE_ROUTING_KEY, "orders"));
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_done(
        &stage.worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply.body, "{}");
    cr_assert(reply_has(&reply, "X-Krakend-Completed: true"));
    cr_assert(strcasestr(reply.head, "\r\nX-Message-Id: "));
    next_request_works();
}

Test(front, an_unroutable_post_is_a_422_problem)
{
    stage_say(&stage, &client, POST("/produce/nowhere", 0));
    stage_publish(&stage, OUTCOME_UNROUTABLE);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 422);
    cr_assert(reply_has(&reply, "Content-Type: application/problem+json"));
    cr_assert(strstr(reply.body, "/problems/unroutable"));
    next_request_works();
}

Test(front, a_large_body_arrives_byte_for_byte)
{
    static char body[STAGE_MAX_BODY];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)(i * 7 + i / 251);
    raw_client_connect(&client, stage.port);
    cr_assert(raw_client_say(&client, POST("/produce/x", 1048576)));
    cr_assert(raw_client_send(&client, body, sizeof(body)));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    cr_assert_eq(ref.length, sizeof(body));
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, ref), body, sizeof(body));
}

Test(front, a_chunked_body_is_published_and_the_connection_closed)
{
    stage_say(&stage, &client,
        "POST /produce/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    cr_assert_eq(ref.length, 5);
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, ref), "abcde", 5);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_done(
        &stage.worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert(reply_has(&reply, "Connection: close"));
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(front, a_post_that_nobody_confirms_is_a_504_at_its_deadline)
{
    setup_with(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 504);
    cr_assert(strstr(reply.body, "\"message_id\""));
    /* the late confirm frees the slot and tells nobody */
    fake_worker_done(
        &stage.worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    stage_ring(&stage);
    next_request_works();
}

Test(front, a_post_that_no_worker_claims_is_a_503_at_its_deadline)
{
    setup_with(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, POST("/produce/x", 0));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
    cr_assert(reply_has(&reply, "Retry-After: 1"));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert_not(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
}

Test(front, pipelined_posts_are_answered_in_order)
{
    stage_say(&stage, &client, POST("/produce/1", 1) "a" POST("/produce/2", 1) "b" GET("/nope"));
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    stage_publish(&stage, OUTCOME_UNROUTABLE);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 422);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 404);
    next_request_works();
}

/* ---- consume ---- */

Test(front, a_message_is_acked_after_it_was_written)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage.worker.lane.slots[slot].request.backend, 2);
    stage_deliver(&stage, slot, "{\"n\":2.50}", 10);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply.body, "{\"n\":2.50}");
    cr_assert(reply_has(&reply, "Content-Type: application/json; charset=utf-8"));
    cr_assert(reply_has(&reply, "Cache-Control: no-store"));
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    next_request_works();
}

Test(front, an_empty_message_is_delivered_and_acked)
{
    stage_say(&stage, &client, GET("/text"));
    uint32_t slot = stage_wait(&stage);
    stage_deliver(&stage, slot, "", 0);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert(reply_has(&reply, "Content-Length: 0"));
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    next_request_works();
}

Test(front, an_empty_queue_is_204_at_the_deadline)
{
    setup_with(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    fake_worker_done(&stage.worker, slot, SLOT_CANCELLED,
        &(struct slot_reply){.outcome = OUTCOME_CANCELLED, .is_listening = 1});
    stage_ring(&stage);
    reply_read(&reply, &client, false);
    cr_assert_eq(reply.status, 204);
    cr_assert_not(strcasestr(reply.head, "content-length"));
    next_request_works();
}

Test(front, a_queue_that_was_not_listened_to_is_503_at_the_deadline)
{
    setup_with(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    fake_worker_done(
        &stage.worker, slot, SLOT_CANCELLED, &(struct slot_reply){.outcome = OUTCOME_CANCELLED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
}

Test(front, a_worker_that_is_silent_does_not_hold_up_the_answer)
{
    setup_with(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, GET("/consume"));
    stage_wait(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
    next_request_works();
}

Test(front, two_queues_are_merged_and_both_acked)
{
    stage_say(&stage, &client, GET("/pair"));
    uint32_t first = stage_wait(&stage), second = stage_wait(&stage);
    stage_deliver(&stage, second, "{\"b\":2}", 7);
    stage_deliver(&stage, first, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply.body, "{\"a\":1,\"b\":2}");
    cr_assert(reply_has(&reply, "X-Krakend-Completed: true"));
    cr_assert_eq(stage_take(&stage, LANE_ACK), first);
    cr_assert_eq(stage_take(&stage, LANE_ACK), second);
}

Test(front, one_queue_of_two_is_enough_at_85_percent_of_the_timeout)
{
    setup_with(&(struct stage_settings){.timeout_ms = 200});
    uint64_t begin_ns = clock_now_ns();
    stage_say(&stage, &client, GET("/pair"));
    uint32_t first = stage_wait(&stage), second = stage_wait(&stage);
    stage_deliver(&stage, first, "{\"a\":1}", 7);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), second);
    cr_assert_geq(clock_now_ns() - begin_ns, 170 * CLOCK_MS);
    fake_worker_done(&stage.worker, second, SLOT_CANCELLED,
        &(struct slot_reply){.outcome = OUTCOME_CANCELLED, .is_listening = 1});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert(reply_has(&reply, "X-Krakend-Completed: false"));
    cr_assert_eq(stage_take(&stage, LANE_ACK), first);
}

/* ---- clients that leave ---- */

Test(front, a_client_that_resets_while_it_waits_cancels_its_get)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_reset(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
}

Test(front, a_client_that_closed_while_it_waited_gets_no_message)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_close(&client);
    stage_deliver(&stage, slot, "{}", 2);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(front, a_client_that_resets_before_the_delivery_is_written_gets_no_message)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_WAITING, SLOT_BOUND));
    raw_client_reset(&client);
    fake_worker_done(&stage.worker, slot, SLOT_BOUND,
        &(struct slot_reply){
            .outcome = OUTCOME_DELIVERED, .body = fake_worker_put(&stage.worker, "{}", 2)});
    stage_ring(&stage);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(front, a_half_closed_client_gets_its_message)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_half_close(&client);
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

static void deliver_large(uint32_t slot)
{
    static char body[8 << 20];
    memset(body, 'x', sizeof(body));
    stage_deliver(&stage, slot, body, sizeof(body));
}

Test(front, a_client_that_hangs_up_in_the_middle_of_a_large_message_does_not_get_it)
{
    raw_client_connect_narrow(&client, stage.port);
    cr_assert(raw_client_say(&client, GET("/text")));
    uint32_t slot = stage_wait(&stage);
    deliver_large(slot);
    char some[1024];
    cr_assert(raw_client_read(&client, "\r\n\r\n", some, sizeof(some), deadline_in_ms(5000)));
    cr_assert(stage_is_quiet(&stage), "a verdict before the last byte");
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(front, a_client_that_reads_no_further_is_cut_off_and_its_message_goes_back)
{
    setup_with(&(struct stage_settings){.write_timeout_ms = 100});
    raw_client_connect_narrow(&client, stage.port);
    cr_assert(raw_client_say(&client, GET("/text")));
    uint32_t slot = stage_wait(&stage);
    deliver_large(slot);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(front, a_get_whose_next_request_is_already_here_is_answered_first)
{
    stage_say(&stage, &client, GET("/consume") GET("/text"));
    uint32_t slot = stage_wait(&stage);
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    slot = stage_wait(&stage);
    stage_deliver(&stage, slot, "two", 3);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "two");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(front, a_request_sent_ahead_is_served_after_the_one_that_waits)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert(raw_client_say(&client, GET("/__health")));
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    reply_read(&reply, &client, true);
    cr_assert(strstr(reply.body, "\"status\":\"ok\""));
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

/* ---- the worker's death ---- */

Test(front, a_get_that_waits_is_given_to_the_next_worker)
{
    stage_say(&stage, &client, GET("/consume"));
    stage_wait(&stage);
    stage_worker_kill(&stage);
    stage_worker_start(&stage);
    uint32_t slot = stage_wait(&stage);
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(front, a_post_that_was_not_sent_is_given_to_the_next_worker)
{
    stage_say(&stage, &client, POST("/produce/x", 5) "again");
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    stage_worker_kill(&stage);
    stage_worker_start(&stage);
    slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, ref), "again", 5);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    fake_worker_done(
        &stage.worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(front, a_post_that_was_sent_is_a_504_when_its_worker_dies)
{
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_CLAIMED, SLOT_SENT));
    stage_worker_kill(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 504);
    cr_assert(reply_has(&reply, "X-Leveret-Outcome: outcome-unknown"));
}

Test(front, while_a_worker_is_dead_a_request_hears_so_at_once)
{
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_CLAIMED, SLOT_SENT));
    stage_worker_kill(&stage);
    reply_read(&reply, &client, true); /* now the front knows */
    cr_assert(raw_client_say(&client, POST("/produce/x", 0)));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
    cr_assert(reply_has(&reply, "Retry-After: 1"));
}

Test(front, a_worker_that_lies_is_reported)
{
    cr_assert_eq(ring_push(&stage.worker.replies, LANE_ENTRY(LANE_DONE, 200, 9)), RING_OK);
    stage_ring(&stage);
    struct control_message message = stage_control_message(&stage);
    cr_assert_eq(message.kind, CONTROL_COMPLAINT);
    cr_assert_eq(message.worker, 0);
    cr_assert_str_not_empty(message.reason);
}

/* ---- refusals ---- */

static void refused(const char *text, int status)
{
    stage_say(&stage, &client, text);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, status, "%d instead of %d", reply.status, status);
    cr_assert(stage_is_quiet(&stage));
}

Test(front, an_unknown_path_is_404)
{
    refused(GET("/nope"), 404);
    next_request_works();
}

Test(front, a_wrong_method_is_405_and_says_which_would_do)
{
    refused(GET("/produce/x"), 405);
    cr_assert(reply_has(&reply, "Allow: POST"));
    next_request_works();
}

Test(front, a_head_gets_no_body)
{
    stage_say(&stage, &client, "HEAD /consume HTTP/1.1\r\nHost: a\r\n\r\n");
    reply_read(&reply, &client, false);
    cr_assert_eq(reply.status, 405);
    cr_assert(reply_has(&reply, "Allow: GET"));
    next_request_works();
}

Test(front, a_slash_too_many_is_a_307_that_keeps_the_query)
{
    refused(POST("/produce/x/?a=b", 0), 307);
    cr_assert(reply_has(&reply, "Location: /produce/x?a=b"));
    next_request_works();
}

Test(front, an_endpoint_without_a_backend_is_501)
{
    refused(GET("/none"), 501);
}

Test(front, a_body_over_the_endpoints_bound_is_413)
{
    refused(POST("/small/x", 17) "12345678901234567", 413);
    cr_assert(reply_has(&reply, "Connection: close"));
}

Test(front, a_body_of_exactly_the_endpoints_bound_is_taken)
{
    stage_say(&stage, &client, POST("/small/x", 16) "1234567890123456");
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(front, a_body_over_every_bound_is_413_before_it_is_sent)
{
    refused(POST("/produce/x", 99999999), 413);
}

Test(front, a_routing_key_that_is_too_long_is_400)
{
    char text[1024] = "POST /produce/";
    memset(text + strlen(text), 'k', 256);
    strcat(text, " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    refused(text, 400);
    cr_assert(strstr(reply.body, "routing_key (parameter route)"));
    next_request_works();
}

Test(front, headers_that_are_too_large_are_431)
{
    static char text[16384] = "GET /consume HTTP/1.1\r\nHost: a\r\nX-Long: ";
    memset(text + strlen(text), 'h', 9000);
    strcat(text, "\r\n\r\n");
    refused(text, 431);
    cr_assert(reply_has(&reply, "Connection: close"));
}

Test(front, two_lengths_are_400_and_the_connection_is_closed)
{
    refused(
        "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        400);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(front, http2_is_not_spoken)
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

/* ---- time-outs of connections ---- */

static void cut_off(const struct stage_settings *settings, const char *text, int status)
{
    setup_with(settings);
    stage_say(&stage, &client, text);
    if (status) {
        reply_read(&reply, &client, true);
        cr_assert_eq(reply.status, status);
    }
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(front, a_head_that_does_not_end_is_408)
{
    cut_off(&(struct stage_settings){.read_header_timeout_ms = 50}, "GET /consume HT", 408);
}

Test(front, a_body_that_does_not_end_is_408_and_not_published)
{
    cut_off(&(struct stage_settings){.read_timeout_ms = 50}, POST("/produce/x", 9) "half", 408);
    cr_assert(stage_is_quiet(&stage));
}

Test(front, an_idle_connection_is_closed_without_a_word)
{
    cut_off(&(struct stage_settings){.idle_timeout_ms = 50}, "", 0);
}

Test(front, a_connection_is_not_idle_while_it_waits_for_a_message)
{
    setup_with(&(struct stage_settings){.idle_timeout_ms = 50,
        .read_header_timeout_ms = 50,
        .read_timeout_ms = 50,
        .write_timeout_ms = 50,
        .timeout_ms = 300});
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot, "it was cut off before its deadline");
}

Test(front, a_client_over_the_bound_waits_until_another_leaves)
{
    setup_with(&(struct stage_settings){.max_connections = 1});
    struct raw_client second;
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    stage_say(&stage, &second, GET("/text"));
    stage_deliver(&stage, slot, "{}", 2);
    reply_read(&reply, &client, true);
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    cr_assert(stage_is_quiet(&stage), "a second connection was served");
    raw_client_close(&client);
    slot = stage_wait(&stage);
    stage_deliver(&stage, slot, "x", 1);
    reply_read(&reply, &second, true);
    cr_assert_eq(reply.status, 200);
    raw_client_close(&second);
    client.fd = -1;
}

/* ---- a unix socket ---- */

static void unix_client(struct raw_client *local, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(local->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static uint32_t unix_get(char *path)
{
    cr_assert(mkdtemp(path));
    strcat(path, "/socket");
    setup_with(&(struct stage_settings){.unix_path = path});
    unix_client(&client, path);
    cr_assert(raw_client_say(&client, GET("/consume")));
    return stage_wait(&stage);
}

static void unix_done(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

Test(front, a_client_on_a_unix_socket_gets_its_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path);
    raw_client_half_close(&client);
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    unix_done(path);
}

Test(front, a_client_that_left_its_unix_socket_gets_no_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    unix_done(path);
}

/* ---- drain ---- */

Test(front, a_drain_without_clients_ends_at_once)
{
    stage_drain(&stage, 5000);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(front, a_drain_answers_what_is_in_flight_and_closes_what_is_idle)
{
    struct raw_client idle;
    stage_say(&stage, &idle, GET("/__health"));
    reply_read(&reply, &idle, true);
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    stage_drain(&stage, 5000);
    cr_assert(raw_client_is_closed(&idle, deadline_in_ms(STAGE_WAIT_MS)));
    fake_worker_done(
        &stage.worker, slot, SLOT_CLAIMED, &(struct slot_reply){.outcome = OUTCOME_CONFIRMED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert(reply_has(&reply, "Connection: close"));
    cr_assert_eq(stage_exit_code(&stage), 0);
    raw_client_close(&idle);
}

Test(front, a_drain_lets_no_get_wait)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    stage_drain(&stage, 5000);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    fake_worker_done(&stage.worker, slot, SLOT_CANCELLED,
        &(struct slot_reply){.outcome = OUTCOME_CANCELLED, .is_listening = 1});
    stage_ring(&stage);
    reply_read(&reply, &client, false);
    cr_assert_eq(reply.status, 204);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(front, a_drain_whose_time_is_up_has_answered_everything)
{
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    stage_drain(&stage, 300);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 504);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(front, a_supervisor_that_dies_drains_its_front)
{
    cr_assert_eq(shutdown(stage.control, SHUT_RDWR), 0);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(front, signals_are_for_the_supervisor)
{
    cr_assert_eq(kill(stage.front, SIGTERM), 0);
    cr_assert_eq(kill(stage.front, SIGINT), 0);
    raw_client_connect(&client, stage.port);
    next_request_works();
}
