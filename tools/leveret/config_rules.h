/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keys say to each other: routes that clash, parameters that no route has, settings that
 * cannot be what was meant, queues that two endpoints describe differently.
 */
#ifndef LEVERET_CONFIG_RULES_H
#define LEVERET_CONFIG_RULES_H

#include "config_read.h"

/* Checks a configuration whose keys were all read. 0 or -ENOMEM. */
int config_rules_check(const struct config_reading *reading, const struct config *config) MUST_USE;

#endif
