/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost in which everything is there already, and otherwise than the file says: the backend that
 * it concerns is told so in the broker's words, no other is, and who declares passively, or nothing
 * at all, works with what there is.
 *
 * For each difference there is one exchange `x-NAME` and three queues `q-DECLARE-NAME`, one for each
 * way to declare, and endpoints for them: POST and GET /DECLARE/NAME. All of them are declared by
 * the file as durable, without arguments, the exchanges as topics.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(existing, .timeout = 90);

/* How what exists differs, in the management API's words, and the broker's word for it. */
struct difference {
    const char *name, *json, *word;
};

static const struct difference exchanges[] = {
    {"type", "{\"type\":\"direct\",\"durable\":true}", "'type'"},
    {"durable", "{\"type\":\"topic\",\"durable\":false}", "'durable'"},
    {"delete", "{\"type\":\"topic\",\"durable\":true,\"auto_delete\":true}", "'auto_delete'"},
    {"arguments",
        "{\"type\":\"topic\",\"durable\":true,\"arguments\":{\"alternate-exchange\":\"amq.fanout\"}"
        "}",
        "'alternate-exchange'"},
};

static const struct difference queues[] = {
    {"durable", "{\"durable\":false}", "'durable'"},
    {"delete", "{\"durable\":true,\"auto_delete\":true}", "'auto_delete'"},
    {"length", "{\"durable\":true,\"arguments\":{\"x-max-length\":5}}", "'x-max-length'"},
    {"quorum", "{\"durable\":true,\"arguments\":{\"x-queue-type\":\"quorum\"}}", "'x-queue-type'"},
};

static const char *const declares[] = {"active", "passive", "none"};

enum {
    N_EXCHANGES = sizeof exchanges / sizeof *exchanges,
    N_QUEUES = sizeof queues / sizeof *queues,
    N_DECLARES = sizeof declares / sizeof *declares,
};

static struct scene scene;

/* ---- the file and the vhost ---- */

static void add_endpoint(json_t *endpoints, const char *method, const char *path, json_t *backend)
{
    json_t *endpoint = json_pack("{s:s,s:s,s:s,s:[o]}", "method", method, "endpoint", path,
        "output_encoding", "no-op", "backend", backend);
    cr_assert(endpoint && json_array_append_new(endpoints, endpoint) == 0);
}

static void add_producer(json_t *endpoints, const char *declare, const char *name)
{
    autofree char *path = format_text("/%s/%s", declare, name);
    autofree char *exchange = format_text("x-%s", name);
    add_endpoint(endpoints, "POST", path,
        json_pack("{s:{s:{s:s,s:b,s:b},s:{s:s}}}", "extra_config", "backend/amqp/producer",
            "exchange", exchange, "durable", 1, "mandatory", 0, "leveret", "declare", declare));
}

static void add_consumer(json_t *endpoints, const char *declare, const char *name)
{
    autofree char *path = format_text("/%s/%s", declare, name);
    autofree char *queue = format_text("q-%s-%s", declare, name);
    json_t *consumer = json_pack("{s:s,s:s,s:[s],s:b}", "name", queue, "exchange", "amq.topic",
        "routing_key", "key", "durable", 1);
    add_endpoint(endpoints, "GET", path,
        json_pack("{s:s,s:{s:o,s:{s:s}}}", "encoding", "no-op", "extra_config",
            "backend/amqp/consumer", consumer, "leveret", "declare", declare));
}

/* POST /beside/NAME publishes to an exchange that is as it should be, and declares a queue that is
 * not. */
static void add_beside(json_t *endpoints, const char *name)
{
    autofree char *path = format_text("/beside/%s", name);
    autofree char *queue = format_text("q-active-%s", name);
    add_endpoint(endpoints, "POST", path,
        json_pack("{s:{s:{s:s,s:s,s:b,s:b}}}", "extra_config", "backend/amqp/producer", "exchange",
            "good", "name", queue, "durable", 1, "mandatory", 0));
}

