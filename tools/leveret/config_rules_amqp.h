/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of one consumer or producer say to each other and to the route above them.
 */
#ifndef LEVERET_CONFIG_RULES_AMQP_H
#define LEVERET_CONFIG_RULES_AMQP_H

#include "config_read.h"
#include "config_route.h"

void config_rules_check_amqp(const struct config_reading *reading,
    const struct config_backend *backend, const struct config_route *route);

#endif
