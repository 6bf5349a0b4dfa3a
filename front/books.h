/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's books: its own figures, in which it counts (<leveret/figures.h>), and those of the
 * supervisor and the workers, which it may look at.
 *
 * Of a request this is counted where it happens, and when: its arrival (books_accept), its answer
 * (books_answer) or its client's leaving (books_abandon), one of the two; afterwards how long each
 * stage took (books_time). A client that has read its answer finds it counted.
 */
#ifndef LEVERET_FRONT_BOOKS_H
#define LEVERET_FRONT_BOOKS_H

#include "shm/cleanup.h"
#include "shm/figures.h"

#include "timing.h"

struct books {
    struct figures_shape shape;
    struct figures own;
    struct figures supervisor; /* as long as it was not shown, its rows are NULL */
    struct figures *workers;   /* likewise */
};

/* Join our own segment behind `fd`, which stays the caller's, and conclude what the front before us
 * has left. -ENOMEM, or what figures_join() says. */
int books_open(struct books *books, int fd, const struct figures_shape *shape) MUST_USE;
void books_close(struct books *books);

/* Look at another's: `worker` is a worker's index or CONTROL_SUPERVISOR. -EINVAL: there is no such
 * worker; or what figures_join() says. */
int books_show(struct books *books, uint32_t worker, int fd) MUST_USE;

/* ---- requests; `row`: an endpoint's index, or behind those FIGURES_UNMATCHED, FIGURES_HEALTH ---- */

static inline uint32_t books_row(const struct books *books, uint32_t behind)
{
    return books->shape.n_endpoints + behind;
}

void books_accept(struct books *books, uint32_t row, uint64_t body_bytes);
void books_answer(struct books *books, uint32_t row, int status, uint64_t body_bytes);
void books_abandon(struct books *books, uint32_t row);

/* The answer was written, or its connection ended before that. */
void books_time(
    struct books *books, uint32_t row, const struct timing *timing, uint64_t written_ns);

#endif
