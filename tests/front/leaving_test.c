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

Test(leaving, a_client_that_closed_while_it_waited_gets_no_message)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    raw_client_close(&client);
    stage_deliver(&stage, slot, "{}", 2);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_client_that_closed_with_its_next_request_sent_ahead_gets_no_message)
{
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert(raw_client_say(&client, GET("/text")));
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
    stage_deliver(&stage, slot, "{}", 2);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
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

Test(leaving, a_half_closed_client_gets_its_message)
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

/* A half-closed client whose message the kernel has taken and the client has not. */
static uint32_t deliver_unread(void)
{
    static char body[128 << 10];
    memset(body, 'y', sizeof(body));
    raw_client_connect_narrow(&client, stage.port);
    cr_assert(raw_client_say(&client, GET("/text")));
    uint32_t slot = stage_wait(&stage);
    raw_client_half_close(&client);
    stage_deliver(&stage, slot, body, sizeof(body));
    char some[1024];
    cr_assert(raw_client_read(&client, "\r\n\r\n", some, sizeof(some), deadline_in_ms(5000)));
    cr_assert(stage_is_quiet(&stage), "a verdict before the client's side has acknowledged");
    return slot;
}

Test(leaving, a_half_closed_client_that_closes_over_unread_bytes_does_not_get_them)
{
    uint32_t slot = deliver_unread();
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_REQUEUE), slot);
}

Test(leaving, a_half_closed_client_that_reads_slowly_gets_its_message)
{
    static char rest[256 << 10];
    uint32_t slot = deliver_unread();
    (void)raw_client_read(&client, NULL, rest, sizeof(rest), deadline_in_ms(5000));
    cr_assert_eq(stage_take(&stage, LANE_ACK), slot);
}

Test(leaving, a_half_closed_client_that_reads_no_further_does_not_get_its_message)
{
    scene_change(&(struct stage_settings){.write_timeout_ms = 100});
    uint32_t slot = deliver_unread();
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

static uint32_t unix_get(char *path)
{
    cr_assert(mkdtemp(path));
    strcat(path, "/socket");
    scene_change(&(struct stage_settings){.unix_path = path});
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

Test(leaving, a_client_on_a_unix_socket_gets_its_message)
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

Test(leaving, a_client_that_left_its_unix_socket_gets_no_message)
{
    char path[64] = "/tmp/leveret-front-XXXXXX";
    uint32_t slot = unix_get(path);
    raw_client_close(&client);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    unix_done(path);
}
