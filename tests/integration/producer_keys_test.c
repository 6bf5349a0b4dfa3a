/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a producer, one by one: what each makes of a POST, on the queue and in the answer.
 * The file is one of version 2.
 */
#include "expect.h"
#include <amqp_framing.h>
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(producer_keys, .timeout = 60);

static struct scene scene;

/* A queue `in` that gets whatever is published to either exchange. */
static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_declare_exchange(&scene.amqp, "fleeting", "topic", false);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "in", .is_durable = true});
    amqp_client_bind(&scene.amqp, "in", "things", "#");
    amqp_client_bind(&scene.amqp, "in", "fleeting", "#");
    scene_begin(&scene, "producer_keys.json");
}

static void end(void)
{
    cr_assert_eq(amqp_client_depth(&scene.amqp, "in"), 0, "something else was published");
    scene_end(&scene);
}

static struct http_answer post(const char *path, const char *headers, const char *body)
{
    return scene_do_when_up(&scene, path,
        &(struct http_request){
            .method = "POST", .headers = headers, .body = body, .body_bytes = strlen(body)});
}

/* What was published, if the answer is that status. */
static struct amqp_received sent(const char *path, const char *headers, int status)
{
    struct amqp_received received;
    struct http_answer answer = post(path, headers, "body");
    expect_status(&answer, status);
    http_answer_done(&answer);
    cr_assert(amqp_client_take(&scene.amqp, "in", 10000, &received), "%s: nothing", path);
    return received;
}

static const struct {
    const char *path, *routing_key;
} keys[] = {
    {"/static/value", "Route"},
    {"/dynamic/value/key", "value"},
    {"/dynamic/a.b.%23/key", "a.b.#"},
    {"/dynamic//key", ""},
    {"/unknown/value", ""},
    {"/keyless", ""},
};

Test(producer_keys, the_routing_key_is_the_parameters_value_or_the_key_itself)
{
    begin("routing_keys");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct amqp_received received = sent(keys[i].path, NULL, 200);
        cr_expect_str_eq(received.routing_key, keys[i].routing_key, "%s: %s", keys[i].path,
            received.routing_key);
        amqp_received_done(&received);
    }
    end();
}

static const struct {
    const char *path;
    bool is_persistent;
} modes[] = {
    {"/keyless", true},
    {"/auto-durable", true},
    {"/auto-fleeting", false},
    {"/persistent", true},
    {"/transient", false},
};

Test(producer_keys, the_delivery_mode_follows_durable_or_what_is_said)
{
    begin("modes");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct amqp_received received = sent(modes[i].path, NULL, 200);
        const amqp_basic_properties_t *properties = &received.message.properties;
        bool is_persistent = properties->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG &&
                             properties->delivery_mode == AMQP_DELIVERY_PERSISTENT;
        cr_expect_eq(is_persistent, modes[i].is_persistent, "%s", modes[i].path);
        amqp_received_done(&received);
    }
    end();
}

Test(producer_keys, without_confirms_it_is_202_whatever_becomes_of_it)
{
    begin("unconfirmed");
    struct amqp_received received = sent("/unconfirmed/k", NULL, 202);
    expect_text(received.message.body, "body");
    amqp_received_done(&received);
    amqp_client_delete_queue(&scene.amqp, "in");
    struct http_answer answer = post("/unconfirmed/k", NULL, "lost");
    expect_status(&answer, 202);
    expect_header(&answer, "X-Leveret-Outcome", "unconfirmed");
    expect_header(&answer, "X-Krakend-Completed", "false");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(producer_keys, immediate_is_501_and_costs_no_other_its_connection)
{
    begin("immediate");
    struct amqp_received received = sent("/keyless", NULL, 200);
    amqp_received_done(&received);
    for (int i = 0; i < 3; i++) {
        struct http_answer answer = post("/immediate", NULL, "x");
        expect_problem(&answer, 501, "unsupported");
        http_answer_done(&answer);
        received = sent("/keyless", NULL, 200);
        amqp_received_done(&received);
    }
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "broker-lost"), "%s", log);
    end();
}

Test(producer_keys, every_producer_gets_the_whole_body_and_its_own_properties)
{
    begin("both");
    struct http_answer answer = post("/both/id-1", "Content-Type: text/csv\n", "a,b");
    expect_status(&answer, 200);
    expect_header(&answer, "X-Krakend-Completed", "true");
    http_answer_done(&answer);
    bool seen[2] = {false};
    for (int i = 0; i < 2; i++) {
        struct amqp_received received;
        cr_assert(amqp_client_get(&scene.amqp, "in", &received));
        bool is_one = strcmp(received.routing_key, "one") == 0;
        seen[is_one] = true;
        expect_text(received.message.body, "a,b");
        expect_text(received.message.properties.content_type, "text/csv");
        cr_assert_str_eq(received.exchange, is_one ? "things" : "fleeting");
        cr_assert_eq(amqp_received_header(&received, "Content-Type")->kind,
            is_one ? AMQP_FIELD_KIND_UTF8 : AMQP_FIELD_KIND_ARRAY);
        cr_assert_eq(amqp_is_text(received.message.properties.message_id, "id-1"), is_one);
        amqp_received_done(&received);
    }
    cr_assert(seen[0] && seen[1]);
    end();
}

Test(producer_keys, an_empty_body_is_a_message_of_no_bytes)
{
    struct amqp_received received;
    begin("empty");
    struct http_answer answer = post("/keyless", NULL, "");
    expect_status(&answer, 200);
    http_answer_done(&answer);
    cr_assert(amqp_client_get(&scene.amqp, "in", &received));
    cr_assert_eq(received.message.body.len, 0);
    amqp_received_done(&received);
    end();
}

Test(producer_keys, what_belongs_to_the_connection_is_not_passed_even_where_it_is_listed)
{
    begin("hops");
    struct amqp_received received = sent("/hops",
        "Connection: keep-alive, X-Named\nX-Named: 1\nKeep-Alive: 5\nTE: trailers\nTrailer: X-T\n"
        "Upgrade: x/1\nProxy-Authorization: secret\nX-Forwarded-Host: forged\nX-End: \xc3\xa9\n"
        "Content-Type: text/plain\n",
        200);
    const char *host = scene.sidecar.url + strlen("http://");
    expect_amqp_header(&received, "X-End", "\xc3\xa9");
    expect_amqp_header(&received, "X-Forwarded-For", "127.0.0.1");
    expect_amqp_header(&received, "X-Forwarded-Host", host);
    cr_assert_eq(received.message.properties.headers.num_entries, 3);
    expect_text(received.message.properties.content_type, "text/plain");
    amqp_received_done(&received);
    end();
}

Test(producer_keys, a_trace_goes_on_behind_the_queue_where_nothing_is_listed)
{
    begin("trace");
    struct amqp_received received = sent("/keyless",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
        "tracestate: a=1\ntracestate: b=2\nX-Other: no\n",
        200);
    expect_amqp_header(
        &received, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    expect_amqp_header(&received, "tracestate", "a=1, b=2");
    cr_assert_null(amqp_received_header(&received, "X-Other"));
    amqp_received_done(&received);
    end();
}

Test(producer_keys, an_idempotency_key_that_amqp_cannot_carry_is_400_and_nothing_is_sent)
{
    begin("long_key");
    autofree char *headers = format_text("Idempotency-Key: %0256d\n", 1);
    struct http_answer answer = post("/keyless", headers, "x");
    expect_problem(&answer, 400, "invalid-value");
    expect_in_body(&answer, "255 bytes");
    http_answer_done(&answer);
    end();
}
