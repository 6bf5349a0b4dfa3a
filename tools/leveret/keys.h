/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret keys`: every key of the configuration as Markdown, one table for each place in a file
 * where keys stand. All of it comes from config_keys.h and config_place.h.
 */
#ifndef LEVERET_KEYS_H
#define LEVERET_KEYS_H

#include <stdio.h>

/* What could not be written is left to ferror(). */
void keys_print(FILE *out);

#endif
