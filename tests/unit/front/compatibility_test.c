/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each answer both ways: as Leveret gives it, and in the gateway's form. What is told in
 * X-Leveret-Outcome is the same in both.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "answer_pool.h"
#include "compatibility.h"
#include "front_plan.h"

enum { MAX_PARTS = 2 };

static const struct plan_part publishes = {.verb = PLAN_PRODUCE, .is_mandatory = 1};
static const struct plan_part optional = {.verb = PLAN_PRODUCE};
static const struct plan_part consumes = {.verb = PLAN_CONSUME, .encoding = PLAN_JSON};

#define JSON "application/json; charset=utf-8"
#define PROBLEM PROBLEM_CONTENT_TYPE

static struct plan plan;
static struct part parts[MAX_PARTS];
static struct plan_endpoint endpoint;
static struct answer answer;
static char body[4096];

static void setup(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint nothing = {.method = plan_add_string(builder, "GET")};
    endpoint = (struct plan_endpoint){.output_encoding = PLAN_JSON};
    front_plan_join(&plan, builder, &nothing, 1);
}

static void teardown(void)
{
    plan_leave(&plan);
}

TestSuite(compatibility, .init = setup, .fini = teardown);

/* What is expected of one form. NULL: no such field, no body; "*": any. */
struct form {
    int status;
    const char *type, *body;
};

struct row {
    const struct plan_part *parts[MAX_PARTS];
    enum outcome outcomes[MAX_PARTS];
    bool is_listening;
    const char *told;
    struct form ours, gateways;
};

static const char *field(const char *name)
{
    static char value[256];
    for (uint32_t i = 0; i < answer.n_fields; i++)
        if (strcmp(answer.fields[i].name, name) == 0) {
            (void)snprintf(value, sizeof(value), "%.*s", (int)answer.fields[i].value.len,
                answer.fields[i].value.at);
            return value;
        }
    return NULL;
}

static void has(const struct row *row, const char *name, const char *value)
{
    const char *is = field(name);
    if (value && strcmp(value, "*") == 0)
        return;
    cr_assert_str_eq(is ? is : "(none)", value ? value : "(none)", "%s: %s is %s, not %s",
        row->told, name, is ? is : "(none)", value ? value : "(none)");
}

static void ask(const struct row *row, bool is_krakend)
{
    size_t n = 0;
    endpoint.is_krakend = is_krakend;
    endpoint.parts.count = row->parts[1] ? 2 : 1;
    answer_pool_empty();
    for (uint32_t i = 0; i < endpoint.parts.count; i++)
        parts[i] = (struct part){.plan = row->parts[i],
            .state = row->outcomes[i] == OUTCOME_DELIVERED ? PART_HELD : PART_OVER,
            .reply = {.outcome = row->outcomes[i],
                .is_listening = row->is_listening,
                .body = slice_of(row->outcomes[i] == OUTCOME_DELIVERED ? "{\"a\":1}" : "")}};
    static const struct siphash_seed seed = {1, 2};
    answer_make(
        &answer, &(struct answer_question){.plan = &plan,
                     .endpoint = &endpoint,
                     .output = (enum plan_encoding)endpoint.output_encoding,
                     .parts = parts,
                     .message_id = slice_of(row->parts[0]->verb == PLAN_PRODUCE ? "id-1" : ""),
                     .seed = &seed,
                     .memory = answer_pool});
    for (uint32_t i = 0; i < answer.n_pieces; n += answer.pieces[i++].len)
        memcpy(body + n, answer.pieces[i].at, answer.pieces[i].len);
    body[n] = '\0';
}

static void is_of_form(const struct row *row, const struct form *form)
{
    cr_assert_eq(answer.status, form->status, "%s: %d", row->told, answer.status);
    has(row, "X-Leveret-Outcome", row->told);
    has(row, "Content-Type", form->type);
    if (!form->body)
        cr_assert_eq(answer.body_bytes, 0, "%s: %s", row->told, body);
    else if (strcmp(form->body, "*") != 0)
        cr_assert_str_eq(body, form->body, "%s: %s", row->told, body);
}

static void holds_both_ways(const struct row *row)
{
    const char *id = row->parts[0]->verb == PLAN_PRODUCE ? "id-1" : NULL;
    ask(row, false);
    is_of_form(row, &row->ours);
    has(row, "X-Message-Id", id);
    has(row, "Cache-Control", "no-store");
    ask(row, true);
    is_of_form(row, &row->gateways);
    has(row, "X-Message-Id", id);
    if (answer.has_deliveries)
        return;
    has(row, "X-Krakend-Completed", "false");
    has(row, "Cache-Control", row->gateways.status == row->ours.status ? "*" : NULL);
    has(row, "Retry-After", NULL);
}

static void all_hold(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        holds_both_ways(&rows[i]);
}

