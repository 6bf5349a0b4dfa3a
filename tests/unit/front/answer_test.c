/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/message.h"
#include "shm/slot.h"

#include "answer.h"
#include "answer_pool.h"
#include "front_plan.h"

enum { MAX_PARTS = 3 };

static const struct plan_part publishes = {.verb = PLAN_PRODUCE, .is_mandatory = 1};
static const struct plan_part optional = {.verb = PLAN_PRODUCE};
static const struct plan_part consumes = {.verb = PLAN_CONSUME, .encoding = PLAN_JSON};

static struct plan plan;
static struct plan_part plans[MAX_PARTS];
static struct part parts[MAX_PARTS];
static struct plan_endpoint endpoint;
static struct answer answer;
static struct trace made_trace;
static char body[8192];
static const struct siphash_seed seed = {1, 2};
static struct json_tree tree;

static void setup(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint nothing = {.method = plan_add_string(builder, "orders")};
    endpoint = (struct plan_endpoint){.output_encoding = PLAN_JSON};
    front_plan_join(&plan, builder, &nothing, 1);
    memset(parts, 0, sizeof(parts));
}

static void teardown(void)
{
    plan_leave(&plan);
}

TestSuite(answer, .init = setup, .fini = teardown);

/* One more part with an outcome. */
static struct part *part(const struct plan_part *of, enum outcome outcome)
{
    uint32_t i = endpoint.parts.count++;
    const struct plan_endpoint *named =
        plan_items(&plan, ((const struct plan_front *)plan.root)->endpoints);
    plans[i] = *of;
    plans[i].name = named[0].method;
    parts[i] = (struct part){.plan = &plans[i],
        .state = outcome == OUTCOME_DELIVERED ? PART_HELD : PART_OVER,
        .reply.outcome = outcome};
    return &parts[i];
}

static struct part *message(const struct plan_part *of, const char *text)
{
    struct part *delivered = part(of, OUTCOME_DELIVERED);
    delivered->reply.body = slice_of(text);
    return delivered;
}

/* A client of an endpoint that negotiates is taken to want text. */
static enum plan_encoding output(void)
{
    uint8_t encoding = endpoint.output_encoding;
    return encoding == PLAN_NEGOTIATE ? PLAN_STRING : (enum plan_encoding)encoding;
}

static void ask(void)
{
    size_t n = 0;
    answer_make(
        &answer, &(struct answer_question){.plan = &plan,
                     .endpoint = &endpoint,
                     .output = output(),
                     .parts = parts,
                     .made_trace = made_trace,
                     .message_id = slice_of(parts[0].plan->verb == PLAN_PRODUCE ? "id-1" : ""),
                     .seed = &seed,
                     .tree = &tree,
                     .memory = answer_pool});
    for (uint32_t i = 0; i < answer.n_pieces; n += answer.pieces[i++].len)
        memcpy(body + n, answer.pieces[i].at, answer.pieces[i].len);
    body[n] = '\0';
    cr_assert_eq(n, answer.body_bytes);
}

static const char *field(const char *name)
{
    static char value[256];
    const char *found = NULL;
    for (uint32_t i = 0; i < answer.n_fields; i++) {
        if (strcmp(answer.fields[i].name, name) != 0)
            continue;
        cr_assert_null(found, "%s twice", name);
        (void)snprintf(value, sizeof(value), "%.*s", (int)answer.fields[i].value.len,
            answer.fields[i].value.at);
        found = value;
    }
    return found;
}

static void has(const char *name, const char *value)
{
    const char *is = field(name);
    if (!value)
        cr_assert_null(is, "%s: %s", name, is);
    else
        cr_assert_str_eq(is ? is : "(none)", value, "%s: %s", name, is ? is : "(none)");
}

/* ---- every outcome of one part ---- */

struct row {
    enum outcome outcome;
    int status;
    const char *told; /* X-Leveret-Outcome */
    const char *retry_after;
};

static void row_holds(const struct row *row)
{
    ask();
    cr_assert_eq(answer.status, row->status, "%s: %d", row->told, answer.status);
    has("X-Leveret-Outcome", row->told);
    has("Retry-After", row->retry_after);
    has("Cache-Control", "no-store");
    cr_assert_str_not_empty(answer_reason(answer.status));
    if (row->status >= 400) {
        has("Content-Type", "application/problem+json");
        has("X-Krakend-Completed", "false");
        cr_assert(strstr(body, "\"backend\":\"orders\""), "%s", body);
    }
    endpoint.parts.count = 0;
}

