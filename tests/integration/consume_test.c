/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GET brings back, what becomes of a message that it cannot bring back, and that nothing is
 * held on to when nobody asks.
 */
#include "expect.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(consume, .timeout = 60);

static struct scene scene;

/* Returns when the sidecar has bound the queue with `n_keys`. */
static void begin_with(const char *name, const char *queue, int n_keys)
{
    scene_open(&scene, name);
    scene_begin(&scene, "consume.json");
    scene_await_bindings(&scene, queue, n_keys);
}

static void begin(const char *name)
{
    begin_with(name, "json", 2);
}

static struct http_answer get(const char *path)
{
    return scene_do_when_up(&scene, path, &(struct http_request){0});
}

static void expect_get(const char *path, const char *body)
{
    struct http_answer answer = get(path);
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

static void publish(const char *routing_key, const char *body)
{
    scene_publish(&scene, "things", routing_key, body);
}

/* One message through one endpoint, and the body of its answer. */
static void shapes(
    const char *path, const char *routing_key, const char *sent, const char *expected)
{
    publish(routing_key, sent);
    expect_get(path, expected);
}

/* The sidecar goes; what it did not ack is back. */
static void end_with(const char *queue, int n_left)
{
    int n = scene_stop_and_count(&scene, queue, n_left);
    cr_assert_eq(n, n_left, "%d messages are left instead of %d", n, n_left);
    scene_close(&scene);
}

Test(consume, a_message_is_answered_once_and_acked)
{
    begin("once");
    publish("json.a", "{\"n\":1}");
    publish("json.b", "{\"n\":2}");
    publish("also.json", "{\"n\":3}");
    struct http_answer answer = get("/json");
    expect_status(&answer, 200);
    expect_body(&answer, "{\"n\":1}");
    expect_header(&answer, "Content-Type", "application/json; charset=utf-8");
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_header(&answer, "Cache-Control", "no-store");
    http_answer_done(&answer);
    expect_get("/json", "{\"n\":2}");
    end_with("json", 1);
}

Test(consume, backends_in_turns_stop_at_the_first_that_has_nothing)
{
    begin_with("in_turns", "second", 1);
    publish("second", "{\"b\":2}");
    struct http_answer answer = get("/in-turns");
    expect_status(&answer, 204);
    expect_header(&answer, "X-Krakend-Completed", "false");
    http_answer_done(&answer);
    publish("first", "{\"a\":1}");
    answer = get("/in-turns");
    expect_status(&answer, 200);
    expect_body(&answer, "{\"a\":1,\"b\":2}");
    expect_header(&answer, "X-Krakend-Completed", "true");
    http_answer_done(&answer);
    end_with("second", 0);
}

static void negotiates(const char *headers, const char *type, const char *body)
{
    publish("negotiate", "hello <b>");
    struct http_answer answer =
        scene_do_when_up(&scene, "/negotiate", &(struct http_request){.headers = headers});
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", type);
    expect_header(&answer, "Vary", "Accept");
    expect_body(&answer, body);
    http_answer_done(&answer);
}

Test(consume, an_answer_that_is_negotiated_is_json_or_plain_text_by_accept)
{
    static const char json[] = "application/json; charset=utf-8";
    static const char text[] = "text/plain; charset=utf-8";
    begin_with("negotiate", "negotiate", 1);
    negotiates("Accept: application/json\n", json, "{\"content\":\"hello <b>\"}");
    negotiates("Accept: image/png\n", json, "{\"content\":\"hello <b>\"}");
    negotiates(NULL, json, "{\"content\":\"hello <b>\"}");
    negotiates("Accept: text/plain\n", text, "hello <b>");
    negotiates("Accept: application/json;q=0.5\nAccept: text/plain\n", text, "hello <b>");
    end_with("negotiate", 0);
}

Test(consume, a_waiting_get_is_answered_when_a_message_comes)
{
    begin("waiting");
    autofree char *url = format_text("%s/json", scene.sidecar.url);
    struct http_call *call = http_begin(&(struct http_request){.url = url});
    await(amqp_client_consumers(&scene.amqp, "json") == 1, 10000, "no consumer");
    publish("json.x", "{\"late\":true}");
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 200);
    expect_body(&answer, "{\"late\":true}");
    http_answer_done(&answer);
    end_with("json", 0);
}

