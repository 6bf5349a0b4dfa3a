/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/amqp_peer.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "tests/support/require.h"

enum {
    FRAME_MAX = 131072,
    HEAD_BYTES = 7,
    TRAILER_BYTES = 1,
    CONTENT_FIXED_BYTES = 12,
    SAID_BYTES = 4096,
    POOL_BYTES = 4096
};

/* ---- the door ---- */

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    require(inet_pton(AF_INET, text, &address.sin_addr) == 1, "%s is no address", text);
    return address;
}

void amqp_door_open(struct amqp_door *door, const char *address)
{
    const char *text = address != NULL ? address : "127.0.0.1";
    struct sockaddr_in name = address_of(text);
    socklen_t size = sizeof name;
    door->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(door->fd >= 0, "socket");
    require(bind(door->fd, (struct sockaddr *)&name, sizeof name) == 0, "bind %s", text);
    require(listen(door->fd, SOMAXCONN) == 0, "listen");
    require(getsockname(door->fd, (struct sockaddr *)&name, &size) == 0, "getsockname");
    door->port = ntohs(name.sin_port);
    door->url = format_text("amqp://guest:guest@%s:%u/", text, door->port);
}

void amqp_door_close(struct amqp_door *door)
{
    (void)close(door->fd); /* of a socket: nothing to lose */
    free(door->url);
    *door = (struct amqp_door){.fd = -1};
}

static void set_up_socket(int fd)
{
    const struct timeval patience = {.tv_sec = AMQP_PEER_TIMEOUT_MS / 1000};
    const int on = 1;
    require(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0,
        "setsockopt");
}

void amqp_peer_accept_mutely(struct amqp_peer *peer, const struct amqp_door *door)
{
    struct pollfd comes = {.fd = door->fd, .events = POLLIN};
    require(poll(&comes, 1, AMQP_PEER_TIMEOUT_MS) == 1, "nobody connects");
    peer->fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
    require(peer->fd >= 0, "accept");
    set_up_socket(peer->fd);
    peer->n_declared = 0;
    memset(peer->n_published, 0, sizeof peer->n_published);
    init_amqp_pool(&peer->pool, POOL_BYTES);
    peer->payload = malloc(FRAME_MAX);
    require(peer->payload != NULL, "malloc");
}

void amqp_peer_hang_up(struct amqp_peer *peer)
{
    (void)close(peer->fd); /* of a socket: nothing to lose */
    peer->fd = -1;
    empty_amqp_pool(&peer->pool);
    free(peer->payload);
    peer->payload = NULL;
}

void amqp_peer_reset(struct amqp_peer *peer)
{
    const struct linger at_once = {.l_onoff = 1};
    require(
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "SO_LINGER");
    amqp_peer_hang_up(peer);
}

/* ---- bytes out ---- */

void amqp_peer_send(struct amqp_peer *peer, const void *bytes, size_t n)
{
    const uint8_t *rest = bytes;
    while (n > 0) {
        ssize_t sent = send(peer->fd, rest, peer->is_split ? 1 : n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* hearing tells of the end */
        require(sent > 0, "send");
        rest += sent;
        n -= (size_t)sent;
    }
}

static void put_16(uint8_t *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof value);
}

static void put_32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static void put_64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

/* The payload stands in `frame` behind HEAD_BYTES, with room for the trailer. */
static void send_frame(
    struct amqp_peer *peer, uint8_t *frame, uint8_t type, uint16_t channel, size_t n_payload)
{
    frame[0] = type;
    put_16(frame + 1, channel);
    put_32(frame + 3, (uint32_t)n_payload);
    frame[HEAD_BYTES + n_payload] = AMQP_FRAME_END;
    amqp_peer_send(peer, frame, HEAD_BYTES + n_payload + TRAILER_BYTES);
}

void amqp_peer_say(
    struct amqp_peer *peer, uint16_t channel, amqp_method_number_t method, void *decoded)
{
    uint8_t frame[SAID_BYTES];
    uint8_t *arguments = frame + HEAD_BYTES + sizeof method;
    put_32(frame + HEAD_BYTES, method);
    int n = amqp_encode_method(method, decoded,
        (amqp_bytes_t){
            .len = (size_t)(frame + sizeof frame - arguments) - TRAILER_BYTES, .bytes = arguments});
    require(n >= 0, "%s cannot be encoded", amqp_method_name(method));
    send_frame(peer, frame, AMQP_FRAME_METHOD, channel, sizeof method + (size_t)n);
}

