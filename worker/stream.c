/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "shm/clock.h"

static const char *const state_names[STREAM_N_STATES] = {
    [STREAM_IDLE] = "idle",
    [STREAM_CONNECTING] = "connecting",
    [STREAM_OPEN] = "open",
    [STREAM_CLOSING] = "closing",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << STREAM_##state)
static const unsigned arrows[STREAM_N_STATES] = {
    [STREAM_IDLE] = TO(CONNECTING),
    [STREAM_CONNECTING] = TO(OPEN) | TO(CLOSING),
    [STREAM_OPEN] = TO(CLOSING),
    [STREAM_CLOSING] = TO(IDLE),
};
#undef TO

static void enter(struct stream *stream, enum stream_state state)
{
    assert(arrows[stream->state] & (1u << state));
    stream->state = state;
}

/* ---- closing -------------------------------------------------------------------------------- */

static bool is_busy(const struct stream *stream)
{
    return stream->connecting.is_busy || stream->receiving.is_busy || stream->sending.is_busy;
}

static void finish(struct stream *stream)
{
    cleanup_fd(&stream->fd);
    stream->fd = -1;
    enter(stream, STREAM_IDLE);
    stream->ops->on_closed(stream->owner, stream->error, stream->what);
}

static void cancel(struct stream *stream, struct loop_op *op)
{
    int r = op->is_busy ? loop_cancel(stream->loop, op) : 0;
    (void)r; /* without a place in the queue it ends all the same: the socket is shut down */
}

/* From here on nothing is sent any more, not even what the kernel was given and has not taken. Some
 * operation is in flight, or its event is what brought us here: that ends it, see
 * finish_if_closed(). */
static void begin_close(struct stream *stream, int error, const char *what)
{
    enter(stream, STREAM_CLOSING);
    stream->error = error;
    stream->what = what;
    loop_timer_set(stream->loop, &stream->deadline, CLOCK_NEVER);
    /* The peer hears of it now, and what finds no place for its cancelling ends all the same. Not
     * connected yet, it fails, which is as good. */
    (void)shutdown(stream->fd, SHUT_RDWR);
    cancel(stream, &stream->connecting);
    cancel(stream, &stream->receiving);
    cancel(stream, &stream->sending);
}

static void finish_if_closed(struct stream *stream)
{
    if (stream->state == STREAM_CLOSING && !is_busy(stream))
        finish(stream);
}

static void on_deadline(void *owner)
{
    struct stream *stream = owner;
    begin_close(stream, ETIMEDOUT, "connecting");
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void receive(struct stream *stream)
{
    int r = loop_receive(stream->loop, &stream->receiving, stream->fd);
    if (r < 0)
        begin_close(stream, -r, "receiving");
}

static void on_received(void *owner, const struct loop_event *event)
{
    struct stream *stream = owner;
    if (stream->state == STREAM_OPEN) {
        if (event->result > 0)
            stream->ops->on_bytes(stream->owner, event->bytes, (size_t)event->result);
        else if (event->result == 0)
            begin_close(stream, 0, "the peer closed the connection");
        else if (event->result != -ENOBUFS)
            begin_close(stream, -event->result, "receiving");
    }
    if (event->is_last && stream->state == STREAM_OPEN)
        receive(stream);
    finish_if_closed(stream);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Takes n_bytes off the front of the message; are there bytes left? */
static bool advance(struct msghdr *message, size_t n_bytes)
{
    while (message->msg_iovlen > 0 && n_bytes >= message->msg_iov->iov_len) {
        n_bytes -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (message->msg_iovlen == 0)
        return false;
    message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + n_bytes;
    message->msg_iov->iov_len -= n_bytes;
    return true;
}

static void send_rest(struct stream *stream)
{
    int r = loop_send(stream->loop, &stream->sending, stream->fd, &stream->message);
    if (r < 0)
        begin_close(stream, -r, "sending");
}

static void on_sent(void *owner, const struct loop_event *event)
{
    struct stream *stream = owner;
    if (event->result > 0) {
        bool is_short = advance(&stream->message, (size_t)event->result);
        if (is_short && stream->state == STREAM_OPEN)
            send_rest(stream);
        stream->ops->on_taken(stream->owner, (size_t)event->result, !is_short);
    } else if (stream->state == STREAM_OPEN) {
        begin_close(stream, -event->result, "sending");
    }
    finish_if_closed(stream);
}

void stream_send(struct stream *stream, const struct iovec *iov, int n_iov)
{
    assert(stream->state == STREAM_OPEN && !stream->sending.is_busy);
    assert(n_iov > 0 && n_iov <= STREAM_MAX_IOV);
    memcpy(stream->iov, iov, (size_t)n_iov * sizeof *iov);
    stream->message = (struct msghdr){.msg_iov = stream->iov, .msg_iovlen = (size_t)n_iov};
    send_rest(stream);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void on_connected(void *owner, const struct loop_event *event)
{
    struct stream *stream = owner;
    if (stream->state == STREAM_CONNECTING && event->result < 0) {
        begin_close(stream, -event->result, "connecting");
    } else if (stream->state == STREAM_CONNECTING) {
        loop_timer_set(stream->loop, &stream->deadline, CLOCK_NEVER);
        enter(stream, STREAM_OPEN);
        receive(stream);
        if (stream->state == STREAM_OPEN)
            stream->ops->on_connected(stream->owner);
    }
    finish_if_closed(stream);
}

/* Small frames leave at once, and a peer that vanished without a word is noticed in the end even
 * where heartbeats are off. */
static int open_socket(int family)
{
    CLEANUP(cleanup_fd) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    static const int on = 1;
    bool is_tcp = family == AF_INET || family == AF_INET6;
    if (is_tcp && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
                      setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0))
        return -errno;
    return STEAL_FD(fd);
}

const char *stream_state_name(enum stream_state state)
{
    return state_names[state];
}

void stream_init(
    struct stream *stream, struct loop *loop, const struct stream_ops *ops, void *owner)
{
    *stream = (struct stream){
        .loop = loop,
        .ops = ops,
        .owner = owner,
        .fd = -1,
        .deadline = {.on_due = on_deadline, .owner = stream},
        .connecting = {.on_event = on_connected, .owner = stream},
        .receiving = {.on_event = on_received, .owner = stream},
        .sending = {.on_event = on_sent, .owner = stream},
    };
}

int stream_connect(struct stream *stream, const struct sockaddr *address, socklen_t n_address,
    uint64_t deadline_ns)
{
    assert(stream->state == STREAM_IDLE && n_address <= sizeof stream->address);
    int fd = open_socket(address->sa_family);
    if (fd < 0)
        return fd;
    memcpy(&stream->address, address, n_address);
    int r = loop_connect(stream->loop, &stream->connecting, fd,
        (const struct sockaddr *)&stream->address, n_address);
    if (r < 0) {
        cleanup_fd(&fd);
        return r;
    }
    stream->fd = fd;
    stream->error = 0;
    stream->what = "";
    enter(stream, STREAM_CONNECTING);
    loop_timer_set(stream->loop, &stream->deadline, deadline_ns);
    return 0;
}

void stream_close(struct stream *stream)
{
    if (stream->state == STREAM_CONNECTING || stream->state == STREAM_OPEN)
        begin_close(stream, 0, "closed");
}
