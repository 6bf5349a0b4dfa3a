/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor executes the program that now stands where its own came from, with the same
 * command line, and so becomes it: same process id, same children (heritage.h).
 *
 *              upgrade_rehearse()             upgrade_heard(): status 0
 *   IDLE ─────────────────────────▶ REHEARSING ──────────────────────────▶ upgrade_execute()
 *    ▲                                   │ any other end, or its time is up
 *    └───────────────────────────────────┘
 *
 * There is no way back from an exec, so the new program is tried beforehand: `--rehearse N` has it
 * do all that could go wrong, from reading the file to understanding a heritage of version N,
 * without a change to anything, and a program too old to know that refuses.
 */
#ifndef LEVERET_UPGRADE_H
#define LEVERET_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "heritage.h"
#include "shm/clock.h"

#define UPGRADE_REHEARSAL_NS (20 * CLOCK_S)

struct upgrade {
    char *const *argv;    /* of this process; borrowed */
    int pidfd;            /* of the rehearsal, readable when it has ended; -1: IDLE */
    uint64_t deadline_ns; /* of the rehearsal; CLOCK_NEVER: IDLE */
};

void upgrade_init(struct upgrade *upgrade, char *const *argv);

/* Ends the rehearsal, if there is one. */
void upgrade_done(struct upgrade *upgrade);

static inline bool upgrade_is_rehearsing(const struct upgrade *upgrade)
{
    return upgrade->pidfd >= 0;
}

/* IDLE: start the new program's rehearsal. 0 or negative errno. */
int upgrade_rehearse(struct upgrade *upgrade, uint64_t now_ns) MUST_USE;

/* REHEARSING: how did it end? */
enum upgrade_outcome {
    UPGRADE_PASSED, /* IDLE again, like with the next one */
    UPGRADE_FAILED, /* *status: its exit status, or minus the signal that ended it */
    UPGRADE_GOES_ON
};
enum upgrade_outcome upgrade_heard(struct upgrade *upgrade, int *status) MUST_USE;

/* Become the new program. Returns only when that cannot be: negative errno, nothing has changed. */
int upgrade_execute(const struct upgrade *upgrade, const struct heritage *heritage) MUST_USE;

#endif
