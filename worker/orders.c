/* SPDX-License-Identifier: Apache-2.0 */
#include "orders.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/control.h"
#include "shm/log.h"

#include "books.h"
#include "confine.h"

#define ATTACH_NS (UINT64_C(10) * CLOCK_S)     /* for brokers to answer a successor */
#define AFTER_FRONT_NS (UINT64_C(2) * CLOCK_S) /* what a supervisor would add for us */
#define POLITE_NS CLOCK_S                      /* for what nobody waits for any more */
#define GOOD_BYE_NS (UINT64_C(500) * CLOCK_MS) /* for the brokers to answer our last word */

/* Row: from. A bit for each state that may follow. */
static const unsigned arrows[ORDERS_N_STATES] = {
    [ORDERS_NEW] = 1u << ORDERS_STARTING | 1u << ORDERS_SURVEYING | 1u << ORDERS_GONE,
    [ORDERS_SURVEYING] = 1u << ORDERS_GONE,
    [ORDERS_STARTING] = 1u << ORDERS_SERVING | 1u << ORDERS_DRAINING,
    [ORDERS_SERVING] = 1u << ORDERS_DRAINING,
    [ORDERS_DRAINING] = 1u << ORDERS_CLOSING,
    [ORDERS_CLOSING] = 1u << ORDERS_GONE,
};

static void enter(struct orders *orders, enum orders_state state)
{
    assert(arrows[orders->state] & (1u << state));
    orders->state = state;
}

static void tell(struct orders *orders, const struct control_message *message)
{
    int error = control_send(orders->socket, message, &(struct control_fds){0});
    if (error)
        log_line(LOG_WARN, "not-told", "reason=\"%s\": the supervisor does not listen",
            strerror(-error));
}

static void complain(struct orders *orders, const char *reason)
{
    struct control_message complaint = {.kind = CONTROL_COMPLAINT, .worker = orders->worker};
    (void)snprintf(complaint.reason, sizeof(complaint.reason), "%s", reason); /* may be cut */
    tell(orders, &complaint);
}

static void on_complaint(void *owner, const char *reason)
{
    log_often(LOG_ERROR, "front-lies", NULL, "reason=\"%s\": it is not heard any more", reason);
    complain(owner, reason);
}

/* ---- START, SURVEY, LANE ---- */

static void log_io(const struct loop *loop, enum io wanted)
{
    int refusal = loop_refusal(loop);
    const char *reason = wanted == IO_AUTO ? "it can be set up" : "the configuration says so";
    log_line(LOG_INFO, "io", "loop=%s reason=\"%s\"", loop_io(loop),
        refusal ? loop_explain(refusal) : reason);
}

static bool is_on_epoll(const struct loop *loop)
{
    return strcmp(loop_io(loop), "epoll") == 0;
}

static void join_plan(struct orders *orders, const char *who, const struct control_message *message,
    struct control_fds *fds)
{
    log_open(who, (enum log_level)message->log_level, (enum log_format)message->log_format);
    int error = plan_join(&orders->plan, fds->fd[CONTROL_START_PLAN], PLAN_WORKER);
    if (error)
        log_fatal("plan", "reason=\"%s\": it cannot be read", strerror(-error));
    worker_confine(message, !is_on_epoll(orders->loop));
}

static bool is_past(uint64_t at_ns)
{
    return clock_now_ns() >= at_ns;
}

static bool may_replace_another(const struct orders *orders)
{
    if (service_has_attached(orders->service))
        return true;
    if (!is_past(orders->attach_by_ns) || !service_keeps_queues(orders->service))
        return false;
    log_line(LOG_WARN, "not-attached", "reason=\"a broker does not answer\": it is not waited for");
    return true;
}

static void ready_if_attached(struct orders *orders)
{
    if (orders->state != ORDERS_STARTING || (orders->must_attach && !may_replace_another(orders)))
        return;
    enter(orders, ORDERS_SERVING);
    tell(orders, &(struct control_message){.kind = CONTROL_READY});
}

