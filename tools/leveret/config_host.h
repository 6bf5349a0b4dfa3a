/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP URIs: amqp://user:password@host:port/vhost?heartbeat=10, as RabbitMQ's "URI Specification"
 * and "URI Query Parameters" pages have them, with two readings of the gateway's: no path, or "/",
 * is the vhost "/", and a slash inside the vhost needs no escape. What is absent is guest, guest,
 * localhost, 5672, a heartbeat of 10 s and 30 s to connect. amqps:// has TLS, the port 5671, and the
 * parameters cacertfile, certfile, keyfile, server_name_indication and verify.
 *
 * Nothing out of a URI is ever quoted, save its scheme and the names of its query parameters.
 */
#ifndef LEVERET_CONFIG_HOST_H
#define LEVERET_CONFIG_HOST_H

#include "config_read.h"

/*
 * Parses one entry of `host`; what is wrong with it is a finding at path, and *is_usable is false.
 * 0 or -ENOMEM.
 */
int config_host_parse(const struct config_reading *reading, const char *uri,
    const struct config_path *path, struct config_host *host, bool *is_usable) MUST_USE;

#endif
