/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a consumer, one by one, where what they do is not in the answer alone. The file is one
 * of version 2.
 */
#include "expect.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { LARGE = 8 << 20, WAIT_MS = 10000 };

TestSuite(consumer_keys, .timeout = 60);

static struct scene scene;

static void await_queue(const char *queue)
{
    await(amqp_client_depth(&scene.amqp, queue) >= 0, WAIT_MS, "no queue %s", queue);
}

static void begin(const char *name, const char *queue)
{
    scene_open(&scene, name);
    scene_begin(&scene, "consumer_keys.json");
    await_queue(queue);
}

Test(consumer_keys, auto_ack_acks_before_the_answer_is_read_and_a_client_that_leaves_has_had_it)
{
    static char body[LARGE];
    struct raw_client client;
    char head[64];
    begin("at_most_once", "at-most-once");
    amqp_client_publish(&scene.amqp, &(struct amqp_client_message){.exchange = "",
                                         .routing_key = "at-most-once",
                                         .body = body,
                                         .body_bytes = sizeof body});
    raw_client_connect_narrow(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /at-most-once HTTP/1.1\r\nHost: a\r\n\r\n"));
    (void)raw_client_read(&client, "HTTP/1.1 200", head, sizeof head, deadline_in_ms(WAIT_MS));
    await(vhost_n_unacked(&scene.vhost, "at-most-once") == 0, WAIT_MS, "%d are not acked",
        vhost_n_unacked(&scene.vhost, "at-most-once"));
    raw_client_reset(&client);
    cr_assert_eq(scene_stop_and_count(&scene, "at-most-once", 0), 0);
    scene_close(&scene);
}

Test(consumer_keys, nack_discard_hands_what_is_not_json_to_the_dead_letter_exchange)
{
    begin("dead_letters", "discards");
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "dead", .is_durable = true});
    amqp_client_bind(&scene.amqp, "dead", "amq.fanout", "");
    scene_publish(&scene, "", "discards", "no JSON");
    struct http_answer answer = scene_do_when_up(&scene, "/discards", &(struct http_request){0});
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
    struct amqp_received dead;
    cr_assert(amqp_client_take(&scene.amqp, "dead", WAIT_MS, &dead));
    expect_text(dead.message.body, "no JSON");
    expect_amqp_header(&dead, "x-first-death-reason", "rejected");
    amqp_received_done(&dead);
    cr_assert_eq(scene_stop_and_count(&scene, "discards", 0), 0);
    scene_close(&scene);
}

static void expect_empty(const char *path)
{
    struct http_answer answer = scene_do_when_up(&scene, path, &(struct http_request){0});
    expect_status(&answer, 204);
    http_answer_done(&answer);
}

Test(consumer_keys, idle_release_says_how_long_an_idle_queue_is_listened_to)
{
    begin("idle_release", "keeps");
    await_queue("releases");
    expect_empty("/keeps");
    expect_empty("/releases");
    await(amqp_client_consumers(&scene.amqp, "releases") == 0, WAIT_MS, "it still consumes");
    cr_assert_eq(amqp_client_consumers(&scene.amqp, "keeps"), 1, "0 is for ever");
    scene_publish(&scene, "", "releases", "stays");
    scene_publish(&scene, "", "keeps", "comes");
    cr_assert_eq(amqp_client_depth(&scene.amqp, "releases"), 1);
    await(amqp_client_depth(&scene.amqp, "keeps") == 0, WAIT_MS, "it does not come");
    cr_assert_eq(scene_stop_and_count(&scene, "keeps", 1), 1, "it is not given back");
    scene_close(&scene);
}