static void on_start(
    struct orders *orders, const struct control_message *message, struct control_fds *fds)
{
    char who[32];
    (void)snprintf(who, sizeof(who), "worker %u", message->worker);
    join_plan(orders, who, message, fds);
    log_io(orders->loop, (enum io)message->io);
    orders->worker = message->worker;
    int error = books_open(&orders->figures, fds->fd[CONTROL_START_FIGURES], &orders->plan);
    if (error)
        log_fatal("figures", "cannot be counted: %s", strerror(-error));
    figure_set(&orders->figures.worker->io,
        is_on_epoll(orders->loop) ? FIGURES_IO_EPOLL : FIGURES_IO_URING);
    struct service_config config = {.plan = &orders->plan,
        .figures = &orders->figures,
        .worker = message->worker,
        .must_attach = message->must_attach,
        .loop = orders->loop};
    error = service_new(&orders->service, &config);
    if (error)
        log_fatal("start", "reason=\"%s\": it cannot serve", strerror(-error));
    orders->fronts = (struct fronts){.loop = orders->loop,
        .service = orders->service,
        .on_complaint = on_complaint,
        .owner = orders};
    fronts_init(&orders->fronts);
    orders->must_attach = message->must_attach;
    orders->attach_by_ns = clock_now_ns() + ATTACH_NS;
    enter(orders, ORDERS_STARTING);
    ready_if_attached(orders);
}

/* Whoever asked reads until the end, so a full socket is waited for: nothing may be left out. */
static void on_finding(void *owner, const struct survey_finding *finding)
{
    struct orders *orders = owner;
    const struct control_message message = {.kind = CONTROL_FINDING, .finding = *finding};
    struct pollfd room = {.fd = orders->socket, .events = POLLOUT};
    while (control_send(orders->socket, &message, &(struct control_fds){0}) == -EAGAIN)
        (void)poll(&room, 1, -1); /* it fails for a signal alone: the loop tries again */
}

static void on_survey(
    struct orders *orders, const struct control_message *message, struct control_fds *fds)
{
    join_plan(orders, "survey", message, fds);
    struct survey_config config = {
        .plan = &orders->plan, .loop = orders->loop, .on_finding = on_finding, .owner = orders};
    int error = survey_new(&orders->survey, &config);
    if (error)
        log_fatal("start", "reason=\"%s\": it cannot ask", strerror(-error));
    enter(orders, ORDERS_SURVEYING);
}

static void on_lane(struct orders *orders, struct control_fds *fds)
{
    int error = fronts_open(&orders->fronts, fds);
    if (!error)
        return;
    log_often(LOG_ERROR, "lane-not-joined", NULL, "reason=\"%s\": another one is asked for",
        strerror(-error));
    complain(orders, "its lane cannot be joined"); /* the front does not know that nobody listens */
}

/* ---- the end ---- */

static void drain(struct orders *orders, uint64_t until_ns)
{
    if (orders->state == ORDERS_NEW || orders->state == ORDERS_SURVEYING) {
        enter(orders, ORDERS_GONE);
        return;
    }
    orders->until_ns = until_ns;
    if (orders->state >= ORDERS_DRAINING)
        return; /* told twice: the new deadline counts */
    enter(orders, ORDERS_DRAINING);
    service_leave(orders->service);
}

static bool has_finished(struct orders *orders, uint64_t now_ns)
{
    if (fronts_is_open(&orders->fronts))
        return false;
    if (!orders->polite_until_ns)
        orders->polite_until_ns = now_ns + POLITE_NS;
    bool is_quiet = fronts_is_idle(&orders->fronts) && service_is_quiet(orders->service);
    return is_quiet || (now_ns >= orders->polite_until_ns && service_owes_nothing(orders->service));
}

/* The time is up. */
static void leave_the_rest(struct orders *orders)
{
    log_line(
        LOG_WARN, "drain-cut-short", "the time is up: what is unsettled is left to the broker");
    if (!orders->is_alone || !fronts_is_open(&orders->fronts))
        return;
    log_line(LOG_WARN, "front-killed", "reason=\"it has not left, and there is no supervisor\"");
    fronts_kill(&orders->fronts);
}

