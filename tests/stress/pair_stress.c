/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real lanes of a front and the real desk of a worker, both honest, in a thread each, on one
 * mapping of their lane: what ThreadSanitizer needs to see a race, and the real processor to show
 * what it makes of our fences. Both sleep on their bells as their loops do, and nobody may be
 * forgotten there.
 *
 * Usage: pair_stress N_RECORDS [SEED]
 */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/doorbell.h"

#include "front_side.h"
#include "worker_side.h"

enum { N_SLOTS = 12 };

struct course {
    struct ledger ledger;
    struct chance chances[2];
    struct front_side front;
    struct worker_side worker;
    struct doorbell front_bell, worker_bell;
    uint64_t n_front_sleeps, n_worker_sleeps;
    _Atomic bool is_over;
};

/* ---- one mapping for all who join ---- */

static struct lane shared;

int __wrap_lane_join(struct lane *lane, int memory_fd);
void __wrap_lane_leave(struct lane *lane);
int __real_lane_join(struct lane *lane, int memory_fd);
void __real_lane_leave(struct lane *lane);

int __wrap_lane_join(struct lane *lane, int memory_fd)
{
    *lane = shared;
    return 0;
}

void __wrap_lane_leave(struct lane *lane)
{
    *lane = (struct lane){0};
}

/* ---- sleeping ---- */

/* Until rung. */
static void wait_for(int bell)
{
    struct pollfd fd = {.fd = bell, .events = POLLIN};
    int n_ready = poll(&fd, 1, STRESS_WATCHDOG_MS);
    assert(n_ready == 1); /* or a wake-up was lost */
    doorbell_hush(bell);
}

/* Is something going on that the worker must come to an end with? */
static bool front_waits(const struct course *course)
{
    for (uint32_t c = 0; c < FRONT_CLIENTS; c++)
        for (uint32_t i = 0; i < FRONT_MAX_PARTS; i++)
            if (course->front.clients[c].parts[i].state == PART_ABOARD)
                return true;
    return false;
}

/* Has it nothing to do but to wait for the front? */
static bool worker_waits(const struct worker_side *side)
{
    for (uint32_t i = 0; i < N_SLOTS; i++)
        if (side->states[i] != SLOT_FREE && side->states[i] != SLOT_DONE)
            return false;
    return true;
}

/* ---- the two threads ---- */

static void *run_front(void *context)
{
    struct course *course = context;
    struct front_side *side = &course->front;
    while (!side->is_closing || lanes_n_aboard(side->lanes) > 0) {
        front_side_turn(side);
        side->is_closing = course->ledger.n + FRONT_MAX_PARTS > course->ledger.size;
        if (chance_in(side->chance, 4) && front_waits(course) && lanes_park(side->lanes)) {
            wait_for(course->front_bell.bell);
            course->n_front_sleeps++;
        }
        lanes_unpark(side->lanes);
    }
    /* release; pairs with the acquire in run_worker() */
    atomic_store_explicit(&course->is_over, true, memory_order_release);
    doorbell_pull(course->worker_bell.rope); /* it may sleep */
    return NULL;
}

static void *run_worker(void *context)
{
    struct course *course = context;
    struct worker_side *side = &course->worker;
    /* acquire; pairs with the release at the end of run_front() */
    while (!atomic_load_explicit(&course->is_over, memory_order_acquire)) {
        bool has_more = desk_turn(side->desk);
        worker_side_advance(side);
        assert(!desk_complaint(side->desk));
        desk_ring(side->desk, course->front_bell.rope);
        if (!has_more && worker_waits(side) && desk_park(side->desk)) {
            wait_for(course->worker_bell.bell);
            course->n_worker_sleeps++;
        }
        desk_unpark(side->desk);
    }
    while (desk_turn(side->desk))
        ; /* the last verdicts */
    assert(side->n_busy == 0);
    return NULL;
}

/* ---- the play ---- */

static void set_up(struct course *course, uint64_t n_records, uint64_t seed)
{
    CLEANUP(cleanup_fd) int memory = peer_lane_new(N_SLOTS);
    int error = __real_lane_join(&shared, memory);
    assert(error == 0);
    course->ledger = (struct ledger){
        .size = n_records, .is_sent = calloc(n_records, 1), .is_written = calloc(n_records, 1)};
    assert(course->ledger.is_sent && course->ledger.is_written);
    course->chances[0].state = seed;
    course->chances[1].state = ~seed ? ~seed : 1;
    error = doorbell_new(&course->front_bell) | doorbell_new(&course->worker_bell);
    assert(error == 0);
    front_side_init(&course->front, 1, &course->chances[0], &course->ledger);
    error = lanes_attach(course->front.lanes, 0, memory, dup(course->worker_bell.rope));
    assert(error == 0);
    course->worker.chance = &course->chances[1];
    course->worker.ledger = &course->ledger;
    error = worker_side_open(&course->worker, memory, &shared, true);
    assert(error == 0);
}

static void tear_down(struct course *course)
{
    front_side_check_rest(&course->front);
    lanes_settle(course->front.lanes, 0);
    front_side_done(&course->front);
    worker_side_bury(&course->worker);
    __real_lane_leave(&shared);
    doorbell_close(&course->front_bell);
    doorbell_close(&course->worker_bell);
    free(course->ledger.is_sent);
    free(course->ledger.is_written);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    static struct course course;
    uint64_t seed = stress_seed("pair_stress", argc > 2 ? argv[2] : NULL);
    set_up(&course, strtoull(argv[1], NULL, 10), seed);
    pthread_t front, worker;
    int errors = pthread_create(&front, NULL, run_front, &course) |
                 pthread_create(&worker, NULL, run_worker, &course);
    assert(errors == 0);
    errors = pthread_join(front, NULL) | pthread_join(worker, NULL);
    assert(errors == 0);
    const struct worker_side_tally *w = &course.worker.tally;
    printf("%" PRIu64 " parts, %" PRIu64 " told, %" PRIu64 " and %" PRIu64 " sleeps, %" PRIu64
           " delivered, %" PRIu64 " acks, %" PRIu64 " requeues, %" PRIu64 " cancelled, %" PRIu64
           " binds lost\n",
        course.ledger.n, course.front.tally.n_told, course.n_front_sleeps, course.n_worker_sleeps,
        w->n_delivered, w->n_acks, w->n_requeues, w->n_cancelled, w->n_bind_lost);
    assert(course.n_front_sleeps > 0 && course.n_worker_sleeps > 0 && w->n_cancelled > 0);
    assert(w->n_acks > 0 && w->n_requeues > 0 && w->n_acks + w->n_requeues == w->n_delivered);
    tear_down(&course);
    return 0;
}
