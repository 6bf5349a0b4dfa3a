/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the front's heap breathes. Under load it is taken and given back many thousand times a second,
 * and each time that its end falls and rises again the kernel unmaps and clears pages for nothing.
 * So it keeps what a burst needed, and gives it back when little has been held for a while.
 *
 * How much it can hold is bounded elsewhere: by the connections and their budget (connection.h).
 */
#ifndef LEVERET_FRONT_HEAP_H
#define LEVERET_FRONT_HEAP_H

#include <stdint.h>

enum { HEAP_KEPT_BYTES = 32 << 20, HEAP_STEP_BYTES = 256 << 10 };

struct heap {
    uint64_t busy_ns; /* when it last held or had held much; 0: it was trimmed since */
    uintptr_t end;    /* when it was trimmed */
};

/* Once, before the first allocation that matters. */
void heap_settle(void);

/* Now and then: so many bytes are held for requests. Returns when to look again at the latest, even
 * if none comes any more; CLOCK_NEVER: it has nothing to give back. */
uint64_t heap_look(struct heap *heap, uint64_t bytes, uint64_t now_ns);

#endif
