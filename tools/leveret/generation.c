/* SPDX-License-Identifier: Apache-2.0 */
#include "generation.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "obituary.h"

#define TO(state) (1u << GENERATION_##state)
/* Bit t of arrows[s]: from state s to state t. */
static const unsigned arrows[GENERATION_N_STATES] = {
    [GENERATION_WORKERS_START] = TO(FRONT_STARTS) | TO(FRONT_LEAVES) | TO(WORKERS_LEAVE),
    [GENERATION_FRONT_STARTS] = TO(SERVING) | TO(FRONT_LEAVES) | TO(WORKERS_LEAVE),
    [GENERATION_SERVING] = TO(FRONT_LEAVES) | TO(WORKERS_LEAVE),
    [GENERATION_FRONT_LEAVES] = TO(WORKERS_LEAVE),
    [GENERATION_WORKERS_LEAVE] = TO(GONE),
};
#undef TO

static void enter(struct generation *g, enum generation_state state)
{
    assert(arrows[g->state] & (1u << state));
    g->state = state;
}

/* ---- a life ---- */

int generation_new(struct generation **out, const struct generation_setup *setup)
{
    struct generation *g = calloc(1, sizeof(*g));
    int error =
        g ? family_init(&g->family, setup->outfit, setup->n_missed, setup->number) : -ENOMEM;
    if (error) {
        outfit_free(setup->outfit);
        free(g);
        return error;
    }
    g->state = setup->is_successor ? GENERATION_WORKERS_START : GENERATION_FRONT_STARTS;
    g->number = setup->number;
    g->outfit = setup->outfit;
    g->leave_ns = setup->leave_ns;
    g->is_orderly = true;
    g->drain_at_ns = g->drain_deadline_ns = CLOCK_NEVER;
    g->family.must_attach = setup->is_successor;
    *out = g;
    return 0;
}

int generation_inherit(
    struct generation **out, const struct generation_setup *setup, const struct heritage *heritage)
{
    struct generation *g;
    uint64_t now_ns = clock_now_ns();
    int error = generation_new(&g, setup);
    if (error)
        return error;
    g->is_inherited = true;
    enter(g, GENERATION_SERVING);
    for (uint32_t i = 0; i < g->family.n_children; i++)
        if (heritage->children[i].pid)
            child_adopt(&g->family.children[i], &heritage->children[i], now_ns);
    *out = g;
    return 0;
}

bool generation_bequeath(const struct generation *g, struct heritage *heritage)
{
    *heritage = (struct heritage){.version = HERITAGE_VERSION, .generation = g->number};
    if (g->family.n_children > HERITAGE_MAX_CHILDREN || !outfit_bequeath(g->outfit, heritage))
        return false;
    for (uint32_t i = 0; i < g->family.n_children; i++) {
        const struct child *child = &g->family.children[i];
        if (child->state != CHILD_DOWN)
            heritage->children[i] = (struct heritage_child){.pid = child->pid,
                .pidfd = child->pidfd,
                .control = child->control,
                .last_words = child->last_words};
    }
    return true;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    family_done(&g->family);
    outfit_free(g->outfit);
    free(g);
}

void generation_start(struct generation *g)
{
    for (uint32_t i = 0; i < g->outfit->n_workers; i++)
        family_start(&g->family, family_worker(&g->family, i));
    if (g->state == GENERATION_FRONT_STARTS)
        family_start(&g->family, family_front(&g->family));
}

/* ---- draining ---- */

/* Tell a child to finish by the deadline, and hold it to that. */
static void dismiss(
    struct generation *g, struct child *child, uint64_t deadline_ns, bool is_replaced)
{
    struct control_message drain = {
        .kind = CONTROL_DRAIN, .deadline_ns = deadline_ns, .is_replaced = is_replaced};
    if (!child_is_live(child))
        return;
    child_leave(child);
    deadline_set(&g->family.deadlines, &child->deadline, deadline_ns + g->leave_ns);
    if (g->is_inherited)
        child_hang_up(child);
    else
        family_tell(&g->family, child, &drain, NULL);
}

/* Who asks how it is hears of it before anybody is turned away. */
static void note(struct generation *g)
{
    bool is_draining = generation_is_leaving(g) || g->drain_at_ns != CLOCK_NEVER;
    census_note_draining(&g->family.census, is_draining);
    family_note(&g->family);
}

void generation_drain(struct generation *g, bool is_replaced)
{
    if (generation_is_leaving(g))
        return;
    enter(g, GENERATION_FRONT_LEAVES);
    note(g);
    g->drain_at_ns = CLOCK_NEVER;
    if (g->drain_deadline_ns == CLOCK_NEVER)
        g->drain_deadline_ns = clock_now_ns() + g->outfit->drain_timeout_ns;
    /* or the kernel would go on accepting into a line that nobody serves */
    outfit_stop_serving(g->outfit);
    for (uint32_t i = 0; i < g->family.n_children; i++)
        deadline_clear(&g->family.deadlines, &g->family.children[i].deadline);
    dismiss(g, family_front(&g->family), g->drain_deadline_ns, is_replaced);
}

