/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery that lies in the reply area, shaped for the backend that asked (shape.h): in its own
 * block when a part of it will do, else in a fresh block that takes the place of the old one.
 */
#ifndef LEVERET_WORKER_RESHAPE_H
#define LEVERET_WORKER_RESHAPE_H

#include "shm/cleanup.h"

#include "decode.h"
#include "desk.h"
#include "shape.h"
#include "tap.h"

enum reshape_outcome {
    RESHAPE_OK,        /* `message` and `part` are what to deliver */
    RESHAPE_TOO_LARGE, /* its new shape is larger than any block, or it is for its shaping */
    RESHAPE_NOT_NOW    /* no room at the moment, or its bytes were changed under our eyes */
};

/* `part`: what decode() said. Unless it returns RESHAPE_OK nothing has changed. */
enum reshape_outcome reshape(const struct shape *shape, struct desk *desk,
    struct tap_message *message, struct decode_part *part) MUST_USE;

#endif
