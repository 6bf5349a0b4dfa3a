/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret run`: reads the configuration, prepares all that the supervisor needs, and lets it run.
 */
#ifndef LEVERET_RUN_H
#define LEVERET_RUN_H

#include "options.h"

/* Returns the exit status: 0 drained; 1 it could not start, or not all was finished in time. What
 * went wrong is on standard error. `argv`: of the process, which executes it again on SIGUSR2. */
int run(const struct options *options, char *const *argv) MUST_USE;

#endif
