/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret check`: everything that reading a configuration found, and a summary line. No listener
 * is bound, no broker asked.
 */
#ifndef LEVERET_CHECK_H
#define LEVERET_CHECK_H

#include <stdbool.h>
#include <stdio.h>

/* Returns the exit code of the command: 0 = can be run (is_strict: not even a warning), 1
 * otherwise.
 */
int check_run(const char *path, bool is_strict, FILE *out) __attribute__((warn_unused_result));

#endif
