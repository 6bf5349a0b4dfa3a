/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares what one backend needs, on a channel that its owner has opened: exchange.declare,
 * queue.declare, a queue.bind for each key. All go out at once and none with no_wait, or the
 * broker's own words about a refusal would be lost.
 *
 *             topology_start             as many -ok as were asked for
 *     IDLE ─────────────────▶ PENDING ──────────────────────────────────▶ DONE
 *       │                        │                                          ▲
 *       └────────────────────────┼──────── nothing is wanted ───────────────┘
 *                                └── the channel is closed: its owner has on_closed, with the words
 *
 * The default exchange ("") is there always and may be neither declared nor bound.
 *
 * To compare is to declare twice, passively and then as if to create. When nothing is there the
 * broker closes the channel on the first one, and what stands behind a close is not heard any more
 * (specification, channel.close): so the second one meets what the first has found. No words of
 * AMQP rule out that it is deleted between the two, which go out together; then it is made anew.
 */
#ifndef LEVERET_WORKER_TOPOLOGY_H
#define LEVERET_WORKER_TOPOLOGY_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "channel.h"

enum topology_declare {
    TOPOLOGY_ACTIVE,  /* create it, or find it with the same properties */
    TOPOLOGY_PASSIVE, /* find it */
    TOPOLOGY_COMPARE, /* find it, then find it with the same properties; never create it */
    TOPOLOGY_NONE     /* take it as given */
};

struct topology_exchange {
    const char *name;              /* NULL or "": nothing is declared, nothing bound */
    const char *type;              /* NULL: "topic" */
    const amqp_table_t *arguments; /* NULL: none */
    enum topology_declare declare;
    bool is_durable;
    bool is_auto_delete;
};

struct topology_queue {
    const char *name; /* NULL: no queue; "": one that the broker names, see topology.queue */
    const amqp_table_t *arguments;
    enum topology_declare declare;
    bool is_durable;
    bool is_auto_delete;
    bool is_exclusive;
};

/* Borrowed for the call. */
struct topology_wish {
    struct topology_exchange exchange;
    struct topology_queue queue;
    const char *const *keys; /* bind the queue to the exchange with each */
    size_t n_keys;
};

enum topology_state { TOPOLOGY_IDLE, TOPOLOGY_PENDING, TOPOLOGY_DONE, TOPOLOGY_N_STATES };

struct topology {
    enum topology_state state;
    size_t n_exchange, n_queue; /* times that each is declared by us */
    size_t n_binds;
    size_t n_heard;  /* answers so far */
    char queue[256]; /* the queue's name, once DONE: as asked for, or as the broker chose */
};

enum topology_outcome {
    TOPOLOGY_WAITING = 1,  /* that answer was ours, more are to come */
    TOPOLOGY_COMPLETE = 2, /* that was the last one */
    TOPOLOGY_NOT_OURS = 3  /* not the answer that a declaration of ours waits for */
};

const char *topology_state_name(enum topology_state state);

/* Queues all declarations, or none: then -ENOTCONN, -ENOBUFS (again later), or -EINVAL: a name over
 * 255 bytes, arguments over 4096. DONE at once when nothing is wanted: look at the state. */
int topology_start(
    struct topology *topology, struct channel *channel, const struct topology_wish *wish) MUST_USE;

/* Shows it a method that came on its channel. */
enum topology_outcome topology_on_method(
    struct topology *topology, const amqp_method_t *method) MUST_USE;

#endif
