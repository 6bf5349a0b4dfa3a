/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "field.h"
#include "frame.h"

/* Every peer must take a frame of this size (specification 4.2.3, tune), so the methods need no
 * negotiation. */
#define METHOD_FRAME_BYTES FRAME_MIN_BYTES

/* The content header's own fields: class, weight, body size. */
#define CONTENT_FIXED_BYTES 12

/* Where the next byte of the body is. */
struct cursor {
    const struct iovec *piece;
    size_t at;
};

static void put_u16(uint8_t *to, uint16_t value)
{
    value = htobe16(value);
    memcpy(to, &value, sizeof value);
}

static void put_u32(uint8_t *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof value);
}

static void put_u64(uint8_t *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof value);
}

static void put_frame_header(uint8_t *to, uint8_t type, uint16_t channel, size_t n_payload)
{
    to[0] = type;
    put_u16(to + 1, channel);
    put_u32(to + 3, (uint32_t)n_payload);
}

/* Frames the `n_payload` bytes that already stand at their place behind the tail. */
static int commit_frame(struct outbox *outbox, uint8_t type, uint16_t channel, size_t n_payload)
{
    uint8_t *frame = outbox_tail(outbox);
    put_frame_header(frame, type, channel, n_payload);
    frame[FRAME_HEADER_BYTES + n_payload] = AMQP_FRAME_END;
    return outbox_commit(outbox, n_payload + FRAME_OVERHEAD_BYTES);
}

/* The table among a method's arguments, or NULL. */
static const amqp_table_t *table_of(amqp_method_number_t id, const void *method)
{
    switch (id) {
    case AMQP_CONNECTION_START_OK_METHOD:
        return &((const amqp_connection_start_ok_t *)method)->client_properties;
    case AMQP_EXCHANGE_DECLARE_METHOD:
        return &((const amqp_exchange_declare_t *)method)->arguments;
    case AMQP_QUEUE_DECLARE_METHOD:
        return &((const amqp_queue_declare_t *)method)->arguments;
    case AMQP_QUEUE_BIND_METHOD:
        return &((const amqp_queue_bind_t *)method)->arguments;
    case AMQP_BASIC_CONSUME_METHOD:
        return &((const amqp_basic_consume_t *)method)->arguments;
    default:
        return NULL;
    }
}

int writer_protocol_header(struct outbox *outbox)
{
    static const uint8_t header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    return outbox_append(outbox, header, sizeof header);
}

int writer_heartbeat(struct outbox *outbox)
{
    static const uint8_t frame[FRAME_OVERHEAD_BYTES] = {
        AMQP_FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, AMQP_FRAME_END};
    return outbox_append(outbox, frame, sizeof frame);
}

int writer_method(
    struct outbox *outbox, uint16_t channel, amqp_method_number_t id, const void *method)
{
    const amqp_table_t *table = table_of(id, method);
    if (table && !field_is_encodable(table))
        return -EINVAL;
    if (outbox_room(outbox) < METHOD_FRAME_BYTES)
        return -ENOBUFS;

    uint8_t *payload = outbox_tail(outbox) + FRAME_HEADER_BYTES;
    amqp_bytes_t arguments =
        frame_bytes(payload + sizeof id, METHOD_FRAME_BYTES - FRAME_OVERHEAD_BYTES - sizeof id);
    put_u32(payload, id);
    /* rabbitmq-c takes what it reads without const. */
    int n = amqp_encode_method(id, frame_bytes(method, 0).bytes, arguments);
    if (n < 0)
        return -EINVAL;
    return commit_frame(outbox, AMQP_FRAME_METHOD, channel, (size_t)n + sizeof id);
}

/* ---- messages ------------------------------------------------------------------------------ */

static bool is_short(amqp_bytes_t string)
{
    return string.len <= UINT8_MAX;
}

static bool are_short(const amqp_basic_properties_t *p)
{
    amqp_flags_t flags = p->_flags;
    return (!(flags & AMQP_BASIC_CONTENT_TYPE_FLAG) || is_short(p->content_type)) &&
           (!(flags & AMQP_BASIC_CONTENT_ENCODING_FLAG) || is_short(p->content_encoding)) &&
           (!(flags & AMQP_BASIC_CORRELATION_ID_FLAG) || is_short(p->correlation_id)) &&
           (!(flags & AMQP_BASIC_REPLY_TO_FLAG) || is_short(p->reply_to)) &&
           (!(flags & AMQP_BASIC_EXPIRATION_FLAG) || is_short(p->expiration)) &&
           (!(flags & AMQP_BASIC_MESSAGE_ID_FLAG) || is_short(p->message_id)) &&
           (!(flags & AMQP_BASIC_TYPE_FLAG) || is_short(p->type)) &&
           (!(flags & AMQP_BASIC_USER_ID_FLAG) || is_short(p->user_id)) &&
           (!(flags & AMQP_BASIC_APP_ID_FLAG) || is_short(p->app_id)) &&
           (!(flags & AMQP_BASIC_CLUSTER_ID_FLAG) || is_short(p->cluster_id));
}

