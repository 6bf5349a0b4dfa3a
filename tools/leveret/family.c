/* SPDX-License-Identifier: Apache-2.0 */
#include "family.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/log.h"

enum { FRONT, FIRST_WORKER }; /* places in children */

struct child *family_front(const struct family *family)
{
    return &family->children[FRONT];
}

struct child *family_worker(const struct family *family, uint32_t index)
{
    return &family->children[FIRST_WORKER + index];
}

static void places_init(struct family *family)
{
    char name[sizeof(family->children->name)];
    child_init(family_front(family), "front", family->outfit->front);
    family_front(family)->is_heard = family->outfit->is_confined;
    family_front(family)->environment = family->outfit->front_environment;
    for (uint32_t i = 0; i < family->outfit->n_workers; i++) {
        (void)snprintf(name, sizeof(name), "worker %u", i);
        child_init(family_worker(family, i), name, family->outfit->worker);
        family_worker(family, i)->is_heard = family->outfit->is_confined;
        pair_init(&family->pairs[i]);
    }
}

int family_init(
    struct family *family, const struct outfit *outfit, unsigned n_missed, unsigned number)
{
    uint32_t n_children = FIRST_WORKER + outfit->n_workers;
    CLEANUP(cleanup_free) struct child *children = calloc(n_children, sizeof(struct child));
    CLEANUP(cleanup_free) struct pair *pairs = calloc(outfit->n_workers, sizeof(struct pair));
    struct deadlines deadlines;
    struct census census;
    if (!children || !pairs || deadlines_init(&deadlines, n_children))
        return -ENOMEM;
    struct figures_shape shape = outfit->figures_shape;
    shape.n_workers = outfit->n_workers;
    const struct census_title title = {.number = number, .configuration = outfit->configuration};
    int error = census_init(&census, &shape, &title);
    if (error) {
        deadlines_done(&deadlines);
        return error;
    }
    *family = (struct family){.outfit = outfit,
        .n_missed = n_missed,
        .n_children = n_children,
        .children = STEAL(children),
        .pairs = STEAL(pairs),
        .deadlines = deadlines,
        .census = census};
    places_init(family);
    return 0;
}

void family_done(struct family *family)
{
    for (uint32_t i = 0; family->children && i < family->outfit->n_workers; i++)
        pair_close(&family->pairs[i]);
    for (uint32_t i = 0; i < family->n_children; i++)
        child_done(&family->children[i]);
    free(family->pairs);
    free(family->children);
    deadlines_done(&family->deadlines);
    census_done(&family->census);
    *family = (struct family){0};
}

/* The pairs that a child is one end of: all for the front, its own for a worker. */
struct pairs {
    enum pair_end end;
    uint32_t first, past;
};

static struct pairs pairs_of(const struct family *family, const struct child *child)
{
    uint32_t place = (uint32_t)(child - family->children);
    if (place == FRONT)
        return (struct pairs){PAIR_FRONT, 0, family->outfit->n_workers};
    return (struct pairs){PAIR_WORKER, place - FIRST_WORKER, place - FIRST_WORKER + 1};
}

void family_condemn(struct family *family, struct child *child, const char *why)
{
    log_line(LOG_WARN, "child-killed", "child=\"%s\" pid=%d reason=\"%s\"", child->name, child->pid,
        why);
    child_condemn(child);
    deadline_clear(&family->deadlines, &child->deadline);
}

void family_tell(struct family *family, struct child *child, const struct control_message *message,
    const struct control_fds *fds)
{
    if (child->state == CHILD_DOOMED)
        return;
    int error = child_tell(child, message, fds);
    if (error == -EAGAIN)
        family_condemn(family, child, "does not read its control socket");
    else if (error)
        family_condemn(family, child, strerror(-error));
}

/* ---- figures ---- */

/* Of a child, as the figures count places. */
static uint32_t place_of(const struct family *family, const struct child *child)
{
    return FIGURES_PROCESS_FRONT + (uint32_t)(child - family->children);
}

void family_note(struct family *family)
{
    for (uint32_t i = 0; i < family->n_children; i++) {
        const struct child *child = &family->children[i];
        census_note(&family->census, place_of(family, child), child);
    }
}

void family_note_death(
    struct family *family, const struct child *child, const struct obituary *obituary)
{
    census_obituary(&family->census, place_of(family, child), obituary);
}

/* ---- starting ---- */

static uint32_t n_live_workers(const struct family *family)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < family->outfit->n_workers; i++)
        n += child_is_live(family_worker(family, i));
    return n;
}

static struct control_fds start_fds(int plan, const struct census_segment *figures)
{
    return (struct control_fds){
        .fd = {[CONTROL_START_PLAN] = plan, [CONTROL_START_FIGURES] = figures->fd},
        .n = CONTROL_START_N_FDS,
    };
}

static void show_figures(struct family *family, struct child *front, uint32_t whose,
    const struct census_segment *figures)
{
    struct control_message message = {.kind = CONTROL_FIGURES, .worker = whose};
    struct control_fds fd = {.fd = {figures->to_look_at}, .n = 1};
    family_tell(family, front, &message, &fd);
}

