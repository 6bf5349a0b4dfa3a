/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's one loop: everything that a worker waits for, it waits for here.
 *
 * A turn, and what runs in which part of it:
 *
 *    ┌─▶ WORK hooks ─▶ FLUSH hooks ─▶ PARK hooks ─▶ submit, wait ─▶ completions ─▶ timers ─┐
 *    │   drain rings   one send per   say "parked", one system      callbacks of   that    │
 *    │                 connection     look again    call            operations     are due │
 *    └─────────────────────────────────────────────────────────────────────────────────────┘
 *
 * A hook that returns true has more to do: the turn then does not sleep.
 *
 * Below it lies io_uring, or epoll where that is refused, chosen at start; neither shows here. The
 * interface is one of completions: an operation is started, runs, and ends exactly once. Whatever it
 * refers to (its struct, an address, a message to send and the bytes under it) stays where it is
 * until then, and its descriptor stays open.
 *
 * One thread, the one that made the loop. Nothing here blocks but the wait itself. Callbacks may
 * start and cancel whatever they like, and free whatever is not busy.
 */
#ifndef LEVERET_WORKER_LOOP_H
#define LEVERET_WORKER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <leveret/io.h>

#include "shm/cleanup.h"
#include "shm/deadline.h"

struct loop;

struct loop_config {
    enum io io;            /* what to wait on */
    uint32_t n_buffers;    /* receive buffers shared by all sockets; a power of two up to 32768 */
    uint32_t buffer_bytes; /* size of each */
    uint32_t n_timers;     /* armed at a time, at most */
};

#define LOOP_CONFIG_DEFAULT                                                                        \
    ((struct loop_config){.n_buffers = 32, .buffer_bytes = 32768, .n_timers = 16384})

/* ---- a life -------------------------------------------------------------------------------- */

/* Sets up the loop. With IO_URING -EPERM, -EACCES or -ENOSYS: io_uring is refused here (a
 * container's seccomp profile, a sysctl) or too old; with any -ENOMEM, -EMFILE. loop_explain()
 * turns it into a sentence for the log. Free with loop_free(). */
int loop_new(struct loop **out, const struct loop_config *config) MUST_USE;

/* Only when no operation is busy, or when the process is about to end. NULL is fine. */
void loop_free(struct loop *loop);

/* "io_uring" or "epoll": what it waits on. */
const char *loop_io(const struct loop *loop);

/* With IO_AUTO, why io_uring could not be set up, as IO_URING would have said it; else 0. */
int loop_refusal(const struct loop *loop);

/* What a negative result of loop_new(), or a refusal, means and what to do about it. */
const char *loop_explain(int error);

/* One turn; sleeps until something happens, but not past `deadline_ns` (CLOCK_NEVER: as long as it
 * takes). A negative errno means that the loop is broken for good. */
int loop_turn(struct loop *loop, uint64_t deadline_ns) MUST_USE;

/* The monotonic time at which this turn's wait ended: one clock for all that one turn does. */
uint64_t loop_now_ns(const struct loop *loop);

/* ---- timers -------------------------------------------------------------------------------- */

/* Embedded in its owner: zero-initialise, then fill the owner's two fields. */
struct loop_timer {
    void (*on_due)(void *owner);
    void *owner;
    struct deadline deadline; /* the loop's */
};

/* Arms, or moves, the timer to `due_ns`; CLOCK_NEVER disarms. It fires once, never before its
 * time, from the end of a turn; the callback may arm it again. At most n_timers at a time. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_ns);

/* ---- hooks --------------------------------------------------------------------------------- */

enum loop_phase { LOOP_WORK, LOOP_FLUSH, LOOP_PARK, LOOP_N_PHASES };

/* Embedded in its owner. `run` returns true when there is more to do than it has done. */
struct loop_hook {
    bool (*run)(void *owner);
    void *owner;
    struct loop_hook *next; /* the loop's */
};

/* Within a phase hooks run in the order of their adding. A hook may remove itself, not another. */
void loop_hook_add(struct loop *loop, enum loop_phase phase, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, enum loop_phase phase, struct loop_hook *hook);

/* ---- watches ------------------------------------------------------------------------------- */

struct loop_watch;

/* Calls on_ready in every turn in which `fd` (an eventfd, a pidfd, a control socket) is readable or
 * hung up, for as long as it stays so. NULL: no memory. The fd stays the caller's, who frees the
 * watch before closing it and has one at a time on it. */
struct loop_watch *loop_watch_new(
    struct loop *loop, int fd, void (*on_ready)(void *owner), void *owner);

/* No callback comes after this. NULL is fine. */
void loop_watch_free(struct loop *loop, struct loop_watch *watch);

/* ---- operations on sockets (stream.c is their user) ------------------------------------------ */

/* What an operation reports. */
struct loop_event {
    int result;           /* bytes, or 0, or a negative errno */
    bool is_last;         /* the operation is over: its struct may be used again, or freed */
    const uint8_t *bytes; /* what was received; the loop's again once the callback returns */
};

struct loop_op;
struct epoll;

/* What io_uring keeps in the kernel, epoll.c keeps here. */
struct loop_attempt {
    int epoll; /* that tells when to try again */
    int fd;
    void (*try_again)(struct epoll *epoll, struct loop_op *op);
    const struct msghdr *message; /* a send's */
    size_t n_sent;                /* of it */
    bool has_ended;
    int result;           /* once it has ended */
    struct loop_op *next; /* of those that have ended */
};

struct loop_op {
    void (*on_event)(void *owner, const struct loop_event *event);
    void *owner;
    bool is_busy;                /* the loop's: started, last event not reported yet */
    struct loop_attempt attempt; /* the loop's, while it is busy */
};

/* Starts to connect; ends with result 0 or -errno. */
int loop_connect(struct loop *loop, struct loop_op *op, int fd, const struct sockaddr *address,
    socklen_t n_address) MUST_USE;

/* Receives again and again into the loop's buffers, n_buffers of them in a turn at most. Result > 0:
 * bytes; 0: the peer has closed; -ENOBUFS: no buffer was free just then, start it again. */
int loop_receive(struct loop *loop, struct loop_op *op, int fd) MUST_USE;

/* Sends all of `message`, which stays in place until the end. The result may still be short, when
 * the socket failed half-way. At most one at a time on a socket: two were seen to interleave. */
int loop_send(struct loop *loop, struct loop_op *op, int fd, const struct msghdr *message) MUST_USE;

/* Asks a busy operation to end; its last event comes in a later turn, -ECANCELED unless it was
 * quicker. */
int loop_cancel(struct loop *loop, struct loop_op *op) MUST_USE;

#endif
