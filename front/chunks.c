/* SPDX-License-Identifier: Apache-2.0 */
#include "chunks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "shm/hexadecimal.h"

#include "slice.h"

enum { MAX_DIGITS = 16 };

/* Of a body; the names are the grammar's. A line's end is two states, before CR LF's CR and LF. */
enum state {
    SIZE_FIRST,  /* the first digit */
    SIZE,        /* other digits, or what ends them */
    BLANK,       /* the blanks before an extension (BWS) */
    EXTENSION,   /* the rest of the line */
    SIZE_LF,     /* CR was read */
    DATA,        /* bytes of the chunk */
    DATA_CR,     /* all of them were read */
    DATA_LF,     /* and CR */
    TRAILER,     /* the first byte of a field, or the CR of the end */
    FIELD_NAME,  /* others of its name, or the colon */
    FIELD_VALUE, /* the rest of the line */
    FIELD_LF,    /* CR was read */
    LAST_LF,     /* CR was read in place of a field */
    END
};

/* What the library has for a decoder: zeroed before the body, 16 bytes, nothing behind. */
struct phr_chunked_decoder {
    uint64_t n_left;    /* bytes of the chunk, once its size is read */
    char keeps_trailer; /* the library's wish, always that it is read */
    uint8_t n_digits;
    uint8_t state;
    uint32_t n_extra;
};

static_assert(sizeof(struct phr_chunked_decoder) == 16, "the library has no more for it");

/* Called by the library (its own declaration is in no header): decode `*n` bytes at `bytes` in
 * place; `*n` becomes what they make of the body. -2: more is to come; else the end, and how many
 * bytes behind it follow those of the body. */
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *bytes, size_t *n);

static const char *const sentences[CHUNKS_N_OUTCOMES] = {
    [CHUNKS_OK] = "The chunks are sound.",
    [CHUNKS_UNREAD] = "Chunks cannot be read here.",
    [CHUNKS_BAD_SIZE] = "A chunk does not begin with its size in digits (RFC 9112, 7.1).",
    [CHUNKS_BAD_EXTENSION] = "A chunk's extension holds a control character (RFC 9112, 7.1.1).",
    [CHUNKS_BAD_END] = "A chunk's size or data is not followed by CR LF (RFC 9112, 7.1).",
    [CHUNKS_BAD_TRAILER] = "A line behind the last chunk is not a field (RFC 9112, 7.1.2).",
    [CHUNKS_TOO_MUCH] = "The chunks' extensions or trailers are too long (RFC 9112, 7.1.1).",
};

static enum chunks_outcome verdict = CHUNKS_UNREAD;

enum chunks_outcome chunks_verdict(void)
{
    enum chunks_outcome taken = verdict;
    verdict = CHUNKS_UNREAD;
    return taken;
}

const char *chunks_sentence(enum chunks_outcome outcome)
{
    return sentences[outcome];
}

static bool is_of_value(char c)
{
    return slice_is_field_value((struct slice){.at = &c, .len = 1});
}

static bool is_of_name(char c)
{
    return slice_is_token((struct slice){.at = &c, .len = 1});
}

static enum chunks_outcome move(struct phr_chunked_decoder *decoder, enum state next)
{
    decoder->state = next;
    return CHUNKS_OK;
}

static enum chunks_outcome expect(
    struct phr_chunked_decoder *decoder, bool is_it, enum state next, enum chunks_outcome otherwise)
{
    return is_it ? move(decoder, next) : otherwise;
}

static enum chunks_outcome digit(struct phr_chunked_decoder *decoder, char c)
{
    int value = hexadecimal_value(c);
    if (value < 0 || decoder->n_digits++ == MAX_DIGITS)
        return CHUNKS_BAD_SIZE;
    decoder->n_left = decoder->n_left << 4 | (uint64_t)value;
    return move(decoder, SIZE);
}

static enum chunks_outcome behind_size(struct phr_chunked_decoder *decoder, char c)
{
    if (c == '\r')
        return move(decoder, SIZE_LF);
    if (c == ' ' || c == '\t')
        return move(decoder, BLANK);
    if (c == ';')
        return move(decoder, EXTENSION);
    return digit(decoder, c);
}

static enum chunks_outcome in_blank(struct phr_chunked_decoder *decoder, char c)
{
    if (c == ' ' || c == '\t')
        return CHUNKS_OK;
    return expect(decoder, c == ';', EXTENSION, CHUNKS_BAD_SIZE);
}

