/* SPDX-License-Identifier: Apache-2.0 */
#include "books.h"

static uint64_t n_ended(const struct figures_backend *backend)
{
    uint64_t n = figure_get(&backend->lost);
    for (int i = 0; i < OUTCOME_N; i++)
        n += figure_get(&backend->outcomes[i]);
    return n;
}

static void conclude_backend(struct figures_backend *backend)
{
    figure_add(&backend->lost, figure_get(&backend->asked) - n_ended(backend));
    figure_set(&backend->is_refused, 0);
}

/* The broker puts back what a connection has not acked when it ends. */
static void conclude_queue(struct figures_queue *queue)
{
    uint64_t n_settled =
        figure_get(&queue->acked) + figure_get(&queue->requeued) + figure_get(&queue->discarded);
    figure_add(&queue->requeued, figure_get(&queue->delivered) - n_settled);
    figure_set(&queue->waiting_gets, 0);
    figure_set(&queue->prefetch, 0);
    figure_set(&queue->held, 0);
    figure_set(&queue->state, FIGURES_QUEUE_SHUT);
}

static void conclude_connection(struct figures_connection *connection)
{
    figure_set(&connection->state, FIGURES_CONNECTION_NONE);
    figure_set(&connection->is_blocked, 0);
}

int books_open(struct figures *figures, int fd, const struct plan *plan)
{
    const struct plan_worker *root = plan->root;
    const struct figures_shape shape = {.n_workers = root->n_workers,
        .n_brokers = root->brokers.count,
        .n_backends = root->backends.count,
        .n_queues = root->taps.count};
    int error = figures_join(figures, fd, FIGURES_WORKER, &shape, FIGURES_COUNT);
    if (error)
        return error;
    for (uint32_t i = 0; i < shape.n_backends; i++)
        conclude_backend(&figures->backends[i]);
    for (uint32_t i = 0; i < shape.n_queues; i++)
        conclude_queue(&figures->queues[i]);
    for (uint32_t i = 0; i < figures_n_connections(&shape); i++)
        conclude_connection(&figures->connections[i]);
    return 0;
}
