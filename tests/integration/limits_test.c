/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages at the edge of what JSON is: size, depth, digits, escapes, names, and bytes that are no
 * text. What can be shown is shown as it was sent; what cannot is an error, and stays on its queue.
 */
#include "expect.h"
#include "shm/json.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(limits, .timeout = 60);

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "answers.json");
    scene_await_bindings(&scene, "json", 1);
    scene_await_bindings(&scene, "flat", 1);
    scene_await_bindings(&scene, "text", 1);
}

/* `queue` has kept what could not be shown. */
static void end(const char *queue, int n_kept)
{
    int n = scene_stop_and_count(&scene, queue, n_kept);
    cr_assert_eq(n, n_kept, "%d messages are left instead of %d", n, n_kept);
    scene_close(&scene);
}

static struct http_answer get(const char *queue, const char *sent, size_t n_bytes)
{
    autofree char *path = format_text("/%s", queue);
    amqp_client_publish(&scene.amqp,
        &(struct amqp_client_message){
            .exchange = "things", .routing_key = queue, .body = sent, .body_bytes = n_bytes});
    return scene_do_when_up(&scene, path, &(struct http_request){0});
}

static void shows(const char *queue, const char *sent, const char *shown)
{
    struct http_answer answer = get(queue, sent, strlen(sent));
    expect_status(&answer, 200);
    cr_assert_eq(answer.body_bytes, strlen(shown));
    cr_assert_arr_eq(answer.body, shown, strlen(shown), "%.300s came as %.300s", sent, answer.body);
    http_answer_done(&answer);
}

static void refuses(const char *sent, size_t n_bytes)
{
    struct http_answer answer = get("json", sent, n_bytes);
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
}

/* 0 between so many pairs. */
static char *nested(int depth, const char *open, const char *close)
{
    char *text = malloc((size_t)depth * (strlen(open) + strlen(close)) + 8), *at = text;
    cr_assert_not_null(text);
    for (int i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, "0");
    for (int i = 0; i < depth; i++)
        at = stpcpy(at, close);
    return text;
}

Test(limits, an_object_may_be_512_deep_and_no_deeper)
{
    autofree char *deepest = nested(JSON_MAX_DEPTH, "{\"x\":", "}");
    autofree char *too_deep = nested(JSON_MAX_DEPTH + 1, "{\"x\":", "}");
    autofree char *thousand = nested(1000, "{\"x\":", "}");
    begin("depth");
    shows("json", deepest, deepest);
    shows("flat", deepest, deepest);
    refuses(too_deep, strlen(too_deep));
    refuses(thousand, strlen(thousand));
    shows("json", "{\"after\":1}", "{\"after\":1}");
    shows("text", thousand, thousand);
    end("json", 2);
}

Test(limits, a_hundred_thousand_brackets_are_refused_like_any)
{
    autofree char *brackets = nested(100000, "[", "]");
    autofree char *message = format_text("{\"x\":%s}", brackets);
    begin("brackets");
    refuses(message, strlen(message));
    refuses(message, 100000);
    shows("json", "{\"after\":1}", "{\"after\":1}");
    end("json", 2);
}

/* {"key_00000":"0...", ...} */
static char *large(unsigned n_keys)
{
    char *text = malloc(16 + (size_t)n_keys * 128), *at = text;
    cr_assert_not_null(text);
    *at++ = '{';
    for (unsigned i = 0; i < n_keys; i++)
        at += sprintf(at, "%s\"key_%05u\":\"%090u\"", i ? "," : "", i, i);
    (void)strcpy(at, "}");
    return text;
}

Test(limits, a_megabyte_with_ten_thousand_keys_comes_through_whole)
{
    autofree char *message = large(10000);
    autofree char *with_a = format_text("{\"a\":1,%s", message + 1);
    autofree char *with_z = format_text("{\"z\":1,%s", message + 1);
    cr_assert_gt(strlen(message), 1000000);
    begin("large");
    shows("json", message, message);
    shows("text", message, message);
    shows("flat", message, message);
    shows("flat", with_a, with_z);
    end("json", 0);
}

#define DIGITS "[12345678901234567890123,2.50,1e3,-0,0.1E+400,1e-999999,9007199254740993]"

static const char *const kept[] = {
    "{\"n\":" DIGITS "}",
    "{ \"n\" :\t" DIGITS "\r\n}",
    "{\"\":1,\" \":2,\"a.b\":3,\"*\":4,\"\\u0000\":5}",
    "{\"\xc3\xa9\":1,\"e\xcc\x81\":2,\"\xf0\x9f\x90\x87\":3,\"\xe2\x80\xa8\":4,\"\xef\xbf\xbf\":5}",
    "{\"\\u00e9\\ud83d\\udc07\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0007\\ud800\"}",
    "{\"a<b>&\":\"<script>\"}",
};

Test(limits, digits_escapes_and_names_are_kept_as_they_were_sent)
{
    begin("kept");
    for (size_t i = 0; i < N(kept); i++)
        shows("json", kept[i], kept[i]);
    shows("flat", "{\"b\":0,\"a\":" DIGITS ",\"\\u0061\\ud83d\\udc07\":\"\\u00e9\"}",
        "{\"z\":" DIGITS ",\"\\u0061\\ud83d\\udc07\":\"\\u00e9\"}");
    shows("flat", "{\"\\u0062\":0,\"\\u0061\":1}", "{\"z\":1}");
    end("json", 0);
}

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t n_bytes;
} no_json[] = {
    {BYTES("{\"a\":\"\xff\"}")},
    {BYTES("{\"\xc3\":1}")},
    {BYTES("{\"a\":\"\xc0\xaf\"}")},
    {BYTES("{\"a\":\"\xed\xa0\x80\"}")},
    {BYTES("{\"a\":\"\0\"}")},
    {BYTES("\xef\xbb\xbf{\"a\":1}")},
    {BYTES("{\"a\":01}")},
    {BYTES("{\"a\":.5}")},
    {BYTES("{\"a\":NaN}")},
    {BYTES("{\"a\":\"\\x41\"}")},
    {BYTES("{\"a\":1,}")},
    {BYTES("[1]")},
    {BYTES("5")},
};

Test(limits, bytes_that_are_no_json_are_refused_and_stay)
{
    begin("no_json");
    for (size_t i = 0; i < N(no_json); i++)
        refuses(no_json[i].text, no_json[i].n_bytes);
    shows("json", "{\"after\":1}", "{\"after\":1}");
    end("json", (int)N(no_json));
}

Test(limits, bytes_that_are_no_text_are_kept_as_text_and_marked_in_json)
{
    static const char bytes[] = "\xff\xfe\0a\xc3\xa9";
    begin("no_text");
    scene_await_bindings(&scene, "text-as-json", 1);
    struct http_answer answer = get("text", bytes, sizeof bytes - 1);
    expect_status(&answer, 200);
    cr_assert_eq(answer.body_bytes, sizeof bytes - 1);
    cr_assert_arr_eq(answer.body, bytes, sizeof bytes - 1);
    http_answer_done(&answer);
    answer = get("text-as-json", bytes, sizeof bytes - 1);
    expect_body(&answer, "{\"content\":\"\xef\xbf\xbd\xef\xbf\xbd\\u0000a\xc3\xa9\"}");
    http_answer_done(&answer);
    end("text", 0);
}
