/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shaping, rule by rule: the rules are written as in a gateway's file and go through the same code
 * that makes a worker's plan of them.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "plan_shape.h"
#include "shape.h"
#include "shm/cleanup.h"
#include "shm/clock.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum { LIST_MAX = 512 };

/* ---- rules, from the text of a file to a plan ---- */

static struct plan plan;
static struct json_tree tree;

static const char *string_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static struct config_list list_of(const json_t *array, const char *items[LIST_MAX])
{
    cr_assert_leq(json_array_size(array), LIST_MAX);
    for (size_t i = 0; i < json_array_size(array); i++)
        items[i] = json_string_value(json_array_get(array, i));
    return (struct config_list){.items = items, .n = json_array_size(array)};
}

/* Every element is a `del` of one path. */
static struct config_items flatmap_of(const json_t *array, struct config_operation *operations)
{
    static const char *paths[LIST_MAX];
    struct config_list list = list_of(array, paths);
    for (size_t i = 0; i < list.n; i++)
        operations[i] = (struct config_operation){
            .verb = CONFIG_FLATMAP_DEL, .args = {.items = &paths[i], .n = 1}};
    return (struct config_items){.items = operations, .n = list.n};
}

static struct shape begin(const char *text, enum plan_encoding encoding)
{
    static const char *allowed[LIST_MAX], *denied[LIST_MAX];
    json_t *rules = json_loads(text, 0, NULL);
    cr_assert_not_null(rules, "%s", text);
    static struct config_operation operations[LIST_MAX];
    struct config_backend backend = {.target = string_of(rules, "target"),
        .group = string_of(rules, "group"),
        .allow = list_of(json_object_get(rules, "allow"), allowed),
        .deny = list_of(json_object_get(rules, "deny"), denied),
        .mapping = json_object_get(rules, "mapping"),
        .flatmap = flatmap_of(json_object_get(rules, "flatmap_filter"), operations)};
    struct plan_builder *builder = plan_builder_new(PLAN_WORKER);
    struct plan_backend planned = {0};
    cr_assert_eq(plan_add_shape(builder, &backend, &planned.shape), 0);
    json_decref(rules);
    struct plan_worker root = {.backends = plan_add_list(builder, &planned, sizeof planned, 1)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof root);
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    const struct plan_worker *worker = plan.root;
    const struct plan_backend *backends = plan_items(&plan, worker->backends);
    cr_assert_eq(json_tree_init(&tree, 1 << 20), 0);
    return (struct shape){
        .plan = &plan, .rules = &backends[0].shape, .encoding = encoding, .tree = &tree};
}

static void end(void)
{
    json_tree_done(&tree);
    plan_leave(&plan);
}

/* ---- a message through them ---- */

struct result {
    enum shape_outcome outcome;
    struct json_slice shown; /* where it lies, or `text` */
    char *text;
};

/* In memory of its own, exactly as long, so that a byte too far is seen. */
static struct json_slice boxed(const char *message, size_t n)
{
    char *copy = malloc(n + !n);
    cr_assert_not_null(copy);
    memcpy(copy, message, n);
    return (struct json_slice){.at = copy, .len = n};
}

static struct result apply(const struct shape *shape, struct json_slice message)
{
    struct shape_draft draft;
    struct result result = {.outcome = shape_plan(shape, message, &draft)};
    if (result.outcome == SHAPE_AS_IT_IS)
        result.shown = draft.shown;
    if (result.outcome != SHAPE_REBUILT)
        return result;
    result.text = malloc(draft.max_bytes);
    cr_assert_not_null(result.text);
    result.shown.at = result.text;
    cr_assert(shape_write(shape, message, &draft, result.text, &result.shown.len));
    cr_assert_leq(result.shown.len, draft.max_bytes);
    return result;
}

static void expect_shown(const struct result *result, const char *expected, const char *what)
{
    cr_expect(result->outcome != SHAPE_SPOILED && result->shown.len == strlen(expected) &&
                  memcmp(result->shown.at, expected, result->shown.len) == 0,
        "%s\n   gave %.*s\ninstead %s", what, (int)result->shown.len,
        result->shown.at ? result->shown.at : "", expected);
    struct json_value value;
    size_t fault;
    if (result->shown.len)
        cr_expect_eq(json_check(result->shown.at, result->shown.len, &value, &fault), JSON_OK);
}

