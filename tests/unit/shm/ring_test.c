/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/ring.h"

enum { N = 8 };

struct pair {
    struct ring_shared *shared;
    struct ring_producer producer;
    struct ring_consumer consumer;
};

static struct pair pair_new(void)
{
    struct pair pair = {.shared = aligned_alloc(LANE_LINE, ring_bytes(N))};
    memset(pair.shared, 0, ring_bytes(N));
    ring_producer_init(&pair.producer, pair.shared, N);
    ring_consumer_init(&pair.consumer, pair.shared, N);
    return pair;
}

Test(ring, is_empty_when_new)
{
    struct pair pair = pair_new();
    uint64_t entry;
    cr_assert(ring_is_empty(&pair.consumer));
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_EMPTY);
    free(pair.shared);
}

Test(ring, gives_entries_back_in_order_over_many_laps)
{
    struct pair pair = pair_new();
    uint64_t pushed = 0, popped = 0, entry;
    for (int lap = 0; lap < 1000; lap++) {
        for (int i = 0; i < lap % N + 1; i++)
            cr_assert_eq(ring_push(&pair.producer, pushed++), RING_OK);
        cr_assert_not(ring_is_empty(&pair.consumer));
        while (ring_pop(&pair.consumer, &entry) == RING_OK)
            cr_assert_eq(entry, popped++);
        cr_assert_eq(pushed, popped);
    }
    free(pair.shared);
}

Test(ring, holds_as_many_entries_as_it_was_made_for)
{
    struct pair pair = pair_new();
    uint64_t entry;
    for (uint64_t i = 0; i < N; i++)
        cr_assert_eq(ring_push(&pair.producer, i), RING_OK);
    cr_assert_eq(
        ring_push(&pair.producer, N), RING_BROKEN, "an honest peer never lets it overflow");
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_OK);
    cr_assert_eq(entry, 0);
    cr_assert_eq(ring_push(&pair.producer, N), RING_OK);
    free(pair.shared);
}

Test(ring, a_tail_too_far_ahead_is_broken_and_not_read)
{
    struct pair pair = pair_new();
    uint64_t entry = 77;
    atomic_store(&pair.shared->tail, N + 1);
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_BROKEN);
    cr_assert_eq(entry, 77);
    cr_assert_not(ring_is_empty(&pair.consumer), "broken is not empty: its owner must look");
    free(pair.shared);
}

Test(ring, a_tail_that_moves_back_is_broken)
{
    struct pair pair = pair_new();
    uint64_t entry;
    cr_assert_eq(ring_push(&pair.producer, 1), RING_OK);
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_OK);
    atomic_store(&pair.shared->tail, 0);
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_BROKEN);
    free(pair.shared);
}

Test(ring, a_head_ahead_of_the_tail_makes_no_room)
{
    struct pair pair = pair_new();
    for (uint64_t i = 0; i < N; i++)
        cr_assert_eq(ring_push(&pair.producer, i), RING_OK);
    atomic_store(&pair.shared->head, N + 5);
    cr_assert_eq(ring_push(&pair.producer, N), RING_BROKEN);
    free(pair.shared);
}

Test(ring, an_honest_side_does_not_believe_its_own_shared_index)
{
    struct pair pair = pair_new();
    uint64_t entry;
    cr_assert_eq(ring_push(&pair.producer, 1), RING_OK);
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_OK);
    atomic_store(&pair.shared->head, 0); /* the producer writes where only the consumer should */
    cr_assert_eq(ring_push(&pair.producer, 2), RING_OK);
    cr_assert_eq(ring_pop(&pair.consumer, &entry), RING_OK);
    cr_assert_eq(entry, 2);
    free(pair.shared);
}
