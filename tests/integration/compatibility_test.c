/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file, served once with our own answers and once with the gateway's: status, body and header
 * fields of each case both ways, what is told in X-Leveret-Outcome, which is the same, and what is
 * on the queue afterwards, which is the same too.
 */
#include "expect.h"
#include <stdlib.h>
#include <amqp_framing.h>
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(compatibility, .timeout = 60);

#define JSON "application/json; charset=utf-8"
#define PROBLEM "application/problem+json"
#define LONG_16 "0123456789abcdef"
#define LONG_64 LONG_16 LONG_16 LONG_16 LONG_16
#define LONG_256 LONG_64 LONG_64 LONG_64 LONG_64

static struct scene scene;

/* NULL: no content type; no body. "*": any body. */
struct form {
    int status;
    const char *type, *body;
};

struct row {
    const char *method, *path;
    const char *told; /* X-Leveret-Outcome */
    struct form ours, gateways;
};

static void full_queue(void)
{
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("x-max-length"), .value = {.kind = AMQP_FIELD_KIND_I32}},
        {.key = amqp_cstring_bytes("x-overflow"),
            .value = {.kind = AMQP_FIELD_KIND_UTF8,
                .value.bytes = amqp_cstring_bytes("reject-publish")}},
    };
    entries[0].value.value.i32 = 1;
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "full",
                         .is_durable = true,
                         .arguments = {.num_entries = 2, .entries = entries}});
    amqp_client_bind(&scene.amqp, "full", "things", "full");
    scene_publish(&scene, "things", "full", "the one that it takes");
}

static void begin(const char *name, const char *compatibility)
{
    scene_open(&scene, name);
    amqp_client_declare_exchange(&scene.amqp, "things", "topic", true);
    amqp_client_declare_exchange(&scene.amqp, "direct", "direct", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "in", .is_durable = true});
    amqp_client_bind(&scene.amqp, "in", "things", "in");
    full_queue();
    cr_assert_eq(setenv("LEVERET_TEST_COMPATIBILITY", compatibility, 1), 0);
    scene_begin(&scene, "compatibility.json");
    scene_await_bindings(&scene, "text", 1);
    scene_publish(&scene, "things", "text", "this is no JSON");
}

static bool is_told(const struct http_answer *answer, const char *outcome)
{
    char told[64];
    const char *found = http_header(answer, "X-Leveret-Outcome", told, sizeof told);
    return found && strcmp(found, outcome) == 0;
}

/* The first ones may come before the worker has its connection: whatever the form, nothing was sent
 * then. */
static struct http_answer ask(const struct row *row)
{
    struct http_request request = {.method = row->method, .body = "x", .body_bytes = 1};
    struct http_answer answer;
    if (strcmp(row->method, "GET") == 0)
        request = (struct http_request){0};
    await((answer = scene_do(&scene, row->path, &request), is_told(&answer, row->told)) ||
              !is_told(&answer, "broker-down") || (http_answer_done(&answer), 0),
        10000, "%s is not told", row->told);
    return answer;
}

static void expect_form(const struct http_answer *answer, const struct form *form)
{
    expect_status(answer, form->status);
    if (form->type)
        expect_header(answer, "Content-Type", form->type);
    else
        expect_no_header(answer, "Content-Type");
    if (!form->body || strcmp(form->body, "*") != 0)
        expect_body(answer, form->body ? form->body : "");
}

static void holds(const struct row *row, bool is_krakend)
{
    struct http_answer answer = ask(row);
    expect_header(&answer, "X-Leveret-Outcome", row->told);
    expect_form(&answer, is_krakend ? &row->gateways : &row->ours);
    if (is_krakend) {
        expect_header(&answer, "X-Krakend-Completed", "false");
        expect_no_header(&answer, "Retry-After");
    }
    http_answer_done(&answer);
}

#define ACCEPTED                                                                                   \
    {                                                                                              \
        200, JSON, "null"                                                                          \
    }
#define ERROR                                                                                      \
    {                                                                                              \
        500, NULL, NULL                                                                            \
    }

static const struct row rows[] = {
    {"POST", "/key/in", "confirmed", {200, JSON, "{}"}, ACCEPTED},
    {"POST", "/unconfirmed", "unconfirmed", {202, JSON, "{}"}, ACCEPTED},
    {"POST", "/key/none", "unroutable", {422, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/fields/soon/1/id/b", "invalid-value", {400, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/fields/1000/256/id/b", "invalid-value", {400, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/fields/1000/1/" LONG_256 "/b", "invalid-value", {400, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/fields/1000/1/id/" LONG_256, "invalid-value", {400, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/key/" LONG_256, "invalid-value", {400, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/key/full", "rejected", {502, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/missing", "rejected", {502, PROBLEM, "*"}, ACCEPTED},
    {"POST", "/other-type", "topology", {503, PROBLEM, "*"}, ERROR},
    {"POST", "/away", "broker-down", {503, PROBLEM, "*"}, ERROR},
    {"POST", "/both", "partial", {502, PROBLEM, "*"}, {200, JSON, "{}"}},
    {"GET", "/empty", "empty", {204, NULL, NULL}, ERROR},
    {"GET", "/text", "undecodable", {502, PROBLEM, "*"}, ERROR},
    {"GET", "/none", "not-found", {404, PROBLEM, "*"}, {404, "text/plain", "404 page not found"}},
    {"PUT", "/key/in", "wrong-method", {405, PROBLEM, "*"},
        {405, "text/plain", "405 method not allowed"}},
    {"POST", "/always/in", "confirmed", ACCEPTED, ACCEPTED},
    {"POST", "/always/none", "unroutable", ACCEPTED, ACCEPTED},
};

/* The number of rows whose message is on the queue in the end. */
enum { N_TAKEN = 4 };

static void all_hold(bool is_krakend)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        holds(&rows[i], is_krakend);
    await(amqp_client_depth(&scene.amqp, "in") == N_TAKEN, 5000, "the messages on the queue");
    cr_assert_eq(amqp_client_depth(&scene.amqp, "full"), 1);
    int n_left = scene_stop_and_count(&scene, "text", 1);
    cr_assert_eq(n_left, 1, "what cannot be decoded stays on its queue");
    scene_close(&scene);
}

Test(compatibility, our_answers_say_what_the_broker_said)
{
    begin("ours", "none");
    all_hold(false);
}

Test(compatibility, the_gateways_answers_say_it_in_a_header_field)
{
    begin("gateways", "krakend");
    all_hold(true);
}

Test(compatibility, an_endpoint_may_keep_our_answers)
{
    begin("never", "krakend");
    struct http_answer answer = scene_do_when_up(&scene, "/never/in",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    expect_body(&answer, "{}");
    http_answer_done(&answer);
    answer = scene_post(&scene, "/never/none", "x");
    expect_problem(&answer, 422, "unroutable");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(compatibility, the_gateways_405_says_which_method_would_do)
{
    begin("allow", "krakend");
    struct http_answer answer = scene_get(&scene, "/key/in");
    expect_status(&answer, 405);
    expect_header(&answer, "Allow", "POST");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(compatibility, the_log_names_at_the_start_whose_answers_differ)
{
    begin("log", "krakend");
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_not_null(strstr(log, "answers-differ endpoint=\"POST /never/{route}\""), "%s", log);
    cr_assert_null(strstr(log, "endpoint=\"POST /always/{route}\""), "%s", log);
    scene_end(&scene);
}
