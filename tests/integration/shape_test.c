/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer shows of a message: target, allow, deny, mapping and group, from the file to the
 * client.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(shape, .timeout = 60);

static struct scene scene;

/* Each endpoint of the file asks a queue of its own, under whose name it is served. */
static void begin(const char *name, const char *queue)
{
    scene_open(&scene, name);
    scene_begin(&scene, "shape.json");
    scene_await_bindings(&scene, queue, 1);
}

static void publish(const char *queue, const char *body)
{
    scene_publish(&scene, "things", queue, body);
}

static void expect_get(const char *path, const char *body)
{
    struct http_answer answer = scene_do_when_up(&scene, path, &(struct http_request){0});
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", "application/json; charset=utf-8");
    expect_header(&answer, "X-Krakend-Completed", "true");
    expect_body(&answer, body);
    http_answer_done(&answer);
}

static void shows(const char *queue, const char *sent, const char *expected)
{
    autofree char *path = format_text("/%s", queue);
    publish(queue, sent);
    expect_get(path, expected);
}

static void end_with(const char *queue, int n_left)
{
    int n = scene_stop_and_count(&scene, queue, n_left);
    cr_assert_eq(n, n_left, "%d messages are left instead of %d", n, n_left);
    scene_close(&scene);
}

#define ABN "{\"a\":1,\"b\":2,\"n\":{\"x\":1,\"y\":2}}"

Test(shape, group_puts_the_message_under_a_name)
{
    begin("group", "group");
    shows("group", "{\"a\":1}", "{\"g\":{\"a\":1}}");
    shows("group", "{ \"a\" : 2.50 }", "{\"g\":{ \"a\" : 2.50 }}");
    shows("group", "{}", "{\"g\":{}}");
    shows("group", "", "{\"g\":null}");
    end_with("group", 0);
}

Test(shape, mapping_renames_at_the_top_level)
{
    begin("mapping", "mapping");
    shows("mapping", "{\"a\":1,\"b\":2,\"n\":{\"a\":1}}",
        "{\"alpha\":1,\"b\":2,\"nested\":{\"a\":1}}");
    shows("mapping", "{\"alpha\":2,\"a\":1}", "{\"alpha\":1}");
    shows("mapping", "{ \"alpha\" : 2.50 }", "{ \"alpha\" : 2.50 }");
    end_with("mapping", 0);
}

Test(shape, allow_keeps_what_it_names)
{
    begin("allow", "allow");
    shows("allow", ABN, "{\"a\":1,\"n\":{\"x\":1}}");
    shows("allow", "{\"b\":2,\"n\":{\"y\":2}}", "{}");
    end_with("allow", 0);
}

Test(shape, deny_leaves_out_what_it_names)
{
    begin("deny", "deny");
    shows("deny", ABN, "{\"b\":2,\"n\":{\"y\":2}}");
    shows("deny", "{\"a\":1,\"n\":{\"x\":1}}", "{\"n\":{}}");
    shows(
        "deny", "{\"\\u0061\":1,\"b\":12345678901234567890123}", "{\"b\":12345678901234567890123}");
    end_with("deny", 0);
}

Test(shape, target_is_all_that_is_shown)
{
    begin("target", "target");
    shows("target", "{\"a\":1,\"n\":{\"x\":1}}", "{\"x\":1}");
    shows("target", "{\"a\":1}", "{}");
    shows("target", "{\"n\":[1]}", "{}");
    end_with("target", 0);
}

Test(shape, target_comes_first_and_group_last)
{
    begin("shape_order", "order");
    shows("order", "{\"n\":{\"m\":{\"p\":1,\"z\":2}}}", "{\"g\":{\"q\":1,\"z\":2}}");
    shows("order", "{}", "{\"g\":{}}");
    end_with("order", 0);
}

Test(shape, a_message_that_is_no_object_is_made_one_first)
{
    begin("shape_wrapped", "collection");
    scene_await_bindings(&scene, "safejson", 1);
    scene_await_bindings(&scene, "string", 1);
    shows("collection", "[1,{\"a\":2}]", "{\"g\":{\"items\":[1,{\"a\":2}]}}");
    shows("collection", "", "{\"g\":null}");
    shows("safejson", "{\"a\":1}", "{\"g\":{\"a\":1}}");
    shows("safejson", "[1]", "{\"g\":{\"collection\":[1]}}");
    shows("safejson", "5", "{\"g\":{\"content\":5}}");
    shows("string", "say \"hi\"", "{\"text\":\"say \\\"hi\\\"\"}");
    end_with("collection", 0);
}

Test(shape, a_shaped_collection_is_bare_where_the_endpoint_says_so)
{
    begin("shape_bare", "bare");
    shows("bare", "[1,{\"z\":2}]", "[1,{\"z\":2}]");
    end_with("bare", 0);
}

Test(shape, two_backends_stand_side_by_side_in_their_groups)
{
    begin("shape_two", "second");
    scene_await_bindings(&scene, "first", 1);
    publish("first", "{\"a\":1}");
    publish("second", "{\"a\":2}");
    expect_get("/two", "{\"one\":{\"a\":1},\"two\":{\"a\":2}}");
    publish("first", "{}");
    publish("second", "");
    expect_get("/two", "{\"one\":{},\"two\":null}");
    end_with("second", 0);
}

Test(shape, each_backend_is_shaped_before_they_are_merged)
{
    begin("shape_merged", "left");
    scene_await_bindings(&scene, "right", 1);
    publish("left", "{\"id\":1,\"l\":1}");
    publish("right", "{\"id\":2,\"r\":2}");
    expect_get("/merged", "{\"l\":1,\"right_id\":2,\"r\":2}");
    end_with("right", 0);
}

Test(shape, what_is_not_json_is_discarded_all_the_same)
{
    begin("shape_discard", "discard");
    publish("discard", "[1]");
    struct http_answer answer = scene_do_when_up(&scene, "/discard", &(struct http_request){0});
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
    end_with("discard", 0);
}

Test(shape, a_shaped_answer_is_cached_like_any)
{
    begin("shape_cached", "cached");
    publish("cached", "{\"a\":1}");
    struct http_answer answer = scene_do_when_up(&scene, "/cached", &(struct http_request){0});
    expect_status(&answer, 200);
    expect_header(&answer, "Cache-Control", "public, max-age=300");
    expect_body(&answer, "{\"g\":{\"a\":1}}");
    http_answer_done(&answer);
    end_with("cached", 0);
}

/* {"key_00000":"0...","key_00001": ... }: of these keys each `every`th, with that much in each. */
static char *large_object(unsigned n_keys, unsigned every)
{
    char *text = malloc(2 + (size_t)n_keys * 128), *at = text;
    cr_assert_not_null(text);
    *at++ = '{';
    for (unsigned i = 0; i < n_keys; i += every)
        at += sprintf(at, "%s\"key_%05u\":\"%090u\"", i ? "," : "", i, i);
    *at++ = '}';
    *at = 0;
    return text;
}

Test(shape, a_megabyte_with_ten_thousand_keys_comes_through_whole)
{
    begin("shape_large", "group");
    autofree char *large = large_object(10000, 1);
    autofree char *grouped = format_text("{\"g\":%s}", large);
    cr_assert_gt(strlen(large), 1000000);
    shows("group", large, grouped);
    end_with("group", 0);
}
