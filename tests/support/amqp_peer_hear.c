/* SPDX-License-Identifier: Apache-2.0 */
/* The listening half of amqp_peer.h: frames in, routine answered, the rest told. */
#include "tests/support/amqp_peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "tests/support/network_order.h"
#include "tests/support/require.h"

enum { FRAME_MAX = 131072, HEAD_BYTES = 7, TRAILER_BYTES = 1, CONTENT_FIXED_BYTES = 12 };

struct frame {
    uint8_t type;
    uint16_t channel;
    size_t n_payload; /* in the peer's `payload` */
};

/* False when the other side has closed or reset the connection. */
static bool receive(struct amqp_peer *peer, void *into, size_t n)
{
    ssize_t got = recv(peer->fd, into, n, MSG_WAITALL);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return false;
    require(got >= 0, "nothing comes from the sidecar");
    require((size_t)got == n, "%zd bytes of %zu, and the end", got, n);
    return true;
}

static bool receive_frame(struct amqp_peer *peer, struct frame *frame)
{
    uint8_t head[HEAD_BYTES];
    if (!receive(peer, head, sizeof head))
        return false;
    *frame =
        (struct frame){.type = head[0], .channel = get_16(head + 1), .n_payload = get_32(head + 3)};
    require(frame->n_payload <= FRAME_MAX - HEAD_BYTES - TRAILER_BYTES, "a frame of %zu bytes",
        frame->n_payload);
    require(receive(peer, peer->payload, frame->n_payload + TRAILER_BYTES), "half a frame");
    require(peer->payload[frame->n_payload] == AMQP_FRAME_END, "a frame without its end");
    return true;
}

static amqp_method_number_t decode(
    struct amqp_peer *peer, const struct frame *frame, void **decoded)
{
    amqp_method_number_t method = get_32(peer->payload);
    amqp_bytes_t arguments = {
        .len = frame->n_payload - sizeof method, .bytes = peer->payload + sizeof method};
    recycle_amqp_pool(&peer->pool);
    require(amqp_decode_method(method, &peer->pool, arguments, decoded) == 0,
        "%s cannot be decoded", amqp_method_name(method));
    return method;
}

static void copy(char out[256], amqp_bytes_t text)
{
    require(text.len < 256, "a short string of %zu bytes", text.len);
    if (text.len > 0)
        memcpy(out, text.bytes, text.len);
    out[text.len] = '\0';
}

/* ---- routine ---- */

/* Answers of the sidecar's. The handshake's come here when the test has shaken hands by itself. */
static bool needs_no_answer(amqp_method_number_t method)
{
    return method == AMQP_CHANNEL_CLOSE_OK_METHOD || method == AMQP_CHANNEL_FLOW_OK_METHOD ||
           method == AMQP_CONNECTION_CLOSE_OK_METHOD || method == AMQP_CONNECTION_START_OK_METHOD ||
           method == AMQP_CONNECTION_TUNE_OK_METHOD || method == AMQP_CONNECTION_OPEN_METHOD;
}

/* Answers what needs no more than an -ok. False: it is none of these. */
static bool answer_plainly(struct amqp_peer *peer, uint16_t channel, amqp_method_number_t method)
{
    static const struct {
        amqp_method_number_t method, answer;
    } plain[] = {
        {AMQP_CHANNEL_OPEN_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD},
        {AMQP_CHANNEL_CLOSE_METHOD, AMQP_CHANNEL_CLOSE_OK_METHOD},
        {AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD},
        {AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_BIND_OK_METHOD},
        {AMQP_CONFIRM_SELECT_METHOD, AMQP_CONFIRM_SELECT_OK_METHOD},
        {AMQP_BASIC_QOS_METHOD, AMQP_BASIC_QOS_OK_METHOD},
    };
    union {
        amqp_channel_open_ok_t open;
        amqp_channel_close_ok_t close;
        amqp_exchange_declare_ok_t declare;
        amqp_queue_bind_ok_t bind;
        amqp_confirm_select_ok_t select;
        amqp_basic_qos_ok_t qos;
    } nothing = {0};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (plain[i].method == method) {
            amqp_peer_say(peer, channel, plain[i].answer, &nothing);
            return true;
        }
    }
    return needs_no_answer(method);
}

static void answer_declare(
    struct amqp_peer *peer, uint16_t channel, const amqp_queue_declare_t *declare)
{
    amqp_queue_declare_ok_t ok = {.queue = declare->queue};
    peer->n_declared++;
    amqp_peer_say(peer, channel, AMQP_QUEUE_DECLARE_OK_METHOD, &ok);
}

