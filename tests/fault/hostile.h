/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sidecar between two brokers, both of them the test: one that behaves, and one that says what it
 * may not, row by row. After every row it is known
 *
 *   what the sidecar said on leaving, and that the same stands in its log and figures,
 *   what the request was answered that was under way,
 *   that publishing to the other broker is confirmed meanwhile,
 *   that nobody knocks at the door again before the backoff is over,
 *
 * and after the last one that the same worker is there, no larger than a few rows have made it, and
 * works. A row that is to be borne costs none of that: the connection stays and works.
 *
 *   hostile_begin ──▶ hostile_handshakes | hostile_publishes | hostile_gets ──▶ hostile_end
 */
#ifndef LEVERET_TESTS_HOSTILE_H
#define LEVERET_TESTS_HOSTILE_H

#include "tests/fault/play.h"
#include "tests/unit/worker/bytes.h"

struct hostile {
    struct play play; /* the one that misbehaves */
    struct play well; /* the other one; its sidecar is borrowed from `play` */
    pid_t worker;
    long worker_kib; /* after the first rows */
    int n_done;      /* rows */
};

struct hostile_row {
    const char *name;
    /* What is said: bytes put into `says`, which are sent as one piece. `at`: the publish in flight
     * or the consumer that waits, if there is one. NULL: nothing, ever. */
    void (*put)(struct bytes *says, const struct amqp_heard *at);
    const char *reason;         /* part of it, when it is left for that; NULL: it is borne */
    uint16_t code;              /* that the connection is closed with; 0: without a word */
    enum amqp_peer_stage stage; /* handshakes: where it is said */
    int status;                 /* of the request under way; 0: what it would be without this row */
    const char *kind;           /* of that answer, unless it is a success */
    const char *body;           /* GETs: of that answer, when it is one */
};

/* `configuration`: a file of tests/fault/configurations, in which @WELL@ is the broker that
 * behaves. */
void hostile_begin(struct hostile *hostile, const char *name, const char *configuration);
void hostile_end(struct hostile *hostile);

/* In place of the broker's next word of the handshake. A POST is 503 meanwhile. */
void hostile_handshakes(struct hostile *hostile, const struct hostile_row *rows, size_t n);

/* With a publish in flight, which is 504, or 200 where the row is borne and it is confirmed. */
void hostile_publishes(struct hostile *hostile, const struct hostile_row *rows, size_t n);

/* With a GET that waits for a message, which it gets in the end, on this connection or the next. */
void hostile_gets(struct hostile *hostile, const struct hostile_row *rows, size_t n);

/* A delivery tag larger than all before. */
uint64_t hostile_next_tag(void);

/* Returns when the connection has ended for that reason, of which this is a part. */
void hostile_await_end(const struct hostile *hostile, const char *reason);

/* The next connection, after the end of the last one. */
void hostile_accept(struct hostile *hostile);

/* A row is called what its bytes are: SAYS(zeroes) { put... }, and ROW(zeroes, .reason = ...). */
#define ROW(put_, ...)                                                                             \
    {                                                                                              \
        .name = #put_, .put = (put_), __VA_ARGS__                                                  \
    }
#define SAYS(name) static void name(struct bytes *says, const struct amqp_heard *at)
#define HOSTILE_ROWS(rows) rows, sizeof(rows) / sizeof *(rows)

#endif
