/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (landlock(7)): the files that a process may still read, and nothing else of files; no
 * TCP port that it may bind, and, unless it connects for a living, none that it may connect to.
 * What is open already stays so.
 *
 * The kernel's generation of it (its ABI) decides what there is to give up: files from Linux 5.13
 * on, ports from 6.7 (ABI 4), ioctl(2) on devices from 6.10 (5), abstract unix sockets of others
 * from 6.12 (6).
 */
#ifndef LEVERET_SHM_LANDLOCK_H
#define LEVERET_SHM_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/cleanup.h"

struct landlock {
    const char *const *readable; /* files, or folders with all that is beneath; may be missing */
    size_t n_readable;
    bool may_connect; /* to TCP ports */
};

/* For the calling thread and those that it will start, for good, once PR_SET_NO_NEW_PRIVS is set.
 * The ABI that it was done with, from 1 on, or -ENOSYS, -EOPNOTSUPP: there is none here; or another
 * negative errno. */
int landlock_restrict(const struct landlock *landlock) MUST_USE;

#endif