static void front_introduce(struct family *family, struct child *front)
{
    const struct outfit *outfit = family->outfit;
    const struct census *census = &family->census;
    struct control_fds fds = start_fds(outfit->front_plan, &census->front);
    struct control_message start = {
        .kind = CONTROL_START,
        .log_level = outfit->log_level,
        .log_format = outfit->log_format,
        .n_listeners = (uint32_t)outfit->n_listeners,
        .n_lanes = n_live_workers(family),
        .is_confined = outfit->is_confined,
        .uid = outfit->user.uid,
        .gid = outfit->user.gid,
    };
    family_tell(family, front, &start, &fds);
    show_figures(family, front, CONTROL_SUPERVISOR, &census->supervisor);
    for (uint32_t i = 0; i < outfit->n_workers; i++)
        show_figures(family, front, i, &census->workers[i]);
    for (size_t i = 0; i < outfit->n_listeners; i++) {
        struct control_message listener = {.kind = CONTROL_LISTENER,
            .is_admin = outfit->has_admin && i + 1 == outfit->n_listeners};
        struct control_fds fd = {.fd = {outfit->listeners[i]->fd}, .n = 1};
        family_tell(family, front, &listener, &fd);
    }
}

static void worker_introduce(struct family *family, struct child *worker, uint32_t index)
{
    struct control_fds fds = start_fds(family->outfit->worker_plan, &family->census.workers[index]);
    struct control_message start = {
        .kind = CONTROL_START,
        .worker = index,
        .must_attach = family->must_attach,
        .io = family->outfit->io,
        .is_confined = family->outfit->is_confined,
        .uid = family->outfit->user.uid,
        .gid = family->outfit->user.gid,
        .log_level = family->outfit->log_level,
        .log_format = family->outfit->log_format,
    };
    family_tell(family, worker, &start, &fds);
}

/* Lay one lane, if both its ends are there. The front first: it may be waiting for a certain number
 * of them. */
static void lane_lay(struct family *family, uint32_t index, struct child *newcomer)
{
    struct pair *pair = &family->pairs[index];
    struct child *front = family_front(family), *worker = family_worker(family, index);
    struct control_message message = {.kind = CONTROL_LANE, .worker = index};
    if (!child_is_live(front) || !child_is_live(worker))
        return;
    assert(!pair_is_open(pair));
    CLEANUP(pair_ends_close) struct pair_ends ends = PAIR_NO_ENDS;
    int error = pair_open(pair, &family->outfit->lane_size, &ends);
    if (error) {
        family_condemn(family, newcomer, strerror(-error));
        return;
    }
    struct control_fds to_front = pair_fds(&ends, PAIR_FRONT, worker->pidfd);
    struct control_fds to_worker = pair_fds(&ends, PAIR_WORKER, front->pidfd);
    family_tell(family, front, &message, &to_front);
    family_tell(family, worker, &message, &to_worker);
}

void family_start(struct family *family, struct child *child)
{
    uint64_t now_ns = clock_now_ns();
    struct pairs pairs = pairs_of(family, child);
    int error = child_start(child, now_ns);
    if (error) {
        uint64_t delay_ns = throttle_delay_ns(&child->throttle, 0, false);
        log_line(LOG_ERROR, "child-not-started", "child=\"%s\" reason=\"%s\" retry_ms=%llu",
            child->name, strerror(-error), (unsigned long long)(delay_ns / CLOCK_MS));
        deadline_set(&family->deadlines, &child->deadline, now_ns + delay_ns);
        return;
    }
    log_line(LOG_INFO, "child-started", "child=\"%s\" pid=%d", child->name, child->pid);
    if (pairs.end == PAIR_FRONT)
        front_introduce(family, child);
    else
        worker_introduce(family, child, pairs.first);
    for (uint32_t i = pairs.first; i < pairs.past; i++)
        lane_lay(family, i, child);
}

void family_forget_lanes(struct family *family, const struct child *child)
{
    struct pairs pairs = pairs_of(family, child);
    for (uint32_t i = pairs.first; i < pairs.past; i++)
        pair_close(&family->pairs[i]);
}

/* ---- watching ---- */

static struct vitals vitals_of(struct family *family, struct pairs pairs)
{
    struct vitals vitals = {0};
    for (uint32_t i = pairs.first; i < pairs.past; i++) {
        if (pair_is_open(&family->pairs[i]))
            pair_look(&family->pairs[i], pairs.end, &vitals);
    }
    return vitals;
}

static void call(struct family *family, struct pairs pairs)
{
    for (uint32_t i = pairs.first; i < pairs.past; i++) {
        if (pair_is_open(&family->pairs[i]))
            pair_call(&family->pairs[i]);
    }
}

static void look_at(struct family *family, struct child *child)
{
    struct pairs pairs = pairs_of(family, child);
    struct vitals vitals = vitals_of(family, pairs);
    if (!vitals.has_lane || vitals.is_beating)
        child->n_missed = 0;
    else if (++child->n_missed >= family->n_missed)
        family_condemn(family, child, "hung: it is called, and its loop does not turn");
    else
        call(family, pairs);
}

void family_look(struct family *family)
{
    for (uint32_t i = 0; i < family->n_children; i++) {
        if (child_is_live(&family->children[i]))
            look_at(family, &family->children[i]);
    }
    census_measure(&family->census, clock_now_ns());
}
