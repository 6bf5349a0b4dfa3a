/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/arena.h"

enum { BYTES = 1 << 16, MIN = 1 << 10, N_BLOCKS = BYTES / MIN };

Test(arena, hands_out_the_whole_area_in_smallest_blocks)
{
    struct arena *arena = arena_new(BYTES, MIN);
    uint8_t seen[N_BLOCKS] = {0};
    for (int i = 0; i < N_BLOCKS; i++) {
        uint64_t at = arena_take(arena, 1);
        cr_assert_neq(at, ARENA_FULL);
        cr_assert_eq(at % MIN, 0);
        cr_assert_eq(seen[at / MIN]++, 0);
    }
    cr_assert_eq(arena_take(arena, 1), ARENA_FULL);
    cr_assert_eq(arena_taken_bytes(arena), BYTES);
    arena_free(arena);
}

Test(arena, takes_blocks_of_every_size_up_to_the_area)
{
    struct arena *arena = arena_new(BYTES, MIN);
    for (uint64_t bytes = 0; bytes <= BYTES; bytes += 509) {
        uint64_t at = arena_take(arena, bytes);
        cr_assert_neq(at, ARENA_FULL);
        cr_assert_geq(arena_taken_bytes(arena), bytes);
        arena_give(arena, at);
        cr_assert_eq(arena_taken_bytes(arena), 0);
    }
    cr_assert_eq(arena_take(arena, BYTES + 1), ARENA_FULL);
    cr_assert_eq(arena_take(arena, UINT64_MAX), ARENA_FULL);
    arena_free(arena);
}

Test(arena, keeps_large_blocks_whole_for_as_long_as_small_ones_fit_elsewhere)
{
    struct arena *arena = arena_new(BYTES, MIN);
    uint64_t half = arena_take(arena, BYTES / 2);
    uint64_t small[4];
    for (int i = 0; i < 4; i++)
        small[i] = arena_take(arena, MIN);
    cr_assert_neq(arena_take(arena, BYTES / 4), ARENA_FULL);
    for (int i = 0; i < 4; i++)
        cr_assert_lt(small[i] ^ small[0], 4 * MIN, "neighbours");
    arena_give(arena, half);
    cr_assert_eq(arena_take(arena, BYTES / 2), half);
    arena_free(arena);
}

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

/* Against a map of who has which block: nothing is handed out twice, and all of it merges again. */
Test(arena, never_hands_out_a_byte_twice)
{
    enum { N_HELD = 40 };
    struct arena *arena = arena_new(BYTES, MIN);
    struct {
        uint64_t at, blocks;
    } held[N_HELD] = {0};
    uint8_t owner[N_BLOCKS] = {0};
    uint32_t seed = 2463534242u;
    for (int step = 0; step < 200000; step++) {
        uint32_t i = random_next(&seed) % N_HELD;
        if (held[i].blocks) {
            memset(owner + held[i].at / MIN, 0, held[i].blocks);
            arena_give(arena, held[i].at);
            held[i].blocks = 0;
            continue;
        }
        uint64_t bytes = random_next(&seed) % (BYTES / 4) + 1;
        uint64_t at = arena_take(arena, bytes);
        if (at == ARENA_FULL)
            continue;
        held[i].at = at;
        held[i].blocks = (bytes + MIN - 1) / MIN;
        for (uint64_t block = 0; block < held[i].blocks; block++)
            cr_assert_eq(owner[at / MIN + block]++, 0);
    }
    for (int i = 0; i < N_HELD; i++)
        if (held[i].blocks)
            arena_give(arena, held[i].at);
    cr_assert_eq(arena_taken_bytes(arena), 0);
    cr_assert_eq(arena_take(arena, BYTES), 0);
    arena_free(arena);
}

Test(arena, of_one_block_works)
{
    struct arena *arena = arena_new(MIN, MIN);
    cr_assert_eq(arena_take(arena, MIN), 0);
    cr_assert_eq(arena_take(arena, 1), ARENA_FULL);
    arena_give(arena, 0);
    cr_assert_eq(arena_take(arena, 1), 0);
    arena_free(arena);
}
