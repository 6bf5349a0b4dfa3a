/* SPDX-License-Identifier: Apache-2.0 */
#include "siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void turn(uint64_t v[4], unsigned rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32) + v[3];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void absorb(struct siphash *hash, uint64_t block)
{
    hash->v[3] ^= block;
    turn(hash->v, 2);
    hash->v[0] ^= block;
}

void siphash_init(struct siphash *hash, const struct siphash_seed *seed)
{
    *hash = (struct siphash){
        .v = {seed->k0 ^ UINT64_C(0x736f6d6570736575), seed->k1 ^ UINT64_C(0x646f72616e646f6d),
            seed->k0 ^ UINT64_C(0x6c7967656e657261), seed->k1 ^ UINT64_C(0x7465646279746573)}};
}

void siphash_add(struct siphash *hash, uint32_t word)
{
    if (hash->n_words++ % 2 == 0)
        hash->pending = word;
    else
        absorb(hash, (uint64_t)word << 32 | hash->pending);
}

uint64_t siphash_end(struct siphash *hash)
{
    uint64_t n_bytes = (uint64_t)hash->n_words * 4;
    absorb(hash, n_bytes << 56 | (hash->n_words % 2 == 0 ? 0 : hash->pending));
    hash->v[2] ^= 0xFF;
    turn(hash->v, 4);
    return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
