/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the house has all its rooms: as many requests as fit by the configuration wait at the
 * same time, and none of them is told that there is no room. If a tenth of what GETs may have was
 * never given back, it shows.
 */
#ifndef LEVERET_TESTS_HOUSE_H
#define LEVERET_TESTS_HOUSE_H

#include "stage.h"

struct house {
    int n_asked;   /* requests at the same time */
    int n_refused; /* of them, as busy */
    int n_silent;  /* of them, without any answer */
};

/* The broker stands still meanwhile. What is posted may be published. */
void house_fill(struct stage *stage, struct house *house);

#endif
