/* SPDX-License-Identifier: Apache-2.0 */
#include "front.h"

#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "shm/log.h"

#include "access.h"
#include "visit.h"

enum { TIMERS_BESIDE_CONNECTIONS = 8, TIMERS_OF_A_CONNECTION = 2 };
enum { OTHER_DESCRIPTORS = 256 }; /* lanes and bells of 64 workers, listeners, the library's */
/* Of a filter over merged messages: some 5 ms, in which nobody else is served. */
enum { FLATMAP_STEPS = 1 << 18 };

static void on_part(void *owner, struct part *part)
{
    requests_on_part(part);
}

static void on_cut_off(void *owner, struct part *part)
{
    struct request *request = part->owner;
    log_line(LOG_WARN, "reader-cut-off",
        "its message lies in the lane of a worker that died before another one did");
    visit_cut_off(request->owner);
}

static void on_broken(void *owner, uint32_t worker, const char *reason)
{
    struct front *front = owner;
    orders_complain(&front->orders, worker, reason);
}

static size_t bound(void *owner, const char *bytes, size_t n)
{
    return intake_bound(owner, bytes, n);
}

static void on_room(void *owner)
{
    struct front *front = owner;
    server_accept(&front->server);
}

static void on_refused(void *owner, const struct connection *connection, enum problem_kind problem)
{
    struct front *front = owner;
    uint32_t row = books_row(&front->books, FIGURES_UNMATCHED);
    int status = problem_status(problem);
    books_accept(&front->books, row, 0);
    books_answer(&front->books, row, status, 0);
    if (front->config->access_log == PLAN_ACCESS_OFF)
        return;
    struct access access = {.status = status,
        .outcome = slice_of(problem_name(problem)),
        .peer = {.at = connection->peer, .len = connection->n_peer_bytes},
        .begun_ns = connection->since_ns};
    access_write(&access, &front->plan, clock_now_ns());
}

/* Above every number that a part of the plan has. */
static uint32_t n_backends(const struct front *front)
{
    const struct plan_endpoint *endpoints = plan_items(&front->plan, front->config->endpoints);
    uint32_t n = 0;
    for (uint32_t i = 0; i < front->config->endpoints.count; i++) {
        const struct plan_part *parts = plan_items(&front->plan, endpoints[i].parts);
        for (uint32_t k = 0; k < endpoints[i].parts.count; k++)
            n = parts[k].backend >= n ? parts[k].backend + 1 : n;
    }
    return n;
}

static void books_make(struct front *front, int figures_fd)
{
    const struct figures_shape shape = {.n_endpoints = front->config->endpoints.count,
        .n_workers = front->config->n_workers,
        .n_brokers = front->config->brokers.count,
        .n_backends = n_backends(front),
        .n_queues = front->config->queues.count};
    int error = books_open(&front->books, figures_fd, &shape);
    if (error)
        log_fatal("figures", "cannot be counted: %s", strerror(-error));
}

static void routes_make(struct front *front)
{
    uint32_t culprit = PLAN_NONE;
    int error = route_table_new(&front->routes, &front->plan, &culprit);
    if (error)
        log_fatal("routes", "endpoint=%u reason=\"%s\"", culprit, strerror(-error));
}

static void randomness_make(struct front *front)
{
    int error = message_id_open(&front->ids);
    if (error)
        log_fatal("randomness", "reason=\"%s\"", strerror(-error));
    if (getrandom(&front->seed, sizeof(front->seed), 0) != (ssize_t)sizeof(front->seed))
        log_fatal("randomness", "reason=\"the kernel gives none\"");
}

static void lanes_make(struct front *front)
{
    struct lanes_events events = {
        .owner = front, .on_part = on_part, .on_cut_off = on_cut_off, .on_broken = on_broken};
    front->lanes = lanes_new(front->config->n_workers, n_backends(front), &events);
    if (!front->lanes ||
        requests_init(&front->requests, &front->plan, &front->loop.timers, visit_on_settled) != 0)
        log_fatal("memory", "workers=%u: there is none for so many", front->config->n_workers);
    front->requests.lanes = front->loop.lanes = front->lanes;
}

static void tree_make(struct front *front)
{
    if (json_tree_init(&front->tree, FLATMAP_STEPS) != 0)
        log_fatal("memory", "there is none for a message that is taken apart");
}

/* As many connections as the plan wants, if the process may have that many descriptors. */
static uint32_t most_connections(const struct front *front)
{
    uint32_t wanted = front->config->max_connections;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur >= (rlim_t)wanted + OTHER_DESCRIPTORS)
        return wanted;
    uint32_t most = limit.rlim_cur > 2 * OTHER_DESCRIPTORS
                        ? (uint32_t)limit.rlim_cur - OTHER_DESCRIPTORS
                        : OTHER_DESCRIPTORS;
    log_line(LOG_WARN, "descriptors",
        "max_connections=%u taken=%u: the limit of open files allows no more", wanted, most);
    return most;
}

static void room_make(struct front *front)
{
    if (intake_room_init(&front->room, front->config->max_header_bytes) != 0)
        log_fatal("memory", "no memory for the fields of a message");
}

static void connections_make(struct front *front)
{
    uint32_t max_open = most_connections(front);
    int error = connections_init(&front->connections, front->config, max_open, &front->loop.timers,
        front_largest_body(front));
    if (error)
        log_fatal("memory", "connections=%u: there is none for so many", max_open);
    front->connections.owner = front;
    front->connections.bound = bound;
    front->connections.on_room = on_room;
    front->connections.on_visit = visit_sweep;
    front->connections.on_refused = on_refused;
}

/* The heap of timers is as large as the plan demands; the loop had one for none. */
static void timers_make(struct front *front)
{
    uint32_t n = front->config->max_connections * TIMERS_OF_A_CONNECTION +
                 TIMERS_BESIDE_CONNECTIONS + ADMIN_TIMERS;
    deadlines_done(&front->loop.timers);
    if (deadlines_init(&front->loop.timers, n) != 0)
        log_fatal("memory", "timers=%u: there is none for so many", n);
}

uint64_t front_largest_body(const struct front *front)
{
    const struct plan_endpoint *endpoints = plan_items(&front->plan, front->config->endpoints);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < front->config->endpoints.count; i++)
        if (endpoints[i].max_body_bytes > largest)
            largest = endpoints[i].max_body_bytes;
    return largest;
}

void front_make(struct front *front, int plan_fd, int figures_fd)
{
    int error = plan_join(&front->plan, plan_fd, PLAN_FRONT);
    if (error)
        log_fatal("plan", "reason=\"%s\": it cannot be read", strerror(-error));
    front->config = front->plan.root;
    timers_make(front);
    books_make(front, figures_fd);
    routes_make(front);
    randomness_make(front);
    lanes_make(front);
    tree_make(front);
    room_make(front);
    connections_make(front);
    server_init(&front->server, front);
}
