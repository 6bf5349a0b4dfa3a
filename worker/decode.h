/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a message what its backend's `encoding` says? Looked at where it lies and never changed: what
 * the answer needs around it is the front's to add.
 *
 *   JSON              one object          JSON_COLLECTION   one array
 *   SAFEJSON          any one value       STRING, NO_OP     any bytes
 *
 * Where JSON is wanted, `null` and a message of nothing but white space say "nothing", which is no
 * mistake; the second gives an empty slice.
 */
#ifndef LEVERET_WORKER_DECODE_H
#define LEVERET_WORKER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leveret/plan.h>

#include "shm/cleanup.h"

/* What of the body is the message: offset and length. */
struct decode_part {
    size_t at;
    size_t n_bytes;
};

/* The part that the answer shows, without white space around it where it is JSON. False: it cannot
 * be decoded. One pass over the body. */
bool decode(enum plan_encoding encoding, const uint8_t *body, size_t n_bytes,
    struct decode_part *part) MUST_USE;

#endif
