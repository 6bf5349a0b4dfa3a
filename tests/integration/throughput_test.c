/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many messages through few connections, each exactly once; and bodies of every awkward size, byte
 * for byte, both ways.
 */
#include "expect.h"
#include "tests/support/ledger.h"
#include "tests/support/require.h"

enum { N_MESSAGES = 10000, N_CONNECTIONS = 32, MAX_BODY = 8 << 20 };

TestSuite(throughput, .timeout = 120);

static struct scene scene;

static void begin(const char *name, int n_workers)
{
    scene_open(&scene, name);
    autofree char *text = scene_configuration("bodies.json", scene.vhost.url);
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = text, .n_workers = n_workers});
    scene_await_bindings(&scene, "bodies", 1);
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "up", .body_bytes = 2});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void post_all(struct ledger *ledger, int n)
{
    struct load load = ledger_posts(ledger, &scene, "/out", N_CONNECTIONS);
    load.n_requests = n;
    load_run(&load);
    cr_assert_eq(ledger->n_posts[200], n, "%d of %d answered with 200", ledger->n_posts[200], n);
}

static void get_each_once(struct ledger *ledger)
{
    struct ledger_verdict verdict;
    struct load load = ledger_gets(ledger, &scene, "/in", N_CONNECTIONS);
    load.n_requests = ledger->n;
    load_run(&load);
    cr_assert_eq(ledger->n_gets[200], ledger->n, "%d of %d answered with 200", ledger->n_gets[200],
        ledger->n);
    ledger_close(ledger, &(struct ledger_rules){0}, &verdict);
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
}

/* A broker that finds fault with what we say closes the connection; all would be there even so. */
static void expect_connections_kept(void)
{
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "broker-lost"), "%s", log);
}

static void all_go_through_once(int n)
{
    struct ledger ledger;
    ledger_init(&ledger, 0);
    post_all(&ledger, n);
    get_each_once(&ledger);
    expect_connections_kept();
    ledger_done(&ledger);
}

Test(throughput, ten_thousand_messages_go_through_32_connections_once_each)
{
    begin("ten_thousand", 1);
    all_go_through_once(N_MESSAGES);
    scene_end(&scene);
}

Test(throughput, two_workers_share_a_load_without_loss)
{
    begin("two_workers", 2);
    all_go_through_once(N_MESSAGES / 5);
    scene_end(&scene);
}

/*
 * RabbitMQ 3.10 ends the connection with 541 when a consumer is cancelled before its consume-ok was
 * sent, as it is when demand rises in two steps at once.
 */
Test(throughput, a_sudden_demand_does_not_cost_the_connection)
{
    begin("sudden", 1);
    for (int round = 0; round < 5; round++) {
        struct ledger ledger;
        ledger_init(&ledger, 0);
        post_all(&ledger, 10 * N_CONNECTIONS);
        await(amqp_client_consumers(&scene.amqp, "bodies") == 0, 10000, "it still consumes");
        get_each_once(&ledger);
        ledger_done(&ledger);
    }
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "broker-lost"), "%s", strstr(log, "broker-lost"));
    scene_end(&scene);
}

/* Every byte value, NUL and 0xFF among the first and the last. */
static uint8_t *body_of(size_t n)
{
    uint8_t *body = malloc(n + 1);
    cr_assert_not_null(body);
    for (size_t i = 0; i < n; i++)
        body[i] = (uint8_t)(i % 2 == 0 ? 0xff - i / 2 : i / 2);
    return body;
}

static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 300 << 10, MAX_BODY};

Test(throughput, a_posted_body_is_on_the_queue_byte_for_byte)
{
    begin("bodies_out", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *body = body_of(sizes[i]);
        struct http_answer answer = scene_do_when_up(&scene, "/out",
            &(struct http_request){.method = "POST", .body = body, .body_bytes = sizes[i]});
        expect_status(&answer, 200);
        http_answer_done(&answer);
        struct amqp_received received;
        cr_assert(amqp_client_take(&scene.amqp, "bodies", AMQP_CLIENT_TIMEOUT_MS, &received));
        cr_assert_eq(received.message.body.len, sizes[i], "%zu", received.message.body.len);
        cr_assert(sizes[i] == 0 || memcmp(received.message.body.bytes, body, sizes[i]) == 0,
            "a body of %zu bytes was changed", sizes[i]);
        amqp_received_done(&received);
        free(body);
    }
    scene_end(&scene);
}

Test(throughput, a_message_is_in_the_answer_byte_for_byte)
{
    begin("bodies_in", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *body = body_of(sizes[i]);
        amqp_client_publish(&scene.amqp,
            &(struct amqp_client_message){
                .exchange = "bodies", .routing_key = "body", .body = body, .body_bytes = sizes[i]});
        struct http_answer answer = scene_do_when_up(&scene, "/in", &(struct http_request){0});
        expect_status(&answer, 200);
        cr_assert_eq(answer.body_bytes, sizes[i], "%zu", answer.body_bytes);
        cr_assert(sizes[i] == 0 || memcmp(answer.body, body, sizes[i]) == 0,
            "a body of %zu bytes was changed", sizes[i]);
        http_answer_done(&answer);
        free(body);
    }
    scene_end(&scene);
}

Test(throughput, a_message_over_max_body_is_502_and_stays_and_lets_others_pass)
{
    begin("bodies_too_large", 1);
    uint8_t *body = body_of((64 << 10) + 1);
    amqp_client_publish(&scene.amqp, &(struct amqp_client_message){.exchange = "bodies",
                                         .routing_key = "body",
                                         .body = body,
                                         .body_bytes = (64 << 10) + 1});
    scene_publish(&scene, "bodies", "body", "small");
    struct http_answer answer = scene_get(&scene, "/small/in");
    expect_problem(&answer, 502, "too-large");
    http_answer_done(&answer);
    answer = scene_get(&scene, "/small/in");
    expect_status(&answer, 200);
    expect_body(&answer, "small");
    http_answer_done(&answer);
    cr_assert_eq(scene_stop_and_count(&scene, "bodies", 1), 1);
    scene_close(&scene);
    free(body);
}
