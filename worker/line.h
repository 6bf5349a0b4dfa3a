/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of slots that wait for the same thing, first come, first served: a list through the slots
 * themselves, so that joining it cannot fail and leaving it from the middle costs nothing. A slot
 * stands in one line at a time.
 */
#ifndef LEVERET_WORKER_LINE_H
#define LEVERET_WORKER_LINE_H

#include <stdint.h>

struct desk_slot;

/* All zero: empty. */
struct line {
    struct desk_slot *first, *last;
    uint32_t n;
};

/* At the end. It stands in no line. */
void line_join(struct line *line, struct desk_slot *slot);

/* Out of the line that it stands in; nothing when it stands in none. */
void line_leave(struct desk_slot *slot);

/* Takes out the first one; NULL when the line is empty. */
struct desk_slot *line_take(struct line *line);

#endif
