/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a supervisor leaves to the program that is executed in its place (upgrade.h): the listening
 * sockets, and the processes that serve meanwhile. Both stay open and alive over the exec, and keep
 * their numbers; this says which they are.
 *
 *      heritage_leave() ── memfd, its number in the environment ── exec ──▶ heritage_take()
 *
 * It is the one thing that two versions of the program say to each other, so it has a number of its
 * own. What the processes themselves understand is not told: the end of file on their control
 * sockets is enough to have them leave in order, whichever version they are.
 */
#ifndef LEVERET_HERITAGE_H
#define LEVERET_HERITAGE_H

#include <stdint.h>

#include "shm/cleanup.h"

#define HERITAGE_VERSION 1u

enum { HERITAGE_MAX_LISTENERS = 64, HERITAGE_MAX_CHILDREN = 65 };

struct heritage_listener {
    int32_t fd;
    uint32_t port;        /* it has; 0: a unix socket */
    uint32_t wanted_port; /* 0: any, or a unix socket */
    int32_t mode;
    uint64_t device, inode;
    char host[256]; /* as wanted */
    char unix_path[108];
    char address[96]; /* for the log */
};

struct heritage_child {
    int32_t pid; /* 0: there is none in this place */
    int32_t pidfd, control, last_words;
};

struct heritage {
    uint32_t version;
    uint32_t generation; /* its number */
    uint32_t n_listeners, n_workers;
    uint32_t log_level, log_format;
    uint64_t drain_timeout_ns;
    struct heritage_listener listeners[HERITAGE_MAX_LISTENERS];
    struct heritage_child children[HERITAGE_MAX_CHILDREN]; /* the front, then the workers */
};

/* Write it down where the next program finds it, and let its descriptors pass. 0, or negative
 * errno and nothing has changed. heritage_keep() undoes it, when there is no next program. */
int heritage_leave(const struct heritage *heritage) MUST_USE;
void heritage_keep(const struct heritage *heritage);

/* At the start: what was left to this program, whose children its processes are. Its descriptors
 * are closed on exec again. HERITAGE_BAD: of another version, or not whole. */
enum heritage_outcome { HERITAGE_NONE, HERITAGE_TAKEN, HERITAGE_BAD };
enum heritage_outcome heritage_take(struct heritage *heritage) MUST_USE;

#endif
