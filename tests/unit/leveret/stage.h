/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real supervisor in a process of its own, with puppets for children (puppet.c), and a test that
 * pulls the strings: it meets each child as it starts, reads what that child was told, and says
 * what it does. Everything is waited for, with one deadline far away; a test that fails takes all
 * of its processes with it.
 */
#ifndef LEVERET_TESTS_STAGE_H
#define LEVERET_TESTS_STAGE_H

#include <sys/types.h>

#include "supervisor.h"

enum { STAGE_MAX_RENEWED = 4 };

struct stage {
    struct outfit *outfit; /* of the first generation; may be changed before stage_start() */
    struct supervisor_patience patience; /* likewise */
    struct listeners listeners;
    struct listener *listener; /* the outfit's only one */
    /* What a SIGHUP finds, one after the other; NULL: a bad file. Made with stage_outfit(). */
    struct outfit *renewed[STAGE_MAX_RENEWED];
    int n_renewed;
    bool inherits; /* the front and a worker run already, as generation 4 of another program */
    int door;      /* where children report */
    int log;       /* the standard error of them all */
    char unread[16384];
    size_t n_unread;
    const char *forbidden; /* in the log; NULL: nothing is */
    pid_t supervisor;
};

struct puppet {
    int line;
    int pidfd;
    pid_t pid;
    char role[16];    /* "front", "worker" or "deaf" */
    char report[256]; /* the last one */
};

/* One front and `n_workers` puppets on a free port; the supervisor is not yet running. */
void stage_init(struct stage *stage, unsigned n_workers);
void stage_start(struct stage *stage);

/* The program at this path, opened if it is there; it stays the stage's. */
const struct program *stage_program(const char *path);

/* Another outfit, on a listener that was wanted like the first. */
struct outfit *stage_outfit(struct stage *stage, unsigned n_workers);

/* The same with a program in the supervisor's place, by its command line. */
void stage_execute(struct stage *stage, const char *command);
void stage_done(struct stage *stage);

/* The next child that was started. */
struct puppet stage_meet(struct stage *stage);

/* The next line of the log that holds `text`. */
const char *stage_log(struct stage *stage, const char *text);

/* From now on a line with this text, passed on the way to another, fails the test. */
void stage_forbids(struct stage *stage, const char *text);

/* Signal the supervisor; its exit status, once it has ended (minus the signal that killed it). */
void stage_signal(const struct stage *stage, int signal);
int stage_wait(struct stage *stage);

/* Stop the supervisor between two instructions, and let it go on. */
void stage_freeze(const struct stage *stage);
void stage_thaw(const struct stage *stage);

/* The next thing that the supervisor told the child; asserted to begin like this. */
const char *puppet_hears(struct puppet *puppet, const char *beginning);

/* The same, past whatever else it was told before. */
void puppet_hears_at_last(struct puppet *puppet, const char *beginning);

/* A number in the last report, behind "key=". */
long puppet_number(const struct puppet *puppet, const char *key);

/* An order, see puppet.c. */
void puppet_do(const struct puppet *puppet, const char *order);

/* Send a signal to it; wait until its parent can know that it is dead. */
void puppet_kill(const struct puppet *puppet, int signal);
void puppet_dies(const struct puppet *puppet);

/* Nothing was told that is not read yet. */
bool puppet_hears_nothing(const struct puppet *puppet);

/* Let go of it. */
void puppet_forget(struct puppet *puppet);

#endif
