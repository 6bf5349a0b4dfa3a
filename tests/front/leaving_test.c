/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/un.h>

#include "scene.h"

TestSuite(leaving, .init = scene_open, .fini = scene_close, .timeout = 30);

/* ---- clients that leave ---- */

Test(leaving, a_client_that_resets_while_it_waits_cancels_its_get)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_reset(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
}

/* Or the message would go from one that has left to the next, and back each time. */
Test(leaving, a_client_that_closes_while_it_waits_cancels_its_get)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
}

Test(leaving, a_client_that_closes_with_its_next_request_sent_ahead_cancels_its_get)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert(raw_client_say(&client, GET("/text")));
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
}

/* No interim answers in HTTP/1.0: there only the proof tells. */
Test(leaving, a_client_of_http_1_0_that_closed_while_it_waited_gets_no_message)
{
    stage_say(&stage, &client, "GET /consume HTTP/1.0\r\n\r\n");
    uint32_t slot = stage_wait(&stage);
    raw_client_close(&client);
    stage_deliver(&stage, slot, "{}", 2);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

/* A whole request and its answer on a connection of its own: whatever the front could see before
 * it, it has seen. */
static void other_client(const char *text, int status)
{
    struct raw_client other;
    for (int i = 0; i < 2; i++) {
        stage_say(&stage, &other, text);
        reply_read(&reply, &other, true);
        cr_assert_eq(reply.status, status);
        raw_client_close(&other);
    }
}

Test(leaving, a_client_that_resets_behind_a_request_sent_ahead_cancels_its_get)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert(raw_client_say(&client, GET("/text")));
    other_client(GET("/__health"), 200);
    raw_client_reset(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
}

Test(leaving, a_client_that_left_has_its_next_request_dropped)
{
    stage_say(&stage, &client, GET("/consume") GET("/text"));
    uint32_t slot = stage_wait(&stage);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    other_client(GET("/__health"), 200);
    cr_assert(stage_is_quiet(&stage), "a message was asked for on behalf of nobody");
}

Test(leaving, a_client_that_resets_before_the_delivery_is_written_gets_no_message)
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

Test(leaving, a_half_closed_client_is_asked_whether_it_reads_and_gets_its_message)
{
    char interim[64];
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_half_close(&client);
    cr_assert(raw_client_read(&client, "\r\n\r\n", interim, sizeof(interim), deadline_in_ms(5000)));
    cr_assert_str_eq(interim, "HTTP/1.1 100 Continue\r\n\r\n");
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

Test(leaving, a_client_that_hangs_up_in_the_middle_of_a_large_message_does_not_get_it)
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

enum { UNREAD_BYTES = 128 << 10 };

/* A message that the kernel has taken and the narrow client has not. */
static void deliver_unread(uint32_t slot)
{
    static char body[UNREAD_BYTES];
    memset(body, 'y', sizeof(body));
    stage_deliver(&stage, slot, body, sizeof(body));
    char some[512];
    cr_assert(raw_client_read(&client, "\r\n\r\n", some, sizeof(some), deadline_in_ms(5000)));
    cr_assert(stage_is_quiet(&stage), "a verdict before the client's side has acknowledged");
}

static uint32_t narrow_get(const char *text)
{
    raw_client_connect_narrow(&client, stage.port);
    cr_assert(raw_client_say(&client, text));
    return stage_wait(&stage);
}

static uint32_t half_closed_unread(void)
{
    uint32_t slot = narrow_get(GET("/text"));
    raw_client_half_close(&client);
    deliver_unread(slot);
    return slot;
}

Test(leaving, a_half_closed_client_that_closes_over_unread_bytes_does_not_get_them)
{
    uint32_t slot = half_closed_unread();
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_half_closed_client_that_reads_slowly_gets_its_message)
{
    static char rest[256 << 10];
    uint32_t slot = half_closed_unread();
    (void)raw_client_read(&client, NULL, rest, sizeof(rest), deadline_in_ms(5000));
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(leaving, a_half_closed_client_that_reads_no_further_does_not_get_its_message)
{
    scene_change(&(struct stage_settings){.write_timeout_ms = 100});
    uint32_t slot = half_closed_unread();
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_client_that_reads_no_further_is_cut_off_and_its_message_goes_back)
{
    scene_change(&(struct stage_settings){.write_timeout_ms = 100});
    raw_client_connect_narrow(&client, stage.port);
    cr_assert(raw_client_say(&client, GET("/text")));
    uint32_t slot = stage_wait(&stage);
    deliver_large(slot);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_client_that_sends_on_and_reads_no_answer_is_cut_off)
{
    scene_change(&(struct stage_settings){.write_timeout_ms = 100});
    raw_client_connect_narrow(&client, stage.port);
    while (raw_client_say(&client, GET("/nope")))
        ; /* until the answers fill what lies between, it is heard */
}

/* ---- connections that end with the answer ---- */

/* Read to the end: how many bytes of the message came. */
static size_t rest_of_message(void)
{
    char some[4096];
    size_t n = 0;
    ssize_t got;
    while ((got = recv(client.fd, some, sizeof(some), 0)) > 0)
        n += (size_t)got;
    cr_assert_eq(got, 0, "reset");
    return n;
}

Test(leaving, a_last_answer_is_whole_although_a_request_was_sent_behind_it)
{
    uint32_t slot = narrow_get("GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    cr_assert(raw_client_say(&client, GET("/text")));
    deliver_unread(slot);
    cr_assert_gt(rest_of_message(), UNREAD_BYTES - 512, "cut short");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(leaving, a_client_that_resets_before_the_end_of_a_last_answer_does_not_get_it)
{
    uint32_t slot = narrow_get("GET /text HTTP/1.0\r\n\r\n");
    deliver_unread(slot);
    raw_client_reset(&client);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_client_that_closes_behind_its_last_answer_has_got_it)
{
    uint32_t slot = narrow_get("GET /text HTTP/1.0\r\n\r\n");
    stage_deliver(&stage, slot, "x", 1);
    reply_read(&reply, &client, true);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(leaving, a_get_whose_next_request_is_already_here_is_answered_first)
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

Test(leaving, a_request_sent_ahead_is_served_after_the_one_that_waits)
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

/* ---- a unix socket ---- */

static void unix_client(struct raw_client *local, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(local->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static uint32_t unix_get(char *path, const char *text)
{
    cr_assert(mkdtemp(path));
    strcat(path, "/socket");
    scene_change(&(struct stage_settings){.unix_path = path});
    unix_client(&client, path);
    cr_assert(raw_client_say(&client, text));
    return stage_wait(&stage);
}

static void unix_done(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

Test(leaving, a_client_on_a_unix_socket_gets_its_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path, GET("/consume"));
    raw_client_half_close(&client);
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_str_eq(reply.body, "{\"a\":1}");
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    unix_done(path);
}

Test(leaving, a_client_on_a_unix_socket_gets_its_last_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path, "GET /consume HTTP/1.0\r\n\r\n");
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    reply_read(&reply, &client, true);
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
    unix_done(path);
}

Test(leaving, a_client_that_closes_its_unix_socket_over_its_last_message_does_not_get_it)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path, "GET /consume HTTP/1.0\r\n\r\n");
    stage_deliver(&stage, slot, "{\"a\":1}", 7);
    char first;
    cr_assert_eq(recv(client.fd, &first, 1, 0), 1);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
    unix_done(path);
}

Test(leaving, a_client_that_left_its_unix_socket_gets_no_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path, GET("/consume"));
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    unix_done(path);
}
