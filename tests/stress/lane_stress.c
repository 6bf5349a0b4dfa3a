/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane under load: two threads on one mapping, one as the front and one as the worker, and
 * afterwards the books of both must agree. Small lanes reuse their slots at once, large ones keep
 * many entries in the rings.
 *
 * Usage: lane_stress N_RECORDS [SEED]
 */
#include "lane_stress.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "shm/slot.h"

static const struct {
    uint32_t n_slots;
    uint32_t share; /* of the records, in sixteenths: the small ones are slow */
} lanes[] = {{1, 1}, {3, 1}, {16, 4}, {128, 10}};

enum { N_LANES = sizeof(lanes) / sizeof(lanes[0]), ENOUGH_RECORDS = 10000 };

struct role {
    struct course *course;
    struct front_tally front;
    struct worker_tally worker;
};

uint32_t body_length(struct chance *chance)
{
    if (chance_in(chance, 64))
        return chance_below(chance, BODY_MAX + 1);
    return chance_in(chance, 8) ? 0 : chance_below(chance, 64);
}

static void *run_front(void *context)
{
    struct role *role = context;
    front_run(role->course, &role->front);
    return NULL;
}

static void *run_worker(void *context)
{
    struct role *role = context;
    worker_run(role->course, &role->worker);
    return NULL;
}

static void course_init(struct course *course, uint32_t n_slots)
{
    struct lane_size size = {
        .n_slots = n_slots, .request_area_bytes = 1 << 15, .reply_area_bytes = 1 << 15};
    CLEANUP(cleanup_fd) int memory = lane_new(&size);
    assert(memory >= 0);
    int error = lane_join(&course->lane, memory);
    assert(error == 0);
    error = doorbell_new(&course->front_bell) | doorbell_new(&course->worker_bell);
    assert(error == 0);
}

static void course_done(struct course *course)
{
    doorbell_close(&course->front_bell);
    doorbell_close(&course->worker_bell);
    lane_leave(&course->lane);
}

static void run_both(struct role *role)
{
    pthread_t front, worker;
    int errors = pthread_create(&front, NULL, run_front, role) |
                 pthread_create(&worker, NULL, run_worker, role);
    assert(errors == 0);
    errors = pthread_join(front, NULL) | pthread_join(worker, NULL);
    assert(errors == 0);
}

/* Every submit has its one DONE, every delivery its one verdict, and nothing lies about. */
static void check_books(const struct role *role)
{
    const struct lane *lane = &role->course->lane;
    const struct front_tally *front = &role->front;
    const struct worker_tally *worker = &role->worker;
    assert(front->n_done == role->course->n_records);
    assert(worker->n_submits == front->n_done);
    assert(worker->n_cancelled == front->n_cancels_won[0] + front->n_cancels_won[1]);
    assert(worker->n_delivered == front->n_delivered);
    assert(worker->n_acks == front->n_acks);
    assert(worker->n_requeues == front->n_requeues);
    assert(worker->n_acks + worker->n_requeues == worker->n_delivered);
    for (uint32_t i = 0; i < lane->n_slots; i++)
        assert(slot_look(&lane->slots[i]).state == SLOT_FREE);
    assert(lane->request_ring->head == lane->request_ring->tail);
    assert(lane->reply_ring->head == lane->reply_ring->tail);
}

/* A run in which something never happened has not tried it. */
static void check_coverage(const struct front_tally *front, const struct worker_tally *worker)
{
    assert(front->n_cancels_won[0] > 0 && front->n_cancels_won[1] > 0);
    assert(front->n_cancels_lost > 0 && worker->n_stale_cancels > 0);
    assert(front->n_in_area > 0 && worker->n_refused > 0);
    assert(front->n_acks > 0 && front->n_requeues > 0);
    assert(front->n_sleeps > 0 && worker->n_sleeps > 0);
}

static void print_tallies(
    uint32_t n_slots, const struct front_tally *f, const struct worker_tally *w)
{
    printf("%3u slots: %" PRIu64 " done, %" PRIu64 " delivered, cancels %" PRIu64 " ready %" PRIu64
           " waiting %" PRIu64 " lost %" PRIu64 " stale, area full %" PRIu64 ", sleeps %" PRIu64
           " front %" PRIu64 " worker\n",
        n_slots, f->n_done, f->n_delivered, f->n_cancels_won[0], f->n_cancels_won[1],
        f->n_cancels_lost, w->n_stale_cancels, w->n_area_full, f->n_sleeps, w->n_sleeps);
}

static void run_lane(uint32_t n_slots, uint64_t n_records, uint64_t seed)
{
    struct course course = {.n_records = n_records, .seed = seed};
    struct role role = {.course = &course};
    course_init(&course, n_slots);
    run_both(&role);
    print_tallies(n_slots, &role.front, &role.worker);
    check_books(&role);
    if (n_slots >= 16 && n_records >= ENOUGH_RECORDS)
        check_coverage(&role.front, &role.worker);
    course_done(&course);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t n_records = strtoull(argv[1], NULL, 10);
    uint64_t seed = stress_seed("lane_stress", argc > 2 ? argv[2] : NULL);
    for (uint32_t i = 0; i < N_LANES; i++)
        run_lane(lanes[i].n_slots, n_records * lanes[i].share / 16, seed + i);
    return 0;
}
