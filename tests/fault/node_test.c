/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker does as a whole: an alarm of its memory, and its patience with those who take
 * long over an ack. Each test sets the node of its run to that and back, so they run alone.
 */
#include "tests/integration/expect.h"

#include <stdlib.h>
#include "tests/support/alarm.h"
#include "tests/support/erlang.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(node_fault, .timeout = 180);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "node.json");
    scene_await_bindings(&scene, "all", 1);
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "{}", .body_bytes = 2});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void expect_get(const char *body)
{
    struct http_answer answer = scene_get(&scene, "/in");
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

static void clear_alarm(void)
{
    alarm_clear();
}

/* RabbitMQ says that it is blocked to who has published, behind the first message: nobody knows
 * whether that one was read. */
Test(node_fault, an_alarm_is_503_to_those_who_publish_and_nothing_to_those_who_consume,
    .fini = clear_alarm)
{
    enum { N = 5 };
    begin("alarm");
    for (int i = 0; i < N; i++)
        scene_publish(&scene, "all", "k", "{\"n\":1}");
    alarm_raise();
    struct http_answer answer = scene_post(&scene, "/out", "{\"n\":2}");
    expect_problem(&answer, 504, "outcome-unknown");
    http_answer_done(&answer);
    for (int i = 0; i < N; i++) {
        answer = scene_post(&scene, "/out", "not sent");
        expect_problem(&answer, 503, "broker-blocked");
        expect_header(&answer, "Retry-After", "1");
        http_answer_done(&answer);
    }
    expect_get("{}");
    for (int i = 0; i < N; i++)
        expect_get("{\"n\":1}"); /* each ack makes room for the next: acks go through */
    alarm_clear();
    answer = scene_do_when_up(&scene, "/out",
        &(struct http_request){.method = "POST", .body = "{\"n\":3}", .body_bytes = 7});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    expect_get("{\"n\":2}"); /* it was read after all */
    expect_get("{\"n\":3}");
    cr_assert_eq(scene_stop_and_count(&scene, "all", 0), 0);
    scene_close(&scene);
}

static void be_patient(void)
{
    erlang_evaluate("ok = application:set_env(rabbit, consumer_timeout, 1800000), "
                    "ok = application:set_env(rabbit, channel_tick_interval, 60000).");
}

/* A message that cannot be decoded is held for longer than the broker waits. */
Test(node_fault, a_consumer_that_the_broker_gives_up_as_too_slow_comes_back_by_itself,
    .fini = be_patient)
{
    erlang_evaluate("ok = application:set_env(rabbit, consumer_timeout, 500), "
                    "ok = application:set_env(rabbit, channel_tick_interval, 200).");
    begin("too_slow");
    expect_get("{}");
    scene_publish(&scene, "all", "k", "no JSON");
    autofree char *log = NULL;
    struct http_answer answer;
    do { /* it is held for longer each time, in the end for longer than the broker looks away */
        answer = scene_get(&scene, "/in");
        expect_problem(&answer, 502, "undecodable");
        http_answer_done(&answer);
        free(log);
        log = sidecar_log(&scene.sidecar);
    } while (!strstr(log, "timed out"));
    scene_publish(&scene, "all", "k", "{\"n\":1}");
    int n_undecodable = 0; /* the one that came back with its channel */
    while (answer = scene_get(&scene, "/in"), answer.status == 502) {
        cr_assert_leq(++n_undecodable, 3);
        http_answer_done(&answer);
    }
    expect_status(&answer, 200);
    expect_body(&answer, "{\"n\":1}");
    http_answer_done(&answer);
    cr_assert_eq(scene_stop_and_count(&scene, "all", 1), 1);
    scene_close(&scene);
}
