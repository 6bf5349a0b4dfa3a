/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An overview of a front that is not there: a plan with names that mean harm, figures of a front, of
 * two workers and of a supervisor in which the test writes as they would, or as liars do.
 *
 *   seen_open ──▶ seen.overview, and segments to write to ──▶ seen_page ──▶ seen_close
 */
#ifndef LEVERET_TESTS_FRONT_SEEN_H
#define LEVERET_TESTS_FRONT_SEEN_H

#include <criterion/criterion.h>
#include <leveret/control.h>
#include <string.h>

#include "books.h"
#include "overview.h"
#include "page.h"
#include "shm/clock.h"

/* Each ends as much as it can: quotes, lines, escapes, markup, bytes that are no UTF-8. */
#define SEEN_EVIL "/a\"b\\c\nd{e}</script>\x01\xff\xc3\xb6"
#define SEEN_EVIL_READ "/a\"b\\c\nd{e}</script>\x01\xef\xbf\xbd\xc3\xb6"

enum { SEEN_PRODUCE, SEEN_CONSUME, SEEN_EXCLUSIVE, SEEN_NO_BACKEND, SEEN_ENDPOINTS };
enum { SEEN_SHARED_QUEUE, SEEN_OWN_QUEUE, SEEN_QUEUES };
enum { SEEN_WORKERS = 2, SEEN_BACKENDS = 3, SEEN_PAGE_BYTES = 1 << 20 };

static const struct figures_shape seen_shape = {.n_endpoints = SEEN_ENDPOINTS,
    .n_workers = SEEN_WORKERS,
    .n_brokers = 1,
    .n_backends = SEEN_BACKENDS,
    .n_queues = SEEN_QUEUES};

struct seen {
    struct plan plan;
    struct books books;
    struct lanes *lanes;
    struct overview overview;
    struct figures workers[SEEN_WORKERS], supervisor; /* to write to */
    char page[SEEN_PAGE_BYTES];
    size_t n_page, n_pieces;
};

static inline void seen_on_part(void *owner, struct part *part) {}

static inline void seen_on_broken(void *owner, uint32_t worker, const char *reason) {}

static inline void seen_plan(struct plan *plan)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    const struct plan_text evil = plan_add_string(builder, SEEN_EVIL);
    const struct plan_part parts[] = {
        {.backend = 0,
            .worker = PLAN_ANY_WORKER,
            .queue = PLAN_NONE,
            .verb = PLAN_PRODUCE,
            .name = evil},
        {.backend = 1, .worker = 0, .queue = SEEN_SHARED_QUEUE, .verb = PLAN_CONSUME, .name = evil},
        {.backend = 2, .worker = 1, .queue = SEEN_OWN_QUEUE, .verb = PLAN_CONSUME, .name = evil},
    };
    struct plan_endpoint endpoints[SEEN_ENDPOINTS] = {0};
    for (int i = 0; i < SEEN_ENDPOINTS; i++) {
        endpoints[i].pattern = evil;
        endpoints[i].method = plan_add_string(builder, i == SEEN_PRODUCE ? "POST" : "GET");
        if (i < SEEN_NO_BACKEND)
            endpoints[i].parts = plan_add_list(builder, &parts[i], sizeof(parts[i]), 1);
    }
    const struct plan_front_queue queues[SEEN_QUEUES] = {
        {.name = evil, .worker = 0}, {.name = evil, .worker = 1, .is_exclusive = 1}};
    struct plan_front front = {.n_workers = SEEN_WORKERS,
        .name = evil,
        .endpoints = plan_add_list(builder, endpoints, sizeof(endpoints[0]), SEEN_ENDPOINTS),
        .brokers = plan_add_list(builder, &evil, sizeof(evil), 1),
        .queues = plan_add_list(builder, queues, sizeof(queues[0]), SEEN_QUEUES)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &front, sizeof(front));
    plan_builder_free(builder);
    cr_assert_eq(plan_join(plan, fd, PLAN_FRONT), 0);
}

/* A segment for the test to write to and the books to look at. */
static inline void seen_show(
    struct seen *seen, struct figures *figures, enum figures_kind kind, uint32_t whose)
{
    CLEANUP(cleanup_fd) int fd = figures_new(kind, &seen_shape);
    CLEANUP(cleanup_fd) int again = figures_reopen(fd);
    cr_assert_eq(figures_join(figures, fd, kind, &seen_shape, FIGURES_COUNT), 0);
    cr_assert_eq(books_show(&seen->books, whose, again), 0);
}

static inline void seen_open(struct seen *seen)
{
    static const struct lanes_events events = {
        .on_part = seen_on_part, .on_cut_off = seen_on_part, .on_broken = seen_on_broken};
    CLEANUP(cleanup_fd) int own = figures_new(FIGURES_FRONT, &seen_shape);
    seen_plan(&seen->plan);
    cr_assert_eq(books_open(&seen->books, own, &seen_shape), 0);
    seen_show(seen, &seen->supervisor, FIGURES_SUPERVISOR, CONTROL_SUPERVISOR);
    for (uint32_t i = 0; i < SEEN_WORKERS; i++)
        seen_show(seen, &seen->workers[i], FIGURES_WORKER, i);
    seen->lanes = lanes_new(SEEN_WORKERS, SEEN_BACKENDS, &events);
    seen->overview = (struct overview){.plan = &seen->plan,
        .config = seen->plan.root,
        .books = &seen->books,
        .lanes = seen->lanes,
        .build = "0",
        .now_ns = 100 * CLOCK_S,
        .now_unix_ms = 1000000,
        .lanes_live = 3};
    figure_set(&seen->supervisor.supervisor->looked_at, seen->overview.now_ns);
}

static inline void seen_close(struct seen *seen)
{
    for (uint32_t i = 0; i < SEEN_WORKERS; i++)
        figures_leave(&seen->workers[i]);
    figures_leave(&seen->supervisor);
    lanes_free(seen->lanes);
    books_close(&seen->books);
    plan_leave(&seen->plan);
}

/* The whole page, NUL-terminated, as it is put together from its pieces. */
static inline const char *seen_page(struct seen *seen, const struct page_kind *kind)
{
    static struct figures_tally tally;
    static char buffer[SEEN_PAGE_BYTES];
    size_t size = page_buffer_bytes(overview_longest_name(&seen->plan));
    struct page page;
    cr_assert_leq(size, sizeof(buffer));
    page_begin(&page, kind, &seen->overview, &tally);
    for (seen->n_page = seen->n_pieces = 0; !page_is_done(&page); seen->n_pieces++) {
        size_t n = page_write(&page, buffer, size);
        cr_assert_lt(seen->n_page + n, sizeof(seen->page));
        memcpy(seen->page + seen->n_page, buffer, n);
        seen->n_page += n;
    }
    seen->page[seen->n_page] = '\0';
    return seen->page;
}

/* Every cell of every segment of others is as large as it can be. */
static inline void seen_fill(struct figures *figures)
{
    memset(figures->base + sizeof(struct figures_header), 0xff,
        figures->total_bytes - sizeof(struct figures_header));
}

#endif
