/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunks of a body (RFC 9112, 7.1), read strictly, in place of the HTTP library's own reader.
 *
 * The library's forgives what is no chunk: `0x5` is a chunk of no bytes to it, a line may end with
 * LF alone, and anything at all may be a trailer. It decodes in place, so that what it forgave can
 * not be found out afterwards; a body that a client never sent would be published. Therefore its
 * function for that, phr_decode_chunked(), is defined here: the library calls it through the dynamic
 * linker, which prefers a program's own.
 *
 *   SIZE ─digits CRLF, not 0─▶ DATA ─its bytes, CRLF─▶ SIZE
 *     └───digits CRLF, 0─────▶ TRAILER ─a field, CRLF─▶ TRAILER ─CRLF─▶ the end
 *
 *   any ─a byte that cannot stand there─▶ the end, at once
 *
 * An extension may stand between the digits and their CRLF. Extensions and trailers are read and
 * dropped (7.1.1, 7.1.2), so long as they are not many bytes.
 *
 * At the end the library calls the handler, in the same turn, whether the body is sound or not: the
 * handler asks chunks_verdict() before it believes the body, and answers itself if it must not.
 */
#ifndef LEVERET_FRONT_CHUNKS_H
#define LEVERET_FRONT_CHUNKS_H

enum chunks_outcome {
    CHUNKS_OK,
    CHUNKS_UNREAD,        /* not read here at all: the library used its own reader */
    CHUNKS_BAD_SIZE,      /* not 1 to 16 hexadecimal digits (7.1) */
    CHUNKS_BAD_EXTENSION, /* a control character in it (7.1.1) */
    CHUNKS_BAD_END,       /* a size or its bytes are not followed by CR LF (7.1) */
    CHUNKS_BAD_TRAILER,   /* not a field (7.1.2) */
    CHUNKS_TOO_MUCH,      /* extensions and trailers of more than CHUNKS_MAX_EXTRA_BYTES */
    CHUNKS_N_OUTCOMES
};

enum { CHUNKS_MAX_EXTRA_BYTES = 16 << 10 }; /* of one body */

/* Of the chunked body that was completed last. Asking takes it away: the next one is another's. */
enum chunks_outcome chunks_verdict(void);

/* A sentence for the client, with the section that it broke. */
const char *chunks_sentence(enum chunks_outcome outcome);

#endif