void generation_retire(struct generation *g)
{
    uint64_t now_ns = clock_now_ns();
    if (!generation_is_leaving(g))
        g->drain_deadline_ns = now_ns + g->outfit->drain_timeout_ns;
    if (!g->outfit->drain_delay_ns || g->state != GENERATION_SERVING) {
        generation_drain(g, false);
        return;
    }
    g->drain_at_ns = now_ns + g->outfit->drain_delay_ns;
    note(g);
}

void generation_kill(struct generation *g, const char *why)
{
    if (g->state < GENERATION_WORKERS_LEAVE)
        enter(g, GENERATION_WORKERS_LEAVE);
    g->is_orderly = false;
    g->drain_at_ns = CLOCK_NEVER;
    outfit_stop_listening(g->outfit);
    for (uint32_t i = 0; i < g->family.n_children; i++) {
        struct child *child = &g->family.children[i];
        deadline_clear(&g->family.deadlines, &child->deadline);
        if (child->state != CHILD_DOWN && child->state != CHILD_DOOMED)
            family_condemn(&g->family, child, why);
    }
}

/* The workers' turn, once the front has nothing more to ask. */
static void dismiss_workers(struct generation *g)
{
    enter(g, GENERATION_WORKERS_LEAVE);
    outfit_stop_listening(g->outfit);
    uint64_t deadline_ns = clock_now_ns() + g->leave_ns;
    if (deadline_ns < g->drain_deadline_ns)
        deadline_ns = g->drain_deadline_ns;
    for (uint32_t i = 0; i < g->outfit->n_workers; i++)
        dismiss(g, family_worker(&g->family, i), deadline_ns, false);
}

/* ---- hearing ---- */

static void log_serving(const struct generation *g)
{
    const struct outfit *outfit = g->outfit;
    char addresses[512] = "";
    size_t used = 0, n_data = outfit->n_listeners - outfit->has_admin;
    uint16_t port = 0;
    for (size_t i = 0; i < n_data && used < sizeof(addresses); i++) {
        const struct listener *listener = outfit->listeners[i];
        used += (size_t)snprintf(
            addresses + used, sizeof(addresses) - used, "%s%s", i ? "," : "", listener->address);
        port = port ? port : listener->port;
    }
    log_line(LOG_INFO, "serving", "addresses=%s port=%u workers=%u pid=%d generation=%u admin=%s",
        addresses, port, outfit->n_workers, getpid(), g->number,
        outfit->has_admin ? outfit->listeners[n_data]->address : "off");
}

static void on_ready(struct generation *g, struct child *child)
{
    child_ready(child);
    log_line(LOG_INFO, "child-ready", "child=\"%s\" pid=%d after_ms=%llu", child->name, child->pid,
        (unsigned long long)((clock_now_ns() - child->started_ns) / CLOCK_MS));
    if (child == family_front(&g->family))
        log_serving(g);
}

/* The worker of the lane that is complained about, if there is such a lane now. A worker can only
 * speak of its own. */
static struct child *accused(
    const struct generation *g, const struct child *from, const struct control_message *message)
{
    if (message->worker >= g->outfit->n_workers || !pair_is_open(&g->family.pairs[message->worker]))
        return NULL;
    struct child *worker = family_worker(&g->family, message->worker);
    bool may_speak = from == worker || from == family_front(&g->family);
    return may_speak && child_is_live(worker) ? worker : NULL;
}

static void on_message(
    struct generation *g, struct child *from, const struct control_message *message)
{
    struct child *worker = NULL;
    if (!child_is_live(from))
        return; /* it was told to leave, or killed: this has crossed that on the way */
    if (message->kind == CONTROL_READY && from->state == CHILD_STARTING) {
        on_ready(g, from);
    } else if (message->kind == CONTROL_COMPLAINT && (worker = accused(g, from, message))) {
        log_often(LOG_WARN, "complaint", from, "from=\"%s\" lane=%u reason=\"%s\"", from->name,
            message->worker, message->reason);
        family_condemn(&g->family, worker, "its lane was complained about");
    } else {
        log_often(LOG_WARN, "message-dropped", from, "from=\"%s\" kind=%u worker=%u", from->name,
            message->kind, message->worker);
    }
}

