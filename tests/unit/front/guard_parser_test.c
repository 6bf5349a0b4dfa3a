/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard beside the parser that it guards: what the one calls sound the other must read alike,
 * or the message would be made of another request than the one that was judged. The parser is
 * inside libh2o, whose headers do not declare it.
 */
#include <criterion/criterion.h>
#include <stdint.h>

#include "guard.h"
#include "tests/support/http_parser.h"

enum { MAX_FIELDS = 100, MAX_BYTES = 512, N_ROUNDS = 300000 };

static const char *const seeds[] = {
    "POST /a/b?c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Foo: a\r\n\r\nhello",
    "\r\nPUT /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET http://h:80/a HTTP/1.0\r\n\r\n",
};
/* What a byte or two turns into another head. */
static const char *const pieces[] = {"\r\n", "\n", "\r", " ", "\t", ":", ",", "chunked",
    "h: ", "Host: x\r\n", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "\r\n\r\n",
    "/"};

/* xorshift64: the same heads in every run. */
static uint64_t random_state = UINT64_C(88172645463325252);
static size_t random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static size_t seed_copy(char *bytes)
{
    const char *seed = seeds[random_below(sizeof(seeds) / sizeof(seeds[0]))];
    return (size_t)((char *)mempcpy(bytes, seed, strlen(seed)) - bytes);
}

static size_t mutate(char *bytes, size_t n)
{
    size_t at = random_below(n);
    const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
    switch (random_below(4)) {
    case 0:
        bytes[at] = (char)random_below(256);
        return n;
    case 1:
        memmove(bytes + at, bytes + at + 1, n - at - 1);
        return n - 1;
    default:
        if (n + strlen(piece) > MAX_BYTES)
            return n;
        memmove(bytes + at + strlen(piece), bytes + at, n - at);
        memcpy(bytes + at, piece, strlen(piece));
        return n + strlen(piece);
    }
}

static size_t count(const struct phr_header *headers, size_t n, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += slice_equals_nocase(
            slice_of(name), (struct slice){.at = headers[i].name, .len = headers[i].name_len});
    return found;
}

static void expect_agreement(const char *bytes, size_t n, const struct guard_head *head)
{
    const char *method, *target;
    size_t method_len, target_len, n_headers = MAX_FIELDS;
    struct phr_header headers[MAX_FIELDS];
    int minor_version, parsed = phr_parse_request(bytes, n, &method, &method_len, &target,
                           &target_len, &minor_version, headers, &n_headers, 0);
    cr_assert_eq(parsed, (int)head->bytes, "%.*s", (int)n, bytes);
    cr_assert(slice_equals(head->method, (struct slice){.at = method, .len = method_len}));
    cr_assert_eq(head->is_old, minor_version == 0);
    if (target[0] == '/') {
        cr_assert_eq(head->path.at, target);
        cr_assert_eq(head->path.len + head->query.len, target_len);
    }
    size_t n_lengths = count(headers, n_headers, "content-length");
    size_t n_codings = count(headers, n_headers, "transfer-encoding");
    size_t n_hosts = count(headers, n_headers, "host");
    cr_assert_leq(n_lengths + n_codings, 1);
    cr_assert_eq(head->is_chunked, n_codings == 1);
    cr_assert(n_hosts == 1 || (n_hosts == 0 && head->is_old));
}

Test(guard_parser, what_the_guard_calls_sound_the_parser_reads_alike)
{
    size_t n_sound = 0;
    for (int i = 0; i < N_ROUNDS; i++) {
        char bytes[MAX_BYTES];
        struct guard_head head;
        size_t n = seed_copy(bytes);
        for (size_t m = random_below(4); m > 0; m--)
            n = mutate(bytes, n);
        if (guard_read(bytes, n, MAX_BYTES, &head) != GUARD_OK)
            continue;
        expect_agreement(bytes, n, &head);
        n_sound++;
    }
    cr_assert_gt(n_sound, N_ROUNDS / 20, "most of the heads were never compared");
}
