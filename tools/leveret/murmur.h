/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child's libraries write to its standard error: libh2o prints there what a client has sent.
 * It comes through a pipe of its own and becomes a value in a line of ours,
 *
 *      child-says child="front" text="..."
 *
 * so that whoever writes it can neither forge a line nor command a terminal; log_often() bounds how
 * many there are. The child's own lines go past this, to LEVERET_LOG_FD (<leveret/control.h>).
 *
 * The child never waits: what the pipe does not take is lost.
 */
#ifndef LEVERET_MURMUR_H
#define LEVERET_MURMUR_H

#include <stddef.h>

#include "shm/cleanup.h"

enum { MURMUR_LINE_BYTES = 512 };

struct murmur {
    int fd; /* our end; -1: none */
    size_t n;
    char line[MURMUR_LINE_BYTES + 1]; /* what has come of it; a longer one is shown in pieces */
};

void murmur_init(struct murmur *murmur);

/* A pipe; the child's end, closed on exec, becomes the caller's. 0 or negative errno. */
int murmur_open(struct murmur *murmur, int *theirs) MUST_USE;

/* It is readable: log whole lines. One read, so that nobody talks the others down. `child` names it,
 * and its address tells it from others. */
void murmur_hear(struct murmur *murmur, const char *child);

/* The child is dead: log what is left, and close. Nothing when there is none. */
void murmur_end(struct murmur *murmur, const char *child);

/* Close without a word. */
void murmur_done(struct murmur *murmur);

#endif
