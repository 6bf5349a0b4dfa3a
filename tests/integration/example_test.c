/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two examples of the gateway's page on RabbitMQ, to the letter but for the broker's address,
 * in a file of either version: what a user has is what works.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(example, .timeout = 60);

static struct scene scene;

static void begin(const char *name, const char *file)
{
    scene_open(&scene, name);
    scene_begin(&scene, file);
    scene_await_bindings(&scene, "queue-1", 1);
}

static void goes_round(const char *body)
{
    struct http_answer sent = scene_do_when_up(&scene, "/producer",
        &(struct http_request){.headers = "Content-Type: application/json\n",
            .body = body,
            .body_bytes = strlen(body)});
    expect_status(&sent, 200);
    expect_body(&sent, "{}");
    expect_header(&sent, "X-Krakend-Completed", "true");

    struct http_answer got = scene_do_when_up(&scene, "/consumer", &(struct http_request){0});
    expect_status(&got, 200);
    expect_body(&got, body);
    expect_header(&got, "Content-Type", "application/json; charset=utf-8");
    expect_header(&got, "X-Krakend-Completed", "true");
    http_answer_done(&sent);
    http_answer_done(&got);
}

/* As AMQP says it: a topic exchange has no other name for "none". */
static void has_the_empty_key(void)
{
    struct http_answer sent = scene_do_when_up(&scene, "/producer",
        &(struct http_request){.method = "POST", .body = "{}", .body_bytes = 2});
    expect_status(&sent, 200);
    http_answer_done(&sent);

    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "queue-1", &received));
    cr_assert_str_eq(received.exchange, "some-exchange");
    cr_assert_str_eq(received.routing_key, "");
    expect_text(received.message.body, "{}");
    amqp_received_done(&received);
}

static void sets_what_the_path_says(void)
{
    static const char body[] = "{\"x\":1}";
    struct http_answer sent = scene_do_when_up(&scene, "/produce/60000/reply.q/id-1/5/some.route",
        &(struct http_request){.headers = "Content-Type: application/json\nX-Request-Id: r-1\n",
            .body = body,
            .body_bytes = strlen(body)});
    expect_status(&sent, 200);
    expect_header(&sent, "X-Message-Id", "id-1");
    http_answer_done(&sent);

    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "queue-1", &received));
    const amqp_basic_properties_t *properties = &received.message.properties;
    cr_assert_str_eq(received.exchange, "some-exchange");
    cr_assert_str_eq(received.routing_key, "some.route");
    expect_text(received.message.body, body);
    expect_text(properties->expiration, "60000");
    expect_text(properties->reply_to, "reply.q");
    expect_text(properties->message_id, "id-1");
    cr_assert_eq(properties->priority, 5);
    expect_amqp_header(&received, "X-Request-Id", "r-1");
    amqp_received_done(&received);
}

static void gives_204_when_nothing_comes(void)
{
    struct http_answer got = scene_do_when_up(&scene, "/consumer", &(struct http_request){0});
    expect_status(&got, 204);
    cr_assert_eq(got.body_bytes, 0);
    cr_assert_geq(got.elapsed_ns, 1900 * CLOCK_MS);
    http_answer_done(&got);
}

Test(example, version_2_carries_a_body_from_post_to_get)
{
    begin("version_2_body", "example_v2.json");
    goes_round("{\"a\":1}");
    goes_round("{\"a\":[2.50,12345678901234567890123],\"b\":\"<&>\"}");
    scene_end(&scene);
}

Test(example, version_3_carries_a_body_from_post_to_get)
{
    begin("version_3_body", "example_v3.json");
    goes_round("{\"a\":1}");
    goes_round("{\"a\":[2.50,12345678901234567890123],\"b\":\"<&>\"}");
    scene_end(&scene);
}

Test(example, version_2_publishes_with_the_empty_key_where_there_is_none)
{
    begin("version_2_key", "example_v2.json");
    has_the_empty_key();
    scene_end(&scene);
}

Test(example, version_2_maps_the_path_to_properties)
{
    begin("version_2_path", "example_v2.json");
    sets_what_the_path_says();
    scene_end(&scene);
}

Test(example, version_3_publishes_with_the_empty_key_where_there_is_none)
{
    begin("version_3_key", "example_v3.json");
    has_the_empty_key();
    scene_end(&scene);
}

Test(example, version_3_maps_the_path_to_properties)
{
    begin("version_3_path", "example_v3.json");
    sets_what_the_path_says();
    scene_end(&scene);
}

Test(example, version_2_waits_for_a_message_as_long_as_the_endpoint_says)
{
    begin("version_2_wait", "example_v2.json");
    gives_204_when_nothing_comes();
    scene_end(&scene);
}

Test(example, version_3_waits_for_a_message_as_long_as_the_endpoint_says)
{
    begin("version_3_wait", "example_v3.json");
    gives_204_when_nothing_comes();
    scene_end(&scene);
}
