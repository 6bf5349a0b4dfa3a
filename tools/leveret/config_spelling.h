/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what somebody meant who misspelt a key.
 */
#ifndef LEVERET_CONFIG_SPELLING_H
#define LEVERET_CONFIG_SPELLING_H

#include "config_keys.h"

/* The key of this level that is one or two slips away from name, or NULL. Case does not count. */
const char *config_spelling_nearest(const struct config_level *level, const char *name);

#endif
