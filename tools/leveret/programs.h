/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of the children, leveret-front and leveret-worker: beside this program, where the
 * build leaves them, or where they are installed, in this order. All are seen from this program's
 * own place, so that a build folder and an installed tree may be moved.
 *
 * They are opened at the start and executed from there ever after: when the files are replaced, a
 * child that dies gets a successor of the version that this program speaks with, until this program
 * is executed anew, too (upgrade.h).
 */
#ifndef LEVERET_PROGRAMS_H
#define LEVERET_PROGRAMS_H

#include <limits.h>
#include <stdint.h>

#include "shm/cleanup.h"

struct program {
    char path[PATH_MAX]; /* where it was found: for the log */
    int fd;              /* -1: none */
};

struct programs {
    struct program front, worker;
};

#define PROGRAMS_NONE ((struct programs){.front.fd = -1, .worker.fd = -1})

/* The one at this path. Negative errno: it is not there, or not to be executed. */
int program_open(struct program *program, const char *path) MUST_USE;

/* Executes it with one option (`--version` shows that its libraries are there) and waits for its end
 * until `deadline_ns`, when it is killed. Nobody reads its standard output. Negative errno: no
 * trial. */
enum program_trial {
    PROGRAM_STARTS,
    PROGRAM_FAILS, /* *status: its exit status, or minus the signal that ended it */
    PROGRAM_DOES_NOT_END
};
int program_try(
    const struct program *program, const char *option, uint64_t deadline_ns, int *status) MUST_USE;

/* Both, seen from `folder`, that of this program. 0; -ENOENT: *missing names the one that is
 * nowhere. */
int programs_open(const char *folder, struct programs *programs, const char **missing) MUST_USE;
void programs_close(struct programs *programs);

/* The folder of the running program. Negative errno; -ENAMETOOLONG. */
int programs_folder(char folder[PATH_MAX]) MUST_USE;

#endif
