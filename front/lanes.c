/* SPDX-License-Identifier: Apache-2.0 */
#include "lanes.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "shm/clock.h"
#include "shm/doorbell.h"

#include "dock.h"

#define LATE_NS (100 * CLOCK_MS)

struct lanes {
    struct lanes_events events;
    struct dock_events dock_events;
    struct part *first_stranded, **last_stranded; /* in the order in which they were submitted */
    uint32_t n_workers, n_backends;
    struct pier {
        struct dock *live; /* NULL while the worker is dead */
        struct dock *dead; /* of the one before, while something is pinned there */
    } piers[];             /* of each worker */
};

static void strand(struct lanes *lanes, struct part *part)
{
    part_move(part, PART_STRANDED);
    part->next = NULL;
    part->prev = lanes->last_stranded;
    *lanes->last_stranded = part;
    lanes->last_stranded = &part->next;
}

static void unstrand(struct lanes *lanes, struct part *part)
{
    *part->prev = part->next;
    if (part->next)
        part->next->prev = part->prev;
    else
        lanes->last_stranded = part->prev;
    part_move(part, PART_IDLE);
}

static struct dock *live_dock(const struct lanes *lanes, uint32_t worker)
{
    struct dock *dock = worker < lanes->n_workers ? lanes->piers[worker].live : NULL;
    return dock && dock->state == DOCK_LIVE ? dock : NULL;
}

/* Windows are per backend and worker: what others do there matters less. */
static bool has_less_to_do(const struct dock *dock, const struct dock *than, uint32_t backend)
{
    uint32_t n = dock->berths.n_of_backend[backend];
    uint32_t n_than = than->berths.n_of_backend[backend];
    return n != n_than ? n < n_than : dock->berths.n_taken < than->berths.n_taken;
}

static uint64_t worker_bit(uint32_t worker)
{
    return UINT64_C(1) << worker;
}

static struct dock *dock_for(const struct lanes *lanes, const struct part *part)
{
    if (part->plan->worker != PLAN_ANY_WORKER)
        return live_dock(lanes, part->plan->worker);
    struct dock *best = NULL;
    for (uint32_t i = 0; i < lanes->n_workers; i++) {
        struct dock *dock = part->refused_by & worker_bit(i) ? NULL : live_dock(lanes, i);
        if (dock && (!best || has_less_to_do(dock, best, part->plan->backend)))
            best = dock;
    }
    return best;
}

/* Any lane with room for an IDLE part: the best one may lack space for a large body. */
static enum lanes_outcome reserve(const struct lanes *lanes, struct part *part)
{
    struct dock *best = dock_for(lanes, part);
    if (!best)
        return LANES_NO_WORKER;
    if (dock_reserve(best, part))
        return LANES_OK;
    if (part->plan->worker != PLAN_ANY_WORKER)
        return LANES_FULL;
    for (uint32_t i = 0; i < lanes->n_workers; i++) {
        struct dock *dock = part->refused_by & worker_bit(i) ? NULL : live_dock(lanes, i);
        if (dock && dock != best && dock_reserve(dock, part))
            return LANES_OK;
    }
    return LANES_FULL;
}

static void give_up(struct lanes *lanes, struct part *part, enum outcome outcome)
{
    part->reply = (struct part_reply){.outcome = outcome};
    part_move(part, PART_OVER);
    lanes->events.on_part(lanes->events.owner, part);
}

/* Submit an IDLE part that has been aboard before; wait for a worker when there is none. */
static void resubmit(struct lanes *lanes, struct part *part)
{
    part->refused_by = 0; /* workers come and go */
    switch (reserve(lanes, part)) {
    case LANES_OK:
        dock_submit(part);
        break;
    case LANES_NO_WORKER:
        strand(lanes, part);
        break;
    case LANES_FULL:
        give_up(lanes, part, OUTCOME_BUSY);
        break;
    }
}

static void on_cast_off(void *owner, struct part *part)
{
    struct lanes *lanes = owner;
    if (part->state == PART_OVER)
        lanes->events.on_part(lanes->events.owner, part);
    else if (++part->n_deaths >= PART_MAX_DEATHS)
        give_up(lanes, part, OUTCOME_NO_WORKER);
    else
        resubmit(lanes, part);
}

/* To a worker that has not refused it yet, unless it is so late that sending it now would rather
 * end as unknown. */
static bool goes_elsewhere(struct lanes *lanes, struct part *part)
{
    part->refused_by |= worker_bit(part->dock->worker);
    if (part->plan->worker != PLAN_ANY_WORKER || clock_now_ns() + LATE_NS > part->deadline_ns ||
        reserve(lanes, part) != LANES_OK)
        return false;
    dock_submit(part);
    return true;
}

static void on_part(void *owner, struct part *part)
{
    struct lanes *lanes = owner;
    if (part->state == PART_IDLE) {
        if (goes_elsewhere(lanes, part))
            return;
        part_move(part, PART_OVER);
    }
    lanes->events.on_part(lanes->events.owner, part);
}

static void on_cut_off(void *owner, struct part *part)
{
    struct lanes *lanes = owner;
    lanes->events.on_cut_off(lanes->events.owner, part);
}

/* One that was cut off stands nowhere any more. */
static void on_unpinned(void *owner, struct dock *dock)
{
    struct lanes *lanes = owner;
    struct pier *pier = &lanes->piers[dock->worker];
    if (pier->dead == dock)
        pier->dead = NULL;
    dock_free(dock);
}

static void on_broken(void *owner, struct dock *dock, const char *reason)
{
    struct lanes *lanes = owner;
    lanes->events.on_broken(lanes->events.owner, dock->worker, reason);
}

