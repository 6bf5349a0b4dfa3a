/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets one field from one value, as its row of the table says. What the value is not, or is not
 * allowed to be, becomes a finding, and the field stays.
 *
 * Returned by all: 0 also when there was a finding, -ENOMEM.
 */
#ifndef LEVERET_CONFIG_SCALAR_H
#define LEVERET_CONFIG_SCALAR_H

#include "config_read.h"

/* Text with where it came from: what a message quotes is `written`, never what it became. */
struct config_text {
    const char *written;
    const char *value;
};

#define CONFIG_SCALAR_BOUND_MAX 32

/* key's min or max as a file would say it. All that are not 0 are whole hours or mebibytes. */
void config_scalar_write_bound(
    const struct config_key *key, int64_t bound, char text[static CONFIG_SCALAR_BOUND_MAX]);

/* A field that a text can say: all but lists, levels and scalars. */
int config_scalar_set_text(const struct config_reading *reading, const struct config_key *key,
    const struct config_text *text, const struct config_path *path, void *field) MUST_USE;

/* Any JSON value, for the same fields. */
int config_scalar_set(const struct config_reading *reading, const struct config_key *key,
    const json_t *value, const struct config_path *path, void *field) MUST_USE;

/* `${...}` replaced; NULL with a finding when that fails. *text is in the pool. */
int config_scalar_expand(const struct config_reading *reading, const char *written,
    const struct config_path *path, const char **text) MUST_USE;

#endif
