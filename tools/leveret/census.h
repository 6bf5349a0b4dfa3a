/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a generation, as the supervisor keeps them: it makes the segment of each process
 * (<leveret/figures.h>), holds them for whoever is started next in its place, and counts in its own
 * what it knows of all of them.
 *
 *   census_init ──▶ descriptors to hand out: to count in, to look at
 *        └──▶ census_note (whenever something may have changed), census_measure (once a second),
 *             census_obituary (one has died)
 *
 * Processor time and memory are read from /proc, two small files a second for each process. Of one
 * that dies, the time since the last reading is not counted.
 */
#ifndef LEVERET_CENSUS_H
#define LEVERET_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "child.h"
#include "shm/figures.h"

/* A segment and the descriptor through which it can be read alone; -1: none. */
struct census_segment {
    int fd, to_look_at;
};

/* What is remembered of a place between two readings. */
struct census_place {
    pid_t pid;
    uint64_t cpu_ns; /* of this process, when it was last read */
    uint64_t cpu_before_ns;
};

struct census {
    uint32_t n_workers;
    struct census_segment supervisor, front;
    struct census_segment *workers;
    struct census_place *places; /* FIGURES_PROCESS_FIRST_WORKER + n_workers */
    struct figures own;
};

/* What is told of a generation as such. */
struct census_title {
    unsigned number;
    uint64_t configuration; /* a hash of the file */
};

/* The segments of a generation. 0 or negative errno. */
int census_init(struct census *census, const struct figures_shape *shape,
    const struct census_title *title) MUST_USE;
void census_done(struct census *census);

/* How a child is, that stands in this place: FIGURES_PROCESS_FRONT and on. */
void census_note(struct census *census, uint32_t place, const struct child *child);
void census_note_draining(struct census *census, bool is_draining);

/* Read what the processes and the supervisor itself have taken of processor and memory. */
void census_measure(struct census *census, uint64_t now_ns);

/* How the last process in this place has ended. */
void census_obituary(struct census *census, uint32_t place, const struct obituary *obituary);

#endif
