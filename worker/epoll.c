/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's operations on epoll, for where io_uring is refused.
 *
 *                      would block
 *    IDLE ───start───┬────────────────▶ WAITING ──ready: done, failed, and reported──▶ IDLE
 *                    │                     │
 *                    │ done, failed        │ cancelled
 *                    └──────────┬──────────┘
 *                               ▼
 *                             ENDED ──reported by the next dispatch()──▶ IDLE
 *
 * Receiving and polling begin with WAITING. An operation that waits is registered by itself: those
 * that read in one epoll, those that write in another one, which stands in the first. So none has
 * to know what else goes on on its socket. It is taken off before its last report, since its owner
 * may close the descriptor then: another process may have the same eventfd, and an epoll tells of
 * that for ever.
 *
 * Whoever is ready is tried once a turn, and what is left is told again in the next (it is
 * level-triggered), behind the others that are ready: nobody starves the rest.
 *
 * What ends from within a call is only put in line, for the next dispatch(). So an operation that is
 * cancelled while a batch of events is worked off is still there when its own event is reached.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shm/clock.h"

#include "engine.h"

/* Worked off in one turn; those for which there is no place are told in the next. */
#define N_EVENTS 64
/* Of a message that the socket took in part, offered again at a time. */
#define N_PIECES 64

struct epoll {
    struct engine engine;
    int readers;
    int writers; /* in `readers`, with NULL in place of an operation */
    struct loop_op *ended, **next_ended;
    uint8_t *buffer;
    uint32_t buffer_bytes;
    int n_events;
    struct epoll_event events[N_EVENTS];
};

static struct epoll *epoll_of(struct engine *engine)
{
    return (struct epoll *)engine;
}

/* ---- waiting and ending --------------------------------------------------------------------- */

