/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listeners for clients, and the HTTP library behind them.
 *
 * Who cannot be accepted because the process or the machine has no descriptor or no memory left
 * waits in the kernel's queue: all listeners pause until a connection is closed, or for a moment.
 * Time-outs are connection.h's.
 */
#ifndef LEVERET_FRONT_SERVER_H
#define LEVERET_FRONT_SERVER_H

#include <stdbool.h>
#include <h2o.h>

#include <leveret/control.h>

#include "library.h"
#include "timer.h"

struct front;

struct server;

struct server_listener {
    struct server *server;
    h2o_socket_t *socket;
    h2o_accept_ctx_t *accept; /* with TLS or without */
};

struct server {
    struct front *front;
    struct library library;
    struct server_listener listeners[CONTROL_MAX_LISTENERS];
    uint32_t n_listeners;
    bool is_accepting;
    struct timer pause; /* after an error of accept(2) that others share */
};

/* Set the library up for the front's plan. */
void server_init(struct server *server, struct front *front);

/* One more listener, `fd`, which is taken. There may be CONTROL_MAX_LISTENERS. */
void server_listen(struct server *server, int fd);

/* Is this listener's address a path? */
bool server_is_unix(int fd);

/* Accept on all listeners: from the start, or again, because there is room. */
void server_accept(struct server *server);

/* Accept no more than those who wait already; connections end with what they are at. */
void server_drain(struct server *server);

#endif
