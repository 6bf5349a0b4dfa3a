/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "family.h"

enum phase { PHASE_RUNNING, PHASE_FRONT_LEAVES, PHASE_WORKERS_LEAVE };

struct supervisor {
    const struct supervisor_setup *setup;
    enum phase phase;
    bool is_orderly; /* nobody was killed or failed since the drain began */
    uint64_t drain_deadline_ns;
    struct family family;
    struct deadline next_look; /* at the beats */
    struct pollfd *polled;     /* the signals, then two per child */
    int signals;
};

/* ---- draining ---- */

/* Tell a child to finish by the deadline, and hold it to that. */
static void dismiss(struct supervisor *s, struct child *child, uint64_t deadline_ns)
{
    struct control_message drain = {.kind = CONTROL_DRAIN, .deadline_ns = deadline_ns};
    if (!child_is_live(child))
        return;
    child_leave(child);
    deadline_set(&s->family.deadlines, &child->deadline, deadline_ns + s->setup->patience.leave_ns);
    family_tell(&s->family, child, &drain, NULL);
}

/* The workers' turn, once the front has nothing more to ask. */
static void drain_advance(struct supervisor *s)
{
    if (s->phase != PHASE_FRONT_LEAVES || family_front(&s->family)->state != CHILD_DOWN)
        return;
    s->phase = PHASE_WORKERS_LEAVE;
    uint64_t deadline_ns = clock_now_ns() + s->setup->patience.leave_ns;
    if (deadline_ns < s->drain_deadline_ns)
        deadline_ns = s->drain_deadline_ns;
    for (uint32_t i = 0; i < s->setup->n_workers; i++)
        dismiss(s, family_worker(&s->family, i), deadline_ns);
}

static void drain_begin(struct supervisor *s, const char *signal_name)
{
    log_line(LOG_INFO, "draining", "signal=%s timeout_ms=%llu", signal_name,
        (unsigned long long)(s->setup->drain_timeout_ns / CLOCK_MS));
    s->phase = PHASE_FRONT_LEAVES;
    s->drain_deadline_ns = clock_now_ns() + s->setup->drain_timeout_ns;
    /* or the kernel would go on accepting into a line that nobody serves */
    for (size_t i = 0; i < s->setup->n_listeners; i++)
        listener_close(&s->setup->listeners[i]);
    for (uint32_t i = 0; i < s->family.n_children; i++)
        deadline_clear(&s->family.deadlines, &s->family.children[i].deadline);
    dismiss(s, family_front(&s->family), s->drain_deadline_ns);
    drain_advance(s);
}

static void drain_cut_short(struct supervisor *s, const char *signal_name)
{
    log_line(LOG_WARN, "drain-cut-short", "signal=%s", signal_name);
    s->is_orderly = false;
    s->phase = PHASE_WORKERS_LEAVE;
    for (uint32_t i = 0; i < s->family.n_children; i++) {
        struct child *child = &s->family.children[i];
        if (child->state != CHILD_DOWN && child->state != CHILD_DOOMED)
            family_condemn(&s->family, child, "told twice to end");
    }
}

static bool is_over(const struct supervisor *s)
{
    if (s->phase == PHASE_RUNNING)
        return false;
    for (uint32_t i = 0; i < s->family.n_children; i++) {
        if (s->family.children[i].state != CHILD_DOWN)
            return false;
    }
    return true;
}

/* ---- hearing ---- */

static void log_serving(const struct supervisor *s)
{
    char addresses[512] = "";
    size_t used = 0;
    uint16_t port = 0;
    for (size_t i = 0; i < s->setup->n_listeners && used < sizeof(addresses); i++) {
        const struct listener *listener = &s->setup->listeners[i];
        used += (size_t)snprintf(
            addresses + used, sizeof(addresses) - used, "%s%s", i ? "," : "", listener->address);
        port = port ? port : listener->port;
    }
    log_line(LOG_INFO, "serving", "addresses=%s port=%u workers=%u pid=%d", addresses, port,
        s->setup->n_workers, getpid());
}

static void on_ready(struct supervisor *s, struct child *child)
{
    child_ready(child);
    log_line(LOG_INFO, "child-ready", "child=\"%s\" pid=%d after_ms=%llu", child->name, child->pid,
        (unsigned long long)((clock_now_ns() - child->started_ns) / CLOCK_MS));
    if (child == family_front(&s->family))
        log_serving(s);
}

