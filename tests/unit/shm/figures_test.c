/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shm/clock.h"
#include "shm/figures.h"

static const struct figures_shape shape = {
    .n_endpoints = 3, .n_workers = 2, .n_brokers = 2, .n_backends = 4, .n_queues = 1};

static const uint64_t minute_ns = 60 * CLOCK_S;

/* ---- a segment ---- */

struct pair {
    int fd, again;
    struct figures writer, reader;
};

static void pair_open(struct pair *pair, enum figures_kind kind)
{
    pair->fd = figures_new(kind, &shape);
    cr_assert_geq(pair->fd, 0);
    pair->again = figures_reopen(pair->fd);
    cr_assert_geq(pair->again, 0);
    cr_assert_eq(figures_join(&pair->writer, pair->fd, kind, &shape, FIGURES_COUNT), 0);
    cr_assert_eq(figures_join(&pair->reader, pair->again, kind, &shape, FIGURES_LOOK), 0);
}

static void pair_close(struct pair *pair)
{
    figures_leave(&pair->reader);
    figures_leave(&pair->writer);
    cleanup_fd(&pair->again);
    cleanup_fd(&pair->fd);
}

Test(figures, what_is_counted_is_seen_by_a_reader)
{
    struct pair pair;
    pair_open(&pair, FIGURES_WORKER);
    figure_add(&pair.writer.backends[3].asked, 2);
    figure_add(&pair.writer.backends[3].asked, 1);
    figure_set(&pair.writer.queues[0].waiting_gets, 7);
    figures_time(&pair.writer.backends[3].confirm, figures_cells(&pair.writer, 3), CLOCK_MS);
    cr_expect_eq(figure_get(&pair.reader.backends[3].asked), 3);
    cr_expect_eq(figure_get(&pair.reader.queues[0].waiting_gets), 7);
    cr_expect_eq(figure_get(&figures_cells(&pair.reader, 3)[figures_cell_of(CLOCK_MS)]), 1);
    pair_close(&pair);
}

Test(figures, whoever_comes_after_counts_on)
{
    struct figures successor;
    struct pair pair;
    pair_open(&pair, FIGURES_FRONT);
    figure_add(&pair.writer.endpoints[3].accepted, 5);
    figures_leave(&pair.writer);
    cr_assert_eq(figures_join(&successor, pair.fd, FIGURES_FRONT, &shape, FIGURES_COUNT), 0);
    figure_add(&successor.endpoints[3].accepted, 1);
    cr_expect_eq(figure_get(&pair.reader.endpoints[3].accepted), 6);
    figures_leave(&successor);
    pair_close(&pair);
}

Test(figures, a_reader_cannot_map_it_for_writing)
{
    struct figures figures;
    struct pair pair;
    pair_open(&pair, FIGURES_SUPERVISOR);
    cr_expect_eq(
        figures_join(&figures, pair.again, FIGURES_SUPERVISOR, &shape, FIGURES_COUNT), -EACCES);
    cr_expect_lt(pwrite(pair.again, "x", 1, 64), 0);
    pair_close(&pair);
}

Test(figures, a_reader_that_writes_dies, .signal = SIGSEGV)
{
    struct pair pair;
    pair_open(&pair, FIGURES_SUPERVISOR);
    figure_set(&pair.reader.supervisor->is_draining, 1);
}

Test(figures, nobody_can_cut_it_short)
{
    struct pair pair;
    pair_open(&pair, FIGURES_FRONT);
    cr_expect_lt(ftruncate(pair.fd, 64), 0);
    cr_expect_eq(errno, EPERM);
    pair_close(&pair);
}

Test(figures, another_kind_or_shape_is_not_joined)
{
    struct figures figures;
    struct figures_shape other = shape;
    CLEANUP(cleanup_fd) int fd = figures_new(FIGURES_WORKER, &shape);
    other.n_backends = 40;
    cr_expect_eq(figures_join(&figures, fd, FIGURES_FRONT, &shape, FIGURES_LOOK), -EPROTO);
    cr_expect_eq(figures_join(&figures, fd, FIGURES_WORKER, &other, FIGURES_LOOK), -EPROTO);
    CLEANUP(cleanup_fd) int bare = memfd_create("bare", MFD_CLOEXEC);
    cr_expect_eq(figures_join(&figures, bare, FIGURES_WORKER, &shape, FIGURES_LOOK), -EPROTO);
}