#define N(rows) (sizeof(rows) / sizeof(rows[0]))
#define ONE(verb, outcome) .parts = {&(verb)}, .outcomes = {OUTCOME_##outcome}
#define TWO(verb, one, other)                                                                      \
    .parts = {&(verb), &(verb)}, .outcomes = {OUTCOME_##one, OUTCOME_##other}
#define ACCEPTED                                                                                   \
    {                                                                                              \
        200, JSON, "null"                                                                          \
    }
#define ERROR                                                                                      \
    {                                                                                              \
        500, NULL, NULL                                                                            \
    }

Test(compatibility, what_became_of_a_publish)
{
    static const struct row rows[] = {
        {ONE(publishes, CONFIRMED), .told = "confirmed", .ours = {200, JSON, "{}"}, ACCEPTED},
        {ONE(publishes, UNCONFIRMED), .told = "unconfirmed", .ours = {202, JSON, "{}"}, ACCEPTED},
        {ONE(optional, UNROUTABLE), .told = "unroutable", .ours = {200, JSON, "{}"}, ACCEPTED},
        {ONE(publishes, UNROUTABLE), .told = "unroutable", .ours = {422, PROBLEM, "*"}, ACCEPTED},
        {ONE(publishes, INVALID), .told = "invalid-value", .ours = {400, PROBLEM, "*"}, ACCEPTED},
        {ONE(publishes, UNKNOWN), .told = "outcome-unknown", .ours = {504, PROBLEM, "*"}, ACCEPTED},
        {ONE(publishes, NACKED), .told = "rejected", .ours = {502, PROBLEM, "*"}, ACCEPTED},
        {ONE(publishes, REJECTED), .told = "rejected", .ours = {502, PROBLEM, "*"}, ACCEPTED},
        {ONE(publishes, DOWN), .told = "broker-down", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, BLOCKED), .told = "broker-blocked", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, STALLED), .told = "broker-stalled", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, BUSY), .told = "busy", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, CANCELLED), .told = "busy", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, TOPOLOGY), .told = "topology", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(publishes, NO_WORKER), .told = "worker-down", .ours = {503, PROBLEM, "*"}, ERROR},
    };
    all_hold(rows, N(rows));
}

Test(compatibility, several_publishes_have_an_object_for_a_body)
{
    static const struct row rows[] = {
        {TWO(publishes, CONFIRMED, CONFIRMED), .told = "confirmed", .ours = {200, JSON, "{}"},
            .gateways = {200, JSON, "{}"}},
        {TWO(publishes, CONFIRMED, DOWN), .told = "partial", .ours = {502, PROBLEM, "*"},
            .gateways = {200, JSON, "{}"}},
        {TWO(publishes, CONFIRMED, UNKNOWN), .told = "outcome-unknown", .ours = {504, PROBLEM, "*"},
            .gateways = {200, JSON, "{}"}},
        {TWO(publishes, DOWN, DOWN), .told = "broker-down", .ours = {503, PROBLEM, "*"},
            .gateways = ERROR},
    };
    all_hold(rows, N(rows));
}

Test(compatibility, a_get_that_has_no_message)
{
    static const struct row rows[] = {
        {ONE(consumes, EMPTY), true, "empty", .ours = {204, NULL, NULL}, ERROR},
        {ONE(consumes, CANCELLED), true, "empty", .ours = {204, NULL, NULL}, ERROR},
        {ONE(consumes, EMPTY), false, "broker-down", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(consumes, DOWN), false, "broker-down", .ours = {503, PROBLEM, "*"}, ERROR},
        {ONE(consumes, UNDECODABLE), false, "undecodable", .ours = {502, PROBLEM, "*"}, ERROR},
        {ONE(consumes, TOPOLOGY), false, "topology", .ours = {503, PROBLEM, "*"}, ERROR},
        {TWO(consumes, EMPTY, EMPTY), true, "empty", .ours = {204, NULL, NULL}, ERROR},
    };
    all_hold(rows, N(rows));
}

Test(compatibility, a_message_is_the_same_either_way)
{
    static const struct form message = {200, JSON, "{\"a\":1}"};
    static const struct row rows[] = {
        {ONE(consumes, DELIVERED), false, "delivered", message, message},
        {TWO(consumes, DELIVERED, EMPTY), true, "partial", message, message},
    };
    all_hold(rows, N(rows));
    cr_assert(answer.has_deliveries, "the proof of delivery is not given up");
}

Test(compatibility, what_the_gateway_does_not_know_is_answered_as_ever)
{
    static const struct row rows[] = {
        {ONE(consumes, TOO_LARGE), false, "too-large", {502, PROBLEM, "*"}, {502, PROBLEM, "*"}},
        {ONE(publishes, UNSUPPORTED), false, "unsupported", {501, PROBLEM, "*"},
            {501, PROBLEM, "*"}},
    };
    all_hold(rows, N(rows));
}

Test(compatibility, an_accepted_publish_has_the_bodies_of_each_output)
{
    static const struct {
        uint8_t output;
        struct form form;
    } outputs[] = {
        {PLAN_JSON, ACCEPTED},
        {PLAN_JSON_COLLECTION, {200, JSON, "[]"}},
        {PLAN_STRING, {200, "text/plain; charset=utf-8", NULL}},
        {PLAN_NO_OP, {200, NULL, NULL}},
    };
    static const struct row row = {ONE(publishes, CONFIRMED), .told = "confirmed"};
    for (size_t i = 0; i < N(outputs); i++) {
        endpoint.output_encoding = outputs[i].output;
        ask(&row, true);
        is_of_form(&row, &outputs[i].form);
    }
}

Test(compatibility, without_an_endpoint_there_is_plain_text)
{
    static const struct row rows[] = {
        {.told = "not-found", .gateways = {404, "text/plain", "404 page not found"}},
        {.told = "wrong-method", .gateways = {405, "text/plain", "405 method not allowed"}},
    };
    static const struct compatibility_form none = {0};
    static const enum problem_kind kinds[] = {PROBLEM_NOT_FOUND, PROBLEM_WRONG_METHOD};
    for (size_t i = 0; i < N(rows); i++) {
        cr_assert(compatibility_of_problem(&answer, none, kinds[i]));
        (void)snprintf(body, sizeof(body), "%s", answer.pieces[0].at);
        is_of_form(&rows[i], &rows[i].gateways);
    }
    cr_assert_not(compatibility_of_problem(&answer, none, PROBLEM_MALFORMED_REQUEST));
}
