/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunked body before the front's reader of chunks and before the HTTP library's, whose place it
 * takes: what the front calls sound the library reads alike, byte for byte, and both end at the same
 * place. The first byte says where the input is cut in two: that changes nothing.
 */
#include "chunks.h"

#include <dlfcn.h>

#include "fuzz.h"
#include "shm/cleanup.h"

/* As wide as what both readers keep between two calls. */
struct phr_chunked_decoder {
    size_t n_left;
    char consume_trailer, others[7];
};

typedef ssize_t reader(struct phr_chunked_decoder *decoder, char *bytes, size_t *n);
reader phr_decode_chunked;                                              /* the front's */
int phr_decode_chunked_is_in_data(struct phr_chunked_decoder *decoder); /* the library's */

enum { MORE = -2 };

struct body {
    ssize_t result; /* MORE, or how many bytes stand behind it */
    size_t n;
    char *bytes;
};

static reader *librarys(void)
{
    static reader *found;
    void *symbol = found ? NULL : dlsym(RTLD_NEXT, "phr_decode_chunked");
    if (symbol)
        memcpy(&found, &symbol, sizeof(found)); /* POSIX: they are alike */
    fuzz_expect(found && found != phr_decode_chunked);
    return found;
}

/* `bytes` is changed. */
static struct body read_whole(reader *read, char *bytes, size_t n)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    struct body body = {.bytes = bytes, .n = n};
    body.result = read(&decoder, bytes, &body.n);
    bool is_in_data = phr_decode_chunked_is_in_data(&decoder); /* of our states it knows nothing */
    fuzz_expect(read == phr_decode_chunked || body.result == MORE || !is_in_data);
    return body;
}

static struct body read_halves(char *bytes, size_t n, size_t cut)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    size_t n_first = cut < n ? cut : n, n_rest = n - n_first;
    struct body body = {.bytes = bytes, .n = n_first};
    body.result = phr_decode_chunked(&decoder, bytes, &body.n);
    if (body.result != MORE)
        body.result += (ssize_t)n_rest;
    if (body.result != MORE || !n_rest)
        return body;
    memmove(bytes + body.n, bytes + n_first, n_rest);
    body.result = phr_decode_chunked(&decoder, bytes + body.n, &n_rest);
    body.n += n_rest;
    return body;
}

static void expect_same(const struct body *a, const struct body *b)
{
    fuzz_expect(a->result == b->result && a->n == b->n);
    fuzz_expect(a->n == 0 || memcmp(a->bytes, b->bytes, a->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!n)
        return 0;
    struct fuzz_input text = {bytes + 1, n - 1};
    CLEANUP(cleanup_free)
    char *ours = fuzz_box(text), *cut = fuzz_box(text), *theirs = fuzz_box(text);
    struct body whole = read_whole(phr_decode_chunked, ours, text.n);
    enum chunks_outcome outcome = chunks_verdict();
    struct body halves = read_halves(cut, text.n, bytes[0]);
    fuzz_expect(chunks_verdict() == outcome);
    fuzz_expect(outcome == CHUNKS_UNREAD ? whole.result == MORE : whole.result >= 0);
    expect_same(&whole, &halves);
    if (outcome != CHUNKS_OK)
        return 0;
    struct body other = read_whole(librarys(), theirs, text.n);
    expect_same(&whole, &other);
    return 0;
}
