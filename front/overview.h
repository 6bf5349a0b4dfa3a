/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An overview: all that a page or a probe may look at, at one moment. What stands in the figures of
 * others is hostile: whoever looks takes numbers as numbers, and names from the plan alone.
 */
#ifndef LEVERET_FRONT_OVERVIEW_H
#define LEVERET_FRONT_OVERVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/plan.h"

#include "books.h"
#include "lanes.h"
#include "slice.h"

struct overview {
    const struct plan *plan;
    const struct plan_front *config; /* the plan's root */
    const struct books *books;
    const struct lanes *lanes;
    const char *build;
    uint32_t max_connections;
    bool is_draining;
    uint64_t now_ns, now_unix_ms;
    uint64_t lanes_live; /* a bit for each worker */
};

struct front;

/* Of this front, now. It is good until the loop goes on, but for its pointers. */
void overview_make(struct overview *overview, struct front *front);

/* Behind the plan's endpoints come those of <leveret/figures.h>. */
static inline uint32_t overview_n_endpoints(const struct overview *overview)
{
    return overview->books->shape.n_endpoints + FIGURES_MORE_ENDPOINTS;
}

/* How an endpoint is called; both are empty for what matched none. `parts`: of the plan. */
struct overview_endpoint {
    struct slice method, pattern;
    const struct plan_part *parts;
    uint32_t n_parts;
    const struct figures_endpoint *figures;
};
struct overview_endpoint overview_endpoint(const struct overview *overview, uint32_t index);

/* Accepted, and no end is counted. */
uint64_t overview_in_flight(const struct figures_endpoint *endpoint);

/* Of a backend, by all workers together. */
struct overview_backend {
    uint64_t asked, lost, in_flight;
    uint64_t published; /* a producer: handed to the broker, or about to be */
    uint64_t outcomes[OUTCOME_N];
    bool is_refused; /* by one at least */
};
struct overview_backend overview_backend(const struct overview *overview, uint32_t backend);

/* Its confirms, added to *tally. */
void overview_confirms(
    const struct overview *overview, uint32_t backend, struct figures_tally *tally);

/* Publishes and GETs that are with a worker. */
uint64_t overview_worker_in_flight(const struct overview *overview, uint32_t worker);

/* NULL: its figures were not shown. */
const struct figures_connection *overview_connection(
    const struct overview *overview, uint32_t worker, uint32_t connection);
uint64_t overview_unacked(const struct figures_queue *queue);
const struct figures_queue *overview_queue(const struct overview *overview, uint32_t queue);
const struct figures_process *overview_process(const struct overview *overview, uint32_t place);
uint32_t overview_n_processes(const struct overview *overview);

/* "supervisor", "front", "worker 3" into `name`. */
enum { OVERVIEW_NAME_BYTES = 24 };
struct slice overview_process_name(uint32_t place, char name[OVERVIEW_NAME_BYTES]);

/* How a connection is called: its broker, what it is for, and whose it is when it is a queue's own. */
struct overview_connection_name {
    struct slice broker, use, queue;
};
struct overview_connection_name overview_connection_name(
    const struct overview *overview, uint32_t connection);

/* Texts of the plan. */
struct slice overview_broker(const struct overview *overview, uint32_t broker);
const struct plan_front_queue *overview_planned_queue(
    const struct overview *overview, uint32_t queue);

/* The longest of all names that a page may show. */
size_t overview_longest_name(const struct plan *plan);

#endif
