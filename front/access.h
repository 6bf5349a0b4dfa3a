/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: what became of a request, in a line of the log (shm/log.h). Of each, or of those
 * that failed: answered with 400 or more, whose client had left, or whose message went back.
 *
 *      access method=POST route=/in/{key} path=/in/a status=200 outcome=confirmed in=12 out=2
 * duration_us=1234 operation=send destination=orders routing_key=a message_id=018f2f4e-...
 *      request_id=r-1 trace_id=0af7... span_id=b7ad... peer=10.0.0.7
 *
 * In JSON the members have the names of OpenTelemetry's semantic conventions for HTTP and messaging
 * where those have one. The path is without its query. What there is none of is left out: a route
 * that was not found, a status that nobody was left to hear of; method and path of a request that
 * was refused before it had all come.
 *
 * A request is known by its id: the client's X-Request-Id, if that is one of up to 128 visible
 * characters; else its trace id; else one that is made. Where there is an access log every answer
 * of the library's tells it in X-Request-Id, so whoever complains of one can name its line.
 *
 * It costs memory and time of the requests of a front that has an access log, and none of others.
 */
#ifndef LEVERET_FRONT_ACCESS_H
#define LEVERET_FRONT_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "guard.h"
#include "message_id.h"
#include "slice.h"
#include "trace.h"

#define ACCESS_ACK "ack"
#define ACCESS_REQUEUE "requeue"

enum { ACCESS_ID_BYTES = 128 };

/* Of one request; all zero at first. The slices stay where they are until its line is written. */
struct access {
    struct slice method, path;
    const struct plan_endpoint *endpoint; /* NULL: it was not found, or none is meant */
    struct slice routing_key;             /* of the first publish */
    struct slice request_id;
    struct slice peer;
    struct trace trace;
    struct slice outcome, message_id;
    const char *settled; /* ACCESS_ACK, ACCESS_REQUEUE; NULL: nothing was delivered */
    bool is_abandoned;
    int status; /* 0: there was no answer, or nobody to hear it */
    uint64_t request_bytes, response_bytes;
    uint64_t begun_ns;
    char made_id[MESSAGE_ID_BYTES];
};

/* What it asks for; `request_id` is what the client calls it, or empty. */
void access_asked(struct access *access, const struct guard_head *head, struct slice request_id);

/* What it is answered, with so many bytes of a body. From now on it has an id. */
void access_answered(struct access *access, const struct answer *answer, uint64_t body_bytes,
    struct message_id_source *source);

/* Its client has left: whatever it is answered, nobody hears it. */
void access_abandoned(struct access *access);

/* The line, if it is one of those that are wanted. */
void access_write(const struct access *access, const struct plan *plan, uint64_t ended_ns);

#endif
