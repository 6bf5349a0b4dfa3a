/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP 0-9-1 frames (specification 2.3.5, 4.2.3): from bytes to frames, and from frames to what
 * they mean.
 *
 *      type:1  channel:2  size:4  payload:size  0xCE
 *      types: method 1, content header 2, body 3, heartbeat 8
 *
 * The reader takes bytes in any split. A frame that lies whole in the bytes it is given is not
 * copied; one that does not is put together in a buffer of the reader's own. Every length comes
 * from the peer and is checked before it is used; a violation ends the reading with a sentence that
 * names it.
 *
 * Decoding is rabbitmq-c's, over one pool that each decoding recycles: what was decoded dies with
 * the next one. The frame header is ours, because amqp_handle_input() keeps a page per channel and
 * aborts on its own states. Nested field tables are walked before they are decoded, since the
 * library recurses as deep as a peer tells it to.
 */
#ifndef LEVERET_WORKER_FRAME_H
#define LEVERET_WORKER_FRAME_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#define FRAME_HEADER_BYTES 7
#define FRAME_OVERHEAD_BYTES 8 /* header and end octet */
#define FRAME_MIN_BYTES 4096   /* the least frame_max that may be negotiated */

struct frame {
    uint8_t type; /* AMQP_FRAME_METHOD, _HEADER, _BODY or _HEARTBEAT; checked */
    uint16_t channel;
    const uint8_t *payload;
    size_t n_payload;
};

struct frame_reader {
    uint8_t *held;    /* the beginning of a frame that was split */
    size_t n_held;    /* bytes of it, with its header */
    size_t capacity;  /* the largest frame_max that may be set */
    size_t frame_max; /* largest whole frame accepted now */
    char error[128];  /* after -EPROTO: what was wrong */
};

enum frame_outcome {
    FRAME_READY = 1,    /* *out is the next frame; it dies with the next call or the input */
    FRAME_NEED_MORE = 2 /* all input is used up */
};

/* ---- reading ------------------------------------------------------------------------------- */

/* `frame_max`: largest frame that will ever be accepted. -ENOMEM. */
int frame_reader_init(struct frame_reader *reader, size_t frame_max) MUST_USE;
void frame_reader_done(struct frame_reader *reader);

/* Forgets what is held and accepts the largest frames again: before a new connection. */
void frame_reader_reset(struct frame_reader *reader);

/* After the negotiation; at most what _init was given. */
void frame_reader_limit(struct frame_reader *reader, size_t frame_max);

/* Takes the next frame from the front of *bytes, *n_bytes, which it moves past what it used.
 * Returns an enum frame_outcome, or -EPROTO with reader->error set; no reading goes on after. */
int frame_read(struct frame_reader *reader, const uint8_t **bytes, size_t *n_bytes,
    struct frame *out) MUST_USE;

/* ---- decoding ------------------------------------------------------------------------------ */

struct frame_decoder {
    amqp_pool_t pool;
};

/* A content header (specification 4.2.6.1) of class basic. */
struct frame_content {
    uint64_t body_size;
    const amqp_basic_properties_t *properties;
    bool headers_dropped; /* its `headers` could not be read and were left out */
};

void frame_decoder_init(struct frame_decoder *decoder);
void frame_decoder_done(struct frame_decoder *decoder);

/* -EPROTO: not a method that this protocol has, or not its arguments. -ENOMEM. */
int frame_decode_method(
    struct frame_decoder *decoder, const struct frame *frame, amqp_method_t *out) MUST_USE;

/* Headers that cannot be decoded cost the headers, not the connection: the message would come back
 * and end the next one too. -EPROTO: anything else is not in order. -ENOMEM. */
int frame_decode_content(
    struct frame_decoder *decoder, const struct frame *frame, struct frame_content *out) MUST_USE;

/* ---- bytes --------------------------------------------------------------------------------- */

/* What rabbitmq-c takes, which has no const, though it never writes there. */
static inline amqp_bytes_t frame_bytes(const void *bytes, size_t n_bytes)
{
    return (amqp_bytes_t){.len = n_bytes, .bytes = (void *)(uintptr_t)bytes};
}

#endif
