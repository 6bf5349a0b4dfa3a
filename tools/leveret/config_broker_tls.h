/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that an amqps:// URI names, read when the configuration is, and tried in the way in
 * which a worker will use them. The workers get their contents and open none of them: what one
 * finds when it dies and is started again is what was found to be good, never half of a renewal;
 * and it needs no right to read a key. A reload reads them again.
 */
#ifndef LEVERET_CONFIG_BROKER_TLS_H
#define LEVERET_CONFIG_BROKER_TLS_H

#include "config_read.h"

/*
 * Sets host->tls: one of the configuration's list, or a new one. What is wrong with a file is a
 * finding at path, and *is_usable is false. 0 or -ENOMEM.
 */
int config_broker_tls_read(const struct config_reading *reading, const struct config_path *path,
    struct config_host *host, bool *is_usable) MUST_USE;

#endif
