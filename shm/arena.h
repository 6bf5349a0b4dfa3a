/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which bytes of an area: a buddy allocator whose books are private.
 *
 * It hands out offsets into an area that it never touches, so that a peer who scribbles over the
 * area cannot confuse it. A block is a power of two of bytes; the tail that is not asked for costs
 * address space and no memory, since nobody touches it. Taking and giving cost one walk over the
 * tree's height.
 */
#ifndef LEVERET_SHM_ARENA_H
#define LEVERET_SHM_ARENA_H

#include <stdint.h>

#include "shm/cleanup.h"

#define ARENA_FULL UINT64_MAX

struct arena;

/* Books for an area of `bytes` in blocks of at least `min_bytes`, both powers of two; about two
 * bytes of memory for each smallest block. NULL when out of memory. */
struct arena *arena_new(uint64_t bytes, uint64_t min_bytes);
void arena_free(struct arena *arena);

/* The offset of a free block of at least `bytes` (0 is taken as 1), or ARENA_FULL. */
uint64_t arena_take(struct arena *arena, uint64_t bytes) MUST_USE;

/* Give back the block that arena_take() returned at `offset`. Any other offset is our own mistake.
 */
void arena_give(struct arena *arena, uint64_t offset);

/* Bytes in blocks that are taken. */
uint64_t arena_taken_bytes(const struct arena *arena);

#endif
