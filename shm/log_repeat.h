/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says again and again: of one event about one thing only the first lines in
 * LOG_REPEAT_NS are said, the others are counted, and when that time is over the count is said,
 * with what the last of them had to say. Pure: it writes nothing, and time is passed in.
 *
 *   said  said  said  said  said  (counted) ... (counted)  repeated=317 ...      said  said
 *   ├──────────────────── LOG_REPEAT_NS ──────────────────┤                     ├── the next ──
 *
 * The table is bounded. A thing for which there is no place takes that of another whose time is
 * over first, and what was counted there is said early.
 */
#ifndef LEVERET_SHM_LOG_REPEAT_H
#define LEVERET_SHM_LOG_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/clock.h"
#include "shm/log.h"

#define LOG_REPEAT_NS (10 * CLOCK_S)
enum { LOG_REPEAT_LINES = 5, LOG_REPEAT_PLACES = 64, LOG_REPEAT_TAIL_BYTES = 512 };

/* One event about one thing; event is NULL in a free place. */
struct log_repeat {
    const char *event;
    const void *about; /* its address alone */
    uint64_t begin_ns, end_ns;
    enum log_level level;
    uint32_t n_said, n_counted;
    size_t n_tail;
    char
        tail[LOG_REPEAT_TAIL_BYTES]; /* of the last one that was counted: what is behind the head */
};

/* All zero: nothing was said. */
struct log_repeats {
    struct log_repeat places[LOG_REPEAT_PLACES];
    uint32_t n_counting; /* places where something was counted */
};

/* The place of an event, a literal, about a thing. Its time begins if it has none. What was
 * counted in a place that it takes from another is copied to `*over` (n_counted is 0: nothing). */
struct log_repeat *log_repeat_find(struct log_repeats *repeats, const char *event,
    const void *about, uint64_t now_ns, struct log_repeat *over);

/* Is one more to be said? Counts it. */
bool log_repeat_may_say(struct log_repeat *place);

/* One that may not is counted, with `tail` if that has room. */
void log_repeat_count(
    struct log_repeats *repeats, struct log_repeat *place, const char *tail, size_t n);

/* Moves one that counted and whose time is over to `*over`. False: there is none. */
bool log_repeat_take(struct log_repeats *repeats, uint64_t now_ns, struct log_repeat *over);

/* When there will be one at the earliest; CLOCK_NEVER: nothing was counted. */
uint64_t log_repeat_next_ns(const struct log_repeats *repeats);

#endif
