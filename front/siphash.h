/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") over 32-bit words: the hash
 * for tables whose keys a stranger chooses. Without the seed nobody can tell which keys collide.
 * The words count as little-endian bytes, so that the published test vectors hold.
 */
#ifndef LEVERET_FRONT_SIPHASH_H
#define LEVERET_FRONT_SIPHASH_H

#include <stdint.h>

struct siphash_seed {
    uint64_t k0, k1;
};

struct siphash {
    uint64_t v[4];
    uint32_t n_words;
    uint32_t pending; /* the first half of a block */
};

void siphash_init(struct siphash *hash, const struct siphash_seed *seed);
void siphash_add(struct siphash *hash, uint32_t word);

/* The hash of what was added. The state is used up. */
uint64_t siphash_end(struct siphash *hash);

#endif
