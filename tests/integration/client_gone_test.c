/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message is acked once the answer that carries it was written to a client that was still there.
 * Clients that leave earlier, in every way there is, cost no message.
 */
#include "expect.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { LARGE = 8 << 20, N_CLIENTS = 200 };

TestSuite(client_gone, .timeout = 60);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "plain.json");
    scene_await_bindings(&scene, "plain", 1);
    struct http_answer up = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "up", .body_bytes = 2});
    expect_status(&up, 200);
    http_answer_done(&up);
    amqp_client_purge(&scene.amqp, "plain");
}

static void end_with(int n_left)
{
    int n = scene_stop_and_count(&scene, "plain", n_left);
    cr_assert_eq(n, n_left, "%d messages are left instead of %d", n, n_left);
    scene_close(&scene);
}

static void ask(struct raw_client *client)
{
    raw_client_connect(client, scene.sidecar.port);
    cr_assert(raw_client_say(client, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void expect_next_get(const char *body)
{
    struct http_answer answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

static void leaves_before_a_message_comes(void (*leave)(struct raw_client *client))
{
    struct raw_client client;
    ask(&client);
    await(amqp_client_consumers(&scene.amqp, "plain") == 1, 10000, "no consumer");
    leave(&client);
    scene_publish(&scene, "plain", "k", "for the next one");
    expect_next_get("for the next one");
    end_with(0);
}

Test(client_gone, one_that_closes_before_a_message_comes_costs_nothing)
{
    begin("close_before");
    leaves_before_a_message_comes(raw_client_close);
}

Test(client_gone, one_that_resets_before_a_message_comes_costs_nothing)
{
    begin("reset_before");
    leaves_before_a_message_comes(raw_client_reset);
}

/*
 * While `frozen` stands still two hundred clients ask, with a message for each on the queue, and
 * leave. So each of them has left before its answer could be written.
 */
static void two_hundred_leave(pid_t frozen, void (*leave)(struct raw_client *client))
{
    struct raw_client clients[N_CLIENTS];
    for (int i = 0; i < N_CLIENTS; i++)
        scene_publish(&scene, "plain", "k", "not for them");
    process_freeze(frozen);
    for (int i = 0; i < N_CLIENTS; i++)
        ask(&clients[i]);
    if (frozen != sidecar_front(&scene.sidecar))
        scene_let_front_read(&scene);
    for (int i = 0; i < N_CLIENTS; i++)
        leave(&clients[i]);
    process_thaw(frozen);
    scene_let_front_read(&scene);
    end_with(N_CLIENTS);
}

Test(client_gone, two_hundred_that_close_before_they_are_heard_cost_nothing)
{
    begin("close_unheard");
    two_hundred_leave(sidecar_front(&scene.sidecar), raw_client_close);
}

Test(client_gone, two_hundred_that_reset_before_they_are_heard_cost_nothing)
{
    begin("reset_unheard");
    two_hundred_leave(sidecar_front(&scene.sidecar), raw_client_reset);
}

Test(client_gone, two_hundred_that_close_before_the_worker_looks_cost_nothing)
{
    begin("close_unseen");
    two_hundred_leave(sidecar_worker(&scene.sidecar), raw_client_close);
}

Test(client_gone, two_hundred_that_reset_before_the_worker_looks_cost_nothing)
{
    begin("reset_unseen");
    two_hundred_leave(sidecar_worker(&scene.sidecar), raw_client_reset);
}

/* Has the beginning of 8 MB and cannot take more. */
static void begin_to_read_large(struct raw_client *client)
{
    uint8_t *body = malloc(LARGE);
    cr_assert_not_null(body);
    memset(body, 0xab, LARGE);
    amqp_client_publish(&scene.amqp,
        &(struct amqp_client_message){
            .exchange = "plain", .routing_key = "k", .body = body, .body_bytes = LARGE});
    free(body);
    char beginning[32768];
    raw_client_connect_narrow(client, scene.sidecar.port);
    cr_assert(raw_client_say(client, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(raw_client_read(client, "never", beginning, sizeof beginning, deadline_in_ms(10000)));
    cr_assert_eq(strncmp(beginning, "HTTP/1.1 200", 12), 0);
}

static void expect_large_again(void)
{
    struct http_answer answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    cr_assert_eq(answer.body_bytes, LARGE);
    http_answer_done(&answer);
    end_with(0);
}

Test(client_gone, one_that_closes_in_the_middle_of_8_mb_costs_nothing)
{
    begin("close_middle");
    struct raw_client client;
    begin_to_read_large(&client);
    raw_client_close(&client);
    expect_large_again();
}

Test(client_gone, one_that_resets_in_the_middle_of_8_mb_costs_nothing)
{
    begin("reset_middle");
    struct raw_client client;
    begin_to_read_large(&client);
    raw_client_reset(&client);
    expect_large_again();
}

Test(client_gone, one_that_never_reads_on_is_given_up_after_the_write_timeout)
{
    begin("never_reads");
    struct raw_client client;
    begin_to_read_large(&client);
    expect_large_again();
    raw_client_close(&client);
}

Test(client_gone, one_that_only_stops_sending_gets_its_answer)
{
    begin("half_closed");
    struct raw_client client;
    char answer[4096];
    ask(&client);
    raw_client_half_close(&client);
    await(amqp_client_consumers(&scene.amqp, "plain") == 1, 10000, "no consumer");
    scene_publish(&scene, "plain", "k", "for who still listens");
    cr_assert(raw_client_read(
        &client, "for who still listens", answer, sizeof answer, deadline_in_ms(10000)));
    raw_client_close(&client);
    end_with(0);
}
