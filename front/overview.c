/* SPDX-License-Identifier: Apache-2.0 */
#include "overview.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "shm/clock.h"

#include "dock.h"
#include "front.h"

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* a clock that always exists */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / CLOCK_MS;
}

static uint64_t lanes_live(const struct lanes *lanes, uint32_t n_workers)
{
    struct dock_sight sight;
    uint64_t live = 0;
    for (uint32_t i = 0; i < n_workers; i++)
        live |= (uint64_t)lanes_look(lanes, i, &sight) << i;
    return live;
}

void overview_make(struct overview *overview, struct front *front)
{
    const struct figures *supervisor = &front->books.supervisor;
    figure_set(&front->books.own.front->connections_open, front->connections.n_open);
    *overview = (struct overview){.plan = &front->plan,
        .config = front->config,
        .books = &front->books,
        .lanes = front->lanes,
        .build = LEVERET_VERSION,
        .max_connections = front->connections.max_open,
        .is_draining = front->orders.state >= ORDERS_DRAINING ||
                       (supervisor->base && figure_get(&supervisor->supervisor->is_draining)),
        .now_ns = clock_now_ns(),
        .now_unix_ms = wall_ms(),
        .lanes_live = lanes_live(front->lanes, front->config->n_workers)};
}

/* ---- endpoints ---- */

struct overview_endpoint overview_endpoint(const struct overview *overview, uint32_t index)
{
    const struct plan *plan = overview->plan;
    const struct plan_endpoint *endpoints = plan_items(plan, overview->config->endpoints);
    uint32_t n = overview->config->endpoints.count;
    struct overview_endpoint endpoint = {.figures = &overview->books->own.endpoints[index]};
    if (index < n) {
        endpoint.method = slice_of_plan(plan, endpoints[index].method);
        endpoint.pattern = slice_of_plan(plan, endpoints[index].pattern);
        endpoint.parts = plan_items(plan, endpoints[index].parts);
        endpoint.n_parts = endpoints[index].parts.count;
    } else if (index == n + FIGURES_HEALTH) {
        endpoint.method = slice_of("GET");
        endpoint.pattern = slice_of("/__health");
    }
    return endpoint;
}

uint64_t overview_in_flight(const struct figures_endpoint *endpoint)
{
    uint64_t n = figure_get(&endpoint->abandoned) + figure_get(&endpoint->lost);
    for (uint32_t i = 0; i < FIGURES_N_CODES; i++)
        n += figure_get(&endpoint->answered[i]);
    return figure_get(&endpoint->accepted) - n;
}

/* ---- backends ---- */

/* In whose figures this worker's backend stands; NULL: they were not shown. */
static const struct figures_backend *backend_of(
    const struct overview *overview, uint32_t worker, uint32_t backend)
{
    const struct figures *figures = &overview->books->workers[worker];
    return figures->base ? &figures->backends[backend] : NULL;
}

/* Ends are read before what they began as, so that none is seen that did not begin. A liar's
 * difference is none. */
static uint64_t n_between(uint64_t ended, const figure *begun)
{
    uint64_t n = figure_get(begun);
    return n > ended ? n - ended : 0;
}

/* Was it never handed to the broker? */
static bool is_refusal(enum outcome outcome)
{
    return outcome >= OUTCOME_CANCELLED;
}

static void add_backend(struct overview_backend *sum, const struct figures_backend *backend)
{
    uint64_t lost = figure_get(&backend->lost), ended = lost, refused = 0;
    for (int i = 0; i < OUTCOME_N; i++) {
        uint64_t n = figure_get(&backend->outcomes[i]);
        sum->outcomes[i] += n;
        ended += n;
        refused += is_refusal((enum outcome)i) ? n : 0;
    }
    uint64_t in_flight = n_between(ended, &backend->asked);
    sum->lost += lost;
    sum->in_flight += in_flight;
    sum->asked += ended + in_flight;
    sum->published += ended - refused + in_flight;
    sum->is_refused |= figure_get(&backend->is_refused) != 0;
}

struct overview_backend overview_backend(const struct overview *overview, uint32_t backend)
{
    struct overview_backend sum = {0};
    for (uint32_t i = 0; i < overview->config->n_workers; i++) {
        const struct figures_backend *one = backend_of(overview, i, backend);
        if (one)
            add_backend(&sum, one);
    }
    return sum;
}