Test(answer, of_every_outcome_of_a_publish)
{
    static const struct row rows[] = {
        {OUTCOME_CONFIRMED, 200, "confirmed", NULL},
        {OUTCOME_UNCONFIRMED, 202, "unconfirmed", NULL},
        {OUTCOME_UNROUTABLE, 422, "unroutable", NULL},
        {OUTCOME_NACKED, 502, "rejected", NULL},
        {OUTCOME_REJECTED, 502, "rejected", NULL},
        {OUTCOME_UNKNOWN, 504, "outcome-unknown", NULL},
        {OUTCOME_CANCELLED, 503, "busy", "1"},
        {OUTCOME_DOWN, 503, "broker-down", "1"},
        {OUTCOME_BLOCKED, 503, "broker-blocked", "1"},
        {OUTCOME_STALLED, 503, "broker-stalled", "1"},
        {OUTCOME_BUSY, 503, "busy", "1"},
        {OUTCOME_TOPOLOGY, 503, "topology", NULL},
        {OUTCOME_INVALID, 400, "invalid-value", NULL},
        {OUTCOME_UNSUPPORTED, 501, "unsupported", NULL},
        {OUTCOME_NO_WORKER, 503, "worker-down", "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        part(&publishes, rows[i].outcome);
        row_holds(&rows[i]);
        has("X-Message-Id", "id-1");
        cr_assert_not(answer.has_deliveries);
    }
}

Test(answer, of_every_outcome_of_a_get_but_a_message)
{
    static const struct row rows[] = {
        {OUTCOME_UNDECODABLE, 502, "undecodable", NULL},
        {OUTCOME_TOO_LARGE, 502, "too-large", NULL},
        {OUTCOME_EMPTY, 503, "broker-down", "1"},
        {OUTCOME_CANCELLED, 503, "broker-down", "1"},
        {OUTCOME_DOWN, 503, "broker-down", "1"},
        {OUTCOME_BLOCKED, 503, "broker-blocked", "1"},
        {OUTCOME_STALLED, 503, "broker-stalled", "1"},
        {OUTCOME_BUSY, 503, "busy", "1"},
        {OUTCOME_TOPOLOGY, 503, "topology", NULL},
        {OUTCOME_INVALID, 400, "invalid-value", NULL},
        {OUTCOME_UNSUPPORTED, 501, "unsupported", NULL},
        {OUTCOME_NO_WORKER, 503, "worker-down", "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        part(&consumes, rows[i].outcome);
        row_holds(&rows[i]);
        has("X-Message-Id", NULL);
        cr_assert_not(answer.has_deliveries);
    }
}

static void empty_is_204(enum outcome outcome)
{
    part(&consumes, outcome)->reply.is_listening = true;
    ask();
    cr_assert_eq(answer.status, 204);
    cr_assert_eq(answer.body_bytes, 0);
    has("X-Leveret-Outcome", "empty");
    has("X-Krakend-Completed", "false");
    has("Cache-Control", "no-store");
}

Test(answer, a_queue_that_was_listened_to_and_stayed_empty_is_204)
{
    empty_is_204(OUTCOME_EMPTY);
}

Test(answer, a_get_cancelled_while_the_queue_was_listened_to_is_204)
{
    empty_is_204(OUTCOME_CANCELLED);
}

/* ---- publishes ---- */

Test(answer, a_confirmed_publish_is_an_empty_object_and_complete)
{
    part(&publishes, OUTCOME_CONFIRMED);
    ask();
    cr_assert_str_eq(body, "{}");
    has("X-Krakend-Completed", "true");
    has("Content-Type", "application/json; charset=utf-8");
}

Test(answer, a_publish_without_a_confirm_is_not_complete)
{
    part(&publishes, OUTCOME_UNCONFIRMED);
    ask();
    has("X-Krakend-Completed", "false");
}

Test(answer, an_unroutable_publish_that_need_not_be_routed_is_200_and_told)
{
    part(&optional, OUTCOME_UNROUTABLE);
    ask();
    cr_assert_eq(answer.status, 200);
    has("X-Krakend-Completed", "false");
    has("X-Leveret-Outcome", "unroutable");
}

Test(answer, a_publish_answers_in_the_endpoints_encoding)
{
    part(&publishes, OUTCOME_CONFIRMED);
    endpoint.output_encoding = PLAN_JSON_COLLECTION;
    ask();
    cr_assert_str_eq(body, "[]");
    endpoint.output_encoding = PLAN_STRING;
    ask();
    cr_assert_eq(answer.n_pieces, 0);
    has("Content-Type", NULL);
}

Test(answer, the_brokers_words_and_ours_are_told_apart)
{
    struct part *rejected = part(&publishes, OUTCOME_REJECTED);
    rejected->reply.text_bytes =
        (uint16_t)snprintf(rejected->reply.text, LANE_TEXT_BYTES, "NOT_FOUND - no exchange 'x'");
    rejected->reply.broker_code = 404;
    ask();
    cr_assert(strstr(body, "\"broker\":{\"code\":404,\"text\":\"NOT_FOUND - no exchange 'x'\"}"));
    rejected->reply.broker_code = 0;
    ask();
    cr_assert_null(strstr(body, "\"broker\""));
    cr_assert(strstr(body, "\"detail\":\"NOT_FOUND"));
}

Test(answer, an_id_with_a_line_end_is_not_a_header)
{
    part(&publishes, OUTCOME_CONFIRMED);
    answer = (struct answer){0};
    answer_add(&answer, "X-Message-Id", slice_of("a\r\nSet-Cookie: b"));
    answer_add(&answer, "X-Message-Id", (struct slice){.at = "a\0b", .len = 3});
    answer_add(&answer, "X-Message-Id", slice_of(""));
    cr_assert_eq(answer.n_fields, 0);
    answer_add(&answer, "X-Message-Id", slice_of("\xc3\xa9\t!"));
    cr_assert_eq(answer.n_fields, 1);
}

/* ---- several publishes ---- */

static void both(enum outcome first, enum outcome second, int status)
{
    endpoint.parts.count = 0;
    part(&publishes, first);
    part(&publishes, second);
    ask();
    cr_assert_eq(
        answer.status, status, "%d and %d: %d instead of %d", first, second, answer.status, status);
}

Test(answer, several_publishes_are_complete_when_all_are_confirmed)
{
    both(OUTCOME_CONFIRMED, OUTCOME_CONFIRMED, 200);
    has("X-Krakend-Completed", "true");
    both(OUTCOME_CONFIRMED, OUTCOME_UNCONFIRMED, 202);
    has("X-Krakend-Completed", "false");
}

Test(answer, several_publishes_of_which_some_failed_are_never_worth_a_retry)
{
    both(OUTCOME_CONFIRMED, OUTCOME_DOWN, 502);
    has("X-Leveret-Outcome", "partial");
    has("Retry-After", NULL);
    cr_assert(strstr(body, "{\"backend\":\"orders\",\"outcome\":\"confirmed\"}"), "%s", body);
    cr_assert(strstr(body, "{\"backend\":\"orders\",\"outcome\":\"broker-down\"}"), "%s", body);
    both(OUTCOME_NO_WORKER, OUTCOME_CONFIRMED, 502);
    cr_assert(strstr(body, "\"outcome\":\"worker-down\""), "%s", body);
    both(OUTCOME_NACKED, OUTCOME_DOWN, 502);
    both(OUTCOME_UNCONFIRMED, OUTCOME_BUSY, 502);
}

Test(answer, several_publishes_of_which_one_is_unknown_are_504)
{
    both(OUTCOME_CONFIRMED, OUTCOME_UNKNOWN, 504);
    both(OUTCOME_DOWN, OUTCOME_UNKNOWN, 504);
    cr_assert(strstr(body, "\"backends\":["));
    both(OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, 504);
}

Test(answer, several_publishes_of_which_none_was_sent_may_be_retried)
{
    both(OUTCOME_DOWN, OUTCOME_BUSY, 503);
    has("Retry-After", "1");
    both(OUTCOME_UNROUTABLE, OUTCOME_UNROUTABLE, 422);
}

/* ---- one message ---- */

static void shown(
    uint8_t encoding, uint8_t output, const char *text, const char *type, const char *expected)
{
    struct plan_part of = {.verb = PLAN_CONSUME, .encoding = encoding};
    endpoint.parts.count = 0;
    endpoint.output_encoding = output;
    message(&of, text);
    ask();
    cr_assert_eq(answer.status, 200);
    cr_assert(answer.has_deliveries);
    has("X-Krakend-Completed", "true");
    has("X-Leveret-Outcome", "delivered");
    has("Content-Type", type);
    cr_assert_str_eq(body, expected, "%s as %s instead of %s", text, body, expected);
}

#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

Test(answer, a_message_in_json_goes_through_untouched)
{
    shown(
        PLAN_JSON, PLAN_JSON, "{ \"b\":1,\n\"a\":[2.50]}", JSON_TYPE, "{ \"b\":1,\n\"a\":[2.50]}");
    shown(PLAN_JSON, PLAN_JSON, "", JSON_TYPE, "null");
    shown(PLAN_JSON, PLAN_JSON_COLLECTION, "{\"a\":1}", JSON_TYPE, "{\"a\":1}");
    shown(PLAN_JSON, PLAN_JSON_COLLECTION, "{\"a\":1,\"collection\":[2]}", JSON_TYPE, "[2]");
}

Test(answer, a_collection_is_wrapped_or_bare)
{
    shown(PLAN_JSON_COLLECTION, PLAN_JSON, "[1,2]", JSON_TYPE, "{\"collection\":[1,2]}");
    shown(PLAN_JSON_COLLECTION, PLAN_JSON, "null", JSON_TYPE, "{\"collection\":null}");
    shown(PLAN_JSON_COLLECTION, PLAN_JSON, "", JSON_TYPE, "null");
    shown(PLAN_JSON_COLLECTION, PLAN_JSON_COLLECTION, "[1,2]", JSON_TYPE, "[1,2]");
    shown(PLAN_JSON_COLLECTION, PLAN_JSON_COLLECTION, "null", JSON_TYPE, "null");
    shown(PLAN_JSON_COLLECTION, PLAN_JSON_COLLECTION, "", JSON_TYPE, "[]");
}

Test(answer, any_json_value_becomes_an_object_where_that_is_asked_for)
{
    shown(PLAN_SAFEJSON, PLAN_JSON, "{\"a\":1}", JSON_TYPE, "{\"a\":1}");
    shown(PLAN_SAFEJSON, PLAN_JSON, "[1]", JSON_TYPE, "{\"collection\":[1]}");
    shown(PLAN_SAFEJSON, PLAN_JSON, "5", JSON_TYPE, "{\"content\":5}");
    shown(PLAN_SAFEJSON, PLAN_JSON, "\"s\"", JSON_TYPE, "{\"content\":\"s\"}");
    shown(PLAN_SAFEJSON, PLAN_JSON, "null", JSON_TYPE, "{\"content\":null}");
    shown(PLAN_SAFEJSON, PLAN_JSON, "", JSON_TYPE, "null");
}

Test(answer, text_is_text_or_quoted)
{
    shown(PLAN_STRING, PLAN_STRING, "hello <b>", TEXT_TYPE, "hello <b>");
    shown(PLAN_STRING, PLAN_JSON, "say \"hi\"\n", JSON_TYPE, "{\"content\":\"say \\\"hi\\\"\\n\"}");
    shown(PLAN_STRING, PLAN_JSON, "", JSON_TYPE, "{\"content\":\"\"}");
}

Test(answer, a_message_as_it_is_brings_its_own_type)
{
    uint8_t fields[256];
    struct message_writer writer = {.bytes = fields, .size = sizeof(fields)};
    cr_assert_eq(message_write(&writer,
                     &(struct message_field){
                         .kind = MESSAGE_CONTENT_TYPE, .value = "image/png", .value_bytes = 9}),
        MESSAGE_OK);
    endpoint.output_encoding = PLAN_NO_OP;
    struct part *raw =
        message(&(struct plan_part){.verb = PLAN_CONSUME, .encoding = PLAN_NO_OP}, "\x89PNG");
    raw->reply.fields = (struct slice){.at = (const char *)fields, .len = writer.used};
    ask();
    has("Content-Type", "image/png");
    cr_assert_str_eq(body, "\x89PNG");
    raw->reply.fields.len -= 4; /* a liar's: they break off */
    ask();
    has("Content-Type", NULL);
}

Test(answer, a_complete_answer_is_cached_when_the_file_says_so)
{
    endpoint.cache_ttl_s = 300;
    message(&consumes, "{}");
    ask();
    has("Cache-Control", "public, max-age=300");
    part(&consumes, OUTCOME_DOWN);
    ask();
    has("Cache-Control", "no-store");
}

static const char *property(const char *name)
{
    static char value[256];
    for (uint32_t i = 0; i < answer.n_properties; i++) {
        struct slice text = answer.properties[i].value;
        if (strcmp(answer.properties[i].name, name) != 0)
            continue;
        (void)snprintf(value, sizeof(value), "%.*s", (int)text.len, text.at);
        return value;
    }
    return "(none)";
}

static void consumes_shown(const char *id, bool is_shown)
{
    static uint8_t fields[MAX_PARTS][64];
    struct plan_part shows = consumes;
    shows.shows_properties = is_shown;
    uint32_t i = endpoint.parts.count;
    struct message_writer writer = {.bytes = fields[i], .size = sizeof(fields[i])};
    cr_assert_eq(message_write(&writer,
                     &(struct message_field){MESSAGE_PROPERTY, "message-id", 10, id, strlen(id)}),
        MESSAGE_OK);
    message(&shows, "{}")->reply.fields =
        (struct slice){.at = (const char *)fields[i], .len = writer.used};
}

Test(answer, a_messages_properties_are_shown_where_its_backend_says_so)
{
    consumes_shown("id-1", true);
    ask();
    cr_assert_eq(answer.n_properties, 1);
    cr_assert_str_eq(property("X-Amqp-Message-Id"), "id-1");
}

Test(answer, of_several_messages_the_one_whose_backend_says_so_shows_its_properties)
{
    consumes_shown("id-1", false);
    consumes_shown("id-2", true);
    ask();
    cr_assert_eq(answer.n_properties, 1);
    cr_assert_str_eq(property("X-Amqp-Message-Id"), "id-2");
    parts[1].reply.outcome = OUTCOME_EMPTY;
    ask();
    cr_assert_eq(answer.n_properties, 0, "not those of another message");
}

Test(answer, messages_that_do_not_merge_show_no_properties)
{
    consumes_shown("id-1", true);
    message(&consumes, "{");
    ask();
    cr_assert_eq(answer.status, 502);
    cr_assert_eq(answer.n_properties, 0);
}

Test(answer, a_string_is_what_an_object_has_as_its_content)
{
    shown(PLAN_JSON, PLAN_STRING, "{\"a\":1,\"content\":\"<b> \xc3\xa9\"}", TEXT_TYPE,
        "<b> \xc3\xa9");
    shown(PLAN_JSON, PLAN_STRING, "{\"content\":\"\\\"\\u00e9\\n\\ud83d\\ude00\\ud800\"}",
        TEXT_TYPE, "\"\xc3\xa9\n\xf0\x9f\x98\x80\xef\xbf\xbd");
    shown(PLAN_JSON, PLAN_STRING, "{\"content\":\"\"}", TEXT_TYPE, "");
    shown(PLAN_SAFEJSON, PLAN_STRING, "\"s\"", TEXT_TYPE, "s");
    shown(PLAN_JSON, PLAN_STRING, "null", TEXT_TYPE, "");
}

Test(answer, an_object_without_what_the_output_looks_for_is_shown_whole)
{
    shown(PLAN_JSON, PLAN_STRING, "{\"a\":1}", TEXT_TYPE, "{\"a\":1}");
    shown(PLAN_JSON, PLAN_STRING, "{\"content\":5}", TEXT_TYPE, "{\"content\":5}");
    shown(PLAN_STRING, PLAN_JSON_COLLECTION, "[1]", JSON_TYPE, "{\"content\":\"[1]\"}");
}

Test(answer, an_object_without_members_is_incomplete_to_the_gateway_alone)
{
    static const char *const hollow[] = {"{}", " { } ", "null", ""};
    endpoint.cache_ttl_s = 300;
    for (size_t i = 0; i < sizeof hollow / sizeof *hollow; i++) {
        endpoint.parts.count = 0;
        message(&consumes, hollow[i]);
        endpoint.is_krakend = 0;
        ask();
        has("X-Krakend-Completed", "true");
        endpoint.is_krakend = 1;
        ask();
        cr_assert_eq(answer.status, 200);
        cr_assert(answer.has_deliveries);
        has("X-Krakend-Completed", "false");
        has("X-Leveret-Outcome", "delivered");
        has("Cache-Control", "no-store");
    }
    endpoint.parts.count = 0;
    message(&(struct plan_part){.verb = PLAN_CONSUME, .encoding = PLAN_JSON_COLLECTION}, "null");
    ask();
    has("X-Krakend-Completed", "true");
}

/* ---- static ---- */

/* `text` is added to the answers of this test, by `strategy`. */
static void add_members(const char *text, enum plan_strategy strategy)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint planned = {
        .method = plan_add_string(builder, "orders"), .fixed = plan_add_string(builder, text)};
    plan_leave(&plan);
    front_plan_join(&plan, builder, &planned, 1);
    endpoint.fixed = planned.fixed;
    endpoint.fixed_strategy = (uint8_t)strategy;
}

static const char *const strategies[] = {[PLAN_STATIC_ALWAYS] = "always",
    [PLAN_STATIC_SUCCESS] = "success",
    [PLAN_STATIC_COMPLETE] = "complete",
    [PLAN_STATIC_ERRORED] = "errored",
    [PLAN_STATIC_INCOMPLETE] = "incomplete"};
enum { N_STRATEGIES = sizeof strategies / sizeof *strategies };
#define BIT(strategy) (1u << PLAN_STATIC_##strategy)
#define IF_WHOLE (BIT(ALWAYS) | BIT(SUCCESS) | BIT(COMPLETE))
#define IF_NOT_WHOLE (BIT(ALWAYS) | BIT(ERRORED) | BIT(INCOMPLETE))

/* What happened, and the strategies that add to it. */
struct fixed_row {
    const struct plan_part *of;
    enum outcome outcomes[2]; /* OUTCOME_NONE: there is no second part */
    int status;               /* where nothing is added */
    uint32_t added;
    int status_added;
};

static const struct fixed_row fixed_rows[] = {
    {&consumes, {OUTCOME_DELIVERED}, 200, IF_WHOLE, 200},
    {&consumes, {OUTCOME_DELIVERED, OUTCOME_DELIVERED}, 200, IF_WHOLE, 200},
    {&consumes, {OUTCOME_DELIVERED, OUTCOME_EMPTY}, 200, IF_NOT_WHOLE, 200},
    {&consumes, {OUTCOME_EMPTY}, 204, IF_NOT_WHOLE, 200},
    {&consumes, {OUTCOME_EMPTY, OUTCOME_EMPTY}, 204, IF_NOT_WHOLE, 200},
    {&consumes, {OUTCOME_DOWN}, 503, IF_NOT_WHOLE, 200},
    {&consumes, {OUTCOME_UNDECODABLE}, 502, IF_NOT_WHOLE, 200},
    {&publishes, {OUTCOME_CONFIRMED}, 200, IF_WHOLE, 200},
    {&publishes, {OUTCOME_UNCONFIRMED}, 202, BIT(ALWAYS) | BIT(SUCCESS) | BIT(INCOMPLETE), 202},
    {&optional, {OUTCOME_UNROUTABLE}, 200, BIT(ALWAYS) | BIT(SUCCESS) | BIT(INCOMPLETE), 200},
    {&publishes, {OUTCOME_UNROUTABLE}, 422, 0, 0},
    {&publishes, {OUTCOME_DOWN}, 503, 0, 0},
    {&publishes, {OUTCOME_UNKNOWN}, 504, 0, 0},
    {&publishes, {OUTCOME_CONFIRMED, OUTCOME_DOWN}, 502, 0, 0},
};

static void fixed_row_holds(const struct fixed_row *row, enum plan_strategy strategy)
{
    bool is_added = row->added >> strategy & 1;
    endpoint.parts.count = 0;
    for (int i = 0; i < 2 && row->outcomes[i] != OUTCOME_NONE; i++) {
        struct part *one = part(row->of, row->outcomes[i]);
        one->reply.is_listening = true;
        one->reply.body = slice_of(i ? "{\"n\":1}" : "{\"m\":0,\"s\":0}");
    }
    add_members("{\"s\":1}", strategy);
    ask();
    cr_expect_eq(answer.status, is_added ? row->status_added : row->status, "%s of %s: %d",
        strategies[strategy], outcome_name(row->outcomes[0]), answer.status);
    cr_expect_eq(strstr(body, "\"s\":1") != NULL, is_added, "%s of %s: %s", strategies[strategy],
        outcome_name(row->outcomes[0]), body);
    cr_expect_eq(strstr(body, "\"m\":0") != NULL, answer.has_deliveries);
    if (is_added && row->status != row->status_added) {
        has("X-Krakend-Completed", "false");
        has("Cache-Control", "no-store");
        has("Retry-After", NULL);
    }
}

Test(answer, static_adds_its_members_when_its_strategy_says_so)
{
    for (size_t i = 0; i < sizeof fixed_rows / sizeof *fixed_rows; i++)
        for (int strategy = 0; strategy < N_STRATEGIES; strategy++)
            fixed_row_holds(&fixed_rows[i], (enum plan_strategy)strategy);
}

Test(answer, static_members_take_the_place_of_the_messages_own)
{
    add_members("{\"b\":\"s\"}", PLAN_STATIC_ALWAYS);
    message(&consumes, "{\"a\":2.50,\"b\":{\"x\":1}}");
    ask();
    cr_assert_str_eq(body, "{\"b\":\"s\",\"a\":2.50}");
    has("X-Krakend-Completed", "true");
    has("X-Leveret-Outcome", "delivered");
}

Test(answer, static_members_instead_of_an_error_say_what_it_was)
{
    add_members("{\"b\":\"s\"}", PLAN_STATIC_ALWAYS);
    part(&consumes, OUTCOME_DOWN);
    ask();
    cr_assert_eq(answer.status, 200);
    cr_assert_not(answer.has_deliveries);
    cr_assert_str_eq(body, "{\"b\":\"s\"}");
    has("X-Leveret-Outcome", "broker-down");
}

Test(answer, static_members_are_the_answer_to_a_get_beside_a_confirmed_publish)
{
    part(&publishes, OUTCOME_CONFIRMED);
    part(&consumes, OUTCOME_DOWN);
    add_members("{\"b\":\"s\"}", PLAN_STATIC_ERRORED);
    ask();
    cr_assert_eq(answer.status, 200);
    has("X-Leveret-Outcome", "partial");
    has("X-Message-Id", "id-1");
}

static void added_is(uint8_t encoding, uint8_t output, const char *text, const char *expected)
{
    struct plan_part of = {.verb = PLAN_CONSUME, .encoding = encoding};
    endpoint.parts.count = 0;
    endpoint.output_encoding = output;
    message(&of, text);
    ask();
    cr_assert_str_eq(body, expected, "%s as %s instead of %s", text, body, expected);
}

Test(answer, static_members_are_added_before_the_output_looks_for_one)
{
    add_members("{\"collection\":[0],\"content\":\"s\"}", PLAN_STATIC_ALWAYS);
    added_is(PLAN_STRING, PLAN_STRING, "text", "s");
    added_is(PLAN_JSON_COLLECTION, PLAN_JSON_COLLECTION, "[1]", "[0]");
    add_members("{\"s\":1}", PLAN_STATIC_ALWAYS);
    added_is(PLAN_STRING, PLAN_STRING, "text \\ \n", "text \\ \n");
    added_is(PLAN_STRING, PLAN_JSON, "text", "{\"s\":1,\"content\":\"text\"}");
    added_is(PLAN_JSON_COLLECTION, PLAN_JSON, "[1]", "{\"s\":1,\"collection\":[1]}");
    added_is(PLAN_JSON, PLAN_JSON, "null", "{\"s\":1}");
}

/* ---- flatmap_filter ---- */

/* `del a` and `del b` of what is merged. */
static void delete_a_and_b(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_text names[] = {plan_add_string(builder, "a"), plan_add_string(builder, "b")};
    struct plan_flatmap planned[2];
    for (int i = 0; i < 2; i++)
        planned[i] = (struct plan_flatmap){.verb = PLAN_FLATMAP_DEL,
            .from = plan_add_list(builder, &names[i], sizeof names[i], 1)};
    struct plan_endpoint named = {.method = plan_add_string(builder, "orders"),
        .fixed = plan_add_string(builder, "{\"a\":\"s\"}"),
        .flatmap = plan_add_list(builder, planned, sizeof *planned, 2)};
    plan_leave(&plan);
    front_plan_join(&plan, builder, &named, 1);
    endpoint.flatmap = named.flatmap;
    endpoint.fixed = named.fixed;
    cr_assert_eq(json_tree_init(&tree, 1 << 20), 0);
}

Test(answer, a_merged_answer_is_flattened_before_static_adds_to_it)
{
    delete_a_and_b();
    message(&consumes, "{\"a\":1,\"c\":{ \"x\":2.50}}");
    message(&consumes, "{\"b\":2,\"d\":4}");
    ask();
    cr_assert_str_eq(body, "{\"a\":\"s\",\"c\":{ \"x\":2.50},\"d\":4}");
    endpoint.fixed = (struct plan_text){0};
    ask();
    cr_assert_str_eq(body, "{\"c\":{ \"x\":2.50},\"d\":4}");
    has("X-Krakend-Completed", "true");
    endpoint.parts.count = 0;
    message(&consumes, "{\"a\":1}");
    message(&consumes, "{\"b\":2}");
    ask();
    cr_assert_str_eq(body, "null", "nothing is left");
    json_tree_done(&tree);
}

Test(answer, what_takes_too_long_to_flatten_is_502_and_goes_back)
{
    delete_a_and_b();
    message(&consumes, "{\"c\":1,\"d\":2}");
    message(&consumes, "{\"e\":3,\"f\":4}");
    tree.max_steps = 12;
    ask();
    cr_expect_eq(answer.status, 502);
    has("X-Leveret-Outcome", "too-large");
    has("Cache-Control", "no-store");
    cr_expect_not(answer.has_deliveries);
    tree.max_steps = 13; /* five nodes, and two walks over four members */
    ask();
    cr_expect_eq(answer.status, 200);
    cr_expect(answer.has_deliveries);
    json_tree_done(&tree);
}

/* ---- several messages ---- */

Test(answer, several_messages_are_one_object_and_the_first_wins)
{
    message(&consumes, "{\"a\":1,\"b\":1}");
    message(&consumes, "{\"b\":2,\"c\":2}");
    ask();
    cr_assert_str_eq(body, "{\"a\":1,\"b\":1,\"c\":2}");
    has("X-Krakend-Completed", "true");
}

Test(answer, several_messages_are_wrapped_before_they_are_merged)
{
    message(&(struct plan_part){.verb = PLAN_CONSUME, .encoding = PLAN_STRING}, "plain");
    message(&(struct plan_part){.verb = PLAN_CONSUME, .encoding = PLAN_JSON_COLLECTION}, "[1]");
    message(&consumes, "");
    ask();
    cr_assert_str_eq(body, "{\"content\":\"plain\",\"collection\":[1]}");
}

Test(answer, what_came_is_an_answer_when_others_failed)
{
    part(&consumes, OUTCOME_UNDECODABLE);
    message(&consumes, "{\"a\":1}");
    ask();
    cr_assert_eq(answer.status, 200);
    cr_assert_str_eq(body, "{\"a\":1}");
    has("X-Krakend-Completed", "false");
    has("X-Leveret-Outcome", "partial");
}

Test(answer, messages_that_do_not_merge_go_back)
{
    message(&consumes, "{\"a\":1}");
    message(&consumes, "{\"a\":");
    ask();
    cr_assert_eq(answer.status, 502);
    cr_assert_not(answer.has_deliveries);
}

Test(answer, an_empty_queue_beside_one_that_failed_is_the_failure)
{
    part(&consumes, OUTCOME_EMPTY)->reply.is_listening = true;
    part(&consumes, OUTCOME_UNDECODABLE);
    ask();
    cr_assert_eq(answer.status, 502);
}

static void merged_is(uint8_t output, const char *first, const char *second, const char *expected)
{
    endpoint.parts.count = 0;
    endpoint.output_encoding = output;
    message(&consumes, first);
    message(&consumes, second);
    ask();
    cr_assert_str_eq(body, expected);
}

Test(answer, the_output_looks_into_a_merged_object_too)
{
    merged_is(PLAN_JSON_COLLECTION, "{\"collection\":[1]}", "{\"collection\":[2]}", "[1]");
    merged_is(PLAN_JSON_COLLECTION, "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}");
    merged_is(PLAN_STRING, "{\"a\":1}", "{\"content\":\"t\"}", "t");
}

/* ---- a publish beside a get ---- */

Test(answer, a_message_beside_a_confirmed_publish_is_delivered)
{
    part(&publishes, OUTCOME_CONFIRMED);
    message(&consumes, "{\"a\":1}");
    ask();
    cr_assert_eq(answer.status, 200);
    cr_assert(answer.has_deliveries);
    has("X-Krakend-Completed", "true");
    has("X-Message-Id", "id-1");
    cr_assert_str_eq(body, "{\"a\":1}");
}

Test(answer, a_message_beside_a_failed_publish_goes_back)
{
    part(&publishes, OUTCOME_UNKNOWN);
    message(&consumes, "{\"a\":1}");
    ask();
    cr_assert_eq(answer.status, 504);
    cr_assert_not(answer.has_deliveries);
}

Test(answer, a_get_that_failed_beside_a_confirmed_publish_is_not_worth_a_retry)
{
    part(&publishes, OUTCOME_CONFIRMED);
    part(&consumes, OUTCOME_DOWN);
    ask();
    cr_assert_eq(answer.status, 502);
    has("Retry-After", NULL);
}

Test(answer, an_empty_queue_beside_a_confirmed_publish_is_200_and_not_complete)
{
    part(&publishes, OUTCOME_CONFIRMED);
    part(&consumes, OUTCOME_EMPTY)->reply.is_listening = true;
    ask();
    cr_assert_eq(answer.status, 200);
    has("X-Krakend-Completed", "false");
}

/* ---- problems of no part ---- */

Test(answer, a_problem_has_its_kinds_status_and_body)
{
    for (int kind = 0; kind < PROBLEM_N_KINDS; kind++) {
        answer_problem(&answer, &(struct problem){.kind = (enum problem_kind)kind}, answer_pool);
        cr_assert_eq(answer.status, problem_status((enum problem_kind)kind));
        cr_assert_str_not_empty(answer_reason(answer.status));
        cr_assert_gt(answer.body_bytes, 0);
    }
}

/* ---- negotiated ---- */

Test(answer, says_that_it_was_chosen_by_accept)
{
    endpoint.output_encoding = PLAN_NEGOTIATE;
    message(&consumes, "{\"a\":1}");
    ask();
    cr_assert_str_eq(body, "{\"a\":1}");
    has("Content-Type", "text/plain; charset=utf-8");
    has("Vary", "Accept");
    endpoint.parts.count = 0;
    part(&publishes, OUTCOME_REJECTED);
    ask();
    has("Content-Type", "application/problem+json");
    has("Vary", "Accept");
}

Test(answer, does_not_vary_where_there_was_no_choice)
{
    message(&consumes, "{\"a\":1}");
    ask();
    has("Vary", NULL);
}

/* ---- one part after the other ---- */

Test(answer, what_was_not_asked_leaves_the_word_to_what_failed)
{
    part(&publishes, OUTCOME_DOWN);
    part(&publishes, OUTCOME_NOT_ASKED);
    ask();
    cr_assert_eq(answer.status, 503);
    has("X-Leveret-Outcome", "broker-down");
    has("Retry-After", "1");
    endpoint.parts.count = 0;
    part(&consumes, OUTCOME_EMPTY)->reply.is_listening = true;
    part(&consumes, OUTCOME_NOT_ASKED);
    ask();
    cr_assert_eq(answer.status, 204);
}

Test(answer, what_was_not_asked_is_named_where_something_was_published)
{
    part(&publishes, OUTCOME_CONFIRMED);
    part(&publishes, OUTCOME_UNROUTABLE);
    part(&publishes, OUTCOME_NOT_ASKED);
    ask();
    cr_assert_eq(answer.status, 502);
    has("X-Leveret-Outcome", "partial");
    cr_assert(strstr(body, "\"outcome\":\"not-asked\""), "%s", body);
}

Test(answer, what_was_not_asked_makes_an_answer_incomplete)
{
    message(&consumes, "{\"a\":1}");
    part(&consumes, OUTCOME_EMPTY)->reply.is_listening = true;
    part(&consumes, OUTCOME_NOT_ASKED);
    ask();
    cr_assert_eq(answer.status, 200);
    cr_assert_str_eq(body, "{\"a\":1}");
    has("X-Krakend-Completed", "false");
}

/* ---- traces ---- */

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct slice identity_of(const char *id, const char *parent)
{
    static uint8_t fields[3][256];
    static size_t n;
    struct message_writer writer = {.bytes = fields[n++], .size = sizeof(fields[0])};
    struct message_field of_id = {MESSAGE_PROPERTY, "message-id", 10, id, strlen(id)},
                         of_trace = {MESSAGE_HEADER, "traceparent", 11, parent, strlen(parent)};
    cr_assert_eq(message_write(&writer, &of_id), MESSAGE_OK);
    cr_assert_eq(message_write(&writer, &of_trace), MESSAGE_OK);
    return (struct slice){.at = (const char *)writer.bytes, .len = writer.used};
}

Test(answer, the_first_trace_of_those_that_are_delivered_is_told)
{
    message(&consumes, "{\"a\":1}")->reply.fields = identity_of("m-1", "garbage");
    message(&consumes, "{\"b\":1}")->reply.fields = identity_of("m-2", PARENT);
    ask();
    has("traceparent", PARENT);
    cr_assert(slice_equals(answer.message_id, slice_of("m-2")));
}

Test(answer, a_trace_that_was_made_for_a_publish_is_told_whatever_became_of_it)
{
    made_trace = (struct trace){.parent = slice_of(PARENT)};
    part(&publishes, OUTCOME_UNKNOWN);
    ask();
    has("traceparent", PARENT);
    cr_assert(slice_equals(answer.message_id, slice_of("id-1")));
}
