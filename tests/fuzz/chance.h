/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An input in the place of chance: the linker leads chance_below() of tests/stress here
 * (-Wl,--wrap=chance_below). Once the input is used up, the seed goes on, the same every time.
 */
#ifndef LEVERET_TESTS_FUZZ_CHANCE_H
#define LEVERET_TESTS_FUZZ_CHANCE_H

#include "fuzz.h"
#include "tests/stress/stress.h"

static struct fuzz_input chance_input;

uint32_t __real_chance_below(struct chance *chance, uint32_t below);
uint32_t __wrap_chance_below(struct chance *chance, uint32_t below);

/* Fewer bytes for fewer choices. */
uint32_t __wrap_chance_below(struct chance *chance, uint32_t below)
{
    uint32_t drawn = 0;
    if (!chance_input.n)
        return __real_chance_below(chance, below);
    for (uint32_t most = below - 1; most > 0; most >>= 8)
        drawn = drawn << 8 | fuzz_byte(&chance_input);
    return drawn % below;
}

static inline void chance_feed(const uint8_t *bytes, size_t n)
{
    chance_input = (struct fuzz_input){bytes, n};
}

static inline bool chance_is_left(void)
{
    return chance_input.n > 0;
}

#endif
