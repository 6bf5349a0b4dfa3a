/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret stats`: the figures of a sidecar that runs, once or again and again. It needs no
 * configuration, only the address of the admin listener, and it changes nothing there.
 *
 * Once, a sidecar that does not answer is a failure. Live, it is one only at the start; later the
 * last page stays, with what is wrong, until there is a sidecar again. Ends by a signal then.
 */
#ifndef LEVERET_STATS_H
#define LEVERET_STATS_H

#include "options.h"

/* Returns the exit status. What went wrong is on standard error. */
int stats_run(const struct options *options) MUST_USE;

#endif