static int add(int epoll, int fd, uint32_t events, struct loop_op *op)
{
    struct epoll_event event = {.events = events, .data.ptr = op};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* From here on it is WAITING, unless it fails. */
static int await(struct loop_op *op, uint32_t events)
{
    int r = add(op->attempt.epoll, op->attempt.fd, events, op);
    op->is_busy = r == 0;
    return r;
}

static void stop_waiting(struct loop_op *op)
{
    int r = epoll_ctl(op->attempt.epoll, EPOLL_CTL_DEL, op->attempt.fd, NULL);
    assert(r == 0); /* the descriptor of a busy operation is open */
}

/* ENDED: the next dispatch() reports it. */
static void end(struct epoll *epoll, struct loop_op *op, int result)
{
    op->is_busy = true;
    op->attempt.has_ended = true;
    op->attempt.result = result;
    op->attempt.next = NULL;
    *epoll->next_ended = op;
    epoll->next_ended = &op->attempt.next;
}

static void report_last(struct loop_op *op, int result)
{
    const struct loop_event event = {.result = result, .is_last = true};
    op->is_busy = false;
    op->on_event(op->owner, &event);
}

static void finish(struct loop_op *op, int result)
{
    stop_waiting(op);
    report_last(op, result);
}

/* Told in vain: it waits on. */
static bool would_block(int error)
{
    return error == EAGAIN || error == EINTR;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void receive_more(struct epoll *epoll, struct loop_op *op)
{
    ssize_t n = recv(op->attempt.fd, epoll->buffer, epoll->buffer_bytes, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || !would_block(errno))
            finish(op, n == 0 ? 0 : -errno);
        return;
    }
    const struct loop_event event = {.result = (int)n, .bytes = epoll->buffer};
    op->on_event(op->owner, &event);
}

static int epoll_receive(struct engine *engine, struct loop_op *op, int fd)
{
    assert(!op->is_busy);
    op->attempt = (struct loop_attempt){
        .epoll = epoll_of(engine)->readers, .fd = fd, .try_again = receive_more};
    return await(op, EPOLLIN);
}

static void tell_readable(struct epoll *epoll, struct loop_op *op)
{
    const struct loop_event event = {.result = POLLIN};
    op->on_event(op->owner, &event);
}

static int epoll_poll(struct engine *engine, struct loop_op *op, int fd)
{
    assert(!op->is_busy);
    op->attempt = (struct loop_attempt){
        .epoll = epoll_of(engine)->readers, .fd = fd, .try_again = tell_readable};
    return await(op, EPOLLIN);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void look_whether_connected(struct epoll *epoll, struct loop_op *op)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(op->attempt.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        error = errno;
    finish(op, -error);
}

static int epoll_connect(struct engine *engine, struct loop_op *op, int fd,
    const struct sockaddr *address, socklen_t n_address)
{
    static const int on = 1;
    struct epoll *epoll = epoll_of(engine);
    assert(!op->is_busy);
    op->attempt = (struct loop_attempt){
        .epoll = epoll->writers, .fd = fd, .try_again = look_whether_connected};
    if (ioctl(fd, FIONBIO, &on) < 0)
        return -errno;
    int r = connect(fd, address, n_address) < 0 ? -errno : 0;
    if (r == -EINPROGRESS)
        return await(op, EPOLLOUT);
    end(epoll, op, r);
    return 0;
}

/* ---- sending -------------------------------------------------------------------------------- */

static size_t n_bytes_of(const struct msghdr *message)
{
    size_t n = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        n += message->msg_iov[i].iov_len;
    return n;
}

/* The pieces of the message behind its first n_bytes, or the first of them. */
static size_t pieces_behind(
    const struct msghdr *message, size_t n_bytes, struct iovec pieces[N_PIECES])
{
    size_t n = 0;
    for (size_t i = 0; i < message->msg_iovlen && n < N_PIECES; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        size_t n_sent = n_bytes < piece->iov_len ? n_bytes : piece->iov_len;
        n_bytes -= n_sent;
        if (n_sent < piece->iov_len)
            pieces[n++] =
                (struct iovec){(uint8_t *)piece->iov_base + n_sent, piece->iov_len - n_sent};
    }
    return n;
}

static void send_more(struct epoll *epoll, struct loop_op *op)
{
    struct loop_attempt *attempt = &op->attempt;
    struct iovec pieces[N_PIECES];
    struct msghdr rest = {
        .msg_iov = pieces, .msg_iovlen = pieces_behind(attempt->message, attempt->n_sent, pieces)};
    ssize_t n = sendmsg(attempt->fd, &rest, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        if (!would_block(errno))
            finish(op, attempt->n_sent > 0 ? (int)attempt->n_sent : -errno);
        return;
    }
    attempt->n_sent += (size_t)n;
    if (attempt->n_sent == n_bytes_of(attempt->message))
        finish(op, (int)attempt->n_sent);
}

static int epoll_send(
    struct engine *engine, struct loop_op *op, int fd, const struct msghdr *message)
{
    struct epoll *epoll = epoll_of(engine);
    assert(!op->is_busy);
    op->attempt = (struct loop_attempt){
        .epoll = epoll->writers, .fd = fd, .try_again = send_more, .message = message};
    ssize_t n = sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    int result = n < 0 ? -errno : (int)n;
    op->attempt.n_sent = n > 0 ? (size_t)n : 0;
    if (n < 0 ? would_block(errno) : op->attempt.n_sent < n_bytes_of(message)) {
        int r = await(op, EPOLLOUT);
        if (r == 0 || result <= 0)
            return r;
        /* it cannot wait for the rest, and what was sent must be told: the result is short */
    }
    end(epoll, op, result);
    return 0;
}

/* ---- cancelling ----------------------------------------------------------------------------- */

static int epoll_cancel(struct engine *engine, struct loop_op *op)
{
    assert(op->is_busy);
    if (op->attempt.has_ended)
        return 0; /* it was quicker */
    stop_waiting(op);
    end(epoll_of(engine), op, op->attempt.n_sent > 0 ? (int)op->attempt.n_sent : -ECANCELED);
    return 0;
}

/* ---- a turn --------------------------------------------------------------------------------- */

/* Rounded up: who waits for a time does not want to be woken before it. */
static int in_ms(uint64_t wait_ns)
{
    return wait_ns == CLOCK_NEVER ? -1 : clock_wait_ms(0, wait_ns, INT_MAX);
}

static int wait_in(int epoll, struct epoll_event events[N_EVENTS], int wait_ms)
{
    int n = epoll_wait(epoll, events, N_EVENTS, wait_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n;
}

static int epoll_sleep(struct engine *engine, uint64_t wait_ns)
{
    struct epoll *epoll = epoll_of(engine);
    int n = wait_in(epoll->readers, epoll->events, epoll->ended ? 0 : in_ms(wait_ns));
    epoll->n_events = n < 0 ? 0 : n;
    return n < 0 ? n : 0;
}

static void report_ended(struct epoll *epoll)
{
    struct loop_op *next = epoll->ended;
    epoll->ended = NULL;
    epoll->next_ended = &epoll->ended;
    while (next) {
        struct loop_op *op = next;
        next = op->attempt.next;
        report_last(op, op->attempt.result);
    }
}

static void try_again(struct epoll *epoll, struct loop_op *op)
{
    if (!op->attempt.has_ended)
        op->attempt.try_again(epoll, op);
}

static void try_writers(struct epoll *epoll)
{
    struct epoll_event events[N_EVENTS];
    int n = wait_in(epoll->writers, events, 0);
    for (int i = 0; i < n; i++)
        try_again(epoll, events[i].data.ptr);
}

static void epoll_dispatch(struct engine *engine)
{
    struct epoll *epoll = epoll_of(engine);
    report_ended(epoll);
    for (int i = 0; i < epoll->n_events; i++) {
        if (epoll->events[i].data.ptr)
            try_again(epoll, epoll->events[i].data.ptr);
        else
            try_writers(epoll);
    }
}

/* ---- a life --------------------------------------------------------------------------------- */

static void epoll_free(struct engine *engine)
{
    struct epoll *epoll = epoll_of(engine);
    cleanup_fd(&epoll->writers);
    cleanup_fd(&epoll->readers);
    free(epoll->buffer);
    free(epoll);
}

static const struct engine_ops ops = {
    .name = "epoll",
    .free = epoll_free,
    .connect = epoll_connect,
    .receive = epoll_receive,
    .send = epoll_send,
    .cancel = epoll_cancel,
    .poll = epoll_poll,
    .wait = epoll_sleep,
    .dispatch = epoll_dispatch,
};

static int open_both(struct epoll *epoll)
{
    epoll->readers = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->readers < 0)
        return -errno;
    epoll->writers = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->writers < 0)
        return -errno;
    return add(epoll->readers, epoll->writers, EPOLLIN, NULL);
}

int epoll_new(struct engine **out, uint32_t buffer_bytes)
{
    struct epoll *epoll = calloc(1, sizeof *epoll);
    if (!epoll)
        return -ENOMEM;
    *epoll = (struct epoll){.engine.ops = &ops,
        .readers = -1,
        .writers = -1,
        .next_ended = &epoll->ended,
        .buffer = malloc(buffer_bytes),
        .buffer_bytes = buffer_bytes};
    int r = epoll->buffer ? open_both(epoll) : -ENOMEM;
    if (r < 0) {
        epoll_free(&epoll->engine);
        return r;
    }
    *out = &epoll->engine;
    return 0;
}
