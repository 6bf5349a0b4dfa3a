/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

TestSuite(consume, .init = scene_open, .fini = scene_close, .timeout = 30);

Test(consume, a_message_is_acked_after_it_was_written)
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

Test(consume, an_empty_message_is_delivered_and_acked)
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

Test(consume, an_empty_queue_is_204_at_the_deadline)
{
    scene_change(&(struct stage_settings){.timeout_ms = 400});
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

Test(consume, a_queue_that_was_not_listened_to_is_503_at_the_deadline)
{
    scene_change(&(struct stage_settings){.timeout_ms = 400});
    stage_say(&stage, &client, GET("/consume"));
    uint32_t slot = stage_wait(&stage);
    cr_assert_eq(stage_take(&stage, LANE_CANCEL), slot);
    fake_worker_done(
        &stage.worker, slot, SLOT_CANCELLED, &(struct slot_reply){.outcome = OUTCOME_CANCELLED});
    stage_ring(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
}

Test(consume, a_worker_that_is_silent_does_not_hold_up_the_answer)
{
    scene_change(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, GET("/consume"));
    stage_wait(&stage);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
    next_request_works();
}

Test(consume, two_queues_are_merged_and_both_acked)
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

Test(consume, one_queue_of_two_is_enough_at_85_percent_of_the_timeout)
{
    scene_change(&(struct stage_settings){.timeout_ms = 200});
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
