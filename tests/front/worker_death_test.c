/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "shm/control.h"

#include "scene.h"

TestSuite(worker_death, .init = scene_open, .fini = scene_close, .timeout = 30);

Test(worker_death, a_get_that_waits_is_given_to_the_next_worker)
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

Test(worker_death, a_post_that_was_not_sent_is_given_to_the_next_worker)
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

Test(worker_death, a_post_that_was_sent_is_a_504_when_its_worker_dies)
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

Test(worker_death, while_a_worker_is_dead_a_request_hears_so_at_once)
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

Test(worker_death, a_worker_that_lies_is_reported)
{
    cr_assert_eq(ring_push(&stage.worker.replies, LANE_ENTRY(LANE_DONE, 200, 9)), RING_OK);
    stage_ring(&stage);
    struct control_message message = stage_control_message(&stage);
    cr_assert_eq(message.kind, CONTROL_COMPLAINT);
    cr_assert_eq(message.worker, 0);
    cr_assert_str_not_empty(message.reason);
}

Test(worker_death, a_lane_that_cannot_be_joined_is_complained_about)
{
    stage_worker_kill(&stage);
    stage_lane_is_none(&stage);
    struct control_message complaint = stage_control_message(&stage);
    cr_assert_eq(complaint.kind, CONTROL_COMPLAINT, "nobody else would ever know");
    cr_assert_eq(complaint.worker, 0);
    stage_worker_start(&stage);
    stage_say(&stage, &client, POST("/produce/x", 0));
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

/* More than the kernel takes for a client that does not read. */
static void begin_to_read_large(struct raw_client *reader)
{
    static char body[8 << 20];
    char head[1024];
    memset(body, 'x', sizeof(body));
    raw_client_connect_narrow(reader, stage.port);
    cr_assert(raw_client_say(reader, GET("/text")));
    stage_deliver(&stage, stage_wait(&stage), body, sizeof(body));
    cr_assert(
        raw_client_read(reader, "\r\n\r\n", head, sizeof(head), deadline_in_ms(STAGE_WAIT_MS)));
}

Test(worker_death, whoever_reads_out_of_an_older_dead_lane_is_cut_off_when_the_next_one_dies)
{
    enum { N = 3 };
    struct raw_client readers[N];
    for (int i = 0; i < N; i++) {
        begin_to_read_large(&readers[i]);
        stage_worker_kill(&stage);
        stage_worker_start(&stage);
        if (i > 0)
            cr_assert(raw_client_is_closed(&readers[i - 1], deadline_in_ms(STAGE_WAIT_MS)));
    }
    stage_say(&stage, &client, POST("/produce/x", 0));
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    for (int i = 0; i < N; i++)
        raw_client_close(&readers[i]);
}
