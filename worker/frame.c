/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"

/* Covers all methods and the properties of ordinary messages. */
#define POOL_PAGE_BYTES 16384
/* What an extraordinary message may leave behind in the pool. */
#define POOL_MAX_PAGES 8

/* The content header's own fields: class, weight, body size. */
#define CONTENT_FIXED_BYTES 12
#define CONTENT_WEIGHT 0 /* unused, and nothing else is allowed */

/* How the record begins in which TLS tells somebody that he speaks something else (RFC 8446, 5.1). */
enum { TLS_ALERT = 21, TLS_MAJOR = 3 };

static uint16_t read_u16(const uint8_t *bytes)
{
    uint16_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return be16toh(wire);
}

static uint32_t read_u32(const uint8_t *bytes)
{
    uint32_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return be32toh(wire);
}

static uint64_t read_u64(const uint8_t *bytes)
{
    uint64_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return be64toh(wire);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool is_frame_type(uint8_t type)
{
    return type == AMQP_FRAME_METHOD || type == AMQP_FRAME_HEADER || type == AMQP_FRAME_BODY ||
           type == AMQP_FRAME_HEARTBEAT;
}

/* Sets *n_frame to the bytes of the whole frame that begins with `header`. */
static int check_header(struct frame_reader *reader, const uint8_t *header, size_t *n_frame)
{
    uint32_t n_payload = read_u32(header + 3);
    if (memcmp(header, "AMQP", 4) == 0) {
        (void)snprintf(reader->error, sizeof reader->error,
            "the broker does not speak AMQP 0-9-1 and answers with a protocol header");
        return -EPROTO;
    }
    if (memcmp(header, "HTTP/", 5) == 0) {
        (void)snprintf(reader->error, sizeof reader->error,
            "what listens on this port speaks HTTP, and not AMQP");
        return -EPROTO;
    }
    if (header[0] == TLS_ALERT && header[1] == TLS_MAJOR) {
        (void)snprintf(reader->error, sizeof reader->error,
            "the broker speaks TLS on this port: its URI begins with amqps://");
        return -EPROTO;
    }
    if (!is_frame_type(header[0])) {
        (void)snprintf(reader->error, sizeof reader->error, "%u is not a type of frame", header[0]);
        return -EPROTO;
    }
    if (n_payload > reader->frame_max - FRAME_OVERHEAD_BYTES) {
        (void)snprintf(reader->error, sizeof reader->error,
            "a frame with %u bytes of payload where frames have at most %zu bytes", n_payload,
            reader->frame_max);
        return -EPROTO;
    }
    *n_frame = (size_t)n_payload + FRAME_OVERHEAD_BYTES;
    return 0;
}

/* The whole frame is there. */
static int finish(
    struct frame_reader *reader, const uint8_t *bytes, size_t n_frame, struct frame *out)
{
    if (bytes[n_frame - 1] != AMQP_FRAME_END) {
        (void)snprintf(reader->error, sizeof reader->error,
            "a frame of type %u on channel %u ends with 0x%02x instead of 0xce", bytes[0],
            read_u16(bytes + 1), bytes[n_frame - 1]);
        return -EPROTO;
    }
    *out = (struct frame){
        .type = bytes[0],
        .channel = read_u16(bytes + 1),
        .payload = bytes + FRAME_HEADER_BYTES,
        .n_payload = n_frame - FRAME_OVERHEAD_BYTES,
    };
    return FRAME_READY;
}

/* Holds input until `n_wanted` bytes are held; false when it ran out before. */
static bool hold(
    struct frame_reader *reader, const uint8_t **bytes, size_t *n_bytes, size_t n_wanted)
{
    if (reader->n_held >= n_wanted)
        return true;
    size_t n = n_wanted - reader->n_held;
    if (n > *n_bytes)
        n = *n_bytes;
    if (n > 0)
        memcpy(reader->held + reader->n_held, *bytes, n);
    reader->n_held += n;
    *bytes += n;
    *n_bytes -= n;
    return reader->n_held == n_wanted;
}

int frame_reader_init(struct frame_reader *reader, size_t frame_max)
{
    assert(frame_max >= FRAME_MIN_BYTES);
    *reader = (struct frame_reader){.capacity = frame_max, .frame_max = frame_max};
    reader->held = malloc(frame_max);
    return reader->held ? 0 : -ENOMEM;
}

void frame_reader_done(struct frame_reader *reader)
{
    free(reader->held);
    *reader = (struct frame_reader){0};
}

void frame_reader_reset(struct frame_reader *reader)
{
    reader->n_held = 0;
    reader->frame_max = reader->capacity;
    reader->error[0] = '\0';
}

void frame_reader_limit(struct frame_reader *reader, size_t frame_max)
{
    assert(frame_max >= FRAME_MIN_BYTES && frame_max <= reader->capacity);
    reader->frame_max = frame_max;
}

int frame_read(
    struct frame_reader *reader, const uint8_t **bytes, size_t *n_bytes, struct frame *out)
{
    size_t n_frame;
    if (reader->n_held == 0 && *n_bytes >= FRAME_HEADER_BYTES) {
        int r = check_header(reader, *bytes, &n_frame);
        if (r < 0)
            return r;
        if (*n_bytes >= n_frame) {
            const uint8_t *whole = *bytes;
            *bytes += n_frame;
            *n_bytes -= n_frame;
            return finish(reader, whole, n_frame, out);
        }
    }
    if (!hold(reader, bytes, n_bytes, FRAME_HEADER_BYTES))
        return FRAME_NEED_MORE;
    int r = check_header(reader, reader->held, &n_frame);
    if (r < 0)
        return r;
    if (!hold(reader, bytes, n_bytes, n_frame))
        return FRAME_NEED_MORE;
    reader->n_held = 0;
    return finish(reader, reader->held, n_frame, out);
}

/* ---- decoding ------------------------------------------------------------------------------ */

static int errno_of(int amqp_status)
{
    if (amqp_status >= 0)
        return 0;
    return amqp_status == AMQP_STATUS_NO_MEMORY ? -ENOMEM : -EPROTO;
}

/* The methods that a broker may send. Of all of them only connection.start holds a table. */
static bool comes_from_broker(amqp_method_number_t id)
{
    switch (id) {
    case AMQP_CONNECTION_START_METHOD:
    case AMQP_CONNECTION_SECURE_METHOD:
    case AMQP_CONNECTION_TUNE_METHOD:
    case AMQP_CONNECTION_OPEN_OK_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
    case AMQP_CONNECTION_BLOCKED_METHOD:
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
    case AMQP_CHANNEL_OPEN_OK_METHOD:
    case AMQP_CHANNEL_FLOW_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_BIND_OK_METHOD:
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_BASIC_CONSUME_OK_METHOD:
    case AMQP_BASIC_CANCEL_METHOD:
    case AMQP_BASIC_CANCEL_OK_METHOD:
    case AMQP_BASIC_RETURN_METHOD:
    case AMQP_BASIC_DELIVER_METHOD:
    case AMQP_BASIC_GET_OK_METHOD:
    case AMQP_BASIC_GET_EMPTY_METHOD:
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
    case AMQP_BASIC_RECOVER_OK_METHOD:
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        return true;
    default:
        return false;
    }
}

static void recycle(struct frame_decoder *decoder)
{
    if (decoder->pool.pages.num_blocks > POOL_MAX_PAGES)
        empty_amqp_pool(&decoder->pool);
    else
        recycle_amqp_pool(&decoder->pool);
}

void frame_decoder_init(struct frame_decoder *decoder)
{
    init_amqp_pool(&decoder->pool, POOL_PAGE_BYTES);
}

void frame_decoder_done(struct frame_decoder *decoder)
{
    empty_amqp_pool(&decoder->pool);
}

int frame_decode_method(
    struct frame_decoder *decoder, const struct frame *frame, amqp_method_t *out)
{
    assert(frame->type == AMQP_FRAME_METHOD);
    recycle(decoder);
    if (frame->n_payload < sizeof(uint32_t))
        return -EPROTO;
    amqp_method_number_t id = read_u32(frame->payload);
    const uint8_t *arguments = frame->payload + sizeof(uint32_t);
    size_t n_arguments = frame->n_payload - sizeof(uint32_t);
    if (!comes_from_broker(id))
        return -EPROTO;
    if (id == AMQP_CONNECTION_START_METHOD) { /* two octets of version, then the table */
        if (n_arguments < 2 || field_check_encoded(arguments + 2, n_arguments - 2) < 0)
            return -EPROTO;
    }
    void *decoded;
    int r = amqp_decode_method(id, &decoder->pool, frame_bytes(arguments, n_arguments), &decoded);
    if (r < 0)
        return errno_of(r);
    *out = (amqp_method_t){.id = id, .decoded = decoded};
    return 0;
}

/* ---- content headers ----------------------------------------------------------------------- */

/* Where the `headers` table lies in the encoded properties. */
struct headers_place {
    size_t start;
    size_t n_bytes; /* with its length word; 0: there is none */
};

static int skip_short_string(const uint8_t *bytes, size_t n_bytes, size_t *at)
{
    if (*at >= n_bytes || bytes[*at] >= n_bytes - *at)
        return -EPROTO;
    *at += 1u + bytes[*at];
    return 0;
}

/* The properties begin with their flags, the strings before the headers are at most two. */
static int find_headers(const uint8_t *bytes, size_t n_bytes, struct headers_place *out)
{
    size_t at = 0;
    do {
        if (n_bytes - at < sizeof(uint16_t))
            return -EPROTO;
        at += sizeof(uint16_t);
    } while (read_u16(bytes + at - sizeof(uint16_t)) & 1); /* another word of flags follows */

    *out = (struct headers_place){0};
    uint16_t flags = read_u16(bytes);
    if (!(flags & AMQP_BASIC_HEADERS_FLAG))
        return 0;
    if ((flags & AMQP_BASIC_CONTENT_TYPE_FLAG) && skip_short_string(bytes, n_bytes, &at) < 0)
        return -EPROTO;
    if ((flags & AMQP_BASIC_CONTENT_ENCODING_FLAG) && skip_short_string(bytes, n_bytes, &at) < 0)
        return -EPROTO;
    if (n_bytes - at < sizeof(uint32_t))
        return -EPROTO;
    uint32_t length = read_u32(bytes + at);
    if (length > n_bytes - at - sizeof length)
        return -EPROTO;
    *out = (struct headers_place){.start = at, .n_bytes = length + sizeof length};
    return 0;
}

/* The same properties without the headers, in the pool. */
static int drop_headers(
    amqp_pool_t *pool, amqp_bytes_t *encoded, const struct headers_place *headers)
{
    amqp_bytes_t kept;
    amqp_pool_alloc_bytes(pool, encoded->len, &kept);
    if (!kept.bytes)
        return -ENOMEM;
    uint8_t *to = kept.bytes;
    const uint8_t *from = encoded->bytes;
    size_t behind = headers->start + headers->n_bytes;
    memcpy(to, from, headers->start);
    memcpy(to + headers->start, from + behind, encoded->len - behind);
    uint16_t flags = htobe16(read_u16(from) & (uint16_t)~AMQP_BASIC_HEADERS_FLAG);
    memcpy(to, &flags, sizeof flags);
    kept.len = encoded->len - headers->n_bytes;
    *encoded = kept;
    return 0;
}

int frame_decode_content(
    struct frame_decoder *decoder, const struct frame *frame, struct frame_content *out)
{
    assert(frame->type == AMQP_FRAME_HEADER);
    recycle(decoder);
    if (frame->n_payload < CONTENT_FIXED_BYTES || read_u16(frame->payload) != AMQP_BASIC_CLASS ||
        read_u16(frame->payload + 2) != CONTENT_WEIGHT)
        return -EPROTO;
    const uint8_t *properties = frame->payload + CONTENT_FIXED_BYTES;
    amqp_bytes_t encoded = frame_bytes(properties, frame->n_payload - CONTENT_FIXED_BYTES);

    struct headers_place headers;
    int r = find_headers(properties, encoded.len, &headers);
    if (r < 0)
        return r;
    bool must_drop =
        headers.n_bytes > 0 && field_check_encoded(properties + headers.start, headers.n_bytes) < 0;
    if (must_drop) {
        r = drop_headers(&decoder->pool, &encoded, &headers);
        if (r < 0)
            return r;
    }
    void *decoded;
    r = amqp_decode_properties(AMQP_BASIC_CLASS, &decoder->pool, encoded, &decoded);
    if (r < 0)
        return errno_of(r);
    *out = (struct frame_content){
        .body_size = read_u64(frame->payload + 4),
        .properties = decoded,
        .headers_dropped = must_drop,
    };
    return 0;
}
