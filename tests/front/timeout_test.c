/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "scene.h"

TestSuite(timeout, .init = scene_open, .fini = scene_close, .timeout = 30);

static void cut_off(const struct stage_settings *settings, const char *text, int status)
{
    scene_change(settings);
    stage_say(&stage, &client, text);
    if (status) {
        reply_read(&reply, &client, true);
        cr_assert_eq(reply.status, status);
    }
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
}

Test(timeout, a_head_that_does_not_end_is_408)
{
    cut_off(&(struct stage_settings){.read_header_timeout_ms = 50}, "GET /consume HT", 408);
    cr_assert(reply_has(&reply, "X-Leveret-Outcome: request-timeout"));
}

Test(timeout, a_body_that_does_not_end_is_408_and_not_published)
{
    cut_off(&(struct stage_settings){.read_timeout_ms = 50}, POST("/produce/x", 9) "half", 408);
    cr_assert(stage_is_quiet(&stage));
}

/* Time itself is what has to pass. */
static void pass_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* Stopped between two looks: it has a time-out to see and the rest of the body to read. */
Test(timeout, a_body_that_ends_after_its_408_is_not_published)
{
    scene_change(&(struct stage_settings){.read_timeout_ms = 200});
    stage_say(&stage, &client, POST("/produce/x", 8) "half");
    pass_ms(60); /* some sweeps: it is known that there is a body to wait for */
    stage_freeze(&stage);
    cr_assert(raw_client_say(&client, "more"));
    pass_ms(300);
    stage_thaw(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 408);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
    cr_assert(stage_is_quiet(&stage), "published after all");
}

Test(timeout, an_idle_connection_is_closed_without_a_word)
{
    cut_off(&(struct stage_settings){.idle_timeout_ms = 50}, "", 0);
}

Test(timeout, a_connection_is_not_idle_while_it_waits_for_a_message)
{
    scene_change(&(struct stage_settings){.idle_timeout_ms = 50,
        .read_header_timeout_ms = 50,
        .read_timeout_ms = 50,
        .write_timeout_ms = 50,
        .timeout_ms = 300});
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot, "it was cut off before its deadline");
}

/* The index of one of the clients that hears something. */
static int first_to_hear(const struct raw_client *clients, int n)
{
    struct pollfd fds[64];
    for (int i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    cr_assert_gt(poll(fds, (nfds_t)n, STAGE_WAIT_MS), 0, "nobody was refused");
    for (int i = 0; i < n; i++)
        if (fds[i].revents)
            return i;
    return -1;
}

Test(timeout, bodies_that_are_too_much_together_cost_one_of_them_a_503)
{
    enum { N = 24, SENT = 1000000 };
    static char body[SENT];
    struct raw_client clients[N];
    for (int i = 0; i < N; i++) {
        stage_say(&stage, &clients[i], POST("/produce/x", 1048576));
        (void)raw_client_send(&clients[i], body, sizeof(body)); /* refused ones say it below */
    }
    reply_read(&reply, &clients[first_to_hear(clients, N)], true);
    cr_assert_eq(reply.status, 503);
    cr_assert(strstr(reply.body, "/problems/busy"));
    cr_assert(reply_has(&reply, "Retry-After: 1"));
    cr_assert(stage_is_quiet(&stage));
    for (int i = 0; i < N; i++)
        raw_client_close(&clients[i]);
    raw_client_connect(&client, stage.port);
    next_request_works();
}

Test(timeout, a_client_over_the_bound_waits_until_another_leaves)
{
    scene_change(&(struct stage_settings){.max_connections = 1});
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
