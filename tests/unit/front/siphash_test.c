/* SPDX-License-Identifier: Apache-2.0 */
/* front/siphash.h against the published vectors and against OpenSSL's own. */
#include <criterion/criterion.h>

#include "siphash.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

/* The key 00 01 .. 0f of the paper. */
static const struct siphash_seed seed = {
    UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* The hash of the bytes 00 01 02 .., four to a word. */
static uint64_t hash_of(uint32_t n_words)
{
    struct siphash hash;
    siphash_init(&hash, &seed);
    for (uint32_t i = 0; i < n_words; i++)
        siphash_add(&hash, 0x03020100u + i * 0x04040404u);
    return siphash_end(&hash);
}

Test(siphash, gives_the_published_vectors)
{
    cr_expect_eq(hash_of(0), UINT64_C(0x726fdb47dd0e0e31));
    cr_expect_eq(hash_of(1), UINT64_C(0xcf2794e0277187b7));
    cr_expect_eq(hash_of(2), UINT64_C(0x93f5f5799a932462));
}

static uint64_t hash_by_openssl(size_t len)
{
    unsigned char bytes[64];
    unsigned char key[16];
    uint64_t hash = 0;
    size_t size = sizeof(hash);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    memcpy(key, bytes, sizeof(key));

    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
    cr_assert_eq(EVP_MAC_init(context, key, sizeof(key), params), 1);
    cr_assert_eq(EVP_MAC_update(context, bytes, len), 1);
    cr_assert_eq(EVP_MAC_final(context, (unsigned char *)&hash, NULL, sizeof(hash)), 1);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return le64toh(hash);
}

Test(siphash, agrees_with_openssl_at_every_length)
{
    for (uint32_t n_words = 0; n_words <= 16; n_words++)
        cr_expect_eq(hash_of(n_words), hash_by_openssl(4 * (size_t)n_words), "%u words", n_words);
}

Test(siphash, depends_on_the_seed)
{
    struct siphash hash;
    siphash_init(&hash, &(struct siphash_seed){seed.k0, seed.k1 ^ 1});
    cr_expect_neq(siphash_end(&hash), hash_of(0));
    siphash_init(&hash, &(struct siphash_seed){seed.k0 ^ 1, seed.k1});
    cr_expect_neq(siphash_end(&hash), hash_of(0));
}
