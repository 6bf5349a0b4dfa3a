/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "guard.h"

enum { MAX_BYTES = 8192 };

/* A head with NUL bytes in it, as one of a table's strings. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* From a copy that is exactly as long as what may be read, so that ASan sees a byte too many. */
static enum guard_outcome read_copy(
    const char *bytes, size_t n, size_t max_bytes, struct guard_head *head, char **copy)
{
    *copy = malloc(n + !n);
    memcpy(*copy, bytes, n);
    return guard_read(*copy, n, max_bytes, head);
}

static enum guard_outcome outcome_of(const char *bytes, size_t n)
{
    struct guard_head head;
    CLEANUP(cleanup_free) char *copy = NULL;
    return read_copy(bytes, n, MAX_BYTES, &head, &copy);
}

static void expect_slice(struct slice got, const char *expected, const char *head)
{
    cr_expect(slice_equals(got, slice_of(expected)), "%s: %.*s instead of %s", head, (int)got.len,
        got.at, expected);
}

Test(guard, reads_what_a_sound_head_says)
{
    const struct {
        const char *head, *method, *path, *query, *host;
        bool is_old, is_chunked;
    } cases[] = {
        {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a", "", "h", false, false},
        {"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a", "", "h", false, false},
        {"POST /a/b?c=d?e HTTP/1.1\r\nhost:h:80\r\ncontent-length: 5\r\n\r\nhello", "POST", "/a/b",
            "?c=d?e", "h:80", false, false},
        {"POST /? HTTP/1.1\r\nHost:\r\nContent-Length:\t007 \r\n\r\n", "POST", "/", "?", "", false,
            false},
        {"PUT / HTTP/1.1\r\nHOST: [::1]:80\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "PUT",
            "/", "", "[::1]:80", false, true},
        {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", true, false},
        {"GET / HTTP/1.9\r\nHost: my_host-1.example.\r\n\r\n", "GET", "/", "", "my_host-1.example.",
            false, false},
        {"GET http://other:81/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a", "?b", "other:81",
            false, false},
        {"GET HTTPS://other HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", "", "other", false, false},
        {"GET http://[fe80::1]?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", "?b", "[fe80::1]", false,
            false},
        {"GET //a//b/|\xc3\xa9%zz HTTP/1.1\r\nHost: h\r\nX: \xff \x80\r\nEmpty:\r\n\r\n", "GET",
            "//a//b/|\xc3\xa9%zz", "", "h", false, false},
        {"M-SEARCH /a HTTP/1.1\r\nHost: h\r\nX-Length: 1\r\nX-Length: 2\r\n\r\n", "M-SEARCH", "/a",
            "", "h", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_head head;
        CLEANUP(cleanup_free) char *copy = NULL;
        const char *text = cases[i].head;
        enum guard_outcome outcome = read_copy(text, strlen(text), MAX_BYTES, &head, &copy);
        cr_assert_eq(outcome, GUARD_OK, "%s: %s", text, guard_sentence(outcome));
        expect_slice(head.method, cases[i].method, text);
        expect_slice(head.path, cases[i].path, text);
        expect_slice(head.query, cases[i].query, text);
        expect_slice(head.host, cases[i].host, text);
        cr_expect_eq(head.is_old, cases[i].is_old, "%s", text);
        cr_expect_eq(head.is_chunked, cases[i].is_chunked, "%s", text);
        const char *length = strcasestr(text, "\r\nContent-Length:");
        uint64_t expected = length ? strtoull(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
        cr_expect_eq(head.length, expected, "%s", text);
        const char *end = strstr(text + 2, "\r\n\r\n") + 4;
        cr_expect_eq(head.bytes, (size_t)(end - text), "%s", text);
    }
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

Test(guard, refuses_what_two_readers_may_end_differently)
{
    const struct {
        const char *head;
        size_t n;
        enum guard_outcome outcome;
    } cases[] = {
        /* two lengths */
        {BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), GUARD_TWO_LENGTHS},
        {BYTES(POST "Content-Length: 5\r\ncontent-length: 0\r\n\r\n"), GUARD_TWO_LENGTHS},
        {BYTES(POST "Content-Length: 5, 5\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5,6\r\n\r\n"), GUARD_BAD_LENGTH},
        /* a length that is none */
        {BYTES(POST "Content-Length: +5\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: -5\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 0x5\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5 5\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5.0\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5_0\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: \r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 99999999999999999999\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 00000000000000000005\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: \"5\"\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: \xef\xbc\x95\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5;\r\n\r\n"), GUARD_BAD_LENGTH},
        {BYTES(POST "Content-Length: 5\v\r\n\r\n"), GUARD_CONTROL_BYTE},
        /* a length and a coding: CL.TE, TE.CL */
        {BYTES(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            GUARD_LENGTH_AND_CODING},
        {BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
            GUARD_LENGTH_AND_CODING},
        {BYTES(POST "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"),
            GUARD_LENGTH_AND_CODING},
        {BYTES(POST "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\n"), GUARD_LENGTH_AND_CODING},
        /* codings: TE.TE */
        {BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
            GUARD_TWO_CODINGS},
        {BYTES(POST "Transfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"),
            GUARD_TWO_CODINGS},
        {BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: ,chunked\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: \r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), GUARD_BAD_CODING},
        {BYTES(POST "Transfer-Encoding: \vchunked\r\n\r\n"), GUARD_CONTROL_BYTE},
        {BYTES("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"),
            GUARD_OLD_CODING},
        /* names that one reader knows and another does not */
        {BYTES(POST "Transfer-Encoding : chunked\r\n\r\n"), GUARD_BLANK_BEFORE_COLON},
        {BYTES(POST "Content-Length\t: 5\r\n\r\n"), GUARD_BLANK_BEFORE_COLON},
        {BYTES(POST " Transfer-Encoding: chunked\r\n\r\n"), GUARD_FOLDED},
        {BYTES(POST "X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n"), GUARD_FOLDED},
        {BYTES(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), GUARD_FOLDED},
        {BYTES("POST / HTTP/1.1\r\n Host: h\r\n\r\n"), GUARD_FOLDED},
        {BYTES(POST "Transfer-Encoding\0: chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "\0Transfer-Encoding: chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "Transfer Encoding: chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "Transfer-Encoding\vchunked: x\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "Transfer-Encod\xc4\xb1ng: chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "Transfer-Encoding chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST ": chunked\r\n\r\n"), GUARD_BAD_NAME},
        {BYTES(POST "\"X\": a\r\n\r\n"), GUARD_BAD_NAME},
        /* line ends */
        {BYTES("GET / HTTP/1.1\nHost: h\n\n"), GUARD_BARE_LF},
        {BYTES("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), GUARD_BARE_LF},
        {BYTES(GET "X: a\nTransfer-Encoding: chunked\r\n\r\n"), GUARD_BARE_LF},
        {BYTES(GET "\nGET /other HTTP/1.1\r\n\r\n"), GUARD_BARE_LF},
        {BYTES(GET "X: a\rTransfer-Encoding: chunked\r\n\r\n"), GUARD_BARE_CR},
        {BYTES(GET "X: a\r\r\n\r\n"), GUARD_BARE_CR},
        {BYTES(GET "\rX: a\r\n\r\n"), GUARD_BARE_CR},
        {BYTES("GET /\rb HTTP/1.1\r\nHost: h\r\n\r\n"), GUARD_BARE_CR},
        /* control characters */
        {BYTES(GET "X: a\0b\r\n\r\n"), GUARD_CONTROL_BYTE},
        {BYTES(GET "X: a\x01\r\n\r\n"), GUARD_CONTROL_BYTE},
        {BYTES(GET "X: a\x7f\r\n\r\n"), GUARD_CONTROL_BYTE},
        {BYTES(GET "X: \x1b[2J\r\n\r\n"), GUARD_CONTROL_BYTE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum guard_outcome outcome = outcome_of(cases[i].head, cases[i].n);
        cr_expect_eq(outcome, cases[i].outcome, "%s: %s", cases[i].head, guard_sentence(outcome));
    }
}

Test(guard, refuses_a_first_line_that_is_none)
{
    const struct {
        const char *line;
        enum guard_outcome outcome;
    } cases[] = {
        {"", GUARD_BAD_REQUEST_LINE},
        {"GET", GUARD_BAD_REQUEST_LINE},
        {"GET /", GUARD_BAD_REQUEST_LINE},
        {"GET / ", GUARD_BAD_REQUEST_LINE},
        {"GET / HTTP/2.0", GUARD_BAD_REQUEST_LINE},
        {"GET / HTTP/1.", GUARD_BAD_REQUEST_LINE},
        {"GET / HTTP/1.x", GUARD_BAD_REQUEST_LINE},
        {"GET / HTTP/1.10", GUARD_BAD_REQUEST_LINE},
        {"GET / http/1.1", GUARD_BAD_REQUEST_LINE},
        {"GET / HTTP/1.1 ", GUARD_BAD_REQUEST_LINE},
        {"GET  / HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"GET /  HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"GET /a b HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"GET\t/ HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {" GET / HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"G(T / HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"\x16\x03\x01 / HTTP/1.1", GUARD_BAD_REQUEST_LINE},
        {"GET * HTTP/1.1", GUARD_BAD_TARGET},
        {"OPTIONS * HTTP/1.1", GUARD_BAD_TARGET},
        {"CONNECT h:80 HTTP/1.1", GUARD_BAD_TARGET},
        {"GET a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET ?a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET \\a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET /a#b HTTP/1.1", GUARD_BAD_TARGET},
        {"GET /a\tb HTTP/1.1", GUARD_BAD_TARGET},
        {"GET /a\x7f HTTP/1.1", GUARD_BAD_TARGET},
        {"GET http:/a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET http:///a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET http://user@h/a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET http://h:x/a HTTP/1.1", GUARD_BAD_TARGET},
        {"GET ftp://h/a HTTP/1.1", GUARD_BAD_TARGET},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[256];
        int n = snprintf(head, sizeof(head), "\r\n%s\r\nHost: h\r\n\r\n", cases[i].line);
        enum guard_outcome outcome = outcome_of(head, (size_t)n);
        cr_expect_eq(outcome, cases[i].outcome, "%s: %s", cases[i].line, guard_sentence(outcome));
    }
}

Test(guard, wants_one_host_that_is_one)
{
    const struct {
        const char *version, *fields;
        enum guard_outcome outcome;
    } cases[] = {
        {"1.1", "", GUARD_NO_HOST},
        {"1.1", "X-Host: h\r\n", GUARD_NO_HOST},
        {"1.1", "Host: a\r\nHost: a\r\n", GUARD_TWO_HOSTS},
        {"1.1", "Host: a\r\nhOST: b\r\n", GUARD_TWO_HOSTS},
        {"1.0", "Host: a\r\nHost: b\r\n", GUARD_TWO_HOSTS},
        {"1.1", "Host: a b\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a, b\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a,b\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a/b\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a?b\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: user@a\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a:80:81\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: a:8o\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: http://a\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: [::1\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: [::1]80\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: [a]b]\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: \xc3\xa9\r\n", GUARD_BAD_HOST},
        {"1.1", "Host: [::1]:\r\n", GUARD_OK},
        {"1.1", "Host: a:\r\n", GUARD_OK},
        {"1.1", "Host:   127.0.0.1:65535 \t\r\n", GUARD_OK},
        {"1.0", "", GUARD_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[256];
        int n = snprintf(
            head, sizeof(head), "GET / HTTP/%s\r\n%s\r\n", cases[i].version, cases[i].fields);
        enum guard_outcome outcome = outcome_of(head, (size_t)n);
        cr_expect_eq(outcome, cases[i].outcome, "%s: %s", head, guard_sentence(outcome));
    }
}

Test(guard, a_head_may_be_as_long_as_the_limit_and_no_longer)
{
    const char *bytes = GET "X: a\r\n\r\nbody body body";
    size_t n = strlen(bytes), n_head = n - strlen("body body body");
    struct guard_head head = {.bytes = 0};
    cr_expect_eq(guard_read(bytes, n, n_head, &head), GUARD_OK);
    cr_expect_eq(head.bytes, n_head);
    cr_expect_eq(guard_read(bytes, n_head, n_head, &head), GUARD_OK);
    head.bytes = 0;
    for (size_t max = 0; max < n_head; max++)
        cr_expect_eq(guard_read(bytes, n, max, &head), GUARD_TOO_LARGE, "at most %zu bytes", max);
    cr_expect_eq(head.bytes, 0);
}

Test(guard, a_head_that_breaks_off_is_incomplete_wherever_it_does)
{
    const char *bytes = "\r\n" GET "X: a\r\n\r\n";
    for (size_t n = 0; n < strlen(bytes); n++)
        cr_expect_eq(outcome_of(bytes, n), GUARD_INCOMPLETE, "after %zu bytes", n);
    cr_expect_eq(outcome_of(bytes, strlen(bytes)), GUARD_OK);
}

Test(guard, nothing_behind_the_head_matters)
{
    cr_expect_eq(
        outcome_of(BYTES(GET "\r\nContent-Length: x\r\n\0\r\n\n\r Host: b\r\n\r\n")), GUARD_OK);
}

Test(guard, every_outcome_has_a_status_and_a_sentence_of_its_own)
{
    for (enum guard_outcome a = GUARD_OK; a < GUARD_N_OUTCOMES; a++) {
        cr_assert_not_null(guard_sentence(a));
        cr_expect_eq(guard_status(a), a == GUARD_TOO_LARGE ? 431 : 400);
        for (enum guard_outcome b = GUARD_OK; b < a; b++)
            cr_expect_str_neq(guard_sentence(a), guard_sentence(b));
    }
}

/* A bounded walk over broken heads: sound ones with one byte changed, dropped or put in. Whatever
 * comes out, what is called sound is described by slices of the head. */
Test(guard, any_single_byte_may_be_wrong)
{
    static const char *const heads[] = {
        POST "Content-Length: 5\r\n\r\nhello",
        "GET http://h:80/a?b HTTP/1.1\r\nHost: [::1]:80\r\nX: a\r\n\r\n",
    };
    for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
        size_t n = strlen(heads[h]);
        for (size_t i = 0; i < n * 256; i++) {
            char bytes[128];
            struct guard_head head;
            CLEANUP(cleanup_free) char *copy = NULL;
            memcpy(bytes, heads[h], n);
            bytes[i / 256] = (char)(i % 256);
            if (read_copy(bytes, n, MAX_BYTES, &head, &copy) != GUARD_OK)
                continue;
            cr_assert_leq(head.bytes, n);
            cr_assert_eq(head.path.at[0], '/');
            cr_assert(head.query.at + head.query.len <= copy + head.bytes);
            cr_assert_null(memchr(head.path.at, '\r', head.path.len));
        }
    }
}
