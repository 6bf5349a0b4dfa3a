/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is said to hold certificates or a key. It serves, or there is a reason in words; and no
 * error of OpenSSL's is left behind for somebody else to find.
 */
#include <openssl/err.h>

#include "fuzz.h"
#include "shm/cleanup.h"
#include "shm/pem.h"
#include "tests/support/require.h"

static void expect_reason(const char *reason)
{
    fuzz_expect(reason == NULL || *reason);
    fuzz_expect(ERR_peek_error() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(cleanup_free) char *text = fuzz_box((struct fuzz_input){bytes, n});
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    require(context != NULL, "no memory");
    expect_reason(pem_trust(context, text, n));
    const char *reason = pem_use_certificate(context, text, n);
    expect_reason(reason);
    if (!reason)
        expect_reason(pem_use_key(context, text, n));
    SSL_CTX_free(context);
    return 0;
}