/* The worker of the lane that is complained about, if there is such a lane now. A worker can only
 * speak of its own. */
static struct child *accused(
    const struct supervisor *s, const struct child *from, const struct control_message *message)
{
    if (message->worker >= s->setup->n_workers || !pair_is_open(&s->family.pairs[message->worker]))
        return NULL;
    struct child *worker = family_worker(&s->family, message->worker);
    bool may_speak = from == worker || from == family_front(&s->family);
    return may_speak && child_is_live(worker) ? worker : NULL;
}

static void on_message(
    struct supervisor *s, struct child *from, const struct control_message *message)
{
    struct child *worker = NULL;
    if (!child_is_live(from))
        return; /* it was told to leave, or killed: this has crossed that on the way */
    if (message->kind == CONTROL_READY && from->state == CHILD_STARTING) {
        on_ready(s, from);
    } else if (message->kind == CONTROL_COMPLAINT && (worker = accused(s, from, message))) {
        log_line(LOG_WARN, "complaint", "from=\"%s\" lane=%u reason=\"%s\"", from->name,
            message->worker, message->reason);
        family_condemn(&s->family, worker, "its lane was complained about");
    } else {
        log_line(LOG_WARN, "message-dropped", "from=\"%s\" kind=%u worker=%u", from->name,
            message->kind, message->worker);
    }
}

/* One message. Can there be another? */
static bool hear(struct supervisor *s, struct child *child)
{
    struct control_message message;
    struct control_fds fds;
    if (child->control < 0)
        return false;
    switch (control_receive(child->control, &message, &fds)) {
    case CONTROL_OK:
        control_fds_close(&fds);
        on_message(s, child, &message);
        return true;
    case CONTROL_MALFORMED:
        log_line(LOG_WARN, "message-dropped", "from=\"%s\" reason=malformed", child->name);
        return true;
    case CONTROL_CLOSED:
        child_hang_up(child); /* its pidfd tells the rest */
        return false;
    case CONTROL_NOTHING:
        break;
    }
    return false;
}

/* ---- burying ---- */

static void log_obituary(
    const struct child *child, const struct obituary *obituary, uint64_t delay_ns)
{
    bool has_left = obituary->last_state == CHILD_LEAVING && !obituary->signal && !obituary->status;
    char cause[64], next[48] = "";
    if (obituary->signal)
        (void)snprintf(
            cause, sizeof(cause), "signal=%d (%s)", obituary->signal, strsignal(obituary->signal));
    else
        (void)snprintf(cause, sizeof(cause), "status=%d", obituary->status);
    if (delay_ns != CLOCK_NEVER)
        (void)snprintf(
            next, sizeof(next), " restart_ms=%llu", (unsigned long long)(delay_ns / CLOCK_MS));
    log_line(has_left ? LOG_INFO : LOG_WARN, has_left ? "child-left" : "child-died",
        "child=\"%s\" pid=%d %s lived_ms=%llu was_ready=%d%s", child->name, obituary->pid, cause,
        (unsigned long long)(obituary->lived_ns / CLOCK_MS), obituary->was_ready, next);
}

/* When the place of a dead child is to be filled again, as a delay; CLOCK_NEVER while draining. */
static uint64_t restart_delay_ns(
    const struct supervisor *s, struct child *child, const struct obituary *obituary)
{
    bool was_useful = obituary->was_ready && obituary->last_state != CHILD_DOOMED;
    if (s->phase != PHASE_RUNNING)
        return CLOCK_NEVER;
    return throttle_delay_ns(&child->throttle, obituary->lived_ns, was_useful);
}

static void on_death(struct supervisor *s, struct child *child)
{
    struct obituary obituary;
    uint64_t now_ns = clock_now_ns();
    while (hear(s, child)) /* a READY on its way decides about the throttle */
        ;
    if (child_bury(child, now_ns, &obituary) == CHILD_IS_ALIVE)
        return;
    family_forget_lanes(&s->family, child);
    deadline_clear(&s->family.deadlines, &child->deadline);
    uint64_t delay_ns = restart_delay_ns(s, child, &obituary);
    if (delay_ns != CLOCK_NEVER)
        deadline_set(&s->family.deadlines, &child->deadline, now_ns + delay_ns);
    else if (obituary.signal || obituary.status)
        s->is_orderly = false;
    log_obituary(child, &obituary, delay_ns);
    drain_advance(s);
}

