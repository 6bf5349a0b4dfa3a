/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <errno.h>

#include "books.h"

static const struct plan_worker root = {
    .n_workers = 1, .brokers.count = 1, .backends.count = 1, .taps.count = 1};
static const struct plan plan = {.root = &root};
static const struct figures_shape shape = {
    .n_workers = 1, .n_brokers = 1, .n_backends = 1, .n_queues = 1};

/* What the one before has begun and not ended. */
Test(books, conclude_what_a_dead_worker_has_left)
{
    struct figures before, after;
    CLEANUP(cleanup_fd) int fd = figures_new(FIGURES_WORKER, &shape);
    cr_assert_eq(books_open(&before, fd, &plan), 0);
    figure_set(&before.backends[0].asked, 10);
    figure_set(&before.backends[0].outcomes[OUTCOME_CONFIRMED], 6);
    figure_set(&before.backends[0].outcomes[OUTCOME_DOWN], 1);
    figure_set(&before.backends[0].is_refused, 1);
    figure_set(&before.queues[0].delivered, 9);
    figure_set(&before.queues[0].acked, 4);
    figure_set(&before.queues[0].discarded, 1);
    figure_set(&before.queues[0].requeued, 2);
    figure_set(&before.queues[0].waiting_gets, 5);
    figure_set(&before.queues[0].state, FIGURES_QUEUE_LISTENING);
    figure_set(&before.connections[1].state, FIGURES_CONNECTION_UP);
    figure_set(&before.connections[1].ups, 3);
    figures_leave(&before);
    cr_assert_eq(books_open(&after, fd, &plan), 0);
    cr_expect_eq(figure_get(&after.backends[0].asked), 10);
    cr_expect_eq(figure_get(&after.backends[0].lost), 3);
    cr_expect_eq(figure_get(&after.backends[0].is_refused), 0);
    cr_expect_eq(figure_get(&after.queues[0].delivered), 9);
    cr_expect_eq(figure_get(&after.queues[0].requeued), 4);
    cr_expect_eq(figure_get(&after.queues[0].waiting_gets), 0);
    cr_expect_eq(figure_get(&after.queues[0].state), FIGURES_QUEUE_SHUT);
    cr_expect_eq(figure_get(&after.connections[1].state), FIGURES_CONNECTION_NONE);
    cr_expect_eq(figure_get(&after.connections[1].ups), 3);
    figures_leave(&after);
}

Test(books, of_another_plan_are_not_opened)
{
    struct figures figures;
    CLEANUP(cleanup_fd) int fd = figures_new(FIGURES_FRONT, &shape);
    cr_expect_eq(books_open(&figures, fd, &plan), -EPROTO);
}
