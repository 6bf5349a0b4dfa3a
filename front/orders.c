/* SPDX-License-Identifier: Apache-2.0 */
#include "orders.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/control.h"
#include "shm/doorbell.h"
#include "shm/log.h"

#include "confine.h"
#include "front.h"

/* Before the drain's deadline everything is answered; what is left of it is for the last bytes. */
#define LAST_CALL_NS (200 * CLOCK_MS)

/* Row: from. A bit for each state that may follow. */
static const uint8_t arrows[ORDERS_N_STATES] = {
    [ORDERS_NEW] = 1u << ORDERS_STARTING | 1u << ORDERS_GONE,
    [ORDERS_STARTING] = 1u << ORDERS_SERVING | 1u << ORDERS_DRAINING,
    [ORDERS_SERVING] = 1u << ORDERS_DRAINING,
    [ORDERS_DRAINING] = 1u << ORDERS_GONE,
};

static void orders_move(struct orders *orders, enum orders_state to)
{
    assert(arrows[orders->state] >> to & 1);
    orders->state = to;
}

static void complain(struct orders *orders, uint32_t worker, const char *reason)
{
    struct control_message complaint = {.kind = CONTROL_COMPLAINT, .worker = worker};
    (void)snprintf(complaint.reason, sizeof(complaint.reason), "%s", reason); /* may be cut */
    int error =
        control_send(h2o_socket_get_fd(orders->socket), &complaint, &(struct control_fds){0});
    if (error)
        log_line(LOG_WARN, "not-complained", "reason=\"%s\": the supervisor does not listen",
            strerror(-error));
}

static int steal_fd(struct control_fds *fds, unsigned i)
{
    return STEAL_FD(fds->fd[i]);
}

/* ---- START ---- */

/* With the last listener libh2o has made what it makes once; lanes, whose other end is not trusted,
 * come afterwards. */
static void confine_if_equipped(const struct orders *orders)
{
    if (!orders->n_listeners)
        front_confine(&orders->start);
}

static void on_start(
    struct front *front, const struct control_message *message, struct control_fds *fds)
{
    log_open("front", (enum log_level)message->log_level, (enum log_format)message->log_format);
    front_make(front, fds->fd[CONTROL_START_PLAN], fds->fd[CONTROL_START_FIGURES]);
    struct orders *orders = &front->orders;
    orders->crews = calloc(front->config->n_workers, sizeof(struct crew));
    if (!orders->crews)
        log_fatal("memory", "workers=%u: there is none for so many", front->config->n_workers);
    for (uint32_t i = 0; i < front->config->n_workers; i++)
        orders->crews[i].front = front;
    orders->n_listeners = message->n_listeners;
    orders->n_lanes = message->n_lanes;
    orders->start = *message;
    orders_move(orders, ORDERS_STARTING);
    confine_if_equipped(orders);
}

/* Clients are let in only now: before, there was nobody to serve them. */
static void ready_if_complete(struct orders *orders)
{
    if (orders->state != ORDERS_STARTING || orders->n_listeners || orders->n_lanes)
        return;
    server_accept(&orders->front->server);
    admin_accept(&orders->front->admin);
    struct control_message ready = {.kind = CONTROL_READY};
    int error = control_send(h2o_socket_get_fd(orders->socket), &ready, &(struct control_fds){0});
    if (error)
        log_line(LOG_WARN, "not-ready", "reason=\"%s\": the supervisor does not listen",
            strerror(-error));
    orders_move(orders, ORDERS_SERVING);
}

/* ---- LISTENER, LANE ---- */

static void on_figures(
    struct front *front, const struct control_message *message, const struct control_fds *fds)
{
    int error = front->config ? books_show(&front->books, message->worker, fds->fd[0]) : -EINVAL;
    if (error)
        log_line(LOG_WARN, "figures-refused", "worker=%u reason=\"%s\"", message->worker,
            strerror(-error));
}

static void listen_for_admin(struct front *front, struct control_fds *fds)
{
    if (admin_listen(&front->admin, front, steal_fd(fds, 0)) != 0)
        log_fatal("memory", "no memory for those who look after it");
}

static void on_listener(
    struct front *front, const struct control_message *message, struct control_fds *fds)
{
    bool has_room = message->is_admin ? !front->admin.listener
                                      : front->server.n_listeners < CONTROL_MAX_LISTENERS;
    if (front->orders.state != ORDERS_STARTING || !front->orders.n_listeners || !has_room) {
        log_line(LOG_WARN, "listener-refused", "reason=\"one too many was handed down\"");
        return;
    }
    if (message->is_admin)
        listen_for_admin(front, fds);
    else
        server_listen(&front->server, steal_fd(fds, 0));
    front->orders.n_listeners--;
    confine_if_equipped(&front->orders);
}

static void crew_dismiss(struct crew *crew)
{
    if (crew->bell)
        h2o_socket_close(crew->bell);
    if (crew->pidfd)
        h2o_socket_close(crew->pidfd);
    crew->bell = crew->pidfd = NULL;
}

static void on_bell(h2o_socket_t *socket, const char *error)
{
    struct crew *crew = socket->data;
    doorbell_hush(h2o_socket_get_fd(socket));
    (void)lanes_poll(crew->front->lanes); /* here, so that what is answered is written this turn */
}

static void on_worker_end(h2o_socket_t *socket, const char *error)
{
    struct crew *crew = socket->data;
    struct front *front = crew->front;
    uint32_t worker = (uint32_t)(crew - front->orders.crews);
    log_line(LOG_WARN, "worker-lost",
        "worker=%u aboard=%u: what was never sent goes to its replacement", worker,
        lanes_n_aboard(front->lanes));
    crew_dismiss(crew);
    lanes_settle(front->lanes, worker);
}

