/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What backends say about the same queue, exchange or broker, when they do not say the same.
 */
#ifndef LEVERET_CONFIG_RULES_QUEUE_H
#define LEVERET_CONFIG_RULES_QUEUE_H

#include "config_read.h"

/* config->topology is there. 0 or -ENOMEM. */
int config_rules_check_queues(
    const struct config_reading *reading, const struct config *config) MUST_USE;

#endif
