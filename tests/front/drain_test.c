/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/socket.h>

#include "scene.h"

TestSuite(drain, .init = scene_open, .fini = scene_close, .timeout = 30);

Test(drain, a_drain_without_clients_ends_at_once)
{
    stage_drain(&stage, 5000);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, a_drain_answers_what_is_in_flight_and_closes_what_is_idle)
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

/* It may be about to speak, and what it says would be lost. */
Test(drain, a_client_that_has_just_come_is_still_served)
{
    struct raw_client idle;
    stage_say(&stage, &idle, GET("/__health"));
    reply_read(&reply, &idle, true);
    raw_client_connect(&client, stage.port);
    stage_drain(&stage, 60000);
    cr_assert(raw_client_is_closed(&idle, deadline_in_ms(STAGE_WAIT_MS)));
    next_request_works();
    cr_assert(reply_has(&reply, "Connection: close"));
    cr_assert_eq(stage_exit_code(&stage), 0);
    raw_client_close(&idle);
}

Test(drain, a_client_that_says_nothing_does_not_outlast_the_drain)
{
    raw_client_connect(&client, stage.port);
    stage_drain(&stage, 500);
    cr_assert(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)));
    cr_assert_eq(stage_exit_code(&stage), 0);
}

/* Told to drain first, and then somebody comes. */
Test(drain, who_waits_in_the_line_is_let_in)
{
    stage_freeze(&stage);
    stage_drain(&stage, 5000);
    stage_say(&stage, &client, POST("/produce/x", 0));
    stage_thaw(&stage);
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, a_drain_lets_no_get_wait)
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

Test(drain, a_drain_whose_time_is_up_has_answered_everything)
{
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    stage_drain(&stage, 300);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 504);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, a_drain_may_be_told_again_with_another_deadline)
{
    stage_say(&stage, &client, POST("/produce/x", 0));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
    stage_drain(&stage, 60000);
    stage_drain(&stage, 300);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 504);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, a_request_that_is_already_here_is_answered)
{
    raw_client_connect(&client, stage.port);
    next_request_works();
    stage_freeze(&stage);
    cr_assert(raw_client_say(&client, POST("/produce/x", 0)));
    stage_drain(&stage, 5000);
    stage_thaw(&stage);
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, a_supervisor_that_dies_drains_its_front)
{
    cr_assert_eq(shutdown(stage.control, SHUT_RDWR), 0);
    cr_assert_eq(stage_exit_code(&stage), 0);
}

Test(drain, signals_are_for_the_supervisor)
{
    cr_assert_eq(kill(stage.front, SIGTERM), 0);
    cr_assert_eq(kill(stage.front, SIGINT), 0);
    raw_client_connect(&client, stage.port);
    next_request_works();
}
