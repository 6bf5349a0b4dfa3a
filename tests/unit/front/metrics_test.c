/* SPDX-License-Identifier: Apache-2.0 */
#include "seen.h"

#include "metrics.h"

static struct seen seen;

static void open_it(void)
{
    seen_open(&seen);
}

static void close_it(void)
{
    seen_close(&seen);
}

TestSuite(metrics, .init = open_it, .fini = close_it);

#define EVIL_LABEL "/a\\\"b\\\\c\\nd{e}</script>\x01\xef\xbf\xbd\xc3\xb6"

#define expect_line(line)                                                                          \
    cr_expect_not_null(                                                                            \
        strstr(seen_page(&seen, &metrics_page), line "\n"), "no %s in %s", line, seen.page)

Test(metrics, labels_are_escaped)
{
    books_accept(&seen.books, SEEN_PRODUCE, 0);
    books_answer(&seen.books, SEEN_PRODUCE, 200, 0);
    expect_line(
        "leveret_http_requests_total{endpoint=\"" EVIL_LABEL "\",method=\"POST\",code=\"200\"} 1");
    books_answer(&seen.books, books_row(&seen.books, FIGURES_UNMATCHED), 418, 0);
    expect_line("leveret_http_requests_total{endpoint=\"\",method=\"\",code=\"other\"} 1");
}

Test(metrics, durations_are_in_seconds_and_buckets_add_up)
{
    struct timing times = {.begun_ns = 1, .answered_ns = 1};
    books_time(&seen.books, SEEN_CONSUME, &times, 1 + 300 * 1000);
    books_time(&seen.books, SEEN_CONSUME, &times, 1 + 3 * CLOCK_S);
    books_time(&seen.books, SEEN_CONSUME, &times, 1 + 30 * CLOCK_S);
#define SERIES "{endpoint=\"" EVIL_LABEL "\",method=\"GET\""
    expect_line("leveret_http_request_duration_seconds_bucket" SERIES ",le=\"0.00025\"} 0");
    expect_line("leveret_http_request_duration_seconds_bucket" SERIES ",le=\"0.0005\"} 1");
    expect_line("leveret_http_request_duration_seconds_bucket" SERIES ",le=\"4.096\"} 2");
    expect_line("leveret_http_request_duration_seconds_bucket" SERIES ",le=\"+Inf\"} 3");
    expect_line("leveret_http_request_duration_seconds_sum" SERIES "} 33.0003");
    expect_line("leveret_http_request_duration_seconds_count" SERIES "} 3");
    expect_line("leveret_http_request_stage_seconds_sum" SERIES ",stage=\"write\"} 33.0003");
}

/* No name is begun twice, and each has its help and its type before its first series. */
Test(metrics, stand_together_by_name)
{
    static char names[256][128];
    size_t n_names = 0;
    const char *page = seen_page(&seen, &metrics_page);
    for (const char *line = page; *line; line = strchr(line, '\n') + 1) {
        char name[128], type[16];
        if (sscanf(line, "# TYPE %127s %15s", name, type) != 2)
            continue;
        for (size_t i = 0; i < n_names; i++)
            cr_assert_str_neq(names[i], name);
        cr_assert_lt(n_names, 256);
        strcpy(names[n_names++], name);
    }
    cr_expect_gt(n_names, 30);
}

Test(metrics, follow_from_the_configuration_whatever_liars_count)
{
    (void)seen_page(&seen, &metrics_page);
    size_t n_honest = seen.n_page;
    seen_fill(&seen.supervisor);
    for (int i = 0; i < SEEN_WORKERS; i++)
        seen_fill(&seen.workers[i]);
    (void)seen_page(&seen, &metrics_page);
    cr_expect_lt(seen.n_page, 20 * n_honest);
}

/* A sum without anything that was counted: of a liar, or of one who is counting just now. */
Test(metrics, a_workers_sum_without_a_count_is_nobodys)
{
    struct timing times = {.begun_ns = 1, .answered_ns = 1};
    books_time(&seen.books, SEEN_PRODUCE, &times, 1 + CLOCK_S);
    struct figures_span *confirm = &seen.workers[0].backends[0].confirm;
    figure_set(&confirm->lowest, 1);
    figure_set(&confirm->highest, 2);
    figure_set(&confirm->sum_ns, 7 * CLOCK_S);
    (void)seen_page(&seen, &metrics_page);
    expect_line(
        "leveret_http_request_duration_seconds_sum{endpoint=\"" EVIL_LABEL "\",method=\"POST\"} 1");
}
