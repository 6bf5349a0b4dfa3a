/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's figures (<leveret/figures.h>), taken over from the one in whose place it stands: what
 * that one had begun and not ended is concluded, so that all that is open from now on is this
 * process's own.
 */
#ifndef LEVERET_WORKER_BOOKS_H
#define LEVERET_WORKER_BOOKS_H

#include "shm/cleanup.h"
#include "shm/figures.h"
#include "shm/plan.h"

/* Join the segment behind `fd`, which stays the caller's, for a worker with this plan. What
 * figures_join() says. */
int books_open(struct figures *figures, int fd, const struct plan *plan) MUST_USE;

#endif
