/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One endpoint and its backends.
 */
#ifndef LEVERET_CONFIG_ENDPOINT_H
#define LEVERET_CONFIG_ENDPOINT_H

#include "config_read.h"

/*
 * Reads all of object into endpoint, with what the service says where it says nothing. An endpoint
 * without AMQP is kept with no backends: of it, only path and method count. 0 or -ENOMEM.
 */
int config_endpoint_read(const struct config_reading *reading, struct config *config,
    json_t *object, const struct config_path *path, struct config_endpoint *endpoint) MUST_USE;

#endif