static char *make_file(void)
{
    json_t *endpoints = json_array();
    for (int d = 0; d < N_DECLARES; d++) {
        for (int i = 0; i < N_EXCHANGES; i++)
            add_producer(endpoints, declares[d], exchanges[i].name);
        for (int i = 0; i < N_QUEUES; i++)
            add_consumer(endpoints, declares[d], queues[i].name);
        add_producer(endpoints, declares[d], "missing");
        add_consumer(endpoints, declares[d], "missing");
    }
    for (int i = 0; i < N_QUEUES; i++)
        add_beside(endpoints, queues[i].name);
    add_consumer(endpoints, "active", "good");
    json_t *file = json_pack("{s:i,s:s,s:[s],s:o}", "version", 3, "timeout", "5s", "host",
        scene.vhost.url, "endpoints", endpoints);
    char *text = json_dumps(file, 0);
    cr_assert_not_null(text);
    json_decref(file);
    return text;
}

static void make_vhost(void)
{
    for (int i = 0; i < N_EXCHANGES; i++) {
        autofree char *name = format_text("x-%s", exchanges[i].name);
        vhost_make(&scene.vhost, "exchanges", name, exchanges[i].json);
    }
    for (int d = 0; d < N_DECLARES; d++)
        for (int i = 0; i < N_QUEUES; i++) {
            autofree char *name = format_text("q-%s-%s", declares[d], queues[i].name);
            vhost_make(&scene.vhost, "queues", name, queues[i].json);
        }
}

static void begin(const char *name)
{
    scene_open(&scene, name);
    make_vhost();
    autofree char *text = make_file();
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
}

/* ---- what is expected ---- */

static struct http_answer ask(const char *method, const char *path)
{
    bool is_post = strcmp(method, "POST") == 0;
    return scene_do(&scene, path,
        &(struct http_request){
            .method = method, .body = is_post ? "x" : NULL, .body_bytes = is_post});
}

/* Until the worker has tried, the answer is that it could not. */
static void expect_refused(const char *method, const char *path, int code, const char *word)
{
    struct http_answer answer = {0};
    await((http_answer_done(&answer), answer = ask(method, path),
              strstr(answer.body, "/problems/topology") != NULL),
        10000, "%s %s: %d %s", method, path, answer.status, answer.body);
    autofree char *number = format_text("\"code\":%d", code);
    expect_problem(&answer, 503, "topology");
    expect_in_body(&answer, number);
    expect_in_body(&answer, word);
    expect_no_header(&answer, "Retry-After");
    http_answer_done(&answer);
}

