/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret check`: everything that reading a configuration found, what its brokers say to it if
 * they are asked, and a summary line. No listener is bound.
 */
#ifndef LEVERET_CHECK_H
#define LEVERET_CHECK_H

#include <stdbool.h>
#include <stdio.h>

struct check {
    const char *path;
    bool is_strict;    /* a warning is as bad as an error */
    bool asks_brokers; /* when the file is sound */
};

/* The exit codes of the command, but for a command line that makes no sense. */
enum { CHECK_GOOD = 0, CHECK_BAD = 1, CHECK_REFUSED = 3 };

/* CHECK_GOOD: it can be run. CHECK_BAD: it cannot. CHECK_REFUSED: it can, and its brokers say
 * otherwise, or could not be asked. */
int check_run(const struct check *check, FILE *out) __attribute__((warn_unused_result));

#endif
