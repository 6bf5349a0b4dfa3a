/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where leveret-front and leveret-worker are: beside this program, where the build leaves them, or
 * where they are installed, in this order. All are seen from this program's own place, so that a
 * build folder and an installed tree may be moved.
 */
#ifndef LEVERET_PROGRAMS_H
#define LEVERET_PROGRAMS_H

#include <limits.h>

#include "shm/cleanup.h"

struct programs {
    char front[PATH_MAX];
    char worker[PATH_MAX];
};

/* Seen from `folder`, that of this program. 0; -ENOENT: *missing names the one that is nowhere. */
int programs_find(const char *folder, struct programs *programs, const char **missing) MUST_USE;

/* The folder of the running program. Negative errno; -ENAMETOOLONG. */
int programs_folder(char folder[PATH_MAX]) MUST_USE;

#endif
