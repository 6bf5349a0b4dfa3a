/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "questions.h"

static struct plan_builder *builder;
static struct plan plan;
static struct plan_reader plan_reader;
static struct question *questions;
static size_t n_questions;

static void set_up(void)
{
    builder = plan_builder_new(PLAN_WORKER);
    cr_assert(builder);
}

static void tear_down(void)
{
    free(questions);
    plan_reader_done(&plan_reader);
    plan_leave(&plan);
}

TestSuite(questions, .init = set_up, .fini = tear_down);

static struct plan_text text(const char *string)
{
    return plan_add_string(builder, string);
}

static void read_all(const struct plan_worker *root)
{
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, root, sizeof(*root));
    cr_assert_geq(fd, 0);
    plan_builder_free(builder);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    plan_reader_init(&plan_reader, &plan);
    cr_assert_eq(questions_new(&plan_reader, plan.root, &questions, &n_questions), 0);
}

static void read_backend(const struct plan_backend *backend)
{
    struct plan_worker root = {.backends = plan_add_list(builder, backend, sizeof(*backend), 1)};
    read_all(&root);
}

static void read_tap(const struct plan_tap *tap)
{
    struct plan_worker root = {.taps = plan_add_list(builder, tap, sizeof(*tap), 1)};
    read_all(&root);
}

static void expect(size_t nth, uint32_t subject, uint32_t part, const char *name)
{
    cr_assert_lt(nth, n_questions);
    const struct question *question = &questions[nth];
    cr_expect_eq(question->subject, subject);
    cr_expect_eq(question->part, part);
    const char *asked =
        question->wish.queue.name ? question->wish.queue.name : question->wish.exchange.name;
    cr_expect_str_eq(asked, name);
    cr_expect_eq(question->wish.n_keys, 0, "nothing may be bound");
}

Test(questions, compare_what_a_producer_declares)
{
    read_backend(&(struct plan_backend){.verb = PLAN_PRODUCE,
        .broker = 3,
        .declare = PLAN_DECLARE_ACTIVE,
        .target.exchange = {.name = text("ex"), .type = text("fanout"), .is_durable = 1},
        .queue = {.name = text("q"), .is_auto_delete = 1}});
    cr_assert_eq(n_questions, 2);
    expect(0, SURVEY_EXCHANGE, 0, "ex");
    cr_assert_eq(questions[0].broker, 3);
    cr_assert_eq(questions[0].wish.exchange.declare, TOPOLOGY_COMPARE);
    cr_assert_str_eq(questions[0].wish.exchange.type, "fanout");
    expect(1, SURVEY_QUEUE, 0, "q");
    cr_assert_eq(questions[1].wish.queue.declare, TOPOLOGY_COMPARE);
    cr_assert_null(questions[1].wish.exchange.name, "asked once already");
}

Test(questions, look_for_what_is_taken_as_given)
{
    read_backend(&(struct plan_backend){.verb = PLAN_PRODUCE,
        .declare = PLAN_DECLARE_NONE,
        .target.exchange = {.name = text("ex"), .type = text("topic")},
        .queue.name = text("")});
    cr_assert_eq(n_questions, 1);
    cr_assert_eq(questions[0].wish.exchange.declare, TOPOLOGY_PASSIVE);
}

Test(questions, leave_out_what_has_no_name)
{
    read_backend(&(struct plan_backend){.verb = PLAN_PRODUCE,
        .declare = PLAN_DECLARE_ACTIVE,
        .target.exchange = {.name = text(""), .type = text("topic")},
        .queue.name = text("")});
    cr_assert_eq(n_questions, 0);
}

Test(questions, are_for_a_taps_queue_and_for_each_of_its_exchanges)
{
    const struct plan_text key = text("#");
    struct plan_binding bindings[] = {
        {.exchange = {.name = text("one"), .type = text("topic")},
            .routing_keys = plan_add_list(builder, &key, sizeof(key), 1)},
        {.exchange = {.name = text("two"), .type = text("topic")}}};
    read_tap(&(struct plan_tap){.declare = PLAN_DECLARE_PASSIVE,
        .queue.name = text("inbox"),
        .bindings = plan_add_list(builder, bindings, sizeof(bindings[0]), 2)});
    cr_assert_eq(n_questions, 3);
    expect(0, SURVEY_TAP_QUEUE, 0, "inbox");
    expect(1, SURVEY_TAP_EXCHANGE, 0, "one");
    expect(2, SURVEY_TAP_EXCHANGE, 1, "two");
    cr_assert_eq(questions[0].wish.queue.declare, TOPOLOGY_PASSIVE);
}

Test(questions, are_not_about_an_exchange_that_a_tap_neither_declares_nor_binds)
{
    struct plan_binding binding = {.exchange = {.name = text("idle"), .type = text("topic")}};
    read_tap(&(struct plan_tap){.declare = PLAN_DECLARE_NONE,
        .queue.name = text(""),
        .bindings = plan_add_list(builder, &binding, sizeof(binding), 1)});
    cr_assert_eq(n_questions, 0);
}
