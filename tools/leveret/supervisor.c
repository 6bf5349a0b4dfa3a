/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "generation.h"
#include "signals.h"
#include "upgrade.h"

enum { POLLED_SIGNALS, POLLED_REHEARSAL, N_OWN_POLLED };

struct supervisor {
    const struct supervisor_setup *setup;
    struct generation *elder; /* with its successor as the next; NULL: nobody is left */
    unsigned n_generations;   /* that there ever were */
    bool is_ending;           /* nothing new is begun */
    bool must_renew;          /* a SIGHUP has not had its effect yet */
    bool must_upgrade;        /* a SIGUSR2 likewise */
    struct upgrade upgrade;
    uint64_t renew_at_ns;  /* what was inherited still serves: try again */
    bool is_orderly;       /* nobody was killed or failed since the end began */
    uint64_t serve_by_ns;  /* the successor must serve by then; CLOCK_NEVER: none, or it does */
    uint64_t next_look_ns; /* at the beats */
    struct pollfd *polled; /* the signals, the rehearsal, then those of the generations */
    int signals;
};

/* ---- generations come and go ---- */

static struct generation *successor(const struct supervisor *s)
{
    return s->elder ? s->elder->next : NULL;
}

/* Room for the signals and for all children, those of a newcomer among them. */
static int polled_extend(struct supervisor *s, const struct generation *newcomer)
{
    nfds_t n = N_OWN_POLLED + generation_n_polled(newcomer) +
               (s->elder ? generation_n_polled(s->elder) : 0);
    struct pollfd *polled = reallocarray(s->polled, n, sizeof(*polled));
    if (!polled)
        return -ENOMEM;
    s->polled = polled;
    return 0;
}

/* Taken, also when it fails. */
static int generation_add(struct supervisor *s, struct generation *newcomer)
{
    int error = polled_extend(s, newcomer);
    if (error) {
        generation_free(newcomer);
        return error;
    }
    *(s->elder ? &s->elder->next : &s->elder) = newcomer;
    s->n_generations = newcomer->number;
    return 0;
}

static struct generation_setup setup_of(const struct supervisor *s, struct outfit *outfit)
{
    return (struct generation_setup){
        .number = s->n_generations + 1,
        .outfit = outfit,
        .leave_ns = s->setup->patience.leave_ns,
        .n_missed = s->setup->patience.n_missed,
        .is_successor = s->elder,
    };
}

/* Takes the outfit. */
static int generation_begin(struct supervisor *s, struct outfit *outfit)
{
    struct generation *newcomer;
    const struct generation_setup setup = setup_of(s, outfit);
    int error = generation_new(&newcomer, &setup);
    if (!error)
        error = generation_add(s, newcomer);
    if (!error)
        generation_start(newcomer);
    return error;
}

/* The same with processes that run already, and will be told to leave as soon as others serve. */
static int generation_take_over(
    struct supervisor *s, struct outfit *outfit, const struct heritage *heritage)
{
    struct generation *elder;
    struct generation_setup setup = setup_of(s, outfit);
    setup.number = heritage->generation;
    int error = generation_inherit(&elder, &setup, heritage);
    if (!error)
        error = generation_add(s, elder);
    s->must_renew = !error;
    return error;
}

/* The log is written as the serving generation's file says. */
static void log_as(const struct outfit *outfit)
{
    log_open("supervisor", outfit->log_level, outfit->log_format);
}

/* What was inherited is not looked after, and should not serve for ever. */
static void try_again_if_inherited(struct supervisor *s)
{
    if (s->elder->is_inherited)
        s->renew_at_ns = clock_now_ns() + s->setup->patience.retry_ns;
}

/* Nobody else fills the place of one that has died. */
static void hurry_if_bereft(struct supervisor *s)
{
    if (s->elder->is_bereft && s->renew_at_ns != CLOCK_NEVER)
        s->renew_at_ns = 0;
    s->elder->is_bereft = false;
}

static void renew(struct supervisor *s)
{
    s->must_renew = false;
    s->renew_at_ns = CLOCK_NEVER;
    struct outfit *outfit = s->setup->renew(s->setup->owner);
    int error = outfit ? generation_begin(s, outfit) : 0;
    if (outfit && !error) {
        s->serve_by_ns = clock_now_ns() + s->setup->patience.serve_ns;
        log_line(
            LOG_INFO, "reloading", "generation=%u beside=%u", s->n_generations, s->elder->number);
        return;
    }
    log_as(s->elder->outfit);
    try_again_if_inherited(s);
    log_line(LOG_ERROR, "not-reloaded", "reason=\"%s\": generation=%u goes on as it is",
        error ? strerror(-error) : "the file cannot be served", s->elder->number);
}

