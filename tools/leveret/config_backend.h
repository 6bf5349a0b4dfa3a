/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backend of an endpoint.
 */
#ifndef LEVERET_CONFIG_BACKEND_H
#define LEVERET_CONFIG_BACKEND_H

#include "config_read.h"

enum config_backend_kind {
    BACKEND_FOREIGN, /* HTTP, or whatever else is not AMQP */
    BACKEND_CONSUMER,
    BACKEND_PRODUCER,
    BACKEND_BOTH
};

/* What it is, before anything of it is read. */
enum config_backend_kind config_backend_kind(const json_t *backend);

/* Reads a backend of a role; the service's hosts serve when it names none. 0 or -ENOMEM. */
int config_backend_read(const struct config_reading *reading, struct config *config, json_t *object,
    const struct config_path *path, struct config_backend *backend) MUST_USE;

#endif
