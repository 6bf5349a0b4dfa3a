/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker is away, comes back, stands still: a client is told at once what was never sent, and
 * told so when nobody can know. These tests stop the broker of their run, so they run alone.
 */
#include "expect.h"
#include "tests/support/broker_control.h"
#include "tests/support/port.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"
#include "tests/support/settle.h"

/* Half of the endpoints' timeout: what was answered sooner has not waited for anybody. */
enum { AT_ONCE_MS = 1000 };

static struct scene scene;

static void restore(void)
{
    broker_do(BROKER_RESTORE);
}

TestSuite(broker_away, .init = restore, .timeout = 120);

static struct http_answer post(const char *body)
{
    return scene_post(&scene, "/out", body);
}

static void post_when_up(void)
{
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "up", .body_bytes = 2});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "brief.json");
    scene_await_bindings(&scene, "brief", 1);
    post_when_up();
    amqp_client_purge(&scene.amqp, "brief");
}

static void expect_at_once(const struct http_answer *answer)
{
    cr_assert_leq(answer->elapsed_ns, AT_ONCE_MS * CLOCK_MS, "after %llu ms",
        (unsigned long long)(answer->elapsed_ns / CLOCK_MS));
}

static void expect_down(struct http_answer *answer)
{
    expect_problem(answer, 503, "broker-down");
    char retry_after[16];
    cr_assert_not_null(http_header(answer, "Retry-After", retry_after, sizeof retry_after));
    cr_assert_gt(atoi(retry_after), 0);
    http_answer_done(answer);
}

static void reconnect_client(void)
{
    amqp_client_done(&scene.amqp);
    amqp_client_init(&scene.amqp, scene.vhost.url);
}

Test(broker_away, it_starts_before_its_broker_says_503_at_once_and_works_when_it_comes)
{
    scene_open(&scene, "start_first");
    amqp_client_done(&scene.amqp);
    broker_do(BROKER_KILL);
    scene_begin(&scene, "brief.json");
    struct http_answer answer = post("x");
    expect_at_once(&answer);
    expect_down(&answer);
    answer = scene_get(&scene, "/in");
    expect_down(&answer);
    broker_do(BROKER_START);
    scene_await_bindings(&scene, "brief", 1);
    post_when_up();
    answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    expect_body(&answer, "up");
    http_answer_done(&answer);
    amqp_client_init(&scene.amqp, scene.vhost.url);
    scene_end(&scene);
}

Test(broker_away, it_tries_every_host_in_turn)
{
    scene_open(&scene, "hosts");
    autofree char *hosts = format_text("amqp://guest:guest@127.0.0.1:%u/%s\", \"%s", port_reserve(),
        scene.vhost.name, scene.vhost.url);
    autofree char *text = scene_configuration("brief.json", hosts);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    scene_await_bindings(&scene, "brief", 1);
    post_when_up();
    scene_end(&scene);
}

Test(broker_away, it_reconnects_when_its_connections_are_closed)
{
    begin("closed");
    await(vhost_close_connections(&scene.vhost) >= 2, 10000, "the broker lists no connections");
    reconnect_client();
    post_when_up();
    struct http_answer answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(broker_away, a_frozen_broker_is_504_for_what_was_sent_and_503_at_once_from_then_on)
{
    begin("frozen");
    broker_do(BROKER_FREEZE);
    struct http_answer answer = post("sent into the cold");
    expect_problem(&answer, 504, "outcome-unknown");
    expect_in_body(&answer, "\"message_id\":\"");
    cr_assert_gt(answer.elapsed_ns, AT_ONCE_MS * CLOCK_MS, "it does wait for the confirm");
    http_answer_done(&answer);
    for (int i = 0; i < 3; i++) {
        answer = post("not sent");
        expect_problem(&answer, 503, "broker-stalled");
        expect_at_once(&answer);
        http_answer_done(&answer);
    }
    broker_do(BROKER_THAW);
    post_when_up();
    struct amqp_received received;
    cr_assert(amqp_client_get(&scene.amqp, "brief", &received));
    expect_text(received.message.body, "sent into the cold");
    amqp_received_done(&received);
    cr_assert(amqp_client_get(&scene.amqp, "brief", &received));
    expect_text(received.message.body, "up");
    amqp_received_done(&received);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "brief"), 0, "what got a 503 was sent after all");
    scene_end(&scene);
}

