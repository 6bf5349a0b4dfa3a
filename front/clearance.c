/* SPDX-License-Identifier: Apache-2.0 */
#include "clearance.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { CREDENTIALS_BYTES = 1024 }; /* of Basic: a user, a colon and a token, in base64 */

static bool is_token(struct slice shown, struct slice token)
{
    return shown.len == token.len && CRYPTO_memcmp(shown.at, token.at, token.len) == 0;
}

/* What stands behind the scheme and its blanks; nothing when it is another one. */
static struct slice credentials_of(struct slice authorization, const char *scheme)
{
    size_t n = strlen(scheme);
    struct slice begin = {.at = authorization.at, .len = n};
    if (authorization.len <= n || !slice_equals_nocase(begin, slice_of(scheme)) ||
        authorization.at[n] != ' ')
        return (struct slice){0};
    return slice_trim((struct slice){.at = authorization.at + n, .len = authorization.len - n});
}

static bool is_bearer(struct slice authorization, struct slice token)
{
    struct slice shown = credentials_of(authorization, "Bearer");
    return shown.len > 0 && is_token(shown, token);
}

/* The password of a user with any name. */
static bool is_basic(struct slice authorization, struct slice token)
{
    struct slice shown = credentials_of(authorization, "Basic");
    unsigned char plain[CREDENTIALS_BYTES / 4 * 3];
    if (!shown.len || shown.len > CREDENTIALS_BYTES || shown.len % 4 != 0)
        return false;
    int n = EVP_DecodeBlock(plain, (const unsigned char *)shown.at, (int)shown.len);
    for (int i = 1; i <= 2 && n > 0 && shown.at[shown.len - (size_t)i] == '='; i++)
        n--; /* it counts a byte for each sign that fills up */
    const unsigned char *colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;
    if (!colon)
        return false;
    return is_token(
        (struct slice){.at = (const char *)colon + 1, .len = (size_t)(plain + n - colon) - 1},
        token);
}

/* Without the port: 127.0.0.1, ::1, localhost. The guard saw to the brackets. */
static struct slice name_of(struct slice host)
{
    bool is_bracketed = host.len && host.at[0] == '[';
    const char *end = host.len ? memchr(host.at, is_bracketed ? ']' : ':', host.len) : NULL;
    if (end)
        host.len = (size_t)(end - host.at);
    host.at += is_bracketed;
    host.len -= is_bracketed;
    return host;
}

static bool is_address(struct slice name)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (name.len >= sizeof(text))
        return false;
    *slice_copy(name, text) = '\0';
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_ours(struct slice host)
{
    struct slice name = name_of(host);
    return !host.len || slice_equals_nocase(name, slice_of("localhost")) || is_address(name);
}

enum clearance clearance_of(
    const struct clearance_rule *rule, struct slice host, struct slice authorization)
{
    if (!rule->token.len)
        return !rule->is_tcp || is_ours(host) ? CLEARANCE_ALL : CLEARANCE_MISDIRECTED;
    return is_bearer(authorization, rule->token) || is_basic(authorization, rule->token)
               ? CLEARANCE_ALL
               : CLEARANCE_VERDICT;
}