void overview_confirms(
    const struct overview *overview, uint32_t backend, struct figures_tally *tally)
{
    for (uint32_t i = 0; i < overview->config->n_workers; i++) {
        const struct figures_backend *one = backend_of(overview, i, backend);
        if (one)
            figures_tally_add(
                tally, &one->confirm, figures_cells(&overview->books->workers[i], backend));
    }
}

uint64_t overview_worker_in_flight(const struct overview *overview, uint32_t worker)
{
    struct overview_backend sum = {0};
    for (uint32_t i = 0; i < overview->books->shape.n_backends; i++) {
        const struct figures_backend *one = backend_of(overview, worker, i);
        if (one)
            add_backend(&sum, one);
    }
    return sum.in_flight;
}

/* ---- the rest ---- */

const struct figures_connection *overview_connection(
    const struct overview *overview, uint32_t worker, uint32_t connection)
{
    const struct figures *figures = &overview->books->workers[worker];
    return figures->base ? &figures->connections[connection] : NULL;
}

const struct plan_front_queue *overview_planned_queue(
    const struct overview *overview, uint32_t queue)
{
    const struct plan_front_queue *queues = plan_items(overview->plan, overview->config->queues);
    return &queues[queue];
}

const struct figures_queue *overview_queue(const struct overview *overview, uint32_t queue)
{
    uint32_t worker = overview_planned_queue(overview, queue)->worker;
    const struct figures *figures = &overview->books->workers[worker];
    return figures->base ? &figures->queues[queue] : NULL;
}

uint64_t overview_unacked(const struct figures_queue *queue)
{
    uint64_t n_settled =
        figure_get(&queue->acked) + figure_get(&queue->requeued) + figure_get(&queue->discarded);
    return n_between(n_settled, &queue->delivered);
}

const struct figures_process *overview_process(const struct overview *overview, uint32_t place)
{
    const struct figures *figures = &overview->books->supervisor;
    return figures->base ? &figures->processes[place] : NULL;
}

uint32_t overview_n_processes(const struct overview *overview)
{
    return FIGURES_PROCESS_FIRST_WORKER + overview->config->n_workers;
}

struct slice overview_process_name(uint32_t place, char name[OVERVIEW_NAME_BYTES])
{
    if (place == FIGURES_PROCESS_SUPERVISOR)
        return slice_of("supervisor");
    if (place == FIGURES_PROCESS_FRONT)
        return slice_of("front");
    (void)snprintf(name, OVERVIEW_NAME_BYTES, "worker %u", place - FIGURES_PROCESS_FIRST_WORKER);
    return slice_of(name);
}

struct slice overview_broker(const struct overview *overview, uint32_t broker)
{
    const struct plan_text *brokers = plan_items(overview->plan, overview->config->brokers);
    return slice_of_plan(overview->plan, brokers[broker]);
}

struct overview_connection_name overview_connection_name(
    const struct overview *overview, uint32_t connection)
{
    uint32_t n_shared = 2 * overview->config->brokers.count;
    if (connection < n_shared)
        return (struct overview_connection_name){
            .broker = overview_broker(overview, connection / 2),
            .use = slice_of(connection % 2 ? "consume" : "publish"),
            .queue = slice_of("")};
    const struct plan_front_queue *queue = overview_planned_queue(overview, connection - n_shared);
    return (struct overview_connection_name){.broker = overview_broker(overview, queue->broker),
        .use = slice_of("consume"),
        .queue = slice_of_plan(overview->plan, queue->name)};
}

static size_t longer(size_t longest, struct plan_text text)
{
    return text.length > longest ? text.length : longest;
}

size_t overview_longest_name(const struct plan *plan)
{
    const struct plan_front *config = plan->root;
    const struct plan_endpoint *endpoints = plan_items(plan, config->endpoints);
    const struct plan_text *brokers = plan_items(plan, config->brokers);
    const struct plan_front_queue *queues = plan_items(plan, config->queues);
    size_t longest = longer(FIGURES_TEXT_BYTES, config->name);
    for (uint32_t i = 0; i < config->endpoints.count; i++) {
        const struct plan_part *parts = plan_items(plan, endpoints[i].parts);
        longest = longer(longest, endpoints[i].pattern);
        for (uint32_t k = 0; k < endpoints[i].parts.count; k++)
            longest = longer(longest, parts[k].name);
    }
    for (uint32_t i = 0; i < config->brokers.count; i++)
        longest = longer(longest, brokers[i]);
    for (uint32_t i = 0; i < config->queues.count; i++)
        longest = longer(longest, queues[i].name);
    return longest;
}