Test(figures, another_build_is_not_joined)
{
    struct figures figures;
    uint32_t layout = 0;
    CLEANUP(cleanup_fd) int fd = figures_new(FIGURES_WORKER, &shape);
    cr_assert_eq(pwrite(fd, &layout, sizeof(layout), offsetof(struct figures_header, layout)), 4);
    cr_expect_eq(figures_join(&figures, fd, FIGURES_WORKER, &shape, FIGURES_LOOK), -EPROTO);
}

Test(figures, of_two_thousand_endpoints_take_memory_where_something_was_counted)
{
    const struct figures_shape large = {.n_endpoints = 2000};
    struct stat stat;
    struct figures figures;
    CLEANUP(cleanup_fd) int fd = figures_new(FIGURES_FRONT, &large);
    cr_assert_eq(figures_join(&figures, fd, FIGURES_FRONT, &large, FIGURES_COUNT), 0);
    for (uint32_t i = 0; i < 100; i++)
        figures_time(&figures.endpoints[7].stages[FIGURES_TOTAL],
            figures_stage_cells(&figures, 7, FIGURES_TOTAL), CLOCK_MS + i * 1000);
    cr_assert_eq(fstat(fd, &stat), 0);
    cr_expect_gt(stat.st_size, 100 << 20);
    cr_expect_leq(stat.st_blocks * 512, 4 * 4096, "%ld", (long)stat.st_blocks * 512);
    figures_leave(&figures);
}

/* ---- codes ---- */

Test(figures, every_status_has_its_place_and_the_rest_has_one)
{
    cr_expect_eq(figures_status(figures_code(200)), 200);
    cr_expect_eq(figures_status(figures_code(504)), 504);
    cr_expect_eq(figures_code(418), FIGURES_N_CODES - 1);
    cr_expect_eq(figures_code(0), FIGURES_N_CODES - 1);
    cr_expect_eq(figures_status(FIGURES_N_CODES - 1), 0);
    cr_expect_eq(figures_status(UINT32_MAX), 0);
}

/* ---- durations ---- */

Test(figures, cells_follow_one_another_without_a_gap)
{
    for (uint32_t cell = 1; cell < FIGURES_CELLS; cell++) {
        uint64_t from_ns = figures_cell_from_ns(cell);
        cr_assert_eq(figures_cell_of(from_ns), cell, "cell %u from %lu", cell, from_ns);
        cr_assert_eq(figures_cell_of(from_ns - 1), cell - 1, "below cell %u", cell);
    }
    cr_expect_eq(figures_cell_of(0), 0);
    cr_expect_eq(figures_cell_of(999), 0);
    cr_expect_eq(figures_cell_of(1000), 1);
    cr_expect_lt(figures_cell_of(minute_ns), FIGURES_CELLS - 1);
    cr_expect_eq(figures_cell_of(2 * minute_ns), FIGURES_CELLS - 1);
    cr_expect_eq(figures_cell_of(UINT64_MAX), FIGURES_CELLS - 1);
}

Test(figures, milliseconds_doubled_and_halved_are_bounds_of_cells)
{
    for (int i = -4; i <= 15; i++) {
        uint64_t bound_ns = i < 0 ? CLOCK_MS >> -i : CLOCK_MS << i;
        cr_expect_eq(figures_cell_from_ns(figures_cell_of(bound_ns)), bound_ns, "%lu", bound_ns);
    }
}

struct histogram {
    struct figures_span span;
    figure cells[FIGURES_CELLS];
};

static void count(struct histogram *h, uint64_t duration_ns)
{
    figures_time(&h->span, h->cells, duration_ns);
}

Test(figures, a_quantile_is_within_one_per_cent_from_one_microsecond_to_a_minute)
{
    static struct figures_tally tally;
    for (uint64_t ns = 1000; ns <= minute_ns; ns += 1 + ns / 997) {
        struct histogram h = {0};
        count(&h, ns);
        count(&h, 2 * minute_ns); /* so that the largest does not help */
        figures_tally_clear(&tally);
        figures_tally_add(&tally, &h.span, h.cells);
        uint64_t told_ns = figures_tally_quantile(&tally, 500);
        uint64_t error_ns = told_ns > ns ? told_ns - ns : ns - told_ns;
        cr_assert_leq(error_ns * 100, ns, "%lu is told as %lu", ns, told_ns);
    }
}