struct lanes *lanes_new(uint32_t n_workers, uint32_t n_backends, const struct lanes_events *events)
{
    assert(n_workers <= LANES_MAX_WORKERS);
    struct lanes *lanes = calloc(1, sizeof(*lanes) + n_workers * sizeof(lanes->piers[0]));
    if (!lanes)
        return NULL;
    lanes->events = *events;
    lanes->dock_events = (struct dock_events){.owner = lanes,
        .on_part = on_part,
        .on_cast_off = on_cast_off,
        .on_cut_off = on_cut_off,
        .on_unpinned = on_unpinned,
        .on_broken = on_broken};
    lanes->last_stranded = &lanes->first_stranded;
    lanes->n_workers = n_workers;
    lanes->n_backends = n_backends;
    return lanes;
}

void lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return;
    assert(!lanes->first_stranded);
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        dock_free(lanes->piers[i].live);
    free(lanes);
}

/* All that have a worker now. Returns those that find no room aboard: IDLE, a list. */
static struct part *embark(struct lanes *lanes)
{
    struct part *refused = NULL, **last = &refused;
    for (struct part *part = lanes->first_stranded, *next; part; part = next) {
        next = part->next;
        if (!dock_for(lanes, part))
            continue;
        unstrand(lanes, part);
        if (reserve(lanes, part) == LANES_OK) {
            dock_submit(part);
        } else {
            part->next = NULL;
            *last = part;
            last = &part->next;
        }
    }
    return refused;
}

static void embark_stranded(struct lanes *lanes)
{
    struct part *refused = embark(lanes);
    while (refused) { /* only now, since a callback may abandon any of them */
        struct part *part = refused;
        refused = part->next;
        if (part->state == PART_IDLE)
            give_up(lanes, part, OUTCOME_BUSY);
    }
}

int lanes_attach(struct lanes *lanes, uint32_t worker, int memory_fd, int rope)
{
    if (worker >= lanes->n_workers)
        return -EINVAL;
    lanes_settle(lanes, worker);
    const struct dock_setup setup = {
        .worker = worker, .n_backends = lanes->n_backends, .events = &lanes->dock_events};
    int error = dock_new(&lanes->piers[worker].live, &setup, memory_fd, rope);
    if (!error)
        embark_stranded(lanes);
    return error;
}

/* Before the next dead one takes its place; it is freed by its last verdict. */
static void leave_older(struct pier *pier)
{
    struct dock *dead = STEAL(pier->dead);
    if (dead)
        dock_cut_off(dead);
}

void lanes_settle(struct lanes *lanes, uint32_t worker)
{
    struct pier *pier = worker < lanes->n_workers ? &lanes->piers[worker] : NULL;
    if (!pier || !pier->live)
        return;
    struct dock *dock = STEAL(pier->live);
    if (dock->n_pinned) {
        leave_older(pier);
        pier->dead = dock;
    }
    dock->n_pinned++; /* ours, so that a verdict in a callback does not free it under us */
    dock_settle(dock);
    if (--dock->n_pinned == 0)
        on_unpinned(lanes, dock);
}

enum lanes_outcome lanes_submit(struct lanes *lanes, struct part *parts, size_t n)
{
    enum lanes_outcome outcome = LANES_OK;
    size_t n_reserved = 0;
    while (n_reserved < n && (outcome = reserve(lanes, &parts[n_reserved])) == LANES_OK)
        n_reserved++;
    for (size_t i = 0; i < n_reserved; i++) {
        if (outcome == LANES_OK)
            dock_submit(&parts[i]);
        else
            dock_release(&parts[i]);
    }
    return outcome;
}

unsigned lanes_poll(struct lanes *lanes)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        if (lanes->piers[i].live)
            n += dock_poll(lanes->piers[i].live);
    return n;
}

void lanes_ring(struct lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        if (lanes->piers[i].live)
            dock_ring(lanes->piers[i].live);
}

bool lanes_park(struct lanes *lanes)
{
    bool may_sleep = true;
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        if (lanes->piers[i].live && !dock_park(lanes->piers[i].live))
            may_sleep = false;
    return may_sleep;
}

void lanes_unpark(struct lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        if (lanes->piers[i].live)
            dock_unpark(lanes->piers[i].live);
}

void lanes_call(struct lanes *lanes, uint32_t worker)
{
    if (lanes->piers[worker].live)
        doorbell_pull(lanes->piers[worker].live->rope);
}

uint64_t lanes_beats(const struct lanes *lanes, uint32_t worker)
{
    const struct dock *dock = lanes->piers[worker].live;
    /* relaxed: a sign of life, nothing hangs on its order */
    return dock ? atomic_load_explicit(&dock->lane.worker->beats, memory_order_relaxed) : 0;
}

bool lanes_look(const struct lanes *lanes, uint32_t worker, struct dock_sight *sight)
{
    const struct dock *dock = live_dock(lanes, worker);
    if (dock)
        dock_look(dock, sight);
    return dock;
}

uint32_t lanes_n_aboard(const struct lanes *lanes)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        n += lanes->piers[i].live ? lanes->piers[i].live->berths.n_taken : 0;
    for (const struct part *part = lanes->first_stranded; part; part = part->next)
        n++;
    return n;
}

uint64_t lanes_area_bytes(const struct lanes *lanes)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < lanes->n_workers; i++)
        if (lanes->piers[i].live && lanes->piers[i].live->lane.request_area_bytes < least)
            least = lanes->piers[i].live->lane.request_area_bytes;
    return least == UINT64_MAX ? 0 : least;
}

void lanes_abandon(struct lanes *lanes, struct part *part)
{
    if (part->state == PART_STRANDED)
        unstrand(lanes, part);
    dock_abandon(part);
}