static void on_lane(
    struct front *front, const struct control_message *message, struct control_fds *fds)
{
    uint32_t worker = message->worker;
    if (front->orders.state == ORDERS_NEW || worker >= front->config->n_workers) {
        log_line(LOG_WARN, "lane-refused", "worker=%u reason=\"it is not in the plan\"", worker);
        return;
    }
    struct crew *crew = &front->orders.crews[worker];
    int rope = fds->fd[CONTROL_LANE_ROPE];
    crew_dismiss(crew);
    int error = lanes_attach(front->lanes, worker, fds->fd[CONTROL_LANE_MEMORY], rope);
    if (error) {
        log_often(LOG_ERROR, "lane-not-joined", NULL,
            "worker=%u reason=\"%s\": another one is asked for", worker, strerror(-error));
        complain(&front->orders, worker, "its lane cannot be joined");
        return;
    }
    (void)steal_fd(fds, CONTROL_LANE_ROPE); /* the lanes have it now */
    crew->bell = loop_watch(&front->loop, steal_fd(fds, CONTROL_LANE_BELL), on_bell, crew);
    crew->pidfd = loop_watch(&front->loop, steal_fd(fds, CONTROL_LANE_PEER), on_worker_end, crew);
    if (front->orders.n_lanes)
        front->orders.n_lanes--;
    connections_allow(&front->connections, lanes_area_bytes(front->lanes));
}

/* ---- DRAIN ---- */

static void on_drain_timer(void *owner)
{
    struct front *front = owner;
    struct orders *orders = &front->orders;
    if (clock_now_ns() >= orders->until_ns) {
        log_line(LOG_WARN, "drain-cut-short", "connections=%u: the time is up, they are cut off",
            front->connections.n_open);
        alone_end(front);
        orders_move(orders, ORDERS_GONE);
        return;
    }
    log_line(LOG_INFO, "last-call", "pending=%u: they are answered now", front->requests.n_pending);
    requests_close(&front->requests);
    connections_last_call(&front->connections);
    timer_set(&front->loop.timers, &orders->timer, orders->until_ns);
}

static void drain(struct front *front, uint64_t until_ns)
{
    struct orders *orders = &front->orders;
    if (orders->state == ORDERS_NEW) {
        orders_move(orders, ORDERS_GONE);
        return;
    }
    if (orders->state != ORDERS_DRAINING)
        orders_move(orders, ORDERS_DRAINING);
    log_line(LOG_INFO, "drain", "connections=%u pending=%u", front->connections.n_open,
        front->requests.n_pending);
    orders->until_ns = until_ns;
    uint64_t last_call_ns = until_ns > LAST_CALL_NS ? until_ns - LAST_CALL_NS : 0;
    timer_set(&front->loop.timers, &orders->timer, last_call_ns);
    server_drain(&front->server);
    connections_drain(&front->connections);
    requests_hurry(&front->requests);
}

/* ---- the socket ---- */

static void on_message(
    struct front *front, const struct control_message *message, struct control_fds *fds)
{
    bool is_new = front->orders.state == ORDERS_NEW;
    switch (message->kind) {
    case CONTROL_START:
        if (is_new)
            on_start(front, message, fds);
        break;
    case CONTROL_LISTENER:
        on_listener(front, message, fds);
        break;
    case CONTROL_FIGURES:
        on_figures(front, message, fds);
        break;
    case CONTROL_LANE:
        on_lane(front, message, fds);
        break;
    case CONTROL_DRAIN:
        if (message->is_replaced)
            admin_leave(&front->admin);
        drain(front, message->deadline_ns);
        break;
    default:
        log_line(LOG_WARN, "message-dropped",
            "from=supervisor kind=%u reason=\"it is not for a front\"", message->kind);
    }
    ready_if_complete(&front->orders);
}

static void on_supervisor_gone(struct front *front)
{
    log_line(LOG_WARN, "supervisor-lost",
        "it has ended, or another version took its place: the front drains and leaves");
    h2o_socket_read_stop(front->orders.socket);
    if (front->config)
        alone_begin(front);
    admin_leave(&front->admin);
    if (front->orders.state != ORDERS_DRAINING)
        drain(front, clock_now_ns() + (front->config ? front->config->drain_timeout_ns : 0));
}

static void on_control(h2o_socket_t *socket, const char *error)
{
    struct front *front = socket->data;
    for (;;) {
        struct control_message message;
        CLEANUP(control_fds_close) struct control_fds fds = {.n = 0};
        switch (control_receive(h2o_socket_get_fd(socket), &message, &fds)) {
        case CONTROL_OK:
            on_message(front, &message, &fds);
            break;
        case CONTROL_NOTHING:
            return;
        case CONTROL_CLOSED:
            on_supervisor_gone(front);
            return;
        case CONTROL_MALFORMED:
            log_often(LOG_WARN, "message-dropped", NULL, "from=supervisor reason=malformed");
            break;
        }
    }
}

void orders_init(struct orders *orders, struct front *front, int fd)
{
    *orders = (struct orders){.front = front};
    timer_init(&orders->timer, on_drain_timer, front);
    orders->socket = loop_watch(&front->loop, fd, on_control, front);
}

bool orders_are_done(const struct orders *orders)
{
    return orders->state == ORDERS_GONE ||
           (orders->state == ORDERS_DRAINING && !orders->front->connections.n_open &&
               alone_is_over(orders->front));
}

void orders_complain(struct orders *orders, uint32_t worker, const char *reason)
{
    log_often(LOG_ERROR, "worker-lies", NULL, "worker=%u reason=\"%s\": it gets nothing more",
        worker, reason);
    complain(orders, worker, reason);
}
