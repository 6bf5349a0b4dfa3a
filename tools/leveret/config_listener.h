/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the data listeners stand, and the one of those who look after the sidecar.
 */
#ifndef LEVERET_CONFIG_LISTENER_H
#define LEVERET_CONFIG_LISTENER_H

#include "config_read.h"

/*
 * Resolves config->listeners: leveret.listen, which stands at listen_path, else listen_ip and port.
 * An overriding port that is not -1 stands for all of them. 0 or -ENOMEM.
 */
int config_listener_resolve(const struct config_reading *reading, int overriding_port,
    const struct config_path *listen_path, struct config *config) MUST_USE;

/*
 * Resolves config->admin from admin_listen, which stands in the object at own_path; an overriding
 * one that is not NULL stands for it. "" and "off" are none. Where others than this machine reach
 * it, there must be an admin_token. 0 or -ENOMEM.
 */
int config_listener_resolve_admin(const struct config_reading *reading, const char *overriding,
    const struct config_path *own_path, struct config *config) MUST_USE;

#endif
