/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that two readers in a row may read differently, as they are known from reports on
 * request smuggling (RFC 9112, 11.2), each with a request behind it that an attacker would like to
 * be taken for one of its own. Whoever stands before the front may have read whatever it likes: the
 * front takes none of them, says 400, closes, and never hands over what stands behind.
 */
#include "front/chunks.h"

#include "scene.h"

TestSuite(smuggling, .init = scene_open, .fini = scene_close, .timeout = 120);

#define CANARY "POST /produce/canary HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define TO "POST /produce/x HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define BODY "5\r\nhello\r\n0\r\n\r\n"

struct row {
    const char *what;
    const char *text;
    size_t n;
};

/* There are NULs in some. */
#define ROW(what, literal)                                                                         \
    {                                                                                              \
        what, literal, sizeof(literal) - 1                                                         \
    }

static const struct row rows[] = {
    /* two lengths, or a length and a coding (6.3) */
    ROW("CL.CL, unlike", TO "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
    ROW("CL.CL, alike", TO "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ROW("a list of lengths", TO "Content-Length: 5, 5\r\n\r\nhello"),
    ROW("CL.TE", TO "Content-Length: 15\r\n" CHUNKED "\r\n" BODY),
    ROW("TE.CL", TO CHUNKED "Content-Length: 4\r\n\r\n" BODY),
    ROW("CL.0 with a coding", TO "Content-Length: 0\r\n" CHUNKED "\r\n0\r\n\r\n"),
    /* what is no length (6.2) */
    ROW("a signed length", TO "Content-Length: +5\r\n\r\nhello"),
    ROW("a negative length", TO "Content-Length: -5\r\n\r\nhello"),
    ROW("a hexadecimal length", TO "Content-Length: 0x5\r\n\r\nhello"),
    ROW("a length in exponents", TO "Content-Length: 5e0\r\n\r\nhello"),
    ROW("a length with a point", TO "Content-Length: 5.0\r\n\r\nhello"),
    ROW("a length with a blank inside", TO "Content-Length: 1 2\r\n\r\nhello"),
    ROW("a quoted length", TO "Content-Length: \"5\"\r\n\r\nhello"),
    ROW("an empty length", TO "Content-Length:\r\n\r\n"),
    ROW("2^64 + 5", TO "Content-Length: 18446744073709551621\r\n\r\nhello"),
    ROW("another script's digits", TO "Content-Length: \xd9\xa5\r\n\r\nhello"),
    /* codings that one reader takes for chunked and another does not (6.1) */
    ROW("TE.TE", TO CHUNKED CHUNKED "\r\n" BODY),
    ROW("TE.TE, unlike", TO CHUNKED "Transfer-Encoding: identity\r\n\r\n" BODY),
    ROW("identity", TO "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"),
    ROW("xchunked", TO "Transfer-Encoding: xchunked\r\n\r\n" BODY),
    ROW("chunkedx", TO "Transfer-Encoding: chunkedx\r\n\r\n" BODY),
    ROW("chunked, identity", TO "Transfer-Encoding: chunked, identity\r\n\r\n" BODY),
    ROW("identity, chunked", TO "Transfer-Encoding: identity, chunked\r\n\r\n" BODY),
    ROW("gzip, chunked", TO "Transfer-Encoding: gzip, chunked\r\n\r\n" BODY),
    ROW("chunked, chunked", TO "Transfer-Encoding: chunked, chunked\r\n\r\n" BODY),
    ROW(", chunked", TO "Transfer-Encoding: , chunked\r\n\r\n" BODY),
    ROW("\"chunked\"", TO "Transfer-Encoding: \"chunked\"\r\n\r\n" BODY),
    ROW("chunked;q=1", TO "Transfer-Encoding: chunked;q=1\r\n\r\n" BODY),
    ROW("a vertical tab before chunked", TO "Transfer-Encoding: \vchunked\r\n\r\n" BODY),
    ROW("a form feed behind chunked", TO "Transfer-Encoding: chunked\f\r\n\r\n" BODY),
    ROW("an empty coding", TO "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"),
    ROW("a coding in HTTP/1.0", "POST /produce/x HTTP/1.0\r\nHost: a\r\n" CHUNKED "\r\n" BODY),
    /* fields that one reader sees and another does not (5) */
    ROW("a blank before the colon", TO "Content-Length : 5\r\n\r\nhello"),
    ROW("a tab before the colon", TO "Transfer-Encoding\t: chunked\r\n\r\n" BODY),
    ROW("a blank before the name", TO " Content-Length: 5\r\n\r\nhello"),
    ROW("a folded coding", TO "Transfer-Encoding:\r\n chunked\r\n\r\n" BODY),
    ROW("a folded length", TO "X: y\r\n Content-Length: 5\r\n\r\nhello"),
    ROW("a name with an underscore and a blank", TO "Content_Length 5\r\n\r\n"),
    ROW("no name", TO ": 5\r\n\r\n"),
    ROW("no colon", TO "Content-Length 5\r\n\r\n"),
    ROW("NUL in a name", TO "Content-Length\0: 5\r\n\r\nhello"),
    ROW("NUL in a value", TO "X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ROW("a control byte in a name", TO "Content\x01Length: 5\r\n\r\n"),
    ROW("bytes beyond ASCII in a name", TO "Content-Length\xc2\xa0: 5\r\n\r\nhello"),
    ROW("a quote in a name", TO "\"Content-Length\": 5\r\n\r\nhello"),
    /* ends of lines (2.2) */
    ROW("a bare LF", TO "Content-Length: 0\n\r\n"),
    ROW("bare LFs alone", "POST /produce/x HTTP/1.1\nHost: a\nContent-Length: 0\n\n"),
    ROW("a bare LF that hides a field", TO "X: y\nContent-Length: 5\r\n\r\nhello"),
    ROW("a bare CR that hides a field", TO "X: y\rContent-Length: 5\r\n\r\nhello"),
    ROW("a bare CR in the request line", "POST /produce/x\r HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* whose request is it (3.2) */
    ROW("two hosts", TO "Host: b\r\nContent-Length: 0\r\n\r\n"),
    ROW("two hosts, alike", TO "Host: a\r\nContent-Length: 0\r\n\r\n"),
    ROW("no host", "POST /produce/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    ROW("a list of hosts", "POST /produce/x HTTP/1.1\r\nHost: a, b\r\nContent-Length: 0\r\n\r\n"),
    ROW("a host with a path", "POST /produce/x HTTP/1.1\r\nHost: a/b\r\nContent-Length: 0\r\n\r\n"),
    ROW("a host with a user", "POST /produce/x HTTP/1.1\r\nHost: u@a\r\nContent-Length: 0\r\n\r\n"),
    /* the request line (3) */
    ROW("two blanks", "POST  /produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
    ROW("a tab for a blank", "POST\t/produce/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
    ROW("a blank in the target", "POST /produce/x y HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("a target without a slash", "POST produce/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("another scheme", "POST gopher://a/produce/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("an authority", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ROW("the server itself", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW("HTTP/0.9", "GET /__health\r\n\r\n"),
    ROW("a protocol in lower case", "GET /__health http/1.1\r\nHost: a\r\n\r\n"),
    ROW("HTTP/2", "GET /__health HTTP/2.0\r\nHost: a\r\n\r\n"),
    ROW("a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW("no version", "GET /__health \r\nHost: a\r\n\r\n"),
    ROW("two versions", "GET /__health HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
};

static void say_at_once(const char *text, size_t n)
{
    cr_assert(raw_client_send(&client, text, n));
    (void)raw_client_say(&client, CANARY); /* it may be closed by now */
}

static void say_byte_by_byte(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!raw_client_send(&client, text + i, 1))
            return;
    (void)raw_client_say(&client, CANARY);
}

/* The connection's end, and nothing that was handed over. */
static void expect_the_end(const char *what)
{
    cr_expect(raw_client_is_closed(&client, deadline_in_ms(STAGE_WAIT_MS)), "%s: it is open", what);
    cr_expect(stage_is_quiet(&stage), "%s: something was handed over", what);
    raw_client_close(&client);
    client.fd = -1;
}

static void expect_refused(void (*say)(const char *text, size_t n))
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw_client_connect(&client, stage.port);
        say(rows[i].text, rows[i].n);
        reply_read(&reply, &client, true);
        cr_expect_eq(reply.status, 400, "%s: %d", rows[i].what, reply.status);
        expect_the_end(rows[i].what);
    }
}

Test(smuggling, each_known_form_is_400_and_nothing_behind_it_is_read)
{
    expect_refused(say_at_once);
}

Test(smuggling, each_known_form_is_400_also_when_it_comes_byte_by_byte)
{
    expect_refused(say_byte_by_byte);
}

/* Chunks that one reader takes and another does not (7.1): what the HTTP library would forgive. */
static const struct row bad_chunks[] = {
    ROW("a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    ROW("a point", "0.5\r\nhello\r\n0\r\n\r\n"),
    ROW("a sign", "+5\r\nhello\r\n0\r\n\r\n"),
    ROW("no digits", "\r\nhello\r\n0\r\n\r\n"),
    ROW("an extension without a size", ";a=b\r\nhello\r\n0\r\n\r\n"),
    ROW("17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ROW("a word behind the size", "5 hello\r\nhello\r\n0\r\n\r\n"),
    ROW("a blank behind the size", "5 \r\nhello\r\n0\r\n\r\n"),
    ROW("a blank before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    ROW("a bare LF", "5\nhello\n0\n\n"),
    ROW("a bare CR", "5\rhello\r\n0\r\n\r\n"),
    ROW("a byte between CR and LF", "5\rX\nhello\r\n0\r\n\r\n"),
    ROW("an extension with a bare LF", "5;a\nhello\r\n0\r\n\r\n"),
    ROW("an extension with a bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ROW("an extension with NUL", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
    ROW("more data than the size", "5\r\nhello!\r\n0\r\n\r\n"),
    ROW("less data than the size", "7\r\nhello\r\n0\r\n\r\n"),
    ROW("data with a bare LF behind", "5\r\nhello\n0\r\n\r\n"),
    ROW("data with two CRs behind", "5\r\nhello\r\r\n0\r\n\r\n"),
    ROW("a last chunk with a bare LF", "5\r\nhello\r\n0\n\r\n"),
    ROW("an end with a bare LF", "5\r\nhello\r\n0\r\n\n"),
    ROW("an end with two CRs", "5\r\nhello\r\n0\r\n\r\r\n"),
    ROW("a request for a trailer", "5\r\nhello\r\n0\r\nGET /__health HTTP/1.1\r\n\r\n"),
    ROW("a trailer without a name", "5\r\nhello\r\n0\r\n: b\r\n\r\n"),
    ROW("a folded trailer", "5\r\nhello\r\n0\r\na: b\r\n c\r\n\r\n"),
    ROW("a blank before the colon", "5\r\nhello\r\n0\r\na : b\r\n\r\n"),
    ROW("a trailer with a bare CR", "5\r\nhello\r\n0\r\na: b\rc\r\n\r\n"),
};

static void expect_chunks_refused(void (*say)(const char *text, size_t n))
{
    for (size_t i = 0; i < sizeof(bad_chunks) / sizeof(bad_chunks[0]); i++) {
        const struct row *row = &bad_chunks[i];
        stage_say(&stage, &client, TO CHUNKED "\r\n");
        say(row->text, row->n);
        reply_read(&reply, &client, true);
        cr_expect_eq(reply.status, 400, "%s: %d", row->what, reply.status);
        cr_expect(strstr(reply.body, "7.1"), "%s: %s", row->what, reply.body);
        expect_the_end(row->what);
    }
}

Test(smuggling, chunks_that_are_none_are_400_and_nothing_behind_them_is_read)
{
    expect_chunks_refused(say_at_once);
}

Test(smuggling, chunks_that_are_none_are_400_also_when_they_come_byte_by_byte)
{
    expect_chunks_refused(say_byte_by_byte);
}

Test(smuggling, extensions_and_trailers_without_end_are_400)
{
    static const char *const begins[] = {"5;a=", "0\r\na:"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        static char filling[CHUNKS_MAX_EXTRA_BYTES];
        memset(filling, 'b', sizeof(filling));
        stage_say(&stage, &client, TO CHUNKED "\r\n");
        cr_assert(raw_client_say(&client, begins[i]));
        cr_assert(raw_client_send(&client, filling, sizeof(filling)));
        reply_read(&reply, &client, true);
        cr_expect_eq(reply.status, 400, "%s: %d", begins[i], reply.status);
        expect_the_end(begins[i]);
    }
}

/* Each makes the same body, and what stands behind it is the next request. */
static const struct row good_chunks[] = {
    ROW("a chunk", BODY),
    ROW("two chunks", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
    ROW("leading zeros", "0000000000000005\r\nhello\r\n0\r\n\r\n"),
    ROW("a long last chunk", "5\r\nhello\r\n00000\r\n\r\n"),
    ROW("an extension", "5;a=b;c=\"d e\"\r\nhello\r\n0;e\r\n\r\n"),
    ROW("blanks before an extension", "5 \t;a=b\r\nhello\r\n0\r\n\r\n"),
    ROW("a trailer with a length", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"),
    ROW("two trailers", "5\r\nhello\r\n0\r\na: b\r\nc:\r\n\r\n"),
};

static void expect_hello(const char *what)
{
    uint32_t slot = stage_take(&stage, LANE_SUBMIT);
    struct lane_ref ref = stage.worker.lane.slots[slot].request.body;
    const void *bytes = lane_request_bytes(&stage.worker.lane, slot, ref);
    cr_expect(ref.length == 5 && memcmp(bytes, "hello", 5) == 0, "%s: the body", what);
    stage_publish_taken(&stage, slot, OUTCOME_CONFIRMED);
    reply_read(&reply, &client, true);
    cr_expect_eq(reply.status, 200, "%s: %d", what, reply.status);
}

Test(smuggling, what_stands_behind_sound_chunks_is_the_next_request)
{
    for (size_t i = 0; i < sizeof(good_chunks) / sizeof(good_chunks[0]); i++) {
        raw_client_connect(&client, stage.port);
        for (int n = 0; n < 2; n++) {
            cr_assert(raw_client_say(&client, TO CHUNKED "\r\n"));
            cr_assert(raw_client_send(&client, good_chunks[i].text, good_chunks[i].n));
        }
        expect_hello(good_chunks[i].what);
        expect_hello(good_chunks[i].what);
        raw_client_close(&client);
        client.fd = -1;
    }
}
