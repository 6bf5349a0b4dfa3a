/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream to a broker over TCP: non-blocking, one send in flight, received bytes straight
 * from the loop's buffers.
 *
 *             stream_connect            connected
 *    IDLE ─────────────────▶ CONNECTING ─────────▶ OPEN
 *     ▲                          │ failure,          │ peer closed, failure,
 *     │                          │ deadline          │ stream_close
 *     │        on_closed         ▼                   ▼
 *     └────────────────────── CLOSING ◀──────────────┘   shut down, operations asked to end
 *
 * CLOSING lasts until the last operation has reported: until then the kernel may read the bytes
 * that were given to stream_send(). on_closed, exactly once per stream_connect(), is the promise
 * that it does not any more; a last on_taken may come before it, nothing comes after.
 *
 * A layer that encrypts would sit between these callbacks and the connection: bytes in, bytes out.
 */
#ifndef LEVERET_WORKER_STREAM_H
#define LEVERET_WORKER_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

#include "loop.h"

#define STREAM_MAX_IOV 256

enum stream_state { STREAM_IDLE, STREAM_CONNECTING, STREAM_OPEN, STREAM_CLOSING, STREAM_N_STATES };

struct stream_ops {
    void (*on_connected)(void *owner);
    void (*on_bytes)(void *owner, const uint8_t *bytes, size_t n_bytes);
    /* The kernel has accepted n_bytes of the send in flight; `is_done`: all of them. */
    void (*on_taken)(void *owner, size_t n_bytes, bool is_done);
    /* Positive errno (0: the peer closed, or stream_close() was called) and what failed. */
    void (*on_closed)(void *owner, int error, const char *what);
};

/* Embedded in its owner. */
struct stream {
    struct loop *loop;
    const struct stream_ops *ops;
    void *owner;
    enum stream_state state;
    int fd;
    int error;        /* why it is closing */
    const char *what; /* a literal */
    struct sockaddr_storage address;
    struct loop_timer deadline;
    struct loop_op connecting;
    struct loop_op receiving;
    struct loop_op sending;
    struct msghdr message;
    struct iovec iov[STREAM_MAX_IOV];
};

const char *stream_state_name(enum stream_state state);

void stream_init(
    struct stream *stream, struct loop *loop, const struct stream_ops *ops, void *owner);

/* IDLE: starts to connect, to be done by `deadline_ns` (CLOCK_NEVER: the kernel's own patience). A
 * negative errno: it could not even start, and is still IDLE. */
int stream_connect(struct stream *stream, const struct sockaddr *address, socklen_t n_address,
    uint64_t deadline_ns) MUST_USE;

/* OPEN, and no send in flight: sends the bytes under the iovecs, of which the array is copied and
 * the bytes are not. Failures come as on_closed. */
void stream_send(struct stream *stream, const struct iovec *iov, int n_iov);

static inline bool stream_is_sending(const struct stream *stream)
{
    return stream->sending.is_busy;
}

/* Ends it, dropping what is in flight. on_closed follows, in a later turn. Nothing in IDLE,
 * CLOSING. */
void stream_close(struct stream *stream);

#endif
