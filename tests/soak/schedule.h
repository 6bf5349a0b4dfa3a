/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults in random order: a deck of cards, shuffled and played to its end, then again. Some last
 * for a while, during which others are played; at most one of these at a time, and those that need
 * the broker wait for its end.
 */
#ifndef LEVERET_TESTS_SCHEDULE_H
#define LEVERET_TESTS_SCHEDULE_H

#include <stdbool.h>
#include "stage.h"

enum { SCHEDULE_MAX_CARDS = 64, SCHEDULE_MAX_FAULTS = 32 };

struct schedule {
    struct stage *stage;
    bool has_kills; /* of our own processes too */
    int deck[SCHEDULE_MAX_CARDS], n_left;
    int lasting;       /* the fault that lasts; -1: none */
    uint64_t until_ns; /* it does */
    int span;          /* of its trouble */
    int n_played[SCHEDULE_MAX_FAULTS];
    /* Says what is done now, in words, for a person to read. */
    void (*on_fault)(void *context, const char *what);
    void *context;
};

/* Plays until then; afterwards nothing is out of order. */
void schedule_play(struct schedule *schedule, uint64_t until_ns);

int schedule_n_faults(const struct schedule *schedule);

/* What was done how often, one line each. */
void schedule_print(const struct schedule *schedule);

#endif
