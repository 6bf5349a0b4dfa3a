/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front without a supervisor: it drains and leaves, and the workers leave when it has. One that
 * is stopped or hangs cannot, and nobody else is there to end it. So each is called when the
 * supervisor is found gone; until it has turned its loop once the front stays, and one that has not
 * done so when the drain's time is up is killed. A front that hangs is its workers' to kill.
 */
#ifndef LEVERET_FRONT_ALONE_H
#define LEVERET_FRONT_ALONE_H

#include <stdbool.h>
#include <stdint.h>

struct front;

struct alone {
    uint64_t *beats; /* of each worker, when it was called; NULL: there is a supervisor */
};

/* The supervisor is gone: call the workers. Once. */
void alone_begin(struct front *front);

/* Has each worker that lives answered, or was none called? */
bool alone_is_over(const struct front *front);

/* Kill those that have not. */
void alone_end(struct front *front);

#endif
