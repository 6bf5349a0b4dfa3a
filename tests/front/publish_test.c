/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/message.h"

#include "scene.h"

TestSuite(publish, .init = scene_open, .fini = scene_close, .timeout = 30);

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

Test(publish, a_confirmed_post_is_200_with_its_message_id)
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

/* As many fields as the library takes, as many bytes as the plan allows. */
Test(publish, the_largest_head_is_served)
{
    enum { HEAD_BYTES = 8192, N_SHORT_FIELDS = 97 };
    static char head[HEAD_BYTES + 1], value[HEAD_BYTES]; /* both end with a NUL */
    int n = snprintf(
        head, sizeof(head), "POST /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n");
    for (int i = 0; i < N_SHORT_FIELDS; i++)
        n += snprintf(head + n, sizeof(head) - (size_t)n, "X-%d: %d\r\n", i, i);
    memset(value, 'v', HEAD_BYTES - (size_t)n - strlen("X-Long: \r\n\r\n"));
    (void)snprintf(head + n, sizeof(head) - (size_t)n, "X-Long: %s\r\n\r\n", value); /* fits */
    cr_assert_eq(strlen(head), HEAD_BYTES);
    stage_say(&stage, &client, head);
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(publish, an_unroutable_post_is_a_422_problem)
{
    stage_say(&stage, &client, POST("/produce/nowhere", 0));
    stage_publish(&stage, OUTCOME_UNROUTABLE);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 422);
    cr_assert(reply_has(&reply, "Content-Type: application/problem+json"));
    cr_assert(strstr(reply.body, "/problems/unroutable"));
    next_request_works();
}

Test(publish, a_large_body_arrives_byte_for_byte)
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

Test(publish, a_chunked_body_is_published_and_the_connection_stays)
{
    stage_say(&stage, &client,
        "POST /produce/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    cr_assert_eq(ref.length, 5);
    cr_assert_arr_eq(lane_request_bytes(&stage.worker.lane, slot, ref), "abcde", 5);
    stage_publish_taken(&stage, slot, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
    next_request_works();
}

Test(publish, a_post_that_nobody_confirms_is_a_504_at_its_deadline)
{
    scene_change(&(struct stage_settings){.timeout_ms = 50});
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

Test(publish, a_post_that_no_worker_claims_is_a_503_at_its_deadline)
{
    scene_change(&(struct stage_settings){.timeout_ms = 50});
    stage_say(&stage, &client, POST("/produce/x", 0));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 503);
    cr_assert(reply_has(&reply, "Retry-After: 1"));
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    cr_assert_not(fake_worker_move(&stage.worker, slot, SLOT_READY, SLOT_CLAIMED));
}

Test(publish, a_client_that_came_before_the_worker_is_served)
{
    scene_change(&(struct stage_settings){.early = &client, .early_text = POST("/produce/x", 0)});
    stage_publish(&stage, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

Test(publish, pipelined_posts_are_answered_in_order)
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
