/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child's place in the supervisor and the process that fills it, one after the other.
 *
 *      DOWN ──start──▶ STARTING ──ready──▶ SERVING
 *       ▲                 ├─────leave──────────┴──▶ LEAVING
 *       │                 └────condemn─────────┴───────┴──▶ DOOMED
 *       └── bury, from any of them: the pidfd says that it is dead
 *
 * The process inherits descriptors 0 to 2 (0 is /dev/null), its control socket, the page for its
 * last words (<leveret/last_words.h>), and nothing else; where its standard error is heard
 * (murmur.h), ours as LEVERET_LOG_FD, too.
 *
 * It starts with SIGINT, SIGTERM, SIGHUP, SIGUSR2 and SIGPIPE ignored: a terminal sends the first, a
 * service manager the second to every process of the group, `pkill leveret` whatever it is told to
 * all of that name, and none may cut short what the supervisor leads over the control socket. When
 * the supervisor itself dies there is no signal either, but the end of file, and the child drains.
 *
 * Nothing here logs, except the new process when it cannot execute its program.
 */
#ifndef LEVERET_CHILD_H
#define LEVERET_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "murmur.h"
#include "programs.h"
#include "shm/cleanup.h"
#include "shm/control.h"
#include "shm/deadline.h"
#include "shm/last_words.h"
#include "throttle.h"

enum child_state {
    CHILD_DOWN,
    CHILD_STARTING,
    CHILD_SERVING,
    CHILD_LEAVING, /* was told to drain */
    CHILD_DOOMED,  /* was sent SIGKILL */
    CHILD_N_STATES
};

struct child {
    char name[20]; /* "front", "worker 3": for the log */
    const struct program *program;
    char *const *environment; /* borrowed; NULL: ours */
    enum child_state state;
    pid_t pid;      /* of the process; this and what follows is valid in all states but DOWN */
    int pidfd;      /* readable when it is dead */
    int control;    /* our end; -1 also when the child has closed its own */
    int last_words; /* the page */
    bool is_heard;  /* set by the owner: its standard error is a pipe to us */
    struct murmur murmur;
    uint64_t started_ns;
    bool was_ready;
    unsigned n_missed;        /* beats, in a row */
    unsigned n_starts;        /* of processes in this place */
    struct throttle throttle; /* of the place */
    struct deadline deadline; /* DOWN: start it; LEAVING: it must have left */
};

/* How a process ended. */
struct obituary {
    pid_t pid;
    int signal; /* that killed it, or 0 */
    int status; /* that it exited with, when no signal did */
    uint64_t lived_ns;
    enum child_state last_state;
    bool was_ready;
    bool has_words; /* the process has said what ended it: */
    struct last_words words;
};

/* `program` is borrowed for the child's life; NULL: it is never started. */
void child_init(struct child *child, const char *name, const struct program *program);

/* Let go of it: a process that still runs sees the end of file. */
void child_done(struct child *child);

/* Whom lanes and messages may be sent: STARTING or SERVING. */
bool child_is_live(const struct child *child);

/* Start a process in the empty place. 0 and STARTING, or negative errno and DOWN. */
int child_start(struct child *child, uint64_t now_ns) MUST_USE;

/* Fill the empty place with a process that another program has started in this one's place:
 * SERVING, as far as anybody knows. The descriptors are taken. */
struct heritage_child;
void child_adopt(struct child *child, const struct heritage_child *heir, uint64_t now_ns);

/* Send it a message. 0; -EAGAIN: it does not read; another negative errno: it is gone. */
int child_tell(struct child *child, const struct control_message *message,
    const struct control_fds *fds) MUST_USE;

/* It said READY: STARTING to SERVING. It was told DRAIN: to LEAVING. */
void child_ready(struct child *child);
void child_leave(struct child *child);

/* SIGKILL: to DOOMED. It may be dead already. */
void child_condemn(struct child *child);

/* Its socket said that nothing will come any more: close ours. */
void child_hang_up(struct child *child);

/* Collect the dead one: CHILD_IS_DEAD fills *obituary and empties the place. */
enum child_outcome { CHILD_IS_DEAD, CHILD_IS_ALIVE };
enum child_outcome child_bury(
    struct child *child, uint64_t now_ns, struct obituary *obituary) MUST_USE;

#endif
