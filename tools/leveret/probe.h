/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret probe`: one question to the admin listener, for the exec probes of a container: is the
 * sidecar alive, ready, started? Yes is exit status 0 and silence; no is 1 and one line with the
 * reasons, where `kubectl describe` shows it. No answer, or one that no sidecar gives, is no, too.
 */
#ifndef LEVERET_PROBE_H
#define LEVERET_PROBE_H

#include "options.h"

/* Returns the exit status. */
int probe_run(const struct options *options) MUST_USE;

#endif