struct row {
    const char *rules, *message, *expected;
};

static void check_row(const struct row *row, enum plan_encoding encoding)
{
    struct shape shape = begin(row->rules, encoding);
    struct json_slice message = boxed(row->message, strlen(row->message));
    struct result result = apply(&shape, message);
    char *what = NULL;
    cr_assert_gt(asprintf(&what, "%s of %s", row->rules, row->message), 0);
    expect_shown(&result, row->expected, what);
    free(what);
    free(result.text);
    free((void *)(uintptr_t)message.at);
    end();
}

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_row(&rows[i], PLAN_JSON);
}

/* ---- what the gateway was seen to do ---- */

#define MAPPING "{\"mapping\":{\"a\":\"alpha\",\"n\":\"nested\",\"missing\":\"nope\"}}"
#define ALLOW "{\"allow\":[\"a\",\"n.x\"]}"
#define DENY "{\"deny\":[\"a\",\"n.x\"]}"
#define GROUP "{\"group\":\"g\"}"
#define ABN "{\"a\":1,\"b\":2,\"n\":{\"x\":1,\"y\":2}}"

static const struct row observed[] = {
    {GROUP, "{\"a\":1}", "{\"g\":{\"a\":1}}"},
    {GROUP, "{}", "{\"g\":{}}"},
    {GROUP, "", "{\"g\":null}"},
    {MAPPING, "{\"a\":1,\"b\":2,\"n\":{\"x\":1}}", "{\"alpha\":1,\"b\":2,\"nested\":{\"x\":1}}"},
    {MAPPING, "{\"a\":1,\"alpha\":2}", "{\"alpha\":1}"},
    {"{\"mapping\":{\"a\":\"x.y\"}}", "{\"a\":1}", "{\"x\":1}"},
    {"{\"mapping\":{\"n.x\":\"y\"}}", "{\"n\":{\"x\":1}}", "{\"n\":{\"x\":1}}"},
    {"{\"mapping\":{\"n.x\":\"y\"}}", "{\"n.x\":1}", "{\"y\":1}"},
    {ALLOW, ABN, "{\"a\":1,\"n\":{\"x\":1}}"},
    {ALLOW, "{\"b\":2}", "{}"},
    {DENY, ABN, "{\"b\":2,\"n\":{\"y\":2}}"},
    {DENY, "{\"a\":1,\"n\":{\"x\":1}}", "{\"n\":{}}"},
    {DENY, "{\"a\":1}", "{}"},
    {"{\"target\":\"n\"}", "{\"a\":1,\"n\":{\"x\":1}}", "{\"x\":1}"},
    {"{\"target\":\"n\"}", "{\"a\":1}", "{}"},
    {"{\"target\":\"n\"}", "{\"n\":[1]}", "{}"},
    {"{\"target\":\"n.m\",\"mapping\":{\"p\":\"q\"},\"group\":\"g\"}",
        "{\"n\":{\"m\":{\"p\":1,\"z\":2}}}", "{\"g\":{\"q\":1,\"z\":2}}"},
    {"{\"allow\":[\"a\"],\"deny\":[\"a\"]}", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
};

Test(shape, does_what_the_gateway_was_seen_to_do)
{
    check(observed, N(observed));
}

/* ---- each rule at its edges ---- */

static const struct row target[] = {
    {"{\"target\":\"n\"}", "", "{}"},
    {"{\"target\":\"n\"}", "null", "{}"},
    {"{\"target\":\"n\"}", "{\"n\":null}", "{}"},
    {"{\"target\":\"n\"}", "{\"n\":{}}", "{}"},
    {"{\"target\":\"n.m.o\"}", "{\"n\":{\"m\":{\"o\":{\"p\":[1]}}}}", "{\"p\":[1]}"},
    {"{\"target\":\"n.m.o\"}", "{\"n\":{\"m\":{\"x\":{}}}}", "{}"},
    {"{\"target\":\"n.m\"}", "{\"n.m\":{\"x\":1}}", "{}"},
    {"{\"target\":\"n\"}", "{\"n\":{\"first\":1},\"n\":{\"last\":1}}", "{\"last\":1}"},
    {"{\"target\":\"n\"}", "{\"n\":{\"first\":1},\"n\":5}", "{}"},
    {"{\"target\":\".\"}", "{\"\":{\"\":{\"x\":1}}}", "{\"x\":1}"},
    {"{\"target\":\"n\",\"group\":\"g\"}", "", "{\"g\":{}}"},
    {"{\"target\":\"n\",\"allow\":[\"x\"]}", "{\"n\":{\"x\":1,\"y\":2},\"x\":9}", "{\"x\":1}"},
};

Test(shape, target_is_an_object_on_its_path_or_an_empty_one)
{
    check(target, N(target));
}

static const struct row allow[] = {
    {"{\"allow\":[\"n.x\"]}", "{\"n\":{\"y\":1}}", "{}"},
    {"{\"allow\":[\"n.x\"]}", "{\"n\":{}}", "{}"},
    {"{\"allow\":[\"n.x\"]}", "{\"n\":5,\"a\":1}", "{}"},
    {"{\"allow\":[\"n.x\"]}", "{\"n\":[{\"x\":1}]}", "{}"},
    {"{\"allow\":[\"n\"]}", "{\"n\":{}, \"a\":1}", "{\"n\":{}}"},
    {"{\"allow\":[\"n.m.o\",\"n.z\"]}", "{\"n\":{\"m\":{\"o\":1,\"p\":2},\"z\":3,\"y\":4}}",
        "{\"n\":{\"m\":{\"o\":1},\"z\":3}}"},
    {"{\"allow\":[\"n.m.o\",\"n.z\"]}", "{\"n\":{\"m\":{\"p\":2},\"z\":3}}", "{\"n\":{\"z\":3}}"},
    {"{\"allow\":[\"b\",\"a\"]}", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2}"},
    {"{\"allow\":[\"n\",\"n.x\"]}", "{\"n\":{\"x\":1,\"y\":2}}", "{\"n\":{\"x\":1}}"},
    {"{\"allow\":[\"n.x\",\"n\"]}", "{\"n\":{\"x\":1,\"y\":2},\"b\":1}",
        "{\"n\":{\"x\":1,\"y\":2}}"},
    {"{\"allow\":[\"a\"]}", "", ""},
    {"{\"allow\":[\"a\"]}", "null", "null"},
    {"{\"allow\":[\"a\"]}", "{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":1,\"a\":2}"},
    {"{\"allow\":[\"..x\"]}", "{\"\":{\"\":{\"x\":1,\"y\":2}}}", "{\"\":{\"\":{\"x\":1}}}"},
    {"{\"allow\":[\"a\"]}", "{ \"a\" : [ 1 , 2 ] , \"b\" : 0 }", "{\"a\" : [ 1 , 2 ]}"},
    {"{\"allow\":[\"a\",\"n.x\"]}", "{\"n\": { \"x\" : 1 }, \"b\":0}", "{\"n\": { \"x\" : 1 }}"},
};

Test(shape, allow_keeps_what_its_paths_lead_to)
{
    check(allow, N(allow));
}

static const struct row deny[] = {
    {"{\"deny\":[\"n.m.o\"]}", "{\"n\":{\"m\":{\"o\":1,\"p\":2},\"o\":3}}",
        "{\"n\":{\"m\":{\"p\":2},\"o\":3}}"},
    {"{\"deny\":[\"n.x\"]}", "{\"n\":[{\"x\":1}]}", "{\"n\":[{\"x\":1}]}"},
    {"{\"deny\":[\"n.x\"]}", "{\"n\":\"x\"}", "{\"n\":\"x\"}"},
    {"{\"deny\":[\"a\"]}", "{\"a\":1,\"b\":0,\"a\":2}", "{\"b\":0}"},
    {"{\"deny\":[\"a\"]}", "null", "null"},
    {"{\"deny\":[\"\"]}", "{\"\":1,\"b\":2}", "{\"b\":2}"},
    {"{\"deny\":[\"a\"]}", "{\"b\": 2.50, \"a\":1, \"c\":12345678901234567890123}",
        "{\"b\": 2.50,\"c\":12345678901234567890123}"},
};

Test(shape, deny_leaves_out_what_its_paths_lead_to)
{
    check(deny, N(deny));
}

static const struct row mapping[] = {
    {"{\"mapping\":{\"a\":\"b\",\"b\":\"c\"}}", "{\"a\":1,\"b\":2}", "{\"b\":1,\"c\":2}"},
    {"{\"mapping\":{\"a\":\"b\",\"b\":\"a\"}}", "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}"},
    {"{\"mapping\":{\"b\":\"z\",\"a\":\"z\"}}", "{\"a\":1,\"b\":2,\"z\":3}", "{\"z\":2}"},
    {"{\"mapping\":{\"b\":\"z\",\"a\":\"z\"}}", "{\"a\":1,\"z\":3}", "{\"z\":1}"},
    {"{\"mapping\":{\"b\":\"z\",\"a\":\"z\"}}", "{\"z\":3}", "{\"z\":3}"},
    {"{\"mapping\":{\"a\":\"a\"}}", "{\"a\":1}", "{\"a\":1}"},
    {"{\"mapping\":{\"a\":\".x\"}}", "{\"a\":1}", "{\"\":1}"},
    {"{\"mapping\":{\"\":\"a\"}}", "{\"\":1}", "{\"a\":1}"},
    {"{\"mapping\":{\"a\":\"z\"}}", "{\"n\":{\"a\":1}}", "{\"n\":{\"a\":1}}"},
    {"{\"mapping\":{\"a\":\"z\"}}", "{\"a\":1,\"z\":2,\"a\":3}", "{\"z\":1,\"z\":3}"},
    {"{\"mapping\":{\"a\":\"z\"}}", "null", "null"},
    {"{\"allow\":[\"n.x\",\"z\"],\"mapping\":{\"n\":\"z\"}}", "{\"n\":{\"y\":1},\"z\":2}",
        "{\"z\":2}"},
    {"{\"allow\":[\"n.x\",\"z\"],\"mapping\":{\"n\":\"z\"}}", "{\"n\":{\"x\":1},\"z\":2}",
        "{\"z\":{\"x\":1}}"},
    {"{\"deny\":[\"a\"],\"mapping\":{\"a\":\"z\"}}", "{\"a\":1,\"z\":2}", "{\"z\":2}"},
    {"{\"mapping\":{\"a\":\"say \\\"hi\\\"\\n\"}}", "{\"a\":1}", "{\"say \\\"hi\\\"\\n\":1}"},
};

Test(shape, mapping_gives_each_name_to_one_member)
{
    check(mapping, N(mapping));
}

#define ALL "{\"target\":\"t\",\"allow\":[\"a\",\"n.x\"],\"mapping\":{\"a\":\"b\"},\"group\":\"g\"}"

static const struct row order[] = {
    {ALL, "{\"t\":{\"a\":1,\"b\":2,\"n\":{\"x\":3,\"y\":4}},\"a\":5}",
        "{\"g\":{\"b\":1,\"n\":{\"x\":3}}}"},
    {ALL, "{\"t\":{\"b\":2}}", "{\"g\":{}}"},
    {ALL, "{}", "{\"g\":{}}"},
    {"{\"allow\":[\"a\"],\"group\":\"a.b\"}", "{\"a\":1,\"c\":2}", "{\"a.b\":{\"a\":1}}"},
    {"{\"group\":\"\\\"\\\\\\u0001\\u00e9\"}", "{ \"a\" : 1 }",
        "{\"\\\"\\\\\\u0001\u00e9\":{ \"a\" : 1 }}"},
};

Test(shape, applies_target_then_filter_then_mapping_then_group)
{
    check(order, N(order));
}

/* ---- messages that are no objects ---- */

static const struct {
    struct row row;
    enum plan_encoding encoding;
} wrapped[] = {
    {{GROUP, "[1,2]", "{\"g\":{\"collection\":[1,2]}}"}, PLAN_JSON_COLLECTION},
    {{GROUP, "null", "{\"g\":{\"collection\":null}}"}, PLAN_JSON_COLLECTION},
    {{GROUP, "", "{\"g\":null}"}, PLAN_JSON_COLLECTION},
    {{"{\"allow\":[\"collection\"]}", "[1]", "{\"collection\":[1]}"}, PLAN_JSON_COLLECTION},
    {{"{\"allow\":[\"a\"]}", "[1]", "{}"}, PLAN_JSON_COLLECTION},
    {{"{\"allow\":[\"collection.a\"]}", "[{\"a\":1}]", "{}"}, PLAN_JSON_COLLECTION},
    {{"{\"deny\":[\"collection\"]}", "[1]", "{}"}, PLAN_JSON_COLLECTION},
    {{"{\"deny\":[\"collection.a\"]}", "[{\"a\":1}]", "{\"collection\":[{\"a\":1}]}"},
        PLAN_JSON_COLLECTION},
    {{"{\"mapping\":{\"collection\":\"items\"}}", "[1]", "{\"items\":[1]}"}, PLAN_JSON_COLLECTION},
    {{"{\"target\":\"collection\"}", "[1]", "{}"}, PLAN_JSON_COLLECTION},
    {{GROUP, "{\"a\":1}", "{\"g\":{\"a\":1}}"}, PLAN_SAFEJSON},
    {{GROUP, "[1]", "{\"g\":{\"collection\":[1]}}"}, PLAN_SAFEJSON},
    {{GROUP, "2.50", "{\"g\":{\"content\":2.50}}"}, PLAN_SAFEJSON},
    {{GROUP, "null", "{\"g\":{\"content\":null}}"}, PLAN_SAFEJSON},
    {{GROUP, "", "{\"g\":null}"}, PLAN_SAFEJSON},
    {{"{\"mapping\":{\"content\":\"c\"}}", "\"s\"", "{\"c\":\"s\"}"}, PLAN_SAFEJSON},
    {{"{\"mapping\":{\"content\":\"c\"}}", "{\"content\":1}", "{\"c\":1}"}, PLAN_SAFEJSON},
    {{GROUP, "say \"hi\"\n\x01\xff", "{\"g\":{\"content\":\"say \\\"hi\\\"\\n\\u0001\uFFFD\"}}"},
        PLAN_STRING},
    {{GROUP, "", "{\"g\":{\"content\":\"\"}}"}, PLAN_STRING},
    {{"{\"mapping\":{\"content\":\"c\"}}", "x", "{\"c\":\"x\"}"}, PLAN_NO_OP},
    {{"{\"deny\":[\"content\"]}", "x", "{}"}, PLAN_STRING},
};

Test(shape, makes_an_object_first_of_what_is_none)
{
    for (size_t i = 0; i < N(wrapped); i++)
        check_row(&wrapped[i].row, wrapped[i].encoding);
}

/* ---- hostile keys ---- */

static const struct row keys[] = {
    {"{\"deny\":[\"ab\"]}", "{\"a\\u0062\":1,\"\\u0061b\":2,\"abc\":3}", "{\"abc\":3}"},
    {"{\"allow\":[\"a\\\"b\\\\c\\n\"]}", "{\"a\\u0022b\\u005cc\\u000a\":1,\"a\":2}",
        "{\"a\\u0022b\\u005cc\\u000a\":1}"},
    {"{\"allow\":[\"\\ud83d\\ude00\"]}", "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2,\"x\":3}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"},
    {"{\"deny\":[\"x\"]}", "{\"\\ud83d\":1,\"\\ude00\":2,\"x\":3}",
        "{\"\\ud83d\":1,\"\\ude00\":2}"},
    {"{\"allow\":[\"\\u00e9\"]}", "{\"e\\u0301\":1,\"\u00e9\":2}", "{\"\u00e9\":2}"},
    {"{\"allow\":[\"\\u00ff\",\"\\uffff\",\"\\ud800\\udc00\",\"z\"]}",
        "{\"\\ud800\\udc00\":1,\"\\uFFFF\":2,\"\u00ff\":3,\"\\u007a\":4,\"y\":5}",
        "{\"\\ud800\\udc00\":1,\"\\uFFFF\":2,\"\u00ff\":3,\"\\u007a\":4}"},
    {"{\"allow\":[\"a\"]}", "{\"a\\u0000\":1,\"a\":2,\"\\u0000\":3}", "{\"a\":2}"},
    {"{\"allow\":[\"\\\\u0061\"]}", "{\"a\":1,\"\\\\u0061\":2}", "{\"\\\\u0061\":2}"},
    {"{\"mapping\":{\"a\":\"b\"}}", "{\"\\u0061\":1,\"\\u0062\":2}", "{\"b\":1}"},
    {"{\"target\":\"\\u00e9\"}", "{\"\\u00e9\":{\"x\":1}}", "{\"x\":1}"},
};

Test(shape, compares_keys_by_what_they_mean)
{
    check(keys, N(keys));
}

/* ---- flatmap_filter; what it does by itself has tests of its own ---- */

static const struct row flattened[] = {
    {"{\"flatmap_filter\":[\"a\",\"n.*.x\"]}", "{\"a\":1,\"n\":[{\"x\":1,\"y\":2.50}]}",
        "{\"n\":[{\"y\":2.50}]}"},
    {"{\"flatmap_filter\":[\"a\"],\"deny\":[\"b\"],\"mapping\":{\"c\":\"d\"}}",
        "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3}"},
    {"{\"flatmap_filter\":[\"x\"],\"target\":\"n\",\"group\":\"g\"}",
        "{\"x\":1,\"n\":{\"x\":1,\"y\":2}}", "{\"g\":{\"y\":2}}"},
    {"{\"flatmap_filter\":[\"*\"],\"group\":\"g\"}", "{\"a\":1}", "{\"g\":null}"},
    {"{\"flatmap_filter\":[\"a\"],\"group\":\"g\"}", "{ \"b\" : 1 }", "{\"g\":{ \"b\" : 1 }}"},
    {"{\"flatmap_filter\":[\"a\"]}", "{ \"b\" : 1 }", "{ \"b\" : 1 }"},
    {"{\"flatmap_filter\":[\"a\"]}", "null", "null"},
    {"{\"flatmap_filter\":[\"a\"],\"group\":\"g\"}", "null", "{\"g\":null}"},
};

Test(shape, flatmap_filter_takes_the_place_of_the_other_rules)
{
    check(flattened, N(flattened));
}

Test(shape, flatmap_filter_reaches_into_what_was_made_an_object)
{
    static const struct row collection = {"{\"flatmap_filter\":[\"collection.*.a\"]}",
        "[{\"a\":1,\"b\":2}]", "{\"collection\":[{\"b\":2}]}"};
    static const struct row text = {
        "{\"flatmap_filter\":[\"z\"]}", "\xff{", "{\"content\":\"\xef\xbf\xbd{\"}"};
    check_row(&collection, PLAN_JSON_COLLECTION);
    check_row(&collection, PLAN_SAFEJSON);
    check_row(&text, PLAN_STRING);
}

Test(shape, a_message_that_flatmap_filter_cannot_hold_is_too_large)
{
    size_t n = (size_t)2 * JSON_TREE_NODES_MAX + 16;
    char *text = malloc(n), *at = stpcpy(text, "{\"a\":[0");
    while (at < text + n - 3)
        at = stpcpy(at, ",0");
    (void)stpcpy(at, "]}");
    struct shape shape = begin("{\"flatmap_filter\":[\"a.*\"]}", PLAN_JSON);
    struct shape_draft draft;
    cr_expect_eq(
        shape_plan(&shape, (struct json_slice){text, strlen(text)}, &draft), SHAPE_TOO_LARGE);
    free(text);
    end();
}

/* ---- nothing is copied that need not be ---- */

static const struct row untouched[] = {
    {"{\"allow\":[\"a\",\"n.x\"]}", " { \"a\" : 1 , \"n\" : { \"x\" : 2.50 } } ", ""},
    {"{\"deny\":[\"z\",\"n.z\"]}", "{\"a\":1,\"n\":{\"x\":[1e3]}}", ""},
    {"{\"mapping\":{\"z\":\"y\",\"x\":\"a\"}}", "{\"a\":1,\"b\":{}}", ""},
    {"{\"deny\":[\"a\"]}", "{}", ""},
    {"{\"deny\":[\"a\"],\"mapping\":{\"a\":\"b\"}}", "null", ""},
};

Test(shape, an_untouched_message_is_shown_where_it_lies)
{
    for (size_t i = 0; i < N(untouched); i++) {
        struct shape shape = begin(untouched[i].rules, PLAN_JSON);
        struct json_value value;
        size_t fault;
        struct json_slice message = boxed(untouched[i].message, strlen(untouched[i].message));
        cr_assert_eq(json_check(message.at, message.len, &value, &fault), JSON_OK);
        struct result result = apply(&shape, value.text);
        cr_expect_eq(result.outcome, SHAPE_AS_IT_IS, "%s", untouched[i].message);
        cr_expect_eq(result.shown.at, value.text.at);
        cr_expect_eq(result.shown.len, value.text.len);
        free((void *)(uintptr_t)message.at);
        end();
    }
}

Test(shape, a_target_is_shown_where_it_lies)
{
    static const char text[] = "{\"a\":1,\"n\": {\"m\" : { \"x\" : 2.50 } }}";
    struct shape shape = begin("{\"target\":\"n.m\",\"allow\":[\"x\"]}", PLAN_JSON);
    struct result result = apply(&shape, (struct json_slice){text, strlen(text)});
    cr_expect_eq(result.outcome, SHAPE_AS_IT_IS);
    cr_expect_eq(result.shown.at, strstr(text, "{ \"x\""));
    cr_expect_eq(result.shown.len, strlen("{ \"x\" : 2.50 }"));
    end();
}

/* ---- size ---- */

enum { N_KEYS = 10000, KEY_ROOM = 110 };

/* {"key_00000":"xxx...",...}: about a megabyte; of these keys each `every`th. */
static char *large_message(unsigned every)
{
    char *text = malloc(2 + (size_t)N_KEYS * (KEY_ROOM + 20)), *at = text;
    cr_assert_not_null(text);
    *at++ = '{';
    for (unsigned i = 0; i < N_KEYS; i += every)
        at += sprintf(at, "%s\"key_%05u\":\"%0*u\"", i ? "," : "", i, KEY_ROOM - 20, i);
    *at++ = '}';
    *at = 0;
    return text;
}

static char *large_rules(const char *kind, unsigned every)
{
    char *text = malloc(64 + 20 * (size_t)(N_KEYS / every)), *at = text;
    cr_assert_not_null(text);
    at += sprintf(at, "{\"%s\":[", kind);
    for (unsigned i = 0; i < N_KEYS; i += every)
        at += sprintf(at, "%s\"key_%05u\"", i ? "," : "", i);
    (void)sprintf(at, "]}");
    return text;
}

Test(shape, a_megabyte_with_ten_thousand_keys_costs_little)
{
    CLEANUP(cleanup_free) char *text = large_message(1), *expected = large_message(50);
    CLEANUP(cleanup_free) char *rules = large_rules("allow", 50);
    struct shape shape = begin(rules, PLAN_JSON);
    struct json_slice message = {text, strlen(text)};
    cr_assert_gt(message.len, 1000000);
    uint64_t begin_ns = clock_now_ns();
    struct result result = apply(&shape, message);
    uint64_t took_ns = clock_now_ns() - begin_ns;
    expect_shown(&result, expected, "every 50th");
    cr_log_info("1 MB, 10,000 keys, 200 rules: %lu us", took_ns / 1000);
    cr_expect_lt(took_ns, CLOCK_S, "a quadratic walk takes longer");
    free(result.text);
    end();
}

Test(shape, the_deepest_message_and_the_deepest_path_are_followed)
{
    char text[6 * JSON_MAX_DEPTH + 16] = "", path[2 * PLAN_PATH_MAX + 32], *at = text;
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        at = stpcpy(at, "{\"d\":");
    at = stpcpy(at, "1");
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        at = stpcpy(at, "}");
    at = stpcpy(path, "{\"deny\":[\"d");
    for (int i = 1; i < PLAN_PATH_MAX; i++)
        at = stpcpy(at, ".d");
    (void)stpcpy(at, "\"]}");
    struct shape shape = begin(path, PLAN_JSON);
    struct result result = apply(&shape, (struct json_slice){text, strlen(text)});
    cr_assert_eq(result.outcome, SHAPE_REBUILT);
    cr_expect_eq(result.shown.len,
        (PLAN_PATH_MAX - 1) * strlen("{\"d\":") + strlen("{}") + (PLAN_PATH_MAX - 1) * strlen("}"));
    free(result.text);
    end();
}

/* ---- memory that somebody else writes to ---- */

static const char mutated[] = "{\"a\":1,\"b\":{\"x\":[1,2],\"y\":\"s\\u0041\"},\"c\":null}";

/* Every byte in turn becomes another between the two calls: nothing outside is read or written,
 * which the exact allocations show under a sanitizer, and a length that is said fits. */
static void change_each_byte(const char *rules, const char *others)
{
    struct shape shape = begin(rules, PLAN_JSON);
    for (size_t i = 0; i < strlen(mutated); i++) {
        for (const char *other = others; *other; other++) {
            struct json_slice message = boxed(mutated, strlen(mutated));
            struct shape_draft draft;
            size_t n_bytes = 0;
            cr_assert_eq(shape_plan(&shape, message, &draft), SHAPE_REBUILT);
            char *out = malloc(draft.max_bytes);
            ((char *)(uintptr_t)message.at)[i] = *other;
            if (shape_write(&shape, message, &draft, out, &n_bytes))
                cr_expect_leq(n_bytes, draft.max_bytes);
            else
                cr_expect_eq(n_bytes, 0);
            free(out);
            free((void *)(uintptr_t)message.at);
        }
    }
    end();
}

Test(shape, a_message_that_changes_meanwhile_does_no_harm)
{
    change_each_byte("{\"allow\":[\"a\",\"b.y\"]}", "\"\\{}[],: a9x\x80");
    change_each_byte("{\"deny\":[\"a\",\"b.x\"]}", "\"\\{}[],: a9x\x80");
    change_each_byte("{\"mapping\":{\"a\":\"longer\",\"b\":\"c\"}}", "\"\\{}[],: abc9x\x80");
    change_each_byte("{\"target\":\"b\",\"group\":\"g\"}", "\"\\{}[],: abc9x\x80");
    change_each_byte("{\"flatmap_filter\":[\"a\",\"b.*\"]}", "\"\\{}[],: abc9x\x80");
}

Test(shape, a_message_that_grew_meanwhile_is_not_written)
{
    struct shape shape = begin("{\"deny\":[\"a\"]}", PLAN_JSON);
    char text[] = "{\"a\":\"0123456789\",\"b\":1}";
    struct json_slice message = {text, strlen(text)};
    struct shape_draft draft;
    size_t n_bytes = 77;
    cr_assert_eq(shape_plan(&shape, message, &draft), SHAPE_REBUILT);
    char *out = malloc(draft.max_bytes);
    text[2] = 'z'; /* what was to be left out is to be kept */
    cr_expect_not(shape_write(&shape, message, &draft, out, &n_bytes));
    cr_expect_eq(n_bytes, 77);
    free(out);
    end();
}

Test(shape, what_is_no_object_is_spoiled_where_one_is_wanted)
{
    struct shape shape = begin(GROUP, PLAN_JSON);
    static const char *const texts[] = {"[1]", "5", "\"s\"", "true", "?"};
    struct shape_draft draft;
    for (size_t i = 0; i < N(texts); i++)
        cr_expect_eq(shape_plan(&shape, (struct json_slice){texts[i], strlen(texts[i])}, &draft),
            SHAPE_SPOILED, "%s", texts[i]);
    end();
}