static void expect_post_works(const char *path)
{
    struct http_answer answer = scene_do_when_up(
        &scene, path, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void expect_get_works(const char *path, const char *queue)
{
    scene_publish(&scene, "", queue, "for you");
    struct http_answer answer = scene_do_when_up(&scene, path, &(struct http_request){0});
    expect_status(&answer, 200);
    expect_body(&answer, "for you");
    http_answer_done(&answer);
}

static void expect_good_works(void)
{
    scene_await_bindings(&scene, "q-active-good", 1);
    expect_get_works("/active/good", "q-active-good");
}

Test(existing, an_exchange_that_is_otherwise_is_503_for_its_backend_and_no_other)
{
    begin("exchanges");
    expect_good_works();
    for (int i = 0; i < N_EXCHANGES; i++) {
        autofree char *path = format_text("/active/%s", exchanges[i].name);
        expect_refused("POST", path, 406, exchanges[i].word);
    }
    expect_good_works();
    expect_post_works("/active/missing");
    scene_end(&scene);
}

Test(existing, a_consumers_queue_that_is_otherwise_is_503_for_its_backend_and_no_other)
{
    begin("queues");
    expect_good_works();
    for (int i = 0; i < N_QUEUES; i++) {
        autofree char *path = format_text("/active/%s", queues[i].name);
        expect_refused("GET", path, 406, queues[i].word);
    }
    expect_good_works();
    expect_post_works("/active/missing");
    scene_end(&scene);
}

Test(existing, a_producers_queue_that_is_otherwise_is_a_warning_and_publishing_goes_on)
{
    begin("beside");
    for (int i = 0; i < N_QUEUES; i++) {
        autofree char *path = format_text("/beside/%s", queues[i].name);
        expect_post_works(path);
        expect_post_works(path);
    }
    autofree char *log = sidecar_log(&scene.sidecar);
    for (int i = 0; i < N_QUEUES; i++) {
        autofree char *backend =
            format_text("queue-refused backend=\"POST /beside/%s ", queues[i].name);
        const char *line = strstr(log, backend), *end = line ? strchr(line, '\n') : NULL;
        cr_assert_not_null(end, "no %s in %s", backend, log);
        const char *word = strstr(line, queues[i].word);
        cr_assert(word && word < end, "%.*s", (int)(end - line), line);
    }
    scene_end(&scene);
}

Test(existing, passive_and_none_publish_to_whatever_exists)
{
    begin("passive_exchanges");
    for (int d = 1; d < N_DECLARES; d++)
        for (int i = 0; i < N_EXCHANGES; i++) {
            autofree char *path = format_text("/%s/%s", declares[d], exchanges[i].name);
            expect_post_works(path);
        }
    scene_end(&scene);
}

Test(existing, passive_and_none_consume_whatever_exists_and_bind_nothing)
{
    begin("passive_queues");
    for (int d = 1; d < N_DECLARES; d++)
        for (int i = 0; i < N_QUEUES; i++) {
            autofree char *path = format_text("/%s/%s", declares[d], queues[i].name);
            autofree char *queue = format_text("q-%s-%s", declares[d], queues[i].name);
            expect_get_works(path, queue);
            cr_assert_eq(vhost_n_bindings(&scene.vhost, queue), 0);
        }
    scene_end(&scene);
}

Test(existing, who_makes_nothing_is_told_what_is_missing)
{
    begin("missing");
    expect_refused("POST", "/passive/missing", 404, "no exchange 'x-missing'");
    expect_refused("GET", "/passive/missing", 404, "no queue 'q-passive-missing'");
    expect_refused("GET", "/none/missing", 404, "no queue 'q-none-missing'");
    struct http_answer answer = scene_do_when_up(&scene, "/none/missing",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_problem(&answer, 502, "rejected");
    expect_in_body(&answer, "no exchange 'x-missing'");
    http_answer_done(&answer);
    expect_good_works();
    scene_end(&scene);
}

Test(existing, who_makes_nothing_finds_it_when_somebody_else_has_made_it)
{
    begin("made_later");
    expect_refused("GET", "/passive/missing", 404, "no queue");
    expect_refused("GET", "/none/missing", 404, "no queue");
    vhost_make(&scene.vhost, "queues", "q-passive-missing", "{\"durable\":true}");
    vhost_make(&scene.vhost, "queues", "q-none-missing", "{\"durable\":true}");
    expect_get_works("/passive/missing", "q-passive-missing");
    expect_get_works("/none/missing", "q-none-missing");
    scene_end(&scene);
}

Test(existing, a_queue_that_another_connection_owns_is_503_with_the_brokers_words)
{
    scene_open(&scene, "owned");
    make_vhost();
    const amqp_queue_declare_ok_t *own = amqp_queue_declare(scene.amqp.connection, 1,
        amqp_cstring_bytes("q-active-good"), false, true, true, false, amqp_empty_table);
    cr_assert_not_null(own);
    autofree char *text = make_file();
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    expect_refused("GET", "/active/good", 405, "RESOURCE_LOCKED");
    expect_post_works("/active/missing");
    scene_end(&scene);
}