Test(consume, waiting_gets_are_served_in_their_order)
{
    enum { N = 8 };
    begin("order");
    struct raw_client clients[N];
    for (int i = 0; i < N; i++) {
        raw_client_connect(&clients[i], scene.sidecar.port);
        cr_assert(raw_client_say(&clients[i], "GET /json HTTP/1.1\r\nHost: a\r\n\r\n"));
        scene_let_front_read(&scene);
    }
    await(amqp_client_consumers(&scene.amqp, "json") >= 1, 10000, "no consumer");
    for (int i = 0; i < N; i++) {
        char body[32], answer[2048];
        (void)snprintf(body, sizeof body, "{\"n\":%d}", i);
        publish("json.x", body);
        cr_assert(raw_client_read(&clients[i], body, answer, sizeof answer, deadline_in_ms(10000)),
            "client %d: %s", i, answer);
        raw_client_close(&clients[i]);
    }
    end_with("json", 0);
}

Test(consume, an_empty_queue_is_204_at_the_endpoints_timeout)
{
    begin("empty");
    struct http_answer answer = get("/brief");
    http_answer_done(&answer);
    answer = get("/brief");
    expect_status(&answer, 204);
    cr_assert_eq(answer.body_bytes, 0);
    cr_assert_geq(answer.elapsed_ns, 280 * CLOCK_MS);
    cr_assert_lt(answer.elapsed_ns, 5 * CLOCK_S, "that is the service's timeout");
    http_answer_done(&answer);
    end_with("json", 0);
}

Test(consume, a_message_that_comes_after_the_timeout_is_for_the_next_get)
{
    begin("after_timeout");
    struct http_answer answer = get("/brief");
    expect_status(&answer, 204);
    http_answer_done(&answer);
    shapes("/json", "json.x", "{\"a\":1}", "{\"a\":1}");
    end_with("json", 0);
}

Test(consume, an_idle_sidecar_holds_nothing_back)
{
    begin("idle");
    for (int i = 0; i < 20; i++)
        publish("json.x", "{}");
    expect_get("/json", "{}");
    await(amqp_client_depth(&scene.amqp, "json") == 19, 5000, "%d ready instead of 19",
        amqp_client_depth(&scene.amqp, "json"));
    await(amqp_client_consumers(&scene.amqp, "json") == 0, 5000, "it still consumes");
    end_with("json", 19);
}

Test(consume, many_gets_at_once_take_many_messages_once_each)
{
    enum { N = 40 };
    begin("many");
    struct http_call *calls[N];
    bool seen[N] = {false};
    autofree char *url = format_text("%s/json", scene.sidecar.url);
    for (int i = 0; i < N; i++)
        calls[i] = http_begin(&(struct http_request){.url = url});
    for (int i = 0; i < N; i++) {
        char body[32];
        (void)snprintf(body, sizeof body, "{\"n\":%d}", i);
        publish("json.x", body);
    }
    for (int i = 0; i < N; i++) {
        struct http_answer answer;
        http_end(calls[i], &answer);
        expect_status(&answer, 200);
        int n = -1;
        cr_assert_eq(sscanf(answer.body, "{\"n\":%d}", &n), 1);
        cr_assert(n >= 0 && n < N && !seen[n], "%s came twice", answer.body);
        seen[n] = true;
        http_answer_done(&answer);
    }
    end_with("json", 0);
}

Test(consume, numbers_keep_their_digits)
{
    begin("digits");
    shapes("/json", "json.x", "{\"b\":1,\"a\":[2.50,12345678901234567890123]}",
        "{\"b\":1,\"a\":[2.50,12345678901234567890123]}");
    end_with("json", 0);
}

Test(consume, an_empty_message_is_null)
{
    begin("null");
    shapes("/json", "json.x", "", "null");
    end_with("json", 0);
}

Test(consume, an_array_becomes_a_collection_where_the_backend_says_so)
{
    begin_with("collection", "collection", 1);
    shapes("/collection", "collection", "[1,{\"a\":2}]", "{\"collection\":[1,{\"a\":2}]}");
    end_with("collection", 0);
}

Test(consume, safejson_takes_any_value)
{
    begin_with("safejson", "safejson", 1);
    shapes("/safejson", "safejson", "{\"a\":1}", "{\"a\":1}");
    shapes("/safejson", "safejson", "[1,2]", "{\"collection\":[1,2]}");
    shapes("/safejson", "safejson", "5", "{\"content\":5}");
    shapes("/safejson", "safejson", "\"s\"", "{\"content\":\"s\"}");
    shapes("/safejson", "safejson", "null", "{\"content\":null}");
    end_with("safejson", 0);
}

