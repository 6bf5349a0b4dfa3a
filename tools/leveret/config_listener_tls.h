/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `tls` of the file: HTTPS on the data listeners.
 *
 * The files are read when the configuration is, and tried in the way in which the front will use
 * them; it gets their contents and opens none of them. So a front that dies and is started again has
 * what was good, and a reload takes renewed files up or, when one half does not fit the other,
 * refuses them as a whole.
 */
#ifndef LEVERET_CONFIG_LISTENER_TLS_H
#define LEVERET_CONFIG_LISTENER_TLS_H

#include "config_read.h"

/*
 * Completes config->tls, which the service's level has filled, from the object `tls` of the file
 * (NULL: there is none). What is wrong is a finding at its key. 0 or -ENOMEM.
 */
int config_listener_tls_read(
    const struct config_reading *reading, const json_t *tls, struct config *config) MUST_USE;

#endif
