/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's signals, as events that wait their turn: SIGTERM, SIGINT, SIGHUP, SIGUSR2. They
 * stay blocked over an exec, so one that comes in the middle of it is not lost.
 */
#ifndef LEVERET_SIGNALS_H
#define LEVERET_SIGNALS_H

#include "shm/cleanup.h"

/* Take them over, and SIGCHLD and SIGPIPE, of the whole process; children get their own
 * dispositions (child.h). A descriptor that is readable when one has come, or negative errno. */
int signals_open(void) MUST_USE;

/* The next one; 0: none. */
int signals_next(int fd);

#endif
