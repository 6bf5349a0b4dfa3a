/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace on its way through the sidecar: from the headers of a POST into those of the message, and
 * from there to whoever gets it (https://www.w3.org/TR/trace-context-1/).
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

#define IDS "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
#define PARENT "00-" IDS "-01"

TestSuite(trace_context, .timeout = 60);

static struct scene scene;

static void begin(const char *name, const char *tracing)
{
    scene_open(&scene, name);
    require(setenv("LEVERET_TEST_TRACING", tracing, 1) == 0, "setenv");
    scene_begin(&scene, "observe.json");
    scene_await_bindings(&scene, "observed", 1);
}

/* The answer to a publish with these headers; the caller ends it. */
static struct http_answer post(const char *headers)
{
    struct http_answer answer = scene_do_when_up(&scene, "/in/key",
        &(struct http_request){.method = "POST", .headers = headers, .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    return answer;
}

static struct amqp_received take(void)
{
    struct amqp_received received;
    cr_assert(amqp_client_take(&scene.amqp, "observed", 10000, &received), "nothing");
    return received;
}

static const struct {
    const char *headers, *parent, *state;
} cases[] = {
    {"traceparent: " PARENT "\ntracestate: a=1\ntracestate: b=2\n", PARENT, "a=1, b=2"},
    {"traceparent: 01-" IDS "-01-later\n", "01-" IDS "-01-later", NULL},
    {"traceparent: " PARENT "\ntracestate: a=1,B\n", PARENT, NULL},
    {"tracestate: a=1\n", NULL, NULL},
    {"traceparent: 00-" IDS "-1\ntracestate: a=1\n", NULL, NULL},
    {"traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\n", NULL, NULL},
    {"traceparent: " PARENT "\ntraceparent: " PARENT "\n", NULL, NULL},
};

Test(trace_context, goes_on_behind_the_queue_as_it_came_and_not_at_all_when_it_is_none)
{
    begin("passed", "pass");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_answer answer = post(cases[i].headers);
        expect_no_header(&answer, "traceparent");
        http_answer_done(&answer);
        struct amqp_received received = take();
        if (cases[i].parent)
            expect_amqp_header(&received, "traceparent", cases[i].parent);
        else
            cr_assert_null(amqp_received_header(&received, "traceparent"), "%zu", i);
        if (cases[i].state)
            expect_amqp_header(&received, "tracestate", cases[i].state);
        else
            cr_assert_null(amqp_received_header(&received, "tracestate"), "%zu", i);
        amqp_received_done(&received);
    }
    scene_end(&scene);
}

Test(trace_context, comes_back_with_the_message_that_belongs_to_it)
{
    begin("consumed", "pass");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_answer answer = post(cases[i].headers);
        http_answer_done(&answer);
        answer = scene_do_when_up(&scene, "/out", &(struct http_request){0});
        expect_status(&answer, 200);
        if (cases[i].parent)
            expect_header(&answer, "traceparent", cases[i].parent);
        else
            expect_no_header(&answer, "traceparent");
        if (cases[i].state)
            expect_header(&answer, "tracestate", cases[i].state);
        else
            expect_no_header(&answer, "tracestate");
        http_answer_done(&answer);
    }
    scene_end(&scene);
}

Test(trace_context, is_made_where_there_is_none_and_the_client_is_told)
{
    char parent[2][128];
    begin("made", "create");
    for (size_t i = 0; i < 2; i++) {
        struct http_answer answer = post("traceparent: garbage\ntracestate: a=1\n");
        cr_assert_not_null(http_header(&answer, "traceparent", parent[i], sizeof parent[i]));
        cr_assert_eq(strlen(parent[i]), strlen(PARENT));
        cr_assert_str_eq(parent[i] + strlen(PARENT) - 3, "-00", "none is to be sampled");
        http_answer_done(&answer);
        struct amqp_received received = take();
        expect_amqp_header(&received, "traceparent", parent[i]);
        cr_assert_null(amqp_received_header(&received, "tracestate"));
        amqp_received_done(&received);
    }
    cr_assert_str_neq(parent[0], parent[1]);
    struct http_answer answer = post("traceparent: " PARENT "\n");
    expect_no_header(&answer, "traceparent");
    http_answer_done(&answer);
    struct amqp_received received = take();
    expect_amqp_header(&received, "traceparent", PARENT);
    amqp_received_done(&received);
    scene_end(&scene);
}