static void say_header(
    struct amqp_peer *peer, uint16_t channel, size_t n_body, amqp_basic_properties_t *properties)
{
    uint8_t frame[SAID_BYTES];
    uint8_t *payload = frame + HEAD_BYTES;
    put_16(payload, AMQP_BASIC_CLASS);
    put_16(payload + 2, 0); /* weight */
    put_64(payload + 4, n_body);
    int n = amqp_encode_properties(AMQP_BASIC_CLASS, properties,
        (amqp_bytes_t){.len = sizeof frame - HEAD_BYTES - CONTENT_FIXED_BYTES - TRAILER_BYTES,
            .bytes = payload + CONTENT_FIXED_BYTES});
    require(n >= 0, "the properties cannot be encoded");
    send_frame(peer, frame, AMQP_FRAME_HEADER, channel, CONTENT_FIXED_BYTES + (size_t)n);
}

void amqp_peer_body(struct amqp_peer *peer, uint16_t channel, const void *bytes, size_t n)
{
    uint8_t frame[SAID_BYTES];
    if (n == 0)
        return;
    require(n <= sizeof frame - HEAD_BYTES - TRAILER_BYTES, "a body of %zu bytes", n);
    memcpy(frame + HEAD_BYTES, bytes, n);
    send_frame(peer, frame, AMQP_FRAME_BODY, channel, n);
}

/* ---- what it says ---- */

void amqp_peer_ack(struct amqp_peer *peer, const struct amqp_heard *publish, bool is_multiple)
{
    amqp_basic_ack_t ack = {.delivery_tag = publish->tag, .multiple = is_multiple};
    amqp_peer_say(peer, publish->channel, AMQP_BASIC_ACK_METHOD, &ack);
}

void amqp_peer_nack(struct amqp_peer *peer, const struct amqp_heard *publish)
{
    amqp_basic_nack_t nack = {.delivery_tag = publish->tag};
    amqp_peer_say(peer, publish->channel, AMQP_BASIC_NACK_METHOD, &nack);
}

void amqp_peer_return(struct amqp_peer *peer, const struct amqp_heard *publish)
{
    require(publish->n_body < sizeof publish->body, "only small messages are given back");
    amqp_basic_return_t back = {.reply_code = AMQP_NO_ROUTE,
        .reply_text = amqp_cstring_bytes("NO_ROUTE"),
        .routing_key = amqp_cstring_bytes(publish->name)};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG,
        .message_id = amqp_cstring_bytes(publish->message_id)};
    amqp_peer_say(peer, publish->channel, AMQP_BASIC_RETURN_METHOD, &back);
    say_header(peer, publish->channel, publish->n_body, &properties);
    amqp_peer_body(peer, publish->channel, publish->body, publish->n_body);
}

void amqp_peer_deliver_head(
    struct amqp_peer *peer, const struct amqp_heard *consume, uint64_t tag, size_t n_body)
{
    amqp_basic_deliver_t deliver = {
        .consumer_tag = amqp_cstring_bytes(consume->consumer), .delivery_tag = tag};
    amqp_basic_properties_t none = {0};
    amqp_peer_say(peer, consume->channel, AMQP_BASIC_DELIVER_METHOD, &deliver);
    say_header(peer, consume->channel, n_body, &none);
}

void amqp_peer_deliver(
    struct amqp_peer *peer, const struct amqp_heard *consume, uint64_t tag, const char *body)
{
    amqp_peer_deliver_head(peer, consume, tag, strlen(body));
    amqp_peer_body(peer, consume->channel, body, strlen(body));
}

void amqp_peer_cancel(struct amqp_peer *peer, const struct amqp_heard *consume)
{
    amqp_basic_cancel_t cancel = {
        .consumer_tag = amqp_cstring_bytes(consume->consumer), .nowait = true};
    amqp_peer_say(peer, consume->channel, AMQP_BASIC_CANCEL_METHOD, &cancel);
}

void amqp_peer_block(struct amqp_peer *peer, bool is_blocked)
{
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on memory")};
    amqp_connection_unblocked_t unblocked = {0};
    if (is_blocked)
        amqp_peer_say(peer, 0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    else
        amqp_peer_say(peer, 0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
}

void amqp_peer_close(struct amqp_peer *peer, uint16_t code, const char *text)
{
    amqp_connection_close_t close = {.reply_code = code, .reply_text = amqp_cstring_bytes(text)};
    amqp_peer_say(peer, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
}

void amqp_peer_close_channel(struct amqp_peer *peer, uint16_t channel, uint16_t code,
    const char *text, amqp_method_number_t method)
{
    amqp_channel_close_t close = {.reply_code = code,
        .reply_text = amqp_cstring_bytes(text),
        .class_id = (uint16_t)(method >> 16),
        .method_id = (uint16_t)method};
    amqp_peer_say(peer, channel, AMQP_CHANNEL_CLOSE_METHOD, &close);
}
