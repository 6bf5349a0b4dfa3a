/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that a test starts and ends. It dies with the thread that started it, inherits no
 * descriptor but the standard three, and its end is an event (a pidfd), not a guess.
 *
 *   child_start -> child_signal* -> child_wait | child_kill
 */
#ifndef LEVERET_TESTS_CHILD_H
#define LEVERET_TESTS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none */
    int pidfd;
    int code; /* once it has ended: its exit code, or minus the signal that killed it */
    bool is_apart;
};

struct child_program {
    const char *const *argv; /* argv[0] is a path; NULL-terminated */
    const char *const *env;  /* NULL-terminated; NULL: ours */
    const char *folder;      /* to run in; NULL: ours */
    const char *output;      /* a file that stdout and stderr are appended to; NULL: ours */
    bool is_apart;           /* in a session of its own: Ctrl-C is not for it */
};

void child_start(struct child *child, const struct child_program *program);

void child_signal(const struct child *child, int signal);

/* True when it has ended, and then `code` is known; false at the deadline. */
bool child_wait(struct child *child, uint64_t deadline_ns);

/* Ends it with SIGKILL unless it has ended already; one that is apart with all that is in its
 * session's first group. Harmless on one that never was. */
void child_kill(struct child *child);

/* SIGSTOP to any process; returns when each of its threads has stopped, which the kernel does not
 * do at once. SIGCONT undoes it. */
void process_freeze(pid_t pid);
void process_thaw(pid_t pid);

/* What it has in memory now, shared pages that it has touched included. */
long process_resident_kib(pid_t pid);

/* The same without what it shares or has from a file: its heap and its stack. */
long process_own_kib(pid_t pid);

static inline bool child_is_running(const struct child *child)
{
    return child->pid != 0;
}

#endif
