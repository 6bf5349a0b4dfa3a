/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring as the loop sees it: operations are queued, submitted and waited for in one system call,
 * and reported through struct loop_op. This header and its source are the only ones that know it;
 * another backend would offer the same calls.
 *
 * Needs Linux 6.1: multishot receive, a ring of provided buffers, and completions that are worked
 * off by the thread that waits for them (DEFER_TASKRUN).
 */
#ifndef LEVERET_WORKER_URING_H
#define LEVERET_WORKER_URING_H

#include <stdint.h>
#include <sys/socket.h>

#include "shm/cleanup.h"

#include "loop.h"

struct uring;

/* -EPERM: refused by policy; -ENOSYS: no io_uring, or one too old; -ENOMEM and the like. */
int uring_new(struct uring **out, uint32_t n_buffers, uint32_t buffer_bytes) MUST_USE;
void uring_free(struct uring *uring);

/* Each queues one operation, to be submitted by the next wait. -EAGAIN: the kernel takes none. */
int uring_connect(struct uring *uring, struct loop_op *op, int fd, const struct sockaddr *address,
    socklen_t n_address) MUST_USE;
int uring_receive(struct uring *uring, struct loop_op *op, int fd) MUST_USE;
int uring_send(
    struct uring *uring, struct loop_op *op, int fd, const struct msghdr *message) MUST_USE;
int uring_cancel(struct uring *uring, struct loop_op *op) MUST_USE;

/* Ends, with a result >= 0, when the fd is readable or hung up. */
int uring_poll(struct uring *uring, struct loop_op *op, int fd) MUST_USE;

/* Submits what is queued and sleeps for at most wait_ns (CLOCK_NEVER: no limit) until something has
 * completed. Being interrupted is no error. */
int uring_wait(struct uring *uring, uint64_t wait_ns) MUST_USE;

/* Reports what has completed by now. */
void uring_dispatch(struct uring *uring);

#endif
