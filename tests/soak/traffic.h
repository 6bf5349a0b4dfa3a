/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The everyday load of a soak: queues of several kinds, each with a producer and mostly a consumer
 * over HTTP, at a steady pace, and the books of each.
 *
 *   traffic_begin -> faults -> traffic_end -> traffic_drain -> traffic_close -> traffic_done
 */
#ifndef LEVERET_TESTS_TRAFFIC_H
#define LEVERET_TESTS_TRAFFIC_H

#include <stdbool.h>
#include "tests/support/ledger.h"
#include "trouble.h"

enum {
    TRAFFIC_CLASSIC,
    TRAFFIC_QUORUM,
    TRAFFIC_KEPT,    /* nobody consumes */
    TRAFFIC_DELETED, /* the queue is deleted now and then */
    TRAFFIC_VISITED, /* clients that vanish take part */
    TRAFFIC_N
};

struct traffic {
    struct traffic_line {
        struct ledger ledger;
        struct load posts, gets;
        struct load_run *posting, *getting; /* NULL: none */
        struct ledger_verdict verdict;
    } lines[TRAFFIC_N];
    struct trouble *trouble;
    atomic_int n_overdue; /* requests without an answer in time, and no excuse */
    char first_overdue[HTTP_FAILURE_BYTES + 64];
};

/* The queue and the path of a line. */
const char *traffic_name(int line);

void traffic_begin(struct traffic *traffic, const struct scene *scene, struct trouble *trouble);

/* Returns when each request that was begun has ended. */
void traffic_end(struct traffic *traffic);

/* Reads the queues out. */
void traffic_drain(struct traffic *traffic, struct amqp_client *amqp);

/* Judges the books, prints each as a row, and returns whether all was true. */
bool traffic_close(struct traffic *traffic, int n_vanished);

void traffic_done(struct traffic *traffic);

/* All requests so far; with `status` 0 or above: those that were answered so. */
enum { TRAFFIC_ALL = -1 };
int traffic_count(struct traffic *traffic, int status);

#endif
