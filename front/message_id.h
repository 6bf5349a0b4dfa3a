/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids for messages: UUID version 7 (RFC 9562, 5.7), a time in milliseconds and 74 bits behind it.
 *
 * Ids of one source only grow, also within a millisecond and when the wall clock steps back (6.2,
 * method 2: a counter that starts at a random value and grows by random steps). Randomness is taken
 * from the kernel in blocks; once a source is open nothing on a request's way can fail.
 */
#ifndef LEVERET_FRONT_MESSAGE_ID_H
#define LEVERET_FRONT_MESSAGE_ID_H

#include <stdint.h>

#include "shm/cleanup.h"

#include "slice.h"

enum { MESSAGE_ID_BYTES = 36 }; /* "018f2f4e-7b6a-7c3d-9a1b-5e0c4d2f8a67" */

/* Embedded in its owner; one thread. */
struct message_id_source {
    uint64_t last_ms; /* of the last id */
    uint64_t low;     /* its last 62 bits */
    uint16_t high;    /* the 12 bits before them */
    uint16_t n_left;  /* unused bytes of random */
    uint8_t random[256];
};

/* Fill the source for the first time. Negative errno: the kernel gives no randomness. */
int message_id_open(struct message_id_source *source) MUST_USE;

/* The next id, at the wall clock's time, into `out`. */
struct slice message_id_next(struct message_id_source *source, char out[MESSAGE_ID_BYTES]);

/* 64 random bits of the source, for ids of other kinds. */
uint64_t message_id_bits(struct message_id_source *source);

/* The next id at `now_ms` since 1970. */
struct slice message_id_at(
    struct message_id_source *source, uint64_t now_ms, char out[MESSAGE_ID_BYTES]);

#endif