/* One message. Can there be another? */
static bool hear(struct generation *g, struct child *child)
{
    struct control_message message;
    struct control_fds fds;
    if (child->control < 0)
        return false;
    switch (control_receive(child->control, &message, &fds)) {
    case CONTROL_OK:
        control_fds_close(&fds);
        on_message(g, child, &message);
        return true;
    case CONTROL_MALFORMED:
        log_often(LOG_WARN, "message-dropped", child, "from=\"%s\" reason=malformed", child->name);
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

/* When the place of a dead child is to be filled again, as a delay; CLOCK_NEVER while draining. */
static uint64_t restart_delay_ns(
    const struct generation *g, struct child *child, const struct obituary *obituary)
{
    bool was_useful = obituary->was_ready && obituary->last_state != CHILD_DOOMED;
    if (generation_is_leaving(g) || g->is_inherited)
        return CLOCK_NEVER;
    return throttle_delay_ns(&child->throttle, obituary->lived_ns, was_useful);
}

static void on_death(struct generation *g, struct child *child)
{
    struct obituary obituary;
    uint64_t now_ns = clock_now_ns();
    while (hear(g, child)) /* a READY on its way decides about the throttle */
        ;
    murmur_end(&child->murmur, child->name);
    if (child_bury(child, now_ns, &obituary) == CHILD_IS_ALIVE)
        return;
    family_note_death(&g->family, child, &obituary);
    family_forget_lanes(&g->family, child);
    deadline_clear(&g->family.deadlines, &child->deadline);
    uint64_t delay_ns = restart_delay_ns(g, child, &obituary);
    g->is_bereft |= g->is_inherited;
    if (delay_ns != CLOCK_NEVER)
        deadline_set(&g->family.deadlines, &child->deadline, now_ns + delay_ns);
    else if (generation_is_leaving(g) && (obituary.signal || obituary.status))
        g->is_orderly = false;
    obituary_log(child, &obituary, delay_ns);
}

/* ---- a turn ---- */

enum { POLLED_CONTROL, POLLED_MURMUR, POLLED_PIDFD };

nfds_t generation_poll(const struct generation *g, struct pollfd *polled)
{
    for (uint32_t i = 0; i < g->family.n_children; i++) {
        const struct child *child = &g->family.children[i];
        struct pollfd *its = polled + i * GENERATION_POLLED_PER_CHILD;
        its[POLLED_CONTROL] = (struct pollfd){.fd = child->control, .events = POLLIN};
        its[POLLED_MURMUR] = (struct pollfd){.fd = child->murmur.fd, .events = POLLIN};
        its[POLLED_PIDFD] = (struct pollfd){.fd = child->pidfd, .events = POLLIN};
    }
    return generation_n_polled(g);
}

/* Descriptors are opened by family_start() alone, which comes after the events: none of those can
 * mean a later child. */
void generation_hear(struct generation *g, const struct pollfd *polled)
{
    for (uint32_t i = 0; i < g->family.n_children; i++) {
        struct child *child = &g->family.children[i];
        const struct pollfd *its = polled + i * GENERATION_POLLED_PER_CHILD;
        if (its[POLLED_CONTROL].revents)
            (void)hear(g, child); /* one a turn: nobody talks the others down */
        if (its[POLLED_MURMUR].revents)
            murmur_hear(&child->murmur, child->name);
        if (its[POLLED_PIDFD].revents)
            on_death(g, child);
    }
}

static void on_deadline(struct generation *g, struct child *child)
{
    if (child->state == CHILD_DOWN)
        family_start(&g->family, child);
    else
        family_condemn(&g->family, child, "has not left in time");
}

static bool are_workers(const struct generation *g, enum child_state state)
{
    for (uint32_t i = 0; i < g->outfit->n_workers; i++)
        if (family_worker(&g->family, i)->state != state)
            return false;
    return true;
}

static void advance(struct generation *g)
{
    const struct child *front = family_front(&g->family);
    if (g->state == GENERATION_WORKERS_START && are_workers(g, CHILD_SERVING)) {
        enter(g, GENERATION_FRONT_STARTS);
        family_start(&g->family, family_front(&g->family));
    }
    if (g->state == GENERATION_FRONT_STARTS && front->state == CHILD_SERVING &&
        are_workers(g, CHILD_SERVING)) {
        enter(g, GENERATION_SERVING);
        g->family.must_attach = false;
    }
    if (g->state == GENERATION_FRONT_LEAVES && front->state == CHILD_DOWN)
        dismiss_workers(g);
    if (g->state == GENERATION_WORKERS_LEAVE && front->state == CHILD_DOWN &&
        are_workers(g, CHILD_DOWN))
        enter(g, GENERATION_GONE);
}

void generation_turn(struct generation *g, uint64_t now_ns)
{
    for (const struct deadline *d; (d = deadlines_pop(&g->family.deadlines, now_ns));)
        on_deadline(g, d->owner);
    advance(g);
    if (now_ns >= g->drain_at_ns)
        generation_drain(g, false);
    note(g);
}

uint64_t generation_next_ns(const struct generation *g)
{
    uint64_t next_ns = deadlines_next(&g->family.deadlines);
    return next_ns < g->drain_at_ns ? next_ns : g->drain_at_ns;
}