static enum chunks_outcome in_line(
    struct phr_chunked_decoder *decoder, char c, enum state end, enum chunks_outcome otherwise)
{
    if (c == '\r')
        return move(decoder, end);
    return is_of_value(c) ? CHUNKS_OK : otherwise;
}

static enum chunks_outcome behind_last(struct phr_chunked_decoder *decoder, char c)
{
    if (c == '\r')
        return move(decoder, LAST_LF);
    return expect(decoder, is_of_name(c), FIELD_NAME, CHUNKS_BAD_TRAILER);
}

static enum chunks_outcome in_name(struct phr_chunked_decoder *decoder, char c)
{
    if (c == ':')
        return move(decoder, FIELD_VALUE);
    return is_of_name(c) ? CHUNKS_OK : CHUNKS_BAD_TRAILER;
}

static enum chunks_outcome size_end(struct phr_chunked_decoder *decoder, char c)
{
    decoder->n_digits = 0;
    return expect(decoder, c == '\n', decoder->n_left ? DATA : TRAILER, CHUNKS_BAD_END);
}

/* A byte that is none of a chunk's data. */
static enum chunks_outcome step(struct phr_chunked_decoder *decoder, char c)
{
    switch ((enum state)decoder->state) {
    case SIZE_FIRST:
        return digit(decoder, c);
    case SIZE:
        return behind_size(decoder, c);
    case BLANK:
        return in_blank(decoder, c);
    case EXTENSION:
        return in_line(decoder, c, SIZE_LF, CHUNKS_BAD_EXTENSION);
    case SIZE_LF:
        return size_end(decoder, c);
    case DATA_CR:
        return expect(decoder, c == '\r', DATA_LF, CHUNKS_BAD_END);
    case DATA_LF:
        return expect(decoder, c == '\n', SIZE_FIRST, CHUNKS_BAD_END);
    case TRAILER:
        return behind_last(decoder, c);
    case FIELD_NAME:
        return in_name(decoder, c);
    case FIELD_VALUE:
        return in_line(decoder, c, FIELD_LF, CHUNKS_BAD_TRAILER);
    case FIELD_LF:
        return expect(decoder, c == '\n', TRAILER, CHUNKS_BAD_TRAILER);
    case LAST_LF:
        return expect(decoder, c == '\n', END, CHUNKS_BAD_TRAILER);
    case DATA:
    case END:
        break;
    }
    assert(!"these take no step");
    return CHUNKS_BAD_END;
}

static bool is_extra(const struct phr_chunked_decoder *decoder)
{
    return decoder->state == BLANK || decoder->state == EXTENSION || decoder->state >= TRAILER;
}

/* How many of `n` bytes are of the chunk. */
static size_t data(struct phr_chunked_decoder *decoder, size_t n)
{
    if (n > decoder->n_left)
        n = (size_t)decoder->n_left;
    decoder->n_left -= n;
    if (!decoder->n_left)
        decoder->state = DATA_CR;
    return n;
}

/* Both are advanced. */
static enum chunks_outcome decode(
    struct phr_chunked_decoder *decoder, char *bytes, size_t n, size_t *n_read, size_t *n_kept)
{
    while (*n_read < n && decoder->state != END) {
        if (decoder->state == DATA) {
            size_t n_data = data(decoder, n - *n_read);
            memmove(bytes + *n_kept, bytes + *n_read, n_data);
            *n_read += n_data;
            *n_kept += n_data;
            continue;
        }
        enum chunks_outcome outcome = step(decoder, bytes[(*n_read)++]);
        if (outcome != CHUNKS_OK)
            return outcome;
        if (is_extra(decoder) && ++decoder->n_extra > CHUNKS_MAX_EXTRA_BYTES)
            return CHUNKS_TOO_MUCH;
    }
    return CHUNKS_OK;
}

ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *bytes, size_t *n)
{
    size_t n_all = *n, n_read = 0, n_kept = 0;
    enum chunks_outcome outcome = decode(decoder, bytes, n_all, &n_read, &n_kept);
    *n = n_kept;
    if (outcome == CHUNKS_OK && decoder->state != END)
        return -2;
    verdict = outcome;
    memmove(bytes + n_kept, bytes + n_read, n_all - n_read);
    return (ssize_t)(n_all - n_read);
}
