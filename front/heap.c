/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <unistd.h>

#include "shm/clock.h"

enum { MUCH_BYTES = 1 << 20 };

#define QUIET_NS CLOCK_S

void heap_settle(void)
{
    /* large bodies, too, lie in the heap: of its own each would be mapped and cleared anew */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES); /* all three: slower when refused */
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    (void)mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
}

/* What came and went between two looks leaves it larger. */
static bool has_grown(const struct heap *heap)
{
    return (uintptr_t)sbrk(0) >= heap->end + MUCH_BYTES;
}

uint64_t heap_look(struct heap *heap, uint64_t bytes, uint64_t now_ns)
{
    if (bytes >= MUCH_BYTES || (!heap->busy_ns && has_grown(heap)))
        heap->busy_ns = now_ns;
    if (!heap->busy_ns)
        return CLOCK_NEVER;
    if (now_ns - heap->busy_ns < QUIET_NS)
        return heap->busy_ns + QUIET_NS;
    (void)malloc_trim(HEAP_STEP_BYTES);
    *heap = (struct heap){.end = (uintptr_t)sbrk(0)};
    return CLOCK_NEVER;
}
