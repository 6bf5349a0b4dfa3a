/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first level of the file, with Leveret's own settings for the service.
 */
#ifndef LEVERET_CONFIG_SERVICE_H
#define LEVERET_CONFIG_SERVICE_H

#include "config_read.h"

/*
 * Reads everything but the endpoints, with what the environment and the command line say over it.
 * 0 or -ENOMEM.
 */
int config_service_read(struct config_reading *reading, json_t *root,
    const struct overrides *overrides, struct config *config) MUST_USE;

#endif