static void succeed(struct supervisor *s)
{
    s->serve_by_ns = CLOCK_NEVER;
    log_line(LOG_INFO, "reloaded", "generation=%u drains=%u drain_timeout_ms=%llu",
        successor(s)->number, s->elder->number,
        (unsigned long long)(s->elder->outfit->drain_timeout_ns / CLOCK_MS));
    generation_drain(s->elder, true);
}

static void give_up(struct supervisor *s)
{
    s->serve_by_ns = CLOCK_NEVER;
    log_as(s->elder->outfit);
    log_line(LOG_ERROR, "not-reloaded",
        "reason=\"generation=%u does not serve after %llu ms\": it is killed, generation=%u goes "
        "on",
        successor(s)->number, (unsigned long long)(s->setup->patience.serve_ns / CLOCK_MS),
        s->elder->number);
    generation_kill(successor(s), "its generation is given up");
    try_again_if_inherited(s);
}

static void forget_gone(struct supervisor *s)
{
    for (struct generation **at = &s->elder, *g; (g = *at);) {
        if (g->state != GENERATION_GONE) {
            at = &g->next;
            continue;
        }
        s->is_orderly &= !s->is_ending || g->is_orderly;
        log_line(g->is_orderly ? LOG_INFO : LOG_WARN, "generation-gone", "generation=%u orderly=%d",
            g->number, g->is_orderly);
        *at = g->next;
        generation_free(g);
    }
}

/* ---- another program ---- */

static void rehearse(struct supervisor *s)
{
    s->must_upgrade = false;
    int error = upgrade_rehearse(&s->upgrade, clock_now_ns());
    if (error)
        log_line(LOG_ERROR, "not-upgraded", "reason=\"%s\"", strerror(-error));
    else
        log_line(LOG_INFO, "rehearsing", "program=%s", s->setup->argv[0]);
}

/* Returns only when it cannot be. */
static void execute(struct supervisor *s)
{
    static struct heritage heritage; /* large for a stack */
    int error = -E2BIG;
    log_line(LOG_INFO, "upgrading", "program=%s pid=%d", s->setup->argv[0], getpid());
    log_close();
    if (generation_bequeath(s->elder, &heritage))
        error = upgrade_execute(&s->upgrade, &heritage);
    log_line(LOG_ERROR, "not-upgraded", "reason=\"%s\": this program goes on", strerror(-error));
}

static void on_rehearsal(struct supervisor *s)
{
    int status;
    switch (upgrade_heard(&s->upgrade, &status)) {
    case UPGRADE_PASSED:
        if (s->is_ending)
            return;
        if (successor(s))
            s->must_upgrade = true; /* a SIGHUP was quicker: once more, afterwards */
        else
            execute(s);
        return;
    case UPGRADE_FAILED:
        log_line(LOG_ERROR, "not-upgraded",
            "reason=\"the rehearsal ended with %d\": this program goes on", status);
        return;
    case UPGRADE_GOES_ON:
        return;
    }
}

static void give_up_rehearsal(struct supervisor *s)
{
    upgrade_done(&s->upgrade);
    log_line(
        LOG_ERROR, "not-upgraded", "reason=\"the rehearsal does not end\": this program goes on");
}

/* ---- what is to be done ---- */

/* Whatever the state of the generations asks for. */
static void settle(struct supervisor *s, uint64_t now_ns)
{
    if (s->serve_by_ns != CLOCK_NEVER && successor(s)->state == GENERATION_SERVING)
        succeed(s);
    else if (now_ns >= s->serve_by_ns)
        give_up(s);
    forget_gone(s);
    if (now_ns >= s->upgrade.deadline_ns)
        give_up_rehearsal(s);
    if (!s->elder || s->elder->next || s->is_ending)
        return;
    hurry_if_bereft(s);
    if (s->must_renew || now_ns >= s->renew_at_ns)
        renew(s);
    else if (s->must_upgrade && !upgrade_is_rehearsing(&s->upgrade))
        rehearse(s);
}

/* ---- signals ---- */

static void end_begin(struct supervisor *s, const char *signal_name)
{
    s->is_ending = true;
    s->must_renew = s->must_upgrade = false;
    s->serve_by_ns = s->renew_at_ns = CLOCK_NEVER;
    upgrade_done(&s->upgrade);
    for (struct generation *g = s->elder; g; g = g->next) {
        log_line(LOG_INFO, "draining", "signal=%s timeout_ms=%llu generation=%u", signal_name,
            (unsigned long long)(g->outfit->drain_timeout_ns / CLOCK_MS), g->number);
        generation_retire(g);
    }
}

static void end_at_once(struct supervisor *s, const char *signal_name)
{
    log_line(LOG_WARN, "drain-cut-short", "signal=%s", signal_name);
    for (struct generation *g = s->elder; g; g = g->next)
        generation_kill(g, "told twice to end");
}

