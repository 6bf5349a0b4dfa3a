/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "census.h"
#include "shm/clock.h"

static const struct figures_shape shape = {.n_endpoints = 1, .n_workers = 1, .n_brokers = 1};
static const struct census_title title = {.number = 7, .configuration = 42};

static struct census census;
static struct figures seen;

static void open_it(void)
{
    cr_assert_eq(census_init(&census, &shape, &title), 0);
    cr_assert_eq(
        figures_join(&seen, census.supervisor.to_look_at, FIGURES_SUPERVISOR, &shape, FIGURES_LOOK),
        0);
}

static void close_it(void)
{
    figures_leave(&seen);
    census_done(&census);
}

TestSuite(census, .init = open_it, .fini = close_it);

static const struct figures_process *front(void)
{
    return &seen.processes[FIGURES_PROCESS_FRONT];
}

Test(census, shows_the_generation_and_the_supervisor_itself)
{
    const struct figures_process *self = &seen.processes[FIGURES_PROCESS_SUPERVISOR];
    cr_expect_eq(figure_get(&seen.supervisor->generation), 7);
    cr_expect_eq(figure_get(&seen.supervisor->configuration), 42);
    cr_expect_eq(figure_get(&self->pid), (uint64_t)getpid());
    cr_expect_gt(figure_get(&self->rss_bytes), 100000);
    cr_expect_eq(figure_get(&seen.supervisor->is_draining), 0);
    census_note_draining(&census, true);
    cr_expect_eq(figure_get(&seen.supervisor->is_draining), 1);
}

/* This process stands for one that works. */
static uint64_t work(uint64_t at_least_ns)
{
    struct child child = {.state = CHILD_SERVING, .pid = getpid(), .n_starts = 1};
    census_note(&census, FIGURES_PROCESS_FRONT, &child);
    do
        census_measure(&census, 1);
    while (figure_get(&front()->cpu_ns) < at_least_ns);
    return figure_get(&front()->cpu_ns);
}

Test(census, processor_time_goes_on_with_the_next_process_in_a_place)
{
    struct child none = {.state = CHILD_DOWN, .n_starts = 1};
    uint64_t cpu_ns = work(30 * CLOCK_MS);
    census_note(&census, FIGURES_PROCESS_FRONT, &none);
    census_measure(&census, 2);
    cr_expect_eq(figure_get(&front()->pid), 0);
    cr_expect_eq(figure_get(&front()->cpu_ns), cpu_ns);
    cr_expect_eq(figure_get(&front()->rss_bytes), 0);
    cr_expect_geq(work(2 * cpu_ns), 2 * cpu_ns);
    cr_expect_eq(figure_get(&seen.supervisor->looked_at), 1);
}

Test(census, an_obituary_says_what_the_process_died_of)
{
    char text[FIGURES_TEXT_BYTES + 1];
    struct obituary obituary = {.signal = SIGSEGV, .has_words = true};
    strcpy(obituary.words.reason, "it stumbled");
    census_obituary(&census, FIGURES_PROCESS_FRONT, &obituary);
    figures_text_read(&front()->last_words, text);
    cr_expect_str_eq(text, "signal 11 (Segmentation fault): it stumbled");
    census_obituary(&census, FIGURES_PROCESS_FRONT, &(struct obituary){.status = 3});
    figures_text_read(&front()->last_words, text);
    cr_expect_str_eq(text, "exit status 3");
}
