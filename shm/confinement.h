/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process gives up what it will not need any more: whoever takes it over gets no more than what
 * it has open. In this order, each layer with what it keeps away:
 *
 *      CORE       no core dump, no ptrace, no look into its memory by others of the same user
 *      USER       root becomes another user, without groups; nobody else changes
 *      RIGHTS     no capability, none to be had again; no_new_privs, so no setuid program helps
 *      LANDLOCK   no file but those named, no TCP port (shm/landlock.h)
 *      FILTER     no system call but those listed (shm/filter.h)
 *
 * It is done once, when all is open and made that needs more, and before the process serves or
 * starts a thread: Landlock holds the threads that come later, not those that are there.
 *
 * A layer that cannot be had (an old kernel, a container's seccomp profile, a user namespace with
 * one user) is left out and told of; the others hold all the same.
 *
 * A build whose instruments write files and call what no program does (coverage, sanitizers) is
 * made with LEVERET_INSTRUMENTED and confines nothing.
 */
#ifndef LEVERET_SHM_CONFINEMENT_H
#define LEVERET_SHM_CONFINEMENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "shm/cleanup.h"
#include "shm/filter.h"
#include "shm/landlock.h"

enum confinement_layer {
    CONFINEMENT_CORE,
    CONFINEMENT_USER,
    CONFINEMENT_RIGHTS,
    CONFINEMENT_LANDLOCK,
    CONFINEMENT_FILTER,
    CONFINEMENT_N_LAYERS
};

enum { CONFINEMENT_MAX_FILTERS = 2 };

struct confinement {
    uid_t uid; /* whom root becomes; 0: root it remains */
    gid_t gid;
    struct landlock landlock;
    const struct filter_table *filters; /* beside what every process needs */
    size_t n_filters;                   /* at most CONFINEMENT_MAX_FILTERS */
};

/* Of each layer 0, or the negative errno it was refused with; LANDLOCK: its ABI. */
struct confinement_report {
    int layers[CONFINEMENT_N_LAYERS];
};

void confine(const struct confinement *confinement, struct confinement_report *report);

/* The CORE layer alone: for whoever holds secrets and must keep the rest. 0 or negative errno. */
int confine_core(void) MUST_USE;

/* "core", "user" ... */
const char *confinement_layer_name(enum confinement_layer layer);

/* False: the build is instrumented, and confine() does nothing. */
bool confinement_is_possible(void);

#endif
