/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary tree over the area. longest[node] is one more than the order (log2 of smallest blocks)
 * of the largest free block below the node, and 0 when there is none; node 1 is the root, node n
 * has the children 2n and 2n + 1.
 */
#include "shm/arena.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct arena {
    uint64_t min_bytes;
    uint64_t taken_bytes;
    uint32_t height; /* order of the whole area */
    uint8_t longest[];
};

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static uint32_t order_of(uint64_t blocks)
{
    return blocks <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(blocks - 1);
}

struct arena *arena_new(uint64_t bytes, uint64_t min_bytes)
{
    assert(is_power_of_two(bytes) && is_power_of_two(min_bytes) && min_bytes <= bytes);
    uint32_t height = order_of(bytes / min_bytes);
    size_t n_nodes = (size_t)2 << height;
    struct arena *arena = malloc(sizeof(*arena) + n_nodes);
    if (!arena)
        return NULL;
    *arena = (struct arena){.min_bytes = min_bytes, .height = height};
    for (uint32_t depth = 0; depth <= height; depth++)
        for (size_t node = (size_t)1 << depth; node < (size_t)2 << depth; node++)
            arena->longest[node] = (uint8_t)(height - depth + 1);
    return arena;
}

void arena_free(struct arena *arena)
{
    free(arena);
}

/* What the parent of a changed node can offer: both halves whole make a whole. */
static void ancestors_update(struct arena *arena, size_t node, uint32_t order)
{
    while (node > 1) {
        node /= 2;
        order++;
        uint8_t left = arena->longest[2 * node], right = arena->longest[2 * node + 1];
        if (left == order && right == order)
            arena->longest[node] = (uint8_t)(order + 1);
        else
            arena->longest[node] = left > right ? left : right;
    }
}

uint64_t arena_take(struct arena *arena, uint64_t bytes)
{
    if (bytes > arena->min_bytes << arena->height)
        return ARENA_FULL;
    uint32_t wanted = order_of((bytes + arena->min_bytes - 1) / arena->min_bytes);
    if (arena->longest[1] < wanted + 1)
        return ARENA_FULL;
    size_t node = 1;
    for (uint32_t order = arena->height; order > wanted; order--) {
        uint8_t left = arena->longest[2 * node], right = arena->longest[2 * node + 1];
        /* the half that fits more tightly, so that large blocks stay whole */
        bool is_left = left >= wanted + 1 && (right < wanted + 1 || left <= right);
        node = 2 * node + !is_left;
    }
    arena->longest[node] = 0;
    ancestors_update(arena, node, wanted);
    arena->taken_bytes += arena->min_bytes << wanted;
    size_t index = node - ((size_t)1 << (arena->height - wanted));
    return index * (arena->min_bytes << wanted);
}

void arena_give(struct arena *arena, uint64_t offset)
{
    assert(offset % arena->min_bytes == 0);
    assert(offset / arena->min_bytes < (uint64_t)1 << arena->height);
    size_t node = ((size_t)1 << arena->height) + offset / arena->min_bytes;
    uint32_t order = 0;
    /* the taken node is the lowest exhausted one on the way up; below it nothing was ever changed
     */
    while (arena->longest[node]) {
        assert(node > 1 && node % 2 == 0);
        node /= 2;
        order++;
    }
    arena->longest[node] = (uint8_t)(order + 1);
    ancestors_update(arena, node, order);
    arena->taken_bytes -= arena->min_bytes << order;
}

uint64_t arena_taken_bytes(const struct arena *arena)
{
    return arena->taken_bytes;
}
