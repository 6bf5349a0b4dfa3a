/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer says: outputs, what several messages come to, members that the file adds, and what
 * flatmap_filter makes of it all; row by row, from the file to the client.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(answers, .timeout = 60);

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define JSON "application/json; charset=utf-8"
#define TEXT "text/plain; charset=utf-8"

enum { GIVE_BACK_MS = 5000 };

static struct scene scene;

/* `queues`: those that are published to, with a blank between them. Each endpoint that consumes is
 * served under its queue's name. */
static void begin(const char *name, const char *queues)
{
    autofree char *copy = format_text("%s", queues);
    char *rest = copy;
    scene_open(&scene, name);
    scene_begin(&scene, "answers.json");
    for (char *queue; (queue = strsep(&rest, " "));)
        scene_await_bindings(&scene, queue, 1);
}

static void end_with(const char *queue, int n_left)
{
    int n = scene_stop_and_count(&scene, queue, n_left);
    cr_assert_eq(n, n_left, "%d messages are left instead of %d", n, n_left);
    scene_close(&scene);
}

static void publish(const char *queue, const char *body)
{
    scene_publish(&scene, "things", queue, body);
}

/* ---- one message ---- */

struct row {
    const char *queue, *sent, *type, *shown;
};

static void shows(const struct row *row, const char *headers)
{
    autofree char *path = format_text("/%s", row->queue);
    publish(row->queue, row->sent);
    struct http_answer answer =
        scene_do_when_up(&scene, path, &(struct http_request){.headers = headers});
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", row->type);
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_header(&answer, "X-Leveret-Outcome", "delivered");
    expect_body(&answer, row->shown);
    http_answer_done(&answer);
}

static const struct row outputs[] = {
    {"json-as-string", "{\"a\":1,\"content\":\"\\u00e9 \\\"<b>\\\"\"}", TEXT, "\xc3\xa9 \"<b>\""},
    {"json-as-string", "{\"content\":\"\"}", TEXT, ""},
    {"json-as-string", "{\"a\":1}", TEXT, "{\"a\":1}"},
    {"json-as-string", "null", TEXT, ""},
    {"json-as-collection", "{\"collection\":[1, 2.50],\"a\":1}", JSON, "[1, 2.50]"},
    {"json-as-collection", "{\"a\":1}", JSON, "{\"a\":1}"},
    {"json-as-collection", "", JSON, "[]"},
    {"array-as-collection", "[1,{\"a\":2}]", JSON, "[1,{\"a\":2}]"},
    {"array-as-collection", "[]", JSON, "[]"},
    {"array-as-collection", "null", JSON, "null"},
    {"array-as-collection", "", JSON, "[]"},
    {"text-as-collection", "[1]", JSON, "{\"content\":\"[1]\"}"},
    {"text", "hello <b>", TEXT, "hello <b>"},
    {"text-as-json", "say \"hi\"\n", JSON, "{\"content\":\"say \\\"hi\\\"\\n\"}"},
    {"text-allowed", "say \"hi\"\n", TEXT, "say \"hi\"\n"},
    {"text-renamed", "hi", TEXT, "{\"text\":\"hi\"}"},
    {"flat", "{\"a\":1,\"b\":2,\"c\":3}", JSON, "{\"z\":1,\"c\":3}"},
    {"flat", "{\"a\":12345678901234567890123,\"c\":{ \"x\" : 2.50 }}", JSON,
        "{\"z\":12345678901234567890123,\"c\":{ \"x\" : 2.50 }}"},
    {"flat", "{ \"c\" : 1e3 }", JSON, "{ \"c\" : 1e3 }"},
    {"flat", "{\"b\":1}", JSON, "null"},
    {"flat-list", "[{\"id\":{\"value\":7},\"secret\":1},{\"secret\":2}]", JSON,
        "{\"g\":{\"items\":[{\"id\":7},null]}}"},
};

Test(answers, each_output_shows_what_it_looks_for)
{
    begin("outputs", "json-as-string json-as-collection array-as-collection text-as-collection "
                     "text text-as-json text-allowed text-renamed flat flat-list");
    for (size_t i = 0; i < N(outputs); i++)
        shows(&outputs[i], NULL);
    end_with("flat", 0);
}

Test(answers, a_shaped_text_is_negotiated_like_any)
{
    static const struct row as_text = {"text-negotiated", "a \"b\"", TEXT, "a \"b\""};
    static const struct row as_json = {
        "text-negotiated", "a \"b\"", JSON, "{\"content\":\"a \\\"b\\\"\"}"};
    begin("negotiated", "text-negotiated");
    shows(&as_text, "Accept: text/plain\n");
    shows(&as_json, "Accept: application/json\n");
    shows(&as_json, NULL);
    end_with("text-negotiated", 0);
}

Test(answers, the_environment_overrides_the_first_level_of_the_file)
{
    static const struct row row = {"json", "{\"content\":\"x\"}", TEXT, "x"};
    require(setenv("KRAKEND_OUTPUT_ENCODING", "string", 1) == 0, "setenv");
    begin("environment", "json");
    shows(&row, NULL);
    end_with("json", 0);
}

