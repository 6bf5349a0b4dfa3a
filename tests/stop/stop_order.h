/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test tells the processes under it through a file that all of them map.
 */
#ifndef LEVERET_TESTS_STOP_ORDER_H
#define LEVERET_TESTS_STOP_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>

struct stop_order {
    _Atomic bool is_given; /* after the text; false again: somebody has taken it */
    char text[63];         /* NUL-terminated */
};

#endif
