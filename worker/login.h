/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we say during the handshake of a connection (specification 2.2.4): who we are, what we can,
 * what we agree to, where we want to. The order of it is connection.c's.
 *
 * The functions that write return NULL, or a sentence that says why there can be no login; it never
 * holds a secret.
 */
#ifndef LEVERET_WORKER_LOGIN_H
#define LEVERET_WORKER_LOGIN_H

#include "connection.h"

/* start-ok: SASL PLAIN or EXTERNAL, and the capabilities without which RabbitMQ neither announces a cancelled
 * consumer or a blocked connection, nor tells a wrong password from a lost connection. */
const char *login_start(struct outbox *outbox, const struct connection_config *config,
    const struct connection_login *login, const amqp_connection_start_t *start) MUST_USE;

/* The lower wish of the two counts, where 0 of the broker's is none. */
struct connection_limits login_negotiate(
    const struct connection_config *config, const amqp_connection_tune_t *tune);

/* tune-ok and open. */
const char *login_open(
    struct outbox *outbox, const struct connection_limits *limits, const char *vhost) MUST_USE;

#endif
