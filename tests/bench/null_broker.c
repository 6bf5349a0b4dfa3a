/* SPDX-License-Identifier: Apache-2.0 */
#include "null_broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "tests/support/network_order.h"
#include "tests/support/require.h"

enum {
    HEAD_BYTES = 7,
    TRAILER_BYTES = 1,
    METHOD_BYTES = 4,
    BODY_SIZE_AT = 4, /* in a content header: class, weight, size */
    PREFETCH_AT = 4,  /* in basic.qos: size, count */
    ACK_BYTES = HEAD_BYTES + METHOD_BYTES + 9 + TRAILER_BYTES,
    FRAME_BODY_BYTES = 131072 - HEAD_BYTES - TRAILER_BYTES,
    IN_BYTES = 1 << 20,
    OUT_BYTES = 1 << 20,
    DEFAULT_PREFETCH = 128 /* for a consumer that sets none */
};

static uint8_t *put(uint8_t *at, uint64_t value, int n_bytes)
{
    for (int i = n_bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_head(uint8_t *at, uint8_t type, uint16_t channel, size_t n_payload)
{
    return put(put(put(at, type, 1), channel, 2), n_payload, 4);
}

static void *take(size_t n)
{
    void *memory = calloc(1, n);
    require(memory != NULL, "calloc");
    return memory;
}

/* ---- bytes out ---- */

static void flush(struct null_connection *connection)
{
    amqp_peer_send(&connection->peer, connection->out, connection->n_out);
    connection->n_out = 0;
}

static uint8_t *reserve(struct null_connection *connection, size_t n)
{
    if (connection->n_out + n > OUT_BYTES)
        flush(connection);
    uint8_t *at = connection->out + connection->n_out;
    connection->n_out += n;
    return at;
}

/* ---- what is published ---- */

static void count_published(struct null_connection *connection, struct null_channel *channel)
{
    channel->n_published++;
    channel->is_ack_due = channel->is_confirming;
}

static void on_content(struct null_connection *connection, struct null_channel *channel,
    const uint8_t *frame, size_t n_payload)
{
    if (frame[0] == AMQP_FRAME_HEADER)
        channel->n_body_left = get_64(frame + HEAD_BYTES + BODY_SIZE_AT);
    else
        channel->n_body_left -= n_payload;
    if (channel->n_body_left == 0)
        count_published(connection, channel);
}

static void ack_published(struct null_connection *connection)
{
    for (uint16_t i = 1; i < AMQP_PEER_CHANNELS; i++) {
        struct null_channel *channel = &connection->channels[i];
        if (!channel->is_ack_due)
            continue;
        channel->is_ack_due = false;
        uint8_t *at = reserve(connection, ACK_BYTES);
        at = put_head(at, AMQP_FRAME_METHOD, i, METHOD_BYTES + 9);
        at = put(put(at, AMQP_BASIC_ACK_METHOD, METHOD_BYTES), channel->n_published, 8);
        put(put(at, 1, 1), AMQP_FRAME_END, 1);
    }
}

/* ---- what is consumed ---- */

/* Byte `i` of a message: a JSON object with one long member. */
static uint8_t body_byte(size_t i, size_t n_body)
{
    static const char head[] = "{\"x\":\"", tail[] = "\"}";
    const size_t n_head = sizeof head - 1, n_tail = sizeof tail - 1;
    if (i < n_head)
        return (uint8_t)head[i];
    return i < n_body - n_tail ? 'x' : (uint8_t)tail[i - (n_body - n_tail)];
}

/* The three frames of a delivery (specification 1.8.3.9 and 4.2.6), with 0 for its tag. */
static void encode_delivery(struct null_consumer *consumer, size_t n_body)
{
    size_t n_tag = strlen(consumer->tag);
    size_t n_method = METHOD_BYTES + 1 + n_tag + 8 + 1 + 1 + 1;
    size_t n_bodies = (n_body + FRAME_BODY_BYTES - 1) / FRAME_BODY_BYTES;
    consumer->n_frames = n_method + 14 + n_body + (2 + n_bodies) * (HEAD_BYTES + TRAILER_BYTES);
    require(consumer->n_frames <= OUT_BYTES, "a body of %zu bytes", n_body);
    uint8_t *at = consumer->frames = take(consumer->n_frames);
    at = put_head(at, AMQP_FRAME_METHOD, consumer->channel, n_method);
    at = put(put(at, AMQP_BASIC_DELIVER_METHOD, METHOD_BYTES), n_tag, 1);
    memcpy(at, consumer->tag, n_tag);
    consumer->tag_at = (size_t)(at + n_tag - consumer->frames);
    at = put(at + n_tag + 8, 0, 3); /* not redelivered, exchange "", routing key "" */
    at = put_head(put(at, AMQP_FRAME_END, 1), AMQP_FRAME_HEADER, consumer->channel, 14);
    at = put(put(put(at, AMQP_BASIC_CLASS, 2), 0, 2), n_body, 8);
    at = put(put(at, 0, 2), AMQP_FRAME_END, 1); /* no properties */
    for (size_t i = 0; i < n_body;) {
        size_t n = n_body - i < FRAME_BODY_BYTES ? n_body - i : FRAME_BODY_BYTES;
        at = put_head(at, AMQP_FRAME_BODY, consumer->channel, n);
        for (size_t end = i + n; i < end; i++)
            *at++ = body_byte(i, n_body);
        at = put(at, AMQP_FRAME_END, 1);
    }
}

static void on_consume(struct null_connection *connection, const struct amqp_heard *heard)
{
    struct null_channel *channel = &connection->channels[heard->channel];
    struct null_consumer *consumer = connection->consumers;
    while (consumer->is_live || consumer->n_unsettled > 0)
        require(++consumer < connection->consumers + NULL_CONSUMERS, "too many consumers");
    free(consumer->frames);
    *consumer = (struct null_consumer){.is_live = true,
        .channel = heard->channel,
        .prefetch = channel->prefetch != 0 ? channel->prefetch : DEFAULT_PREFETCH};
    memcpy(consumer->tag, heard->consumer, sizeof consumer->tag);
    encode_delivery(consumer, connection->n_body);
    if (channel->window == NULL) {
        channel->window = take(sizeof *channel->window);
        channel->window->next = channel->window->oldest = 1;
    }
}

static void on_cancel(struct null_connection *connection, const struct amqp_heard *heard)
{
    for (int i = 0; i < NULL_CONSUMERS; i++) {
        struct null_consumer *consumer = &connection->consumers[i];
        if (consumer->channel == heard->channel && strcmp(consumer->tag, heard->consumer) == 0)
            consumer->is_live = false;
    }
}

static void settle(struct null_connection *connection, struct null_window *window, uint64_t tag)
{
    uint8_t *owner = &window->owner[tag % NULL_WINDOW];
    if (*owner != 0)
        connection->consumers[*owner - 1].n_unsettled--;
    *owner = 0;
}

/* basic.ack, basic.nack, basic.reject: all begin with the tag. */
static void on_verdict(
    struct null_connection *connection, const struct null_channel *channel, const uint8_t *payload)
{
    struct null_window *window = channel->window;
    require(window != NULL, "a verdict where nothing was delivered");
    uint64_t tag = get_64(payload + METHOD_BYTES);
    bool is_multiple =
        get_32(payload) != AMQP_BASIC_REJECT_METHOD && (payload[METHOD_BYTES + 8] & 1) != 0;
    for (uint64_t each = is_multiple ? window->oldest : tag; each <= tag; each++)
        settle(connection, window, each);
    while (window->oldest < window->next && window->owner[window->oldest % NULL_WINDOW] == 0)
        window->oldest++;
}

static void deliver(struct null_connection *connection)
{
    for (int i = 0; i < NULL_CONSUMERS; i++) {
        struct null_consumer *consumer = &connection->consumers[i];
        struct null_window *window = connection->channels[consumer->channel].window;
        while (consumer->is_live && consumer->n_unsettled < consumer->prefetch &&
               window->next - window->oldest < NULL_WINDOW) {
            uint8_t *at = reserve(connection, consumer->n_frames);
            memcpy(at, consumer->frames, consumer->n_frames);
            put(at + consumer->tag_at, window->next, 8);
            window->owner[window->next++ % NULL_WINDOW] = (uint8_t)(i + 1);
            consumer->n_unsettled++;
        }
    }
}

/* ---- frames in ---- */

static void on_rare_method(struct null_connection *connection, struct null_channel *channel,
    const uint8_t *frame, size_t n)
{
    struct amqp_heard heard;
    const uint8_t *arguments = frame + HEAD_BYTES + METHOD_BYTES;
    switch (get_32(frame + HEAD_BYTES)) {
    case AMQP_CONFIRM_SELECT_METHOD:
        channel->is_confirming = true;
        break;
    case AMQP_BASIC_QOS_METHOD:
        channel->prefetch = get_16(arguments + PREFETCH_AT);
        break;
    case AMQP_CHANNEL_OPEN_METHOD:
        free(channel->window);
        *channel = (struct null_channel){0};
        break;
    default:
        break;
    }
    flush(connection); /* what is said directly must not overtake */
    if (!amqp_peer_hear_frame(&connection->peer, frame, n, &heard))
        return;
    if (heard.method == AMQP_BASIC_CONSUME_METHOD)
        on_consume(connection, &heard);
    else if (heard.method == AMQP_BASIC_CANCEL_METHOD)
        on_cancel(connection, &heard);
}

static void on_frame(struct null_connection *connection, const uint8_t *frame, size_t n)
{
    uint16_t number = get_16(frame + 1);
    require(number < AMQP_PEER_CHANNELS, "channel %u", number);
    struct null_channel *channel = &connection->channels[number];
    if (frame[0] == AMQP_FRAME_HEADER || frame[0] == AMQP_FRAME_BODY) {
        on_content(connection, channel, frame, n - HEAD_BYTES - TRAILER_BYTES);
        return;
    }
    if (frame[0] != AMQP_FRAME_METHOD)
        return;
    switch (get_32(frame + HEAD_BYTES)) {
    case AMQP_BASIC_PUBLISH_METHOD:
        break; /* its content header counts */
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
    case AMQP_BASIC_REJECT_METHOD:
        on_verdict(connection, channel, frame + HEAD_BYTES);
        break;
    default:
        on_rare_method(connection, channel, frame, n);
    }
}

/* Returns how many bytes were whole frames. */
static size_t hear_frames(struct null_connection *connection)
{
    size_t at = 0;
    while (connection->n_in - at >= HEAD_BYTES) {
        const uint8_t *frame = connection->in + at;
        size_t n = HEAD_BYTES + (size_t)get_32(frame + 3) + TRAILER_BYTES;
        require(n <= IN_BYTES, "a frame of %zu bytes", n);
        if (connection->n_in - at < n)
            break;
        on_frame(connection, frame, n);
        at += n;
    }
    return at;
}

bool null_hear(struct null_connection *connection)
{
    ssize_t got = recv(connection->peer.fd, connection->in + connection->n_in,
        IN_BYTES - connection->n_in, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return false;
    connection->n_in += (size_t)got;
    size_t n_heard = hear_frames(connection);
    connection->n_in -= n_heard;
    memmove(connection->in, connection->in + n_heard, connection->n_in);
    ack_published(connection);
    deliver(connection);
    flush(connection);
    return true;
}

/* ---- life ---- */

struct null_connection *null_accept(const struct amqp_door *door, size_t n_body)
{
    struct null_connection *connection = take(sizeof *connection);
    require(n_body >= NULL_BODY_BYTES, "a body of %zu bytes", n_body);
    connection->n_body = n_body;
    connection->in = take(IN_BYTES);
    connection->out = take(OUT_BYTES);
    amqp_peer_accept(&connection->peer, door);
    return connection;
}

void null_hang_up(struct null_connection *connection)
{
    amqp_peer_hang_up(&connection->peer);
    for (int i = 0; i < AMQP_PEER_CHANNELS; i++)
        free(connection->channels[i].window);
    for (int i = 0; i < NULL_CONSUMERS; i++)
        free(connection->consumers[i].frames);
    free(connection->in);
    free(connection->out);
    free(connection);
}
