/* SPDX-License-Identifier: Apache-2.0 */
#include "seen.h"

#include <jansson.h>

#include "stats.h"

static struct seen seen;

static void open_it(void)
{
    seen_open(&seen);
}

static void close_it(void)
{
    seen_close(&seen);
}

TestSuite(stats, .init = open_it, .fini = close_it);

static json_t *read_page(void)
{
    json_error_t error;
    const char *text = seen_page(&seen, &stats_page);
    json_t *stats = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(stats, "%s at %d in %s", error.text, error.position, text);
    return stats;
}

static json_t *at(const json_t *stats, const char *array, size_t i)
{
    return json_array_get(json_object_get(stats, array), i);
}

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

Test(stats, are_json_whatever_names_the_file_has)
{
    json_t *stats = read_page();
    cr_expect_str_eq(text(at(stats, "endpoints", SEEN_PRODUCE), "pattern"), SEEN_EVIL_READ);
    cr_expect_str_eq(
        text(at(stats, "endpoints", SEEN_PRODUCE), "endpoint"), "POST " SEEN_EVIL_READ);
    cr_expect_str_eq(text(at(stats, "endpoints", SEEN_ENDPOINTS), "endpoint"), "");
    cr_expect_str_eq(text(at(stats, "endpoints", SEEN_ENDPOINTS + 1), "endpoint"), "GET /__health");
    cr_expect_str_eq(text(at(stats, "queues", 0), "queue"), SEEN_EVIL_READ);
    cr_expect_eq(json_array_size(json_object_get(stats, "endpoints")), SEEN_ENDPOINTS + 2);
    cr_expect_eq(json_array_size(json_object_get(stats, "processes")), 2 + SEEN_WORKERS);
    cr_expect_eq(json_array_size(json_object_get(stats, "workers")), SEEN_WORKERS);
    json_decref(stats);
}

Test(stats, show_what_was_counted)
{
    struct timing times = {.begun_ns = 1000,
        .submitted_ns = 2000,
        .claimed_ns = 3000,
        .done_ns = 1003000,
        .answered_ns = 1004000};
    books_accept(&seen.books, SEEN_PRODUCE, 7);
    books_accept(&seen.books, SEEN_PRODUCE, 7);
    books_accept(&seen.books, SEEN_PRODUCE, 7);
    books_answer(&seen.books, SEEN_PRODUCE, 200, 2);
    books_time(&seen.books, SEEN_PRODUCE, &times, 1005000);
    books_abandon(&seen.books, SEEN_PRODUCE);
    for (int i = 0; i < SEEN_WORKERS; i++) {
        figure_add(&seen.workers[i].backends[0].asked, 3);
        figure_add(&seen.workers[i].backends[0].outcomes[OUTCOME_CONFIRMED], 1);
        figure_add(&seen.workers[i].backends[0].outcomes[OUTCOME_BUSY], 1);
    }
    json_t *stats = read_page();
    const json_t *endpoint = at(stats, "endpoints", SEEN_PRODUCE);
    const json_t *backend = json_array_get(json_object_get(endpoint, "backends"), 0);
    const json_t *stages = json_object_get(endpoint, "stages");
    cr_expect_eq(number(endpoint, "accepted"), 3);
    cr_expect_eq(number(endpoint, "in_flight"), 1);
    cr_expect_eq(number(endpoint, "request_bytes"), 21);
    cr_expect_eq(number(json_object_get(endpoint, "answered"), "200"), 1);
    cr_expect_eq(number(json_object_get(endpoint, "latency"), "sum_ns"), 1004000);
    cr_expect_eq(number(json_object_get(stages, "broker"), "sum_ns"), 1000000);
    cr_expect_eq(number(json_object_get(stages, "ring"), "sum_ns"), 2000);
    cr_expect_eq(number(backend, "asked"), 6);
    cr_expect_eq(number(backend, "in_flight"), 2);
    cr_expect_eq(number(backend, "published"), 4);
    cr_expect_eq(number(json_object_get(backend, "outcomes"), "busy"), 2);
    json_decref(stats);
}

/* 0 is below 1 us, then each is an eighth of a doubling, and 209 is the last. */
Test(stats, a_latency_is_counted_by_eighths_of_a_doubling)
{
    static const uint64_t durations_ns[] = {999, 1000, 1124, 1125, 1999, 67108864000};
    static const uint32_t eighths[] = {0, 1, 1, 2, 8, 209};
    json_int_t expected[210] = {0};
    for (size_t i = 0; i < sizeof(eighths) / sizeof(eighths[0]); i++) {
        struct timing times = {.begun_ns = 1, .submitted_ns = 1, .answered_ns = 1};
        books_time(&seen.books, SEEN_PRODUCE, &times, 1 + durations_ns[i]);
        expected[eighths[i]]++;
    }
    json_t *stats = read_page();
    const json_t *latency = json_object_get(at(stats, "endpoints", SEEN_PRODUCE), "latency");
    const json_t *counted = json_object_get(latency, "eighths");
    cr_expect_eq(number(counted, "first"), 0);
    cr_assert_eq(json_array_size(json_object_get(counted, "counts")), 210);
    for (size_t i = 0; i < 210; i++)
        cr_expect_eq(
            json_integer_value(json_array_get(json_object_get(counted, "counts"), i)), expected[i]);
    json_decref(stats);
}

/* Only the supervisor's and the workers' segments are others'. */
Test(stats, are_json_whatever_liars_count)
{
    seen_fill(&seen.supervisor);
    for (int i = 0; i < SEEN_WORKERS; i++)
        seen_fill(&seen.workers[i]);
    json_error_t error;
    json_t *stats = json_loads(seen_page(&seen, &stats_page), JSON_DECODE_INT_AS_REAL, &error);
    cr_expect_not_null(stats, "%s", error.text);
    json_decref(stats);
}

Test(stats, a_worker_that_speaks_of_other_times_spoils_no_sum)
{
    static const uint64_t lies[] = {0, 1, 2000, 5000, UINT64_MAX};
    for (int i = 0; i < 25; i++) {
        struct timing times = {.begun_ns = 1000,
            .submitted_ns = 2000,
            .claimed_ns = lies[i / 5],
            .done_ns = lies[i % 5],
            .answered_ns = 4000};
        books_time(&seen.books, SEEN_PRODUCE, &times, 4500);
    }
    const struct figures_span *spans = seen.books.own.endpoints[SEEN_PRODUCE].stages;
    cr_expect_eq(figure_get(&spans[FIGURES_BROKER].count), 20);
    cr_expect_eq(
        figure_get(&spans[FIGURES_BROKER].sum_ns) + figure_get(&spans[FIGURES_RING].sum_ns),
        20 * 2000);
}