static void on_hangup(struct supervisor *s)
{
    if (s->is_ending) {
        log_line(LOG_WARN, "not-reloaded", "reason=\"it is draining\"");
        return;
    }
    if (successor(s))
        log_line(LOG_INFO, "reload-waits", "reason=\"generation=%u has not left yet\"",
            s->elder->number);
    s->must_renew = true;
}

static void on_upgrade(struct supervisor *s)
{
    const char *reason = s->is_ending ? "it is draining" : "how it was started is not known";
    if (s->is_ending || !s->setup->argv)
        log_line(LOG_WARN, "not-upgraded", "reason=\"%s\"", reason);
    else
        s->must_upgrade = true;
}

static void on_signal(struct supervisor *s)
{
    int signal = signals_next(s->signals);
    const char *name = signal == SIGTERM ? "SIGTERM" : "SIGINT";
    if (signal == SIGHUP)
        on_hangup(s);
    else if (signal == SIGUSR2)
        on_upgrade(s);
    else if (signal && !s->is_ending)
        end_begin(s, name);
    else if (signal)
        end_at_once(s, name);
}

/* ---- the loop ---- */

static void look_again(struct supervisor *s)
{
    for (struct generation *g = s->elder; g; g = g->next)
        family_look(&g->family);
    s->next_look_ns = clock_now_ns() + s->setup->patience.look_ns;
}

static uint64_t next_ns(const struct supervisor *s, uint64_t log_ns)
{
    uint64_t next = s->next_look_ns < s->serve_by_ns ? s->next_look_ns : s->serve_by_ns;
    next = log_ns < next ? log_ns : next;
    next = s->renew_at_ns < next ? s->renew_at_ns : next;
    next = s->upgrade.deadline_ns < next ? s->upgrade.deadline_ns : next;
    for (const struct generation *g = s->elder; g; g = g->next) {
        uint64_t its = generation_next_ns(g);
        next = its < next ? its : next;
    }
    return next;
}

static int wait_for_events(struct supervisor *s)
{
    nfds_t n = N_OWN_POLLED;
    s->polled[POLLED_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    s->polled[POLLED_REHEARSAL] = (struct pollfd){.fd = s->upgrade.pidfd, .events = POLLIN};
    for (const struct generation *g = s->elder; g; g = g->next)
        n += generation_poll(g, s->polled + n);
    uint64_t now_ns = clock_now_ns();
    int wait_ms = clock_wait_ms(now_ns, next_ns(s, log_turn(now_ns)), INT32_MAX);
    return poll(s->polled, n, wait_ms) < 0 ? -errno : 0;
}

static int turn(struct supervisor *s)
{
    const struct pollfd *polled = s->polled + N_OWN_POLLED;
    int error = wait_for_events(s);
    if (error)
        return error == -EINTR ? 0 : error;
    for (struct generation *g = s->elder; g; g = g->next) {
        generation_hear(g, polled);
        polled += generation_n_polled(g);
    }
    if (s->polled[POLLED_SIGNALS].revents)
        on_signal(s);
    if (s->polled[POLLED_REHEARSAL].revents && upgrade_is_rehearsing(&s->upgrade))
        on_rehearsal(s);
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= s->next_look_ns)
        look_again(s);
    for (struct generation *g = s->elder; g; g = g->next)
        generation_turn(g, now_ns);
    settle(s, now_ns);
    return 0;
}

/* ---- a life ---- */

static void supervisor_done(struct supervisor *s)
{
    while (s->elder) {
        struct generation *g = s->elder;
        s->elder = g->next;
        generation_free(g);
    }
    upgrade_done(&s->upgrade);
    cleanup_fd(&s->signals);
    free(s->polled);
}

int supervisor_run(const struct supervisor_setup *setup)
{
    CLEANUP(supervisor_done)
    struct supervisor s = {
        .setup = setup, .is_orderly = true, .serve_by_ns = CLOCK_NEVER, .renew_at_ns = CLOCK_NEVER};
    upgrade_init(&s.upgrade, setup->argv);
    s.signals = signals_open();
    if (s.signals < 0) {
        outfit_free(setup->outfit);
        return s.signals;
    }
    int error = setup->heritage ? generation_take_over(&s, setup->outfit, setup->heritage)
                                : generation_begin(&s, setup->outfit);
    if (error)
        return error;
    settle(&s, clock_now_ns());
    while (s.elder) {
        error = turn(&s);
        if (error)
            return error;
    }
    log_line(s.is_orderly ? LOG_INFO : LOG_WARN, s.is_orderly ? "drained" : "not-drained",
        s.is_orderly ? "" : "reason=\"a child was killed or failed\"");
    return s.is_orderly ? SUPERVISOR_DRAINED : SUPERVISOR_CUT_SHORT;
}
