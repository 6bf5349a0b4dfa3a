/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket, TCP or unix, bound by the supervisor and handed to every front.
 *
 * It outlives the front that dies: who connects meanwhile waits in the kernel's line and is served
 * by the next one. The file of a unix socket is ours from listener_open() to listener_close(); one
 * that was left behind is replaced when nobody listens on it. (Two that start at the same moment on
 * the same left-behind file are not told apart.)
 */
#ifndef LEVERET_LISTENER_H
#define LEVERET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "config.h"
#include "shm/cleanup.h"

struct listener {
    int fd;           /* non-blocking, closed on exec; -1: closed */
    char address[96]; /* "127.0.0.1:8080", "[::1]:8080"; a long unix path is cut: for the log */
    uint16_t port;    /* 0: a unix socket */
    char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": TCP */
    dev_t device;                                                /* of the socket's file, to know */
    ino_t inode;                                                 /* it again */
};

/* Listen as the configuration says; port 0 takes any free one. A host that is a name is bound at
 * the first of its addresses that can be; the empty host is every interface, IPv6 and IPv4. 0, or:
 * -EADDRNOTAVAIL: no such host here. -EADDRINUSE: somebody listens there. -EEXIST: the path is
 * something else than a socket. -ENAMETOOLONG: over 107 bytes. Or another negative errno. */
int listener_open(struct listener *listener, const struct config_listener *wanted) MUST_USE;

/* Can it still be reached? False: the file of a unix socket is gone, or another's. */
bool listener_is_there(const struct listener *listener);

/* Stop listening and remove the file, unless another has taken its place. Harmless when closed. */
void listener_close(struct listener *listener);

/* The address in the configuration as a log shows it: "localhost:8080", "unix:/run/leveret". */
void listener_describe(const struct config_listener *wanted, char *text, size_t size);

#endif
