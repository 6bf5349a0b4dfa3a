/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of <leveret/figures.h>: a segment is made by the supervisor, counted in by the one to
 * whom it belongs, looked at by anybody who was given it.
 *
 *      figures_new() ─ memfd ─▶ figures_join(FIGURES_COUNT) ─▶ figure_add(), figures_time() ...
 *           └─ figures_reopen() ─▶ figures_join(FIGURES_LOOK) ─▶ figure_get(), figures_tally_*()
 *
 * Who counts pays a load, an addition and a store for each cell and waits for nobody.
 */
#ifndef LEVERET_SHM_FIGURES_H
#define LEVERET_SHM_FIGURES_H

#include <stddef.h>

#include <leveret/figures.h>

#include "shm/cleanup.h"

/* How many rows there are of each; what a kind does not have does not matter to it. */
struct figures_shape {
    uint32_t n_endpoints; /* of the plan; there are FIGURES_MORE_ENDPOINTS more */
    uint32_t n_workers, n_brokers, n_backends, n_queues;
};

/* A segment that was joined. What its kind does not have is NULL. */
struct figures {
    uint8_t *base;
    size_t total_bytes;
    struct figures_front *front;
    struct figures_endpoint *endpoints;
    struct figures_worker *worker;
    struct figures_connection *connections;
    struct figures_backend *backends;
    struct figures_queue *queues;
    struct figures_supervisor *supervisor;
    struct figures_process *processes;
    figure *cells; /* of all histograms: FIGURES_CELLS_STRIDE each, in the order of their rows */
};

static inline uint32_t figures_n_connections(const struct figures_shape *shape)
{
    return 2 * shape->n_brokers + shape->n_queues;
}

/* A fresh segment, all zero but for its header: a memfd, closed on exec. Negative errno. */
int figures_new(enum figures_kind kind, const struct figures_shape *shape) MUST_USE;

/* Another descriptor of the same memory, through which it can be read alone. Negative errno. */
int figures_reopen(int fd) MUST_USE;

/* Map the segment behind `fd`, which stays the caller's. -EPROTO: it is none of this kind, shape
 * and build. */
enum figures_access { FIGURES_LOOK, FIGURES_COUNT };
int figures_join(struct figures *figures, int fd, enum figures_kind kind,
    const struct figures_shape *shape, enum figures_access access) MUST_USE;
void figures_leave(struct figures *figures);

/* ---- cells; relaxed throughout: a count orders nothing ---- */

static inline uint64_t figure_get(const figure *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static inline void figure_set(figure *cell, uint64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

/* One writer: no read-modify-write. */
static inline void figure_add(figure *cell, uint64_t n)
{
    figure_set(cell, figure_get(cell) + n);
}

/* Where a status is counted, and what is counted there; 0: all others. */
uint32_t figures_code(int status);
int figures_status(uint32_t code);

/* ---- durations ---- */

/* The cells of the histogram whose place is `nth` among those of the segment. */
static inline figure *figures_cells(const struct figures *figures, uint32_t nth)
{
    return figures->cells + (size_t)nth * FIGURES_CELLS_STRIDE;
}

static inline figure *figures_stage_cells(
    const struct figures *figures, uint32_t endpoint, enum figures_stage stage)
{
    return figures_cells(figures, endpoint * FIGURES_N_STAGES + (uint32_t)stage);
}

/* Which cell counts a duration; from where, in nanoseconds, a cell counts. */
uint32_t figures_cell_of(uint64_t duration_ns);
uint64_t figures_cell_from_ns(uint32_t cell);

/* It took so long. */
void figures_time(struct figures_span *span, figure *cells, uint64_t duration_ns);

/* What stands in one or several histograms, copied: what is read of it later agrees with itself. Zero
 * is an empty one. */
struct figures_tally {
    uint64_t count, sum_ns, max_ns;
    uint32_t lowest, past; /* cells in use: from, and up to but without */
    uint64_t cells[FIGURES_CELLS];
};

void figures_tally_add(
    struct figures_tally *tally, const struct figures_span *span, const figure *cells);
void figures_tally_clear(struct figures_tally *tally);

/* The duration that `per_mille` of them do not exceed, within 0.8 %; 0 when there are none. */
uint64_t figures_tally_quantile(const struct figures_tally *tally, uint32_t per_mille);

/* How many were shorter than this bound of a cell. */
uint64_t figures_tally_below(const struct figures_tally *tally, uint64_t bound_ns);

/* ---- texts ---- */

/* Cut to what there is room for. */
void figures_text_write(struct figures_text *text, const char *string);

/* NUL-terminated; what is not printable is a question mark. Empty while it is being written. */
void figures_text_read(const struct figures_text *text, char out[FIGURES_TEXT_BYTES + 1]);

#endif