Test(figures, quantiles_are_those_of_the_sorted_row)
{
    static struct figures_tally tally;
    static struct histogram h;
    for (uint64_t i = 1; i <= 1000; i++)
        count(&h, i * CLOCK_MS);
    figures_tally_add(&tally, &h.span, h.cells);
    static const uint32_t per_mille[] = {1, 500, 900, 990, 999, 1000};
    for (size_t i = 0; i < sizeof(per_mille) / sizeof(per_mille[0]); i++) {
        double told = (double)figures_tally_quantile(&tally, per_mille[i]);
        double wanted = (double)(per_mille[i] * CLOCK_MS);
        cr_expect_float_eq(told, wanted, wanted / 100);
    }
    cr_expect_eq(tally.count, 1000);
    cr_expect_eq(tally.max_ns, CLOCK_S);
    cr_expect_eq(tally.sum_ns, 1000 * 1001 / 2 * CLOCK_MS);
    cr_expect_eq(figures_tally_below(&tally, 512 * CLOCK_MS), 511);
    cr_expect_eq(figures_tally_below(&tally, 4096 * CLOCK_MS), 1000);
}

Test(figures, several_histograms_are_told_as_one)
{
    static struct figures_tally tally;
    struct histogram fast = {0}, slow = {0}, none = {0};
    for (int i = 0; i < 9; i++)
        count(&fast, CLOCK_MS);
    count(&slow, CLOCK_S);
    figures_tally_add(&tally, &slow.span, slow.cells);
    figures_tally_add(&tally, &none.span, none.cells);
    figures_tally_add(&tally, &fast.span, fast.cells);
    cr_expect_eq(tally.count, 10);
    cr_expect_lt(figures_tally_quantile(&tally, 900), 2 * CLOCK_MS);
    cr_expect_gt(figures_tally_quantile(&tally, 901), 900 * CLOCK_MS);
    figures_tally_clear(&tally);
    cr_expect_eq(figures_tally_quantile(&tally, 500), 0);
    for (uint32_t i = 0; i < FIGURES_CELLS; i++)
        cr_assert_eq(tally.cells[i], 0);
}

/* Whatever stands in another's segment, a reader stays within it and comes to an end. */
Test(figures, a_liars_histogram_harms_nobody)
{
    static const uint64_t lies[] = {0, 1, 2, FIGURES_CELLS, FIGURES_CELLS + 1, UINT64_MAX};
    enum { N = sizeof(lies) / sizeof(lies[0]) };
    static struct figures_tally tally;
    static struct histogram h;
    for (uint32_t i = 0; i < FIGURES_CELLS; i++)
        figure_set(&h.cells[i], UINT64_MAX - i);
    for (int i = 0; i < N * N; i++) {
        figure_set(&h.span.lowest, lies[i / N]);
        figure_set(&h.span.highest, lies[i % N]);
        figure_set(&h.span.max_ns, lies[i % N]);
        figures_tally_add(&tally, &h.span, h.cells);
        cr_assert_leq(tally.past, FIGURES_CELLS);
        cr_assert_leq(tally.lowest, tally.past);
        for (uint32_t per_mille = 0; per_mille <= 1000; per_mille += 100)
            (void)figures_tally_quantile(&tally, per_mille);
        (void)figures_tally_below(&tally, lies[i % N]);
        figures_tally_clear(&tally);
    }
}

/* ---- texts ---- */

Test(figures, a_text_is_cut_and_shown_as_far_as_it_is_printable)
{
    char long_one[400], out[FIGURES_TEXT_BYTES + 1];
    struct figures_text text = {0};
    memset(long_one, 'x', sizeof(long_one));
    long_one[sizeof(long_one) - 1] = '\0';
    figures_text_read(&text, out);
    cr_expect_str_empty(out);
    figures_text_write(&text, long_one);
    figures_text_read(&text, out);
    cr_expect_eq(strlen(out), FIGURES_TEXT_BYTES);
    figures_text_write(&text, "a\nb\x1b[2J \x7f h\xc3\xb6rt");
    figures_text_read(&text, out);
    cr_expect_str_eq(out, "a?b?[2J ? h\xc3\xb6rt");
}

Test(figures, a_text_that_is_being_written_is_empty)
{
    char out[FIGURES_TEXT_BYTES + 1];
    struct figures_text text = {0};
    figures_text_write(&text, "first");
    figure_add(&text.turn, 1); /* its writer died here */
    figures_text_read(&text, out);
    cr_expect_str_empty(out);
    figures_text_write(&text, "second");
    figures_text_read(&text, out);
    cr_expect_str_eq(out, "second");
}
