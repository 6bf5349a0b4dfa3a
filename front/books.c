/* SPDX-License-Identifier: Apache-2.0 */
#include "books.h"

#include <errno.h>
#include <stdbool.h>

#include <leveret/control.h>

static uint64_t n_ended(const struct figures_endpoint *endpoint)
{
    uint64_t n = figure_get(&endpoint->abandoned) + figure_get(&endpoint->lost);
    for (uint32_t i = 0; i < FIGURES_N_CODES; i++)
        n += figure_get(&endpoint->answered[i]);
    return n;
}

/* What is in flight now was the dead one's, and so were the connections that it came on. */
static void conclude(const struct books *books)
{
    for (uint32_t i = 0; i < books->shape.n_endpoints + FIGURES_MORE_ENDPOINTS; i++) {
        struct figures_endpoint *endpoint = &books->own.endpoints[i];
        figure_add(&endpoint->lost, figure_get(&endpoint->accepted) - n_ended(endpoint));
    }
    figure_set(&books->own.front->connections_open, 0);
}

int books_open(struct books *books, int fd, const struct figures_shape *shape)
{
    struct figures own;
    struct figures *workers = calloc(shape->n_workers + 1, sizeof(*workers));
    int error = workers ? figures_join(&own, fd, FIGURES_FRONT, shape, FIGURES_COUNT) : -ENOMEM;
    if (error) {
        free(workers);
        return error;
    }
    *books = (struct books){.shape = *shape, .own = own, .workers = workers};
    conclude(books);
    return 0;
}

void books_close(struct books *books)
{
    for (uint32_t i = 0; books->workers && i < books->shape.n_workers; i++)
        figures_leave(&books->workers[i]);
    free(books->workers);
    figures_leave(&books->supervisor);
    figures_leave(&books->own);
    *books = (struct books){0};
}

int books_show(struct books *books, uint32_t worker, int fd)
{
    bool is_supervisor = worker == CONTROL_SUPERVISOR;
    if (!is_supervisor && worker >= books->shape.n_workers)
        return -EINVAL;
    struct figures *seen = is_supervisor ? &books->supervisor : &books->workers[worker];
    figures_leave(seen);
    return figures_join(
        seen, fd, is_supervisor ? FIGURES_SUPERVISOR : FIGURES_WORKER, &books->shape, FIGURES_LOOK);
}

/* ---- requests ---- */

void books_accept(struct books *books, uint32_t row, uint64_t body_bytes)
{
    struct figures_endpoint *endpoint = &books->own.endpoints[row];
    figure_add(&endpoint->accepted, 1);
    figure_add(&endpoint->request_bytes, body_bytes);
}

void books_answer(struct books *books, uint32_t row, int status, uint64_t body_bytes)
{
    struct figures_endpoint *endpoint = &books->own.endpoints[row];
    figure_add(&endpoint->answered[figures_code(status)], 1);
    figure_add(&endpoint->response_bytes, body_bytes);
}

void books_abandon(struct books *books, uint32_t row)
{
    figure_add(&books->own.endpoints[row].abandoned, 1);
}

static void stage(struct books *books, uint32_t row, enum figures_stage which, uint64_t took_ns)
{
    figures_time(&books->own.endpoints[row].stages[which],
        figures_stage_cells(&books->own, row, which), took_ns);
}

void books_time(struct books *books, uint32_t row, const struct timing *timing, uint64_t written_ns)
{
    struct timing_stages stages = timing_stages_of(timing);
    stage(books, row, FIGURES_TOTAL, written_ns - timing->begun_ns);
    stage(books, row, FIGURES_PARSE, stages.parse_ns);
    stage(books, row, FIGURES_WRITE, written_ns - timing->answered_ns);
    if (!stages.has_worker)
        return;
    stage(books, row, FIGURES_BROKER, stages.broker_ns);
    stage(books, row, FIGURES_RING, stages.ring_ns);
}