/* ---- what is told ---- */

static void hear_message(struct amqp_peer *peer, struct amqp_heard *heard)
{
    struct frame frame;
    void *decoded;
    require(receive_frame(peer, &frame) && frame.type == AMQP_FRAME_HEADER, "no content header");
    amqp_bytes_t encoded = {
        .len = frame.n_payload - CONTENT_FIXED_BYTES, .bytes = peer->payload + CONTENT_FIXED_BYTES};
    require(amqp_decode_properties(AMQP_BASIC_CLASS, &peer->pool, encoded, &decoded) == 0,
        "the properties cannot be decoded");
    const amqp_basic_properties_t *properties = decoded;
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        copy(heard->message_id, properties->message_id);
    uint64_t n_body = get_64(peer->payload + 4);
    while (heard->n_body < n_body) {
        require(receive_frame(peer, &frame) && frame.type == AMQP_FRAME_BODY, "no body");
        for (size_t i = 0; i < frame.n_payload && heard->n_body + i < sizeof heard->body - 1; i++)
            heard->body[heard->n_body + i] = (char)peer->payload[i];
        heard->n_body += frame.n_payload;
    }
    require(heard->n_body == n_body, "a body longer than announced");
}

static void hear_publish(
    struct amqp_peer *peer, const amqp_basic_publish_t *publish, struct amqp_heard *heard)
{
    require(heard->channel < AMQP_PEER_CHANNELS, "channel %u", heard->channel);
    heard->tag = ++peer->n_published[heard->channel];
    copy(heard->name, publish->routing_key);
    hear_message(peer, heard);
}

static void hear_consume(
    struct amqp_peer *peer, const amqp_basic_consume_t *consume, struct amqp_heard *heard)
{
    amqp_basic_consume_ok_t ok = {.consumer_tag = consume->consumer_tag};
    copy(heard->name, consume->queue);
    copy(heard->consumer, consume->consumer_tag);
    amqp_peer_say(peer, heard->channel, AMQP_BASIC_CONSUME_OK_METHOD, &ok);
}

static void hear_cancel(
    struct amqp_peer *peer, const amqp_basic_cancel_t *cancel, struct amqp_heard *heard)
{
    amqp_basic_cancel_ok_t ok = {.consumer_tag = cancel->consumer_tag};
    copy(heard->consumer, cancel->consumer_tag);
    amqp_peer_say(peer, heard->channel, AMQP_BASIC_CANCEL_OK_METHOD, &ok);
}

