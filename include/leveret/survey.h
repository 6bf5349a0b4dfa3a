/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A survey: a worker asks the brokers of its plan what they have of what the plan's backends
 * declare, creates nothing and serves nobody. It gets CONTROL_SURVEY in place of START, sends a
 * CONTROL_FINDING for each thing that is not as the plan has it, and leaves with status 0 when all
 * has been asked. What is as it should be is not mentioned.
 */
#ifndef LEVERET_SURVEY_H
#define LEVERET_SURVEY_H

#include <stdint.h>

/* What was asked about; the numbers are the plan's. */
enum survey_subject {
    SURVEY_HOST = 1,     /* index: a broker; part: one of its hosts */
    SURVEY_EXCHANGE,     /* index: a backend that produces */
    SURVEY_QUEUE,        /* the same: the queue that it declares beside */
    SURVEY_TAP_QUEUE,    /* index: a tap */
    SURVEY_TAP_EXCHANGE, /* the same; part: one of its bindings */
    SURVEY_N_SUBJECTS
};

enum survey_outcome {
    SURVEY_ABSENT = 1, /* the broker has nothing of that name */
    SURVEY_REFUSED,    /* it is not what the plan says, or not allowed */
    SURVEY_LOCKED,     /* a queue that another connection has for itself */
    SURVEY_AWAY,       /* a host: no connection, but another one leads to this broker */
    SURVEY_DOWN,       /* a host: no connection, and none of the others leads there */
    SURVEY_BROKEN_OFF, /* a host: the connection was lost before all was asked */
    SURVEY_N_OUTCOMES
};

struct survey_finding {
    uint32_t subject; /* enum survey_subject */
    uint32_t outcome; /* enum survey_outcome */
    uint32_t index, part;
    char
        text[256]; /* why, in the broker's own words where it has some; no credentials. NUL-ended */
};

#endif
