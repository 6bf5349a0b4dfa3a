/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intake: what the HTTP library parsed, made into a request with its parts, or refused.
 *
 *   head (guard.h) ─▶ route (route.h) ─▶ size of the body ─▶ fields (fields.h) ─▶ visit_submit()
 *       400, 431         404, 405, 307        413                 400
 *
 * Nothing is sent before all of it holds.
 */
#ifndef LEVERET_FRONT_INTAKE_H
#define LEVERET_FRONT_INTAKE_H

#include <h2o.h>

#include "shm/cleanup.h"

struct front;

/* Where the fields of a message are written before it is known how large they are. There is one,
 * for no request comes between the lines of another's intake. */
struct intake_room {
    char *scratch;
    uint8_t *fields;
    size_t bytes; /* of each */
};

/* Enough for any head of `max_header_bytes`; touched on demand. 0 or -ENOMEM. */
int intake_room_init(struct intake_room *room, size_t max_header_bytes) MUST_USE;

/* How many bytes, head included, the request may have that begins with these `n`, whose head is
 * complete; 0: it says itself that it will have too many. */
size_t intake_bound(struct front *front, const char *bytes, size_t n);

/* Serve a request; it is answered now or later, through a visit. `refusal` is library.h's. */
void intake_serve(struct front *front, h2o_req_t *req, int refusal);

#endif