static void hear_close(
    struct amqp_peer *peer, const amqp_connection_close_t *close, struct amqp_heard *heard)
{
    amqp_connection_close_ok_t ok = {0};
    heard->code = close->reply_code;
    copy(heard->name, close->reply_text);
    amqp_peer_say(peer, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
}

static void hear_verdict(const void *decoded, struct amqp_heard *heard)
{
    const amqp_basic_ack_t *ack = decoded;
    const amqp_basic_nack_t *nack = decoded;
    bool is_ack = heard->method == AMQP_BASIC_ACK_METHOD;
    heard->tag = is_ack ? ack->delivery_tag : nack->delivery_tag;
    heard->is_multiple = is_ack ? ack->multiple : nack->multiple;
    heard->is_requeued = !is_ack && nack->requeue;
}

/* True when it is worth telling. */
static bool hear_method(struct amqp_peer *peer, const struct frame *frame, struct amqp_heard *heard)
{
    void *decoded;
    *heard =
        (struct amqp_heard){.channel = frame->channel, .method = decode(peer, frame, &decoded)};
    switch (heard->method) {
    case AMQP_BASIC_PUBLISH_METHOD:
        hear_publish(peer, decoded, heard);
        return true;
    case AMQP_BASIC_CONSUME_METHOD:
        hear_consume(peer, decoded, heard);
        return true;
    case AMQP_BASIC_CANCEL_METHOD:
        hear_cancel(peer, decoded, heard);
        return true;
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
        hear_verdict(decoded, heard);
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD:
        hear_close(peer, decoded, heard);
        return true;
    case AMQP_QUEUE_DECLARE_METHOD:
        answer_declare(peer, frame->channel, decoded);
        return false;
    case AMQP_CHANNEL_OPEN_METHOD:
        require(frame->channel < AMQP_PEER_CHANNELS, "channel %u", frame->channel);
        peer->n_published[frame->channel] = 0;
        break;
    default:
        break;
    }
    require(answer_plainly(peer, frame->channel, heard->method), "%s was not foreseen",
        amqp_method_name(heard->method));
    return false;
}

void amqp_peer_hear(struct amqp_peer *peer, struct amqp_heard *heard)
{
    struct frame frame;
    do {
        if (!receive_frame(peer, &frame)) {
            *heard = (struct amqp_heard){0};
            return;
        }
        require(frame.type == AMQP_FRAME_METHOD || frame.type == AMQP_FRAME_HEARTBEAT,
            "a frame of type %u", frame.type);
    } while (frame.type == AMQP_FRAME_HEARTBEAT || !hear_method(peer, &frame, heard));
}

bool amqp_peer_hear_frame(
    struct amqp_peer *peer, const uint8_t *bytes, size_t n, struct amqp_heard *heard)
{
    struct frame frame = {.type = bytes[0],
        .channel = get_16(bytes + 1),
        .n_payload = n - HEAD_BYTES - TRAILER_BYTES};
    require(n <= FRAME_MAX, "a frame of %zu bytes", n);
    memcpy(peer->payload, bytes + HEAD_BYTES, frame.n_payload + TRAILER_BYTES);
    return frame.type == AMQP_FRAME_METHOD && hear_method(peer, &frame, heard);
}

void amqp_peer_beat(struct amqp_peer *peer)
{
    static const uint8_t heartbeat[] = {AMQP_FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, AMQP_FRAME_END};
    struct frame frame;
    struct amqp_heard heard;
    require(receive_frame(peer, &frame), "the sidecar has gone");
    while (frame.type != AMQP_FRAME_HEARTBEAT) {
        require(!hear_method(peer, &frame, &heard), "%s in place of a heartbeat",
            amqp_method_name(heard.method));
        require(receive_frame(peer, &frame), "the sidecar has gone");
    }
    amqp_peer_send(peer, heartbeat, sizeof heartbeat);
}

static const char *name_of(amqp_method_number_t method)
{
    return method != 0 ? amqp_method_name(method) : "the end";
}

struct amqp_heard amqp_peer_expect(struct amqp_peer *peer, amqp_method_number_t method)
{
    struct amqp_heard heard;
    amqp_peer_hear(peer, &heard);
    require(heard.method == method, "%s came where %s was expected", name_of(heard.method),
        name_of(method));
    return heard;
}

/* ---- the handshake (specification 2.2.4) ---- */

static void expect_word(struct amqp_peer *peer, amqp_method_number_t method)
{
    struct frame frame;
    void *decoded;
    require(receive_frame(peer, &frame) && frame.type == AMQP_FRAME_METHOD &&
                decode(peer, &frame, &decoded) == method,
        "%s does not come", amqp_method_name(method));
}

static void say_start(struct amqp_peer *peer)
{
    amqp_connection_start_t start = {.version_minor = 9,
        .mechanisms = amqp_cstring_bytes("PLAIN"),
        .locales = amqp_cstring_bytes("en_US")};
    amqp_peer_say(peer, 0, AMQP_CONNECTION_START_METHOD, &start);
    expect_word(peer, AMQP_CONNECTION_START_OK_METHOD);
}

static void say_tune(struct amqp_peer *peer)
{
    amqp_connection_tune_t tune = {.channel_max = AMQP_PEER_CHANNELS - 1,
        .frame_max = FRAME_MAX,
        .heartbeat = peer->heartbeat_s};
    amqp_peer_say(peer, 0, AMQP_CONNECTION_TUNE_METHOD, &tune);
    expect_word(peer, AMQP_CONNECTION_TUNE_OK_METHOD);
    expect_word(peer, AMQP_CONNECTION_OPEN_METHOD);
}

void amqp_peer_accept_until(
    struct amqp_peer *peer, const struct amqp_door *door, enum amqp_peer_stage stage)
{
    char header[8];
    amqp_connection_open_ok_t ok = {0};
    amqp_peer_accept_mutely(peer, door);
    require(receive(peer, header, sizeof header) && memcmp(header, "AMQP\0\0\x09\x01", 8) == 0,
        "this is not AMQP 0-9-1");
    if (stage >= AMQP_PEER_STARTED)
        say_start(peer);
    if (stage >= AMQP_PEER_TUNED)
        say_tune(peer);
    if (stage >= AMQP_PEER_OPEN)
        amqp_peer_say(peer, 0, AMQP_CONNECTION_OPEN_OK_METHOD, &ok);
}

void amqp_peer_accept(struct amqp_peer *peer, const struct amqp_door *door)
{
    amqp_peer_accept_until(peer, door, AMQP_PEER_OPEN);
}
