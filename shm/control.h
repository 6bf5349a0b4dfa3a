/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a control socket: whole messages with their descriptors; the protocol stands in
 * <leveret/control.h>. Both ends are non-blocking.
 */
#ifndef LEVERET_SHM_CONTROL_H
#define LEVERET_SHM_CONTROL_H

#include <leveret/control.h>

#include "shm/cleanup.h"

struct control_fds {
    int fd[CONTROL_MAX_FDS]; /* -1 where there is none */
    unsigned n;
};

enum control_outcome {
    CONTROL_OK,
    CONTROL_NOTHING,   /* no message now */
    CONTROL_CLOSED,    /* the peer is gone */
    CONTROL_MALFORMED, /* a message of the wrong size, an unknown kind, or with the wrong
                          descriptors */
};

/* A pair of connected sockets, closed on exec, non-blocking. 0 or negative errno. */
int control_pair(int fd[2]) MUST_USE;

/* Send one message; descriptors stay the caller's. 0; -EAGAIN when the peer does not read; -EPIPE
 * or another negative errno when it is gone. */
int control_send(
    int socket, const struct control_message *message, const struct control_fds *fds) MUST_USE;

/* Receive one message. Descriptors become the caller's with CONTROL_OK alone and are closed on
 * exec. */
enum control_outcome control_receive(
    int socket, struct control_message *message, struct control_fds *fds) MUST_USE;

/* Wait for a message and look at it without taking it, or its descriptors. Never CONTROL_NOTHING. */
enum control_outcome control_await(int socket, struct control_message *message) MUST_USE;

/* Close every descriptor that is still there. */
void control_fds_close(struct control_fds *fds);

#endif