Test(consume, a_string_is_given_as_it_is)
{
    begin_with("string", "string", 1);
    scene_await_bindings(&scene, "content", 1);
    publish("string", "hello <b>");
    struct http_answer answer = get("/string");
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", "text/plain; charset=utf-8");
    expect_body(&answer, "hello <b>");
    http_answer_done(&answer);
    shapes("/content", "content", "hello <b>", "{\"content\":\"hello <b>\"}");
    end_with("string", 0);
}

Test(consume, no_op_keeps_bytes_and_content_type)
{
    begin_with("no_op", "no-op", 1);
    static const char body[] = "\0\xff\r\n bytes";
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG,
        .content_type = amqp_cstring_bytes("application/x-thing")};
    amqp_client_publish(&scene.amqp, &(struct amqp_client_message){.exchange = "things",
                                         .routing_key = "no-op",
                                         .body = body,
                                         .body_bytes = sizeof body,
                                         .properties = &properties});
    struct http_answer answer = get("/no-op");
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", "application/x-thing");
    cr_assert_eq(answer.body_bytes, sizeof body);
    cr_assert_arr_eq(answer.body, body, sizeof body);
    http_answer_done(&answer);
    end_with("no-op", 0);
}

Test(consume, what_is_not_json_is_502_and_stays_and_lets_others_pass)
{
    begin("undecodable");
    publish("json.x", "{\"a\":1} trash");
    publish("json.x", "{\"good\":1}");
    struct http_answer answer = get("/json");
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
    expect_get("/json", "{\"good\":1}");
    end_with("json", 1);
}

Test(consume, what_is_not_json_does_not_block_a_queue_with_prefetch_1)
{
    begin_with("undecodable_one", "one", 1);
    publish("one", "trash");
    publish("one", "{\"n\":1}");
    publish("one", "{\"n\":2}");
    struct http_answer answer = get("/one-at-a-time");
    expect_problem(&answer, 502, "undecodable");
    expect_in_body(&answer, "It stays on its queue.");
    http_answer_done(&answer);
    expect_get("/one-at-a-time", "{\"n\":1}");
    expect_get("/one-at-a-time", "{\"n\":2}");
    end_with("one", 1);
}

Test(consume, what_is_not_json_is_discarded_where_the_backend_says_so)
{
    begin_with("discard", "discard", 1);
    publish("discard", "[1]");
    struct http_answer answer = get("/discard");
    expect_problem(&answer, 502, "undecodable");
    expect_in_body(&answer, "It was discarded");
    http_answer_done(&answer);
    end_with("discard", 0);
}

Test(consume, auto_ack_takes_one_message_per_get_and_no_more)
{
    begin_with("auto_ack", "auto", 1);
    for (int i = 0; i < 5; i++)
        publish("auto", "{}");
    expect_get("/auto", "{}");
    end_with("auto", 4);
}

Test(consume, an_exclusive_queue_is_consumed_by_the_connection_that_owns_it)
{
    begin("exclusive");
    autofree char *url = format_text("%s/exclusive", scene.sidecar.url);
    struct http_call *call = http_begin(&(struct http_request){.url = url});
    await(vhost_n_bindings(&scene.vhost, "exclusive") == 1, 10000, "not bound");
    scene_publish(&scene, "own", "exclusive", "{\"mine\":1}");
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 200);
    expect_body(&answer, "{\"mine\":1}");
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(consume, two_backends_are_one_answer)
{
    begin_with("two", "second", 1);
    scene_await_bindings(&scene, "first", 1);
    publish("first", "{\"a\":1}");
    publish("second", "{\"b\":2}");
    struct http_answer answer = get("/two");
    expect_status(&answer, 200);
    expect_body(&answer, "{\"a\":1,\"b\":2}");
    expect_header(&answer, "X-Krakend-Completed", "true");
    http_answer_done(&answer);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "first"), 0);
    end_with("second", 0);
}

Test(consume, two_backends_of_which_one_is_empty_are_a_partial_answer)
{
    begin_with("two_partial", "second", 1);
    scene_await_bindings(&scene, "first", 1);
    publish("second", "{\"b\":2}");
    struct http_answer answer = get("/two");
    expect_status(&answer, 200);
    expect_body(&answer, "{\"b\":2}");
    expect_header(&answer, "X-Krakend-Completed", "false");
    http_answer_done(&answer);
    end_with("second", 0);
}
