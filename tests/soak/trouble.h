/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When what was out of order: the excuses that a ledger accepts. A message may come again only
 * where an ack may have been lost, and a request may end without an answer only where the front was
 * away. Written by the schedule of faults, asked by the threads of the loads.
 */
#ifndef LEVERET_TESTS_TROUBLE_H
#define LEVERET_TESTS_TROUBLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum trouble_kind { TROUBLE_ACKS, TROUBLE_FRONT, TROUBLE_N_KINDS };

enum { TROUBLE_MAX_SPANS = 16384 };

struct trouble {
    pthread_mutex_t lock;
    struct trouble_span {
        enum trouble_kind kind;
        uint64_t from_ns, to_ns; /* to: CLOCK_NEVER while it lasts */
    } spans[TROUBLE_MAX_SPANS];
    int n;
};

void trouble_init(struct trouble *trouble);

/* Before the damage is done; returns the span, for trouble_end() when all is mended. */
int trouble_begin(struct trouble *trouble, enum trouble_kind kind);
void trouble_end(struct trouble *trouble, int span);

/* Whether there was such trouble at any time between the two. */
bool trouble_was(struct trouble *trouble, enum trouble_kind kind, uint64_t from_ns, uint64_t to_ns);

#endif