/* ---- the loop ---- */

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return; /* a wake-up for nothing */
    const char *name = info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT";
    if (info.ssi_signo == SIGHUP)
        log_line(LOG_WARN, "not-reloaded",
            "signal=SIGHUP reason=\"not built yet: the configuration stays as it is\"");
    else if (s->phase == PHASE_RUNNING)
        drain_begin(s, name);
    else
        drain_cut_short(s, name);
}

static void look_again(struct supervisor *s)
{
    family_look(&s->family);
    deadline_set(&s->family.deadlines, &s->next_look, clock_now_ns() + s->setup->patience.look_ns);
}

static void on_deadline(struct supervisor *s, const struct deadline *deadline)
{
    struct child *child = deadline->owner;
    if (deadline == &s->next_look)
        look_again(s);
    else if (child->state == CHILD_DOWN)
        family_start(&s->family, child);
    else
        family_condemn(&s->family, child, "has not left in time");
}

static int wait_for_events(struct supervisor *s)
{
    nfds_t n = 0;
    s->polled[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    for (uint32_t i = 0; i < s->family.n_children; i++) {
        const struct child *child = &s->family.children[i];
        s->polled[n++] = (struct pollfd){.fd = child->control, .events = POLLIN};
        s->polled[n++] = (struct pollfd){.fd = child->pidfd, .events = POLLIN};
    }
    int wait_ms = clock_wait_ms(clock_now_ns(), deadlines_next(&s->family.deadlines), INT32_MAX);
    return poll(s->polled, n, wait_ms) < 0 ? -errno : 0;
}

/* Descriptors are opened by family_start() alone, which comes after the events: none of those can
 * mean a later child. */
static int turn(struct supervisor *s)
{
    int error = wait_for_events(s);
    if (error)
        return error == -EINTR ? 0 : error;
    if (s->polled[0].revents)
        on_signal(s);
    for (uint32_t i = 0; i < s->family.n_children; i++) {
        if (s->polled[1 + 2 * i].revents)
            (void)hear(s, &s->family.children[i]); /* one a turn: nobody talks the others down */
        if (s->polled[2 + 2 * i].revents)
            on_death(s, &s->family.children[i]);
    }
    uint64_t now_ns = clock_now_ns();
    for (const struct deadline *d; (d = deadlines_pop(&s->family.deadlines, now_ns));)
        on_deadline(s, d);
    return 0;
}

/* The signals of the supervisor become events; children get their own dispositions (child.h). */
static int signals_take(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, as it may be inherited, the kernel would collect */
    (void)signal(SIGPIPE, SIG_IGN); /* a log that nobody reads must not end us */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int supervisor_init(struct supervisor *s, const struct supervisor_setup *setup)
{
    *s = (struct supervisor){.setup = setup, .is_orderly = true, .signals = -1};
    int error = family_init(&s->family, setup, 1);
    if (error)
        return error;
    s->polled = calloc(1 + 2 * (size_t)s->family.n_children, sizeof(struct pollfd));
    if (!s->polled)
        return -ENOMEM;
    s->signals = signals_take();
    return s->signals < 0 ? s->signals : 0;
}

static void supervisor_done(struct supervisor *s)
{
    cleanup_fd(&s->signals);
    free(s->polled);
    family_done(&s->family);
}

int supervisor_run(const struct supervisor_setup *setup)
{
    CLEANUP(supervisor_done) struct supervisor s;
    int error = supervisor_init(&s, setup);
    if (error)
        return error;
    for (uint32_t i = 0; i < setup->n_workers; i++)
        family_start(&s.family, family_worker(&s.family, i));
    family_start(&s.family, family_front(&s.family));
    look_again(&s);
    while (!is_over(&s)) {
        error = turn(&s);
        if (error)
            return error;
    }
    log_line(s.is_orderly ? LOG_INFO : LOG_WARN, s.is_orderly ? "drained" : "not-drained",
        s.is_orderly ? "" : "reason=\"a child was killed or failed\"");
    return s.is_orderly ? SUPERVISOR_DRAINED : SUPERVISOR_CUT_SHORT;
}
