/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for the answers of a test: each piece aligned, none given back, and no more than the pool
 * has.
 */
#ifndef LEVERET_TESTS_ANSWER_POOL_H
#define LEVERET_TESTS_ANSWER_POOL_H

#include <criterion/criterion.h>

#include "answer.h"

enum { ANSWER_POOL_BYTES = 256 << 10, ANSWER_POOL_PIECE = 64 };

static _Alignas(ANSWER_POOL_PIECE) char answer_pool_bytes[ANSWER_POOL_BYTES];
static size_t answer_pool_used;

static inline void *answer_pool_take(void *owner, size_t bytes)
{
    void *taken = answer_pool_bytes + answer_pool_used;
    answer_pool_used += (bytes + ANSWER_POOL_PIECE - 1) / ANSWER_POOL_PIECE * ANSWER_POOL_PIECE;
    cr_assert_leq(answer_pool_used, sizeof(answer_pool_bytes));
    return taken;
}

static const struct answer_memory answer_pool = {.take = answer_pool_take};

static inline void answer_pool_empty(void)
{
    answer_pool_used = 0;
}

#endif
