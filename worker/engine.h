/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a loop waits on: io_uring (uring.c), or epoll where that is refused (epoll.c). The loop makes
 * one of them and speaks to it through its table; nobody else knows that there are two.
 *
 * Both keep the promises of loop.h: an operation that was started reports through its struct
 * loop_op, from dispatch() alone, and exactly one of its reports is the last. A call that fails has
 * started nothing.
 */
#ifndef LEVERET_WORKER_ENGINE_H
#define LEVERET_WORKER_ENGINE_H

#include <stdint.h>
#include <sys/socket.h>

#include "shm/cleanup.h"

#include "loop.h"

struct engine;

struct engine_ops {
    const char *name; /* for the log */
    void (*free)(struct engine *engine);
    /* As loop_connect() and its sisters are described. -EAGAIN: the kernel takes none now. */
    int (*connect)(struct engine *engine, struct loop_op *op, int fd,
        const struct sockaddr *address, socklen_t n_address);
    int (*receive)(struct engine *engine, struct loop_op *op, int fd);
    int (*send)(struct engine *engine, struct loop_op *op, int fd, const struct msghdr *message);
    int (*cancel)(struct engine *engine, struct loop_op *op);
    /* Reports a result >= 0 when the fd is readable or hung up; unless that was its last report, in
     * each turn in which it is so. */
    int (*poll)(struct engine *engine, struct loop_op *op, int fd);
    /* Sleeps for at most wait_ns (CLOCK_NEVER: no limit), or a millisecond longer, until there is
     * something to report. Being interrupted is no error. */
    int (*wait)(struct engine *engine, uint64_t wait_ns);
    /* Reports what there is by now; what the callbacks cause is for the next turn. */
    void (*dispatch)(struct engine *engine);
};

/* The first member of both. */
struct engine {
    const struct engine_ops *ops;
};

/* -EPERM, -EACCES: io_uring is refused by policy; -ENOSYS: there is none, or one too old; -ENOMEM
 * and the like. */
int uring_new(struct engine **out, uint32_t n_buffers, uint32_t buffer_bytes) MUST_USE;

/* -EMFILE, -ENOMEM and the like. */
int epoll_new(struct engine **out, uint32_t buffer_bytes) MUST_USE;

#endif