/* The two that the gateway tells apart: written to the socket, and not. */
Test(broker_away, a_frozen_broker_is_200_and_then_500_where_the_gateways_answers_are_wanted)
{
    begin("frozen_gateway");
    sidecar_stop(&scene.sidecar);
    cr_assert_eq(setenv("LEVERET_TEST_COMPATIBILITY", "krakend", 1), 0);
    scene_begin(&scene, "brief.json");
    struct http_answer answer;
    await((answer = post("up"), answer.status == 200) || (http_answer_done(&answer), 0), 10000,
        "it is not up");
    http_answer_done(&answer);
    broker_do(BROKER_FREEZE);
    answer = post("sent into the cold");
    expect_status(&answer, 200);
    expect_body(&answer, "null");
    expect_header(&answer, "X-Leveret-Outcome", "outcome-unknown");
    cr_assert_gt(answer.elapsed_ns, AT_ONCE_MS * CLOCK_MS, "it does wait for the confirm");
    http_answer_done(&answer);
    answer = post("not sent");
    expect_status(&answer, 500);
    expect_body(&answer, "");
    expect_header(&answer, "X-Leveret-Outcome", "broker-stalled");
    expect_at_once(&answer);
    http_answer_done(&answer);
    broker_do(BROKER_THAW);
    scene_end(&scene);
}

Test(broker_away, a_killed_broker_keeps_what_was_confirmed)
{
    enum { N = 10 };
    begin("killed");
    for (int i = 0; i < N; i++)
        post_when_up();
    settle_declarations();
    broker_do(BROKER_KILL);
    struct http_answer answer = post("nobody there");
    cr_assert(answer.status == 503 || answer.status == 504, "status %d", answer.status);
    http_answer_done(&answer);
    broker_do(BROKER_START);
    reconnect_client();
    cr_assert_eq(amqp_client_depth(&scene.amqp, "brief"), N);
    post_when_up();
    scene_end(&scene);
}

Test(broker_away, a_waiting_get_outlives_the_brokers_restart)
{
    begin("patient");
    autofree char *url = format_text("%s/in/patient", scene.sidecar.url);
    struct http_call *call = http_begin(&(struct http_request){.url = url, .timeout_ms = 40000});
    await(amqp_client_consumers(&scene.amqp, "brief") == 1, 10000, "no consumer");
    broker_do(BROKER_KILL);
    broker_do(BROKER_START);
    reconnect_client();
    scene_await_bindings(&scene, "brief", 1); /* the broker may have lost fresh ones, settle.h */
    scene_publish(&scene, "brief", "brief", "after the restart");
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 200);
    expect_body(&answer, "after the restart");
    http_answer_done(&answer);
    scene_end(&scene);
}

/* And not after the drain's time: sidecar_stop() waits for a quarter of that. */
Test(broker_away, sigterm_is_obeyed_while_the_broker_stands_still)
{
    cr_assert_eq(setenv("LEVERET_TEST_DRAIN", "60s", 1), 0);
    begin("frozen_term");
    broker_do(BROKER_FREEZE);
    autofree char *url = format_text("%s/out", scene.sidecar.url);
    struct http_call *call = http_begin(
        &(struct http_request){.method = "POST", .url = url, .body = "x", .body_bytes = 1});
    struct http_answer answer;
    http_end(call, &answer);
    expect_problem(&answer, 504, "outcome-unknown");
    http_answer_done(&answer);
    sidecar_stop(&scene.sidecar);
    broker_do(BROKER_THAW);
    scene_close(&scene);
}
