/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What static and flatmap_filter say to the endpoint or backend around them.
 */
#ifndef LEVERET_CONFIG_RULES_PROXY_H
#define LEVERET_CONFIG_RULES_PROXY_H

#include "config_read.h"

void config_rules_check_endpoint_proxy(
    const struct config_reading *reading, const struct config_endpoint *endpoint);

/* What it says to the backend's other rules, config_rules_shape.h checks. */
void config_rules_check_backend_proxy(
    const struct config_reading *reading, const struct config_backend *backend);

/* A dot path has PLAN_PATH_MAX names at most. */
void config_rules_check_depth(
    const struct config_reading *reading, const struct config_path *path, const char *text);

#endif