static uint64_t body_size(const struct writer_message *message)
{
    uint64_t size = 0;
    for (int i = 0; i < message->n_body; i++)
        size += message->body[i].iov_len;
    return size;
}

static int put_content_header(
    struct outbox *outbox, uint16_t channel, size_t frame_max, const struct writer_message *message)
{
    const amqp_basic_properties_t *properties = message->properties;
    if (!are_short(properties))
        return -EINVAL;
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) && !field_is_encodable(&properties->headers))
        return -EINVAL;

    size_t room = outbox_room(outbox);
    if (room < FRAME_OVERHEAD_BYTES + CONTENT_FIXED_BYTES)
        return -ENOBUFS;
    bool is_all = room >= frame_max;
    size_t n_frame = is_all ? frame_max : room;
    uint8_t *payload = outbox_tail(outbox) + FRAME_HEADER_BYTES;
    put_u16(payload, AMQP_BASIC_CLASS);
    put_u16(payload + 2, 0); /* weight, unused */
    put_u64(payload + 4, body_size(message));
    amqp_bytes_t rest = frame_bytes(
        payload + CONTENT_FIXED_BYTES, n_frame - FRAME_OVERHEAD_BYTES - CONTENT_FIXED_BYTES);
    int n = amqp_encode_properties(AMQP_BASIC_CLASS, frame_bytes(properties, 0).bytes, rest);
    if (n < 0)
        return is_all ? -EMSGSIZE : -ENOBUFS;
    return commit_frame(outbox, AMQP_FRAME_HEADER, channel, (size_t)n + CONTENT_FIXED_BYTES);
}

/* The next bytes of the body that lie together, at most n_max of them. */
static struct iovec take_part(struct cursor *cursor, size_t n_max)
{
    while (cursor->at == cursor->piece->iov_len) {
        cursor->piece++;
        cursor->at = 0;
    }
    size_t n = cursor->piece->iov_len - cursor->at;
    if (n > n_max)
        n = n_max;
    struct iovec part = {.iov_base = (uint8_t *)cursor->piece->iov_base + cursor->at, .iov_len = n};
    cursor->at += n;
    return part;
}

static int put_part(struct outbox *outbox, const struct iovec *part)
{
    if (part->iov_len >= WRITER_BORROW_BYTES)
        return outbox_borrow(outbox, part->iov_base, part->iov_len);
    return outbox_append(outbox, part->iov_base, part->iov_len);
}

static int put_body_frame(
    struct outbox *outbox, uint16_t channel, struct cursor *cursor, size_t n_payload)
{
    uint8_t header[FRAME_HEADER_BYTES];
    put_frame_header(header, AMQP_FRAME_BODY, channel, n_payload);
    int r = outbox_append(outbox, header, sizeof header);
    while (r == 0 && n_payload > 0) {
        struct iovec part = take_part(cursor, n_payload);
        r = put_part(outbox, &part);
        n_payload -= part.iov_len;
    }
    static const uint8_t end = AMQP_FRAME_END;
    return r < 0 ? r : outbox_append(outbox, &end, sizeof end);
}

static int put_body(
    struct outbox *outbox, uint16_t channel, size_t frame_max, const struct writer_message *message)
{
    struct cursor cursor = {.piece = message->body};
    uint64_t left = body_size(message);
    while (left > 0) {
        size_t n_payload = frame_max - FRAME_OVERHEAD_BYTES;
        if (n_payload > left)
            n_payload = (size_t)left;
        int r = put_body_frame(outbox, channel, &cursor, n_payload);
        if (r < 0)
            return r;
        left -= n_payload;
    }
    return 0;
}

static int put_message(
    struct outbox *outbox, uint16_t channel, size_t frame_max, const struct writer_message *message)
{
    int r = writer_method(outbox, channel, AMQP_BASIC_PUBLISH_METHOD, message->publish);
    if (r == 0)
        r = put_content_header(outbox, channel, frame_max, message);
    if (r == 0)
        r = put_body(outbox, channel, frame_max, message);
    if (r == 0 && outbox_room(outbox) < WRITER_RESERVE_BYTES)
        r = -ENOBUFS;
    return r;
}

int writer_message(
    struct outbox *outbox, uint16_t channel, size_t frame_max, const struct writer_message *message)
{
    struct outbox_mark mark = outbox_mark(outbox);
    int r = put_message(outbox, channel, frame_max, message);
    if (r < 0)
        outbox_rollback(outbox, &mark);
    /* What an empty batch has no room for, no batch will ever have. */
    return r == -ENOBUFS && mark.n_segments == 0 ? -EMSGSIZE : r;
}
