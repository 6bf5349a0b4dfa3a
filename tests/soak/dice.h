/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chance that can be had again: the same seed gives the same numbers (SplitMix64, Steele, Lea and
 * Flood 2014). For one thread; another one gets dice of its own.
 */
#ifndef LEVERET_TESTS_DICE_H
#define LEVERET_TESTS_DICE_H

#include <stdint.h>

struct dice {
    uint64_t state; /* at first: the seed */
};

static inline uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Of `low` to `high`, both included. */
static inline uint64_t dice_between(struct dice *dice, uint64_t low, uint64_t high)
{
    return low + dice_roll(dice) % (high - low + 1);
}

#endif
