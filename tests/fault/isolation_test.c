/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One endpoint whose exchange is missing, is another one, is forbidden to declare or to write to,
 * or whose headers are too large, is told so; a hundred others on the same connection see nothing
 * of it. Against a real broker.
 */
#include "tests/integration/expect.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/load.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(isolation, .timeout = 180);

enum { N_GOOD = 99, N_CONNECTIONS = 16, HEADER_BYTES = 60000 };

static struct scene scene;
static atomic_int n_good, n_answered;
static char first_failure[512];

/* ---- the file ---- */

#define PRODUCER                                                                                   \
    "{\"endpoint\":\"/%s\",\"method\":\"POST\",\"timeout\":\"20s\",\"input_headers\":[\"*\"],"     \
    "\"backend\":[{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"%s\","              \
    "\"durable\":true,\"mandatory\":true,\"routing_key\":\"k\",\"static_routing_key\":true},"      \
    "\"leveret\":{\"declare\":\"%s\"}}}]}"

static const char *const bad_ones[][3] = {
    /* path, exchange, declare */
    {"missing", "nowhere", "none"},
    {"mismatch", "direct", "active"},
    {"forbidden", "forbidden", "active"},
    {"unwritable", "unwritable", "none"},
};

static void append(char **text, const char *path, const char *exchange, const char *declare)
{
    autofree char *before = *text;
    *text = format_text("%s" PRODUCER ",", before, path, exchange, declare);
}

static char *configuration(const char *url)
{
    char *text = format_text("{\"version\":3,\"max_header_bytes\":400000,\"host\":[\"%s\"],"
                             "\"extra_config\":{\"leveret\":{\"log_level\":\"debug\","
                             "\"memory\":\"512MiB\"}},\"endpoints\":[",
        url);
    for (size_t i = 0; i < sizeof bad_ones / sizeof *bad_ones; i++)
        append(&text, bad_ones[i][0], bad_ones[i][1], bad_ones[i][2]);
    for (int i = 0; i < N_GOOD; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "good/%d", i);
        append(&text, path, "good", "active");
    }
    text[strlen(text) - 1] = ']'; /* in place of the last comma */
    autofree char *before = text;
    return format_text("%s}", before);
}

static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_client_declare_exchange(&scene.amqp, "good", "topic", true);
    amqp_client_declare_exchange(&scene.amqp, "direct", "direct", true);
    amqp_client_declare_exchange(&scene.amqp, "unwritable", "topic", true);
    amqp_client_declare_queue(&scene.amqp, &(struct amqp_client_queue){.name = "good"});
    amqp_client_bind(&scene.amqp, "good", "good", "k");
    const char *url = vhost_let_in(&scene.vhost, "secret", "^(?!forbidden)", "^(?!unwritable)");
    autofree char *text = configuration(url);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    struct http_answer answer = scene_do_when_up(
        &scene, "/good/0", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

/* ---- the others, all the time ---- */

static char good_urls[N_GOOD][64];

static void on_request(void *context, int i, struct http_request *request)
{
    *request = (struct http_request){
        .method = "POST", .url = good_urls[i % N_GOOD], .body = "x", .body_bytes = 1};
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    if (answer->status == 200)
        atomic_fetch_add(&n_good, 1);
    else if (first_failure[0] == '\0')
        (void)snprintf(first_failure, sizeof first_failure, "%d %s %s", answer->status,
            answer->failure, answer->body);
    atomic_fetch_add(&n_answered, 1);
}

/* ---- the bad ones ---- */

static void expect_told(const char *path, int status, const char *kind, const char *words)
{
    struct http_answer answer = scene_post(&scene, path, "x");
    expect_problem(&answer, status, kind);
    expect_in_body(&answer, words);
    http_answer_done(&answer);
}

/* Larger than a frame, which a content header must fit into. */
static void expect_headers_refused(void)
{
    autofree char *value = malloc(HEADER_BYTES + 1);
    cr_assert_not_null(value);
    memset(value, 'x', HEADER_BYTES);
    value[HEADER_BYTES] = '\0';
    autofree char *headers = format_text("A: %s\nB: %s\nC: %s\n", value, value, value);
    struct http_answer answer = scene_do(&scene, "/good/7",
        &(struct http_request){.method = "POST", .headers = headers, .body = "x", .body_bytes = 1});
    expect_problem(&answer, 400, "invalid-value");
    http_answer_done(&answer);
}

Test(isolation, a_hundred_endpoints_see_nothing_of_five_that_the_broker_will_not_have)
{
    enum { N_ROUNDS = 20, N_AFTER = 200 };
    begin("isolation");
    for (int i = 0; i < N_GOOD; i++)
        (void)snprintf(good_urls[i], sizeof good_urls[i], "%s/good/%d", scene.sidecar.url, i);
    const struct load load = {
        .n_connections = N_CONNECTIONS, .on_request = on_request, .on_answer = on_answer};
    struct load_run *run = load_begin(&load);
    for (int i = 0; i < N_ROUNDS; i++) {
        expect_told("/missing", 502, "rejected", "NOT_FOUND");
        expect_told("/mismatch", 503, "topology", "PRECONDITION_FAILED");
        expect_told("/forbidden", 503, "topology", "ACCESS_REFUSED");
        expect_told("/unwritable", 502, "rejected", "ACCESS_REFUSED");
        expect_headers_refused();
    }
    int n_so_far = atomic_load(&n_answered);
    await(atomic_load(&n_answered) >= n_so_far + N_AFTER, 30000, "the others stand still");
    load_finish(run);
    load_end(run);
    cr_assert_eq(
        n_good, n_answered, "%d of %d: %s", n_answered - n_good, n_answered, first_failure);
    cr_assert_geq(n_good, N_GOOD);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "good"), n_good + 1, "each is there once");
    scene_end(&scene);
}
