/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What target, allow, deny, mapping, flatmap_filter and group say to each other and to the endpoint around them.
 */
#ifndef LEVERET_CONFIG_RULES_SHAPE_H
#define LEVERET_CONFIG_RULES_SHAPE_H

#include "config_read.h"

void config_rules_check_shape(const struct config_reading *reading,
    const struct config_endpoint *endpoint, const struct config_backend *backend);

#endif
