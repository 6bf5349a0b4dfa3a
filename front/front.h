/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front: all that one process has, in the order in which it is built. There is one.
 *
 *   orders.h   what the supervisor says: plan, listeners, lanes, drain
 *   loop.h     the loop
 *   server.h   listeners for clients
 *   admin.h    the one for those who look after it: figures and probes
 *   intake.h   from an HTTP request to a request with its parts
 *   request.h  parts on their way through the lanes
 *   visit.h    from an answer to the client, and the proof that it got it
 */
#ifndef LEVERET_FRONT_FRONT_H
#define LEVERET_FRONT_FRONT_H

#include "shm/json_tree.h"

#include "admin.h"
#include "alone.h"
#include "books.h"
#include "connection.h"
#include "intake.h"
#include "loop.h"
#include "message_id.h"
#include "orders.h"
#include "request.h"
#include "route.h"
#include "server.h"
#include "siphash.h"

struct front {
    struct loop loop;
    struct orders orders;
    struct alone alone;
    struct plan plan;
    const struct plan_front *config; /* the plan's root */
    struct books books;
    struct route_table *routes;
    struct message_id_source ids;
    struct siphash_seed seed;
    struct intake_room room;
    struct json_tree tree;
    struct lanes *lanes;
    struct requests requests;
    struct connections connections;
    struct server server;
    struct admin admin;
};

/* Build everything that follows from the plan behind `plan_fd`, and count in the segment behind
 * `figures_fd`; both stay the caller's. Exits with a log line when that cannot be. */
void front_make(struct front *front, int plan_fd, int figures_fd);

/* The largest body that any endpoint takes. */
uint64_t front_largest_body(const struct front *front);

#endif
