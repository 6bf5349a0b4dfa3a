/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number for the sizes and offsets that a build believes in: two builds that disagree about any of
 * them get different numbers, and so do not share what they would read differently.
 */
#ifndef LEVERET_SHM_LAYOUT_H
#define LEVERET_SHM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a over the words of `facts`. */
static inline uint32_t layout_hash(const uint64_t *facts, size_t n_facts)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n_facts; i++)
        hash = (hash ^ facts[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash >> 32 ^ hash);
}

#endif
