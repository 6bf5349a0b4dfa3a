/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual host of the run's broker for one test alone, so that no test sees another one's queues.
 * Made and deleted through the management API.
 */
#ifndef LEVERET_TESTS_VHOST_H
#define LEVERET_TESTS_VHOST_H

#include <jansson.h>
#include <stdbool.h>

struct vhost {
    char *name;
    char *url;      /* amqp://guest:guest@127.0.0.1:port/name */
    char *user_url; /* vhost_let_in() */
};

/* `test` becomes part of the name; letters, digits and _ only. */
void vhost_init(struct vhost *vhost, const char *test);
void vhost_done(struct vhost *vhost);

/* What the management API has under /api/KIND/VHOST (queues, exchanges, bindings, consumers), or of
 * one of them by its name: NULL when there is no such one. The caller releases it. */
json_t *vhost_list(const struct vhost *vhost, const char *kind);
json_t *vhost_describe(const struct vhost *vhost, const char *kind, const char *name);

/* Clients' connections; the API lists one a little after it was made. */
json_t *vhost_connections(const struct vhost *vhost);

/* Makes an exchange or a queue, in the API's words. */
void vhost_make(const struct vhost *vhost, const char *kind, const char *name, const char *json);

bool vhost_has_binding(
    const struct vhost *vhost, const char *exchange, const char *queue, const char *routing_key);

/* A user of the vhost's name and this password, who may declare what the expression `configure`
 * matches, publish to what `write` matches, and consume everything. Returns his URL, which goes
 * with the vhost, as he does. One to a vhost. */
const char *vhost_let_in(
    struct vhost *vhost, const char *password, const char *configure, const char *write);

/* How many bindings to named exchanges the queue has; 0 also when there is no such queue. */
int vhost_n_bindings(const struct vhost *vhost, const char *queue);

/* Messages of the queue that were delivered to somebody and not acked, as the broker last counted
 * them; -1 when there is no such queue. */
int vhost_n_unacked(const struct vhost *vhost, const char *queue);

/* Of a quorum queue: the AMQP port of the node that leads it, and how many of its nodes are up. */
int vhost_leader(const struct vhost *vhost, const char *queue);
int vhost_n_online(const struct vhost *vhost, const char *queue);

/* Has the broker close every connection to it that clients hold open. Returns how many there were.
 */
int vhost_close_connections(const struct vhost *vhost);

#endif
