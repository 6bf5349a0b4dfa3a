/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a part, read as a client will: which problem it is, what can be said about it
 * beyond the problem's title, and whether it may be asked for again.
 */
#ifndef LEVERET_FRONT_READING_H
#define LEVERET_FRONT_READING_H

#include <stdbool.h>

#include "part.h"
#include "problem.h"

struct reading {
    enum problem_kind kind; /* PROBLEM_N_KINDS: it is none */
    bool is_unsent;         /* it can be asked for again without a second message */
    bool is_worth_a_retry;
    const char *detail;
};

/* Of a part that is settled. */
const struct reading *reading_of(const struct part *part);

/* The queue was listened to until the end, and nothing came. */
bool reading_is_empty(const struct part *part);

/* An outcome's name, the front's own outcomes included. */
const char *reading_name(enum outcome outcome);

#endif
