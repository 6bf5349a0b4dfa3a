/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `${NAME}`, `${NAME:-default}` and `${file:PATH}` in the strings of a configuration.
 *
 * A variable that is not set needs a default; the default also serves for an empty one. A file is
 * taken without the line ends at its end. What comes out is not looked at again. A `$` before
 * anything but `{` is a dollar sign.
 */
#ifndef LEVERET_CONFIG_EXPAND_H
#define LEVERET_CONFIG_EXPAND_H

#include <stdbool.h>
#include "shm/cleanup.h"
#include "config_pool.h"

#define CONFIG_EXPAND_FILE_MAX (64 << 10)

/* Either a text or a complaint; both in the pool, and the complaint without any value. */
struct config_expanded {
    const char *text;
    const char *complaint;
};

bool config_expand_is_needed(const char *text);

/* 0 also with a complaint; -ENOMEM. Each variable that was looked at becomes a member of
 * `variables`, an object. */
int config_expand(struct config_pool *pool, json_t *variables, const char *text,
    struct config_expanded *expanded) MUST_USE;

#endif