Test(answers, to_the_gateway_an_object_without_members_is_not_complete)
{
    static const char *const hollow[] = {"{}", "null", ""};
    begin("hollow", "json-as-krakend json");
    for (size_t i = 0; i < N(hollow); i++) {
        publish("json-as-krakend", hollow[i]);
        publish("json", hollow[i]);
        struct http_answer answer =
            scene_do_when_up(&scene, "/json-as-krakend", &(struct http_request){0});
        expect_status(&answer, 200);
        expect_header(&answer, "X-Krakend-Completed", "false");
        expect_header(&answer, "X-Leveret-Outcome", "delivered");
        expect_header(&answer, "Cache-Control", "no-store");
        expect_body(&answer, i ? "null" : "{}");
        http_answer_done(&answer);
        answer = scene_do_when_up(&scene, "/json", &(struct http_request){0});
        expect_header(&answer, "X-Krakend-Completed", "true");
        http_answer_done(&answer);
    }
    end_with("json-as-krakend", 0);
}

/* ---- several messages ---- */

/* "*": any. */
static void merges(const char *path, const char *completed, const char *cache, const char *body)
{
    struct http_answer answer = scene_do_when_up(&scene, path, &(struct http_request){0});
    expect_status(&answer, 200);
    expect_header(&answer, "X-Krakend-Completed", completed);
    expect_header(
        &answer, "X-Leveret-Outcome", strcmp(completed, "true") == 0 ? "delivered" : "partial");
    expect_header(&answer, "Cache-Control", cache);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

Test(answers, of_two_messages_the_first_listed_wins_whoever_came_first)
{
    begin("collision", "sum-a sum-b");
    publish("sum-b", "{\"x\":{\"from\":\"b\"},\"b\":2}");
    publish("sum-a", "{\"x\":{\"only\":\"a\"},\"a\":1}");
    merges("/sum", "true", "public, max-age=300", "{\"x\":{\"only\":\"a\"},\"a\":1,\"b\":2}");
    end_with("sum-a", 0);
}

Test(answers, one_that_cannot_be_read_beside_one_that_can_is_a_partial_answer)
{
    begin("beside", "sum-a sum-b");
    publish("sum-a", "this is no JSON");
    publish("sum-b", "{\"b\":2}");
    merges("/sum", "false", "no-store", "{\"b\":2}");
    end_with("sum-a", 1);
}

Test(answers, an_empty_message_adds_nothing_and_is_taken)
{
    begin("nothing", "sum-a sum-b");
    publish("sum-a", "");
    publish("sum-b", "{\"b\":2}");
    merges("/sum", "true", "public, max-age=300", "{\"b\":2}");
    end_with("sum-a", 0);
}

Test(answers, two_backends_on_one_queue_take_two_messages)
{
    begin("twice", "twice");
    publish("twice", "{\"n\":1}");
    publish("twice", "{\"n\":1}");
    publish("twice", "{\"n\":3}");
    merges("/twice", "true", "no-store", "{\"first\":{\"n\":1},\"second\":{\"n\":1}}");
    end_with("twice", 1);
}

Test(answers, a_merged_answer_is_flattened_and_then_added_to)
{
    begin("merged", "flat-one flat-two");
    publish("flat-one", "{\"list\":[1, 2.50],\"x\":1}");
    publish("flat-two", "{\"list\":[3],\"secret\":1,\"y\":2}");
    merges("/flat-merged", "true", "no-store",
        "{\"two\":{\"hidden\":true},\"of\":\"both\",\"list\":[1,2.50,3]}");
    publish("flat-two", "{\"list\":[3],\"secret\":1,\"y\":2}");
    merges("/flat-merged", "false", "no-store", "{\"two\":{\"list\":[3],\"y\":2}}");
    end_with("flat-one", 0);
}

/* {"list":[0,0,...]} of more elements than a filter looks into. */
static char *long_list(void)
{
    enum { MANY = 300000 };
    char *text = malloc(2 * MANY + 32), *at = stpcpy(text, "{\"list\":[0");
    for (int i = 1; i < MANY; i++)
        at = stpcpy(at, ",0");
    (void)stpcpy(at, "]}");
    return text;
}

Test(answers, a_merged_answer_that_is_too_large_to_flatten_takes_no_message)
{
    begin("too_long", "flat-one flat-two");
    autofree char *list = long_list();
    publish("flat-one", "{\"list\":[1]}");
    publish("flat-two", list);
    struct http_answer answer = scene_do_when_up(&scene, "/flat-merged", &(struct http_request){0});
    expect_status(&answer, 502);
    expect_header(&answer, "X-Leveret-Outcome", "too-large");
    expect_header(&answer, "Cache-Control", "no-store");
    http_answer_done(&answer);
    struct amqp_received received;
    cr_expect_eq(scene_stop_and_count(&scene, "flat-two", 1), 1);
    cr_assert(amqp_client_take(&scene.amqp, "flat-one", GIVE_BACK_MS, &received));
    amqp_received_done(&received);
    scene_close(&scene);
}

/* ---- members that the file adds ---- */

struct strategy {
    const char *name;
    bool if_whole, if_not;
};

static const struct strategy strategies[] = {
    {"always", true, true},
    {"success", true, false},
    {"complete", true, false},
    {"errored", false, true},
    {"incomplete", false, true},
};

/* The first answers may come before the worker can say whether the queue is empty. */
static struct http_answer ask(const char *path, const char *told)
{
    char found[64];
    struct http_answer answer;
    await((answer = scene_get(&scene, path),
              http_header(&answer, "X-Leveret-Outcome", found, sizeof found) &&
                  strcmp(found, told) == 0) ||
              (http_answer_done(&answer), 0),
        20000, "%s never tells %s", path, told);
    return answer;
}

static void adds_to_a_message(const struct strategy *strategy)
{
    autofree char *path = format_text("/static/%s", strategy->name);
    autofree char *with = format_text("{\"by\":\"%s\",\"a\":0,\"b\":2}", strategy->name);
    publish("static", "{\"a\":1,\"b\":2}");
    struct http_answer answer = ask(path, "delivered");
    expect_status(&answer, 200);
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_body(&answer, strategy->if_whole ? with : "{\"a\":1,\"b\":2}");
    http_answer_done(&answer);
}

static void stands_for_no_message(const struct strategy *strategy)
{
    autofree char *path = format_text("/static/%s", strategy->name);
    autofree char *alone = format_text("{\"by\":\"%s\",\"a\":0}", strategy->name);
    struct http_answer answer = ask(path, "empty");
    expect_status(&answer, strategy->if_not ? 200 : 204);
    expect_header(&answer, "X-Krakend-Completed", "false");
    expect_header(&answer, "Cache-Control", "no-store");
    expect_body(&answer, strategy->if_not ? alone : "");
    http_answer_done(&answer);
}

static void stands_for_an_error(const struct strategy *strategy)
{
    autofree char *path = format_text("/static/%s", strategy->name);
    publish("static", "this is no JSON");
    struct http_answer answer = ask(path, "undecodable");
    expect_status(&answer, strategy->if_not ? 200 : 502);
    expect_header(&answer, "X-Krakend-Completed", "false");
    http_answer_done(&answer);
}

Test(answers, static_adds_to_a_message_when_its_strategy_says_so)
{
    begin("static_message", "static");
    for (size_t i = 0; i < N(strategies); i++)
        adds_to_a_message(&strategies[i]);
    end_with("static", 0);
}

Test(answers, static_is_the_answer_where_no_message_came_when_its_strategy_says_so)
{
    begin("static_empty", "static");
    for (size_t i = 0; i < N(strategies); i++)
        stands_for_no_message(&strategies[i]);
    end_with("static", 0);
}

Test(answers, static_hides_no_message_that_cannot_be_read)
{
    begin("static_error", "static");
    for (size_t i = 0; i < N(strategies); i++)
        stands_for_an_error(&strategies[i]);
    end_with("static", (int)N(strategies));
}

static void publishes(
    const char *path, int status, const char *completed, const char *told, const char *body)
{
    struct http_answer answer = scene_do_when_up(
        &scene, path, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, status);
    expect_header(&answer, "X-Krakend-Completed", completed);
    expect_header(&answer, "X-Leveret-Outcome", told);
    if (body)
        expect_body(&answer, body);
    http_answer_done(&answer);
}

Test(answers, static_adds_to_a_publish_that_was_confirmed_and_hides_none_that_was_not)
{
    begin("static_publish", "json");
    publishes("/static-publish/json", 200, "true", "confirmed", "{\"accepted\":true}");
    publishes("/static-publish/none", 422, "false", "unroutable", NULL);
    publishes("/static-publish-krakend/json", 200, "true", "confirmed", "{\"accepted\":true}");
    publishes("/static-publish-krakend/none", 200, "true", "unroutable", "{\"accepted\":true}");
    publishes("/static-down-krakend/json", 200, "false", "broker-down", "{\"accepted\":false}");
    end_with("json", 2);
}

Test(answers, concurrent_calls_take_one_message_and_publish_one)
{
    begin("once", "once");
    publishes("/once", 200, "true", "confirmed", "{}");
    await(amqp_client_depth(&scene.amqp, "once") == 1, 5000, "not one message");
    publish("once", "{\"n\":1}");
    publish("once", "{\"n\":2}");
    struct http_answer answer = ask("/once", "undecodable");
    http_answer_done(&answer);
    answer = ask("/once", "delivered");
    expect_body(&answer, "{\"n\":1}");
    http_answer_done(&answer);
    end_with("once", 2);
}

Test(answers, health_is_json)
{
    begin("health", "json");
    struct http_answer answer = scene_get(&scene, "/__health");
    expect_status(&answer, 200);
    expect_in_body(&answer, "\"status\":\"ok\"");
    http_answer_done(&answer);
    end_with("json", 0);
}
