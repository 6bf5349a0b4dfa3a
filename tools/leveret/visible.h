/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from somewhere else on a terminal: nothing that a sidecar, a broker or a file named can move
 * the cursor, change a colour or turn a line around. Characters that the locale can print in at least
 * one column stay; each byte of any other is written \xNN.
 */
#ifndef LEVERET_VISIBLE_H
#define LEVERET_VISIBLE_H

#include <stddef.h>
#include <stdio.h>

/* The columns that visible_write() would take for all of it. */
size_t visible_width(const char *text);

/* Writes at most `most` columns of it, ".." at the end when it was cut; returns how many. */
size_t visible_write(const char *text, size_t most, FILE *out);

#endif