static void say_good_bye(struct orders *orders)
{
    enter(orders, ORDERS_CLOSING);
    orders->until_ns = clock_now_ns() + GOOD_BYE_NS;
    service_close(orders->service);
}

static void advance_drain(struct orders *orders, uint64_t now_ns)
{
    if (has_finished(orders, now_ns)) {
        say_good_bye(orders);
    } else if (now_ns >= orders->until_ns) {
        leave_the_rest(orders);
        say_good_bye(orders);
    }
}

static uint64_t wanted_ns(const struct orders *orders)
{
    if (orders->state == ORDERS_STARTING && !is_past(orders->attach_by_ns))
        return orders->attach_by_ns;
    if (orders->state != ORDERS_DRAINING && orders->state != ORDERS_CLOSING)
        return CLOCK_NEVER;
    bool is_polite = orders->state == ORDERS_DRAINING && orders->polite_until_ns > clock_now_ns() &&
                     orders->polite_until_ns < orders->until_ns;
    return is_polite ? orders->polite_until_ns : orders->until_ns;
}

uint64_t orders_turn(struct orders *orders)
{
    if (orders->service)
        figure_add(&orders->figures.worker->turns, 1);
    ready_if_attached(orders);
    if (orders->state == ORDERS_SURVEYING && survey_is_done(orders->survey))
        enter(orders, ORDERS_GONE);
    if (orders->state == ORDERS_DRAINING)
        advance_drain(orders, clock_now_ns());
    if (orders->state == ORDERS_CLOSING &&
        (clock_now_ns() >= orders->until_ns || service_is_closed(orders->service)))
        enter(orders, ORDERS_GONE);
    return wanted_ns(orders);
}

/* ---- the socket ---- */

static void on_message(
    struct orders *orders, const struct control_message *message, struct control_fds *fds)
{
    bool is_new = orders->state == ORDERS_NEW;
    if (message->kind == CONTROL_START && is_new)
        on_start(orders, message, fds);
    else if (message->kind == CONTROL_SURVEY && is_new)
        on_survey(orders, message, fds);
    else if (message->kind == CONTROL_LANE && orders->service)
        on_lane(orders, fds);
    else if (message->kind == CONTROL_DRAIN)
        drain(orders, message->deadline_ns);
    else
        log_line(LOG_WARN, "message-dropped",
            "from=supervisor kind=%u reason=\"it is out of turn, or not for a worker\"",
            message->kind);
}

/* The front has the plan's time and leaves first, as if the supervisor still led. */
static uint64_t drain_ns(const struct orders *orders)
{
    const struct plan_worker *root = orders->plan.root;
    return root->drain_timeout_ns + AFTER_FRONT_NS;
}

static void on_supervisor_gone(struct orders *orders)
{
    log_line(LOG_WARN, "supervisor-lost",
        "it has ended, or another version took its place: the worker drains and leaves");
    orders->is_alone = true;
    loop_watch_free(orders->loop, STEAL(orders->watch));
    if (orders->state == ORDERS_NEW || orders->state == ORDERS_SURVEYING)
        drain(orders, 0);
    else if (orders->state < ORDERS_DRAINING)
        drain(orders, clock_now_ns() + drain_ns(orders));
}

static void on_control(void *owner)
{
    struct orders *orders = owner;
    struct control_message message;
    CLEANUP(control_fds_close) struct control_fds fds = {.n = 0};
    switch (control_receive(orders->socket, &message, &fds)) {
    case CONTROL_OK:
        on_message(orders, &message, &fds);
        break;
    case CONTROL_NOTHING:
        break;
    case CONTROL_CLOSED:
        on_supervisor_gone(orders);
        break;
    case CONTROL_MALFORMED:
        log_often(LOG_WARN, "message-dropped", NULL, "from=supervisor reason=malformed");
        break;
    }
}

int orders_init(struct orders *orders, struct loop *loop, int socket)
{
    *orders = (struct orders){.loop = loop, .socket = socket};
    orders->watch = loop_watch_new(loop, socket, on_control, orders);
    return orders->watch ? 0 : -ENOMEM;
}
