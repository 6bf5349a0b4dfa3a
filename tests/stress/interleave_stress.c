/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real lanes of a front and the real desk of a worker, each as an actor that may lose its turn,
 * or its life, before any access to their lane.
 *
 * When the worker dies the front settles and gives its successor a fresh lane; when the front dies
 * the worker gives back what it holds and its successor gets one; either may die over that too.
 * What front_side.h and worker_side.h promise is held against both all the while: no request is
 * answered twice, "not sent" was not sent and nothing is sent twice, nothing is acknowledged that
 * was not written to a client. Neither may break off: both are honest. Both go to sleep as the
 * doorbell's protocol says; when both sleep and no bell rings there must be nothing to read. In the
 * end, with nobody dying any more, all comes to rest.
 *
 * Usage: interleave_stress N_RECORDS [SEED]
 */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/doorbell.h"

#include "front_side.h"
#include "interleave.h"
#include "worker_side.h"

enum { N_SLOTS = 8, ACCESSES_A_TURN = 12, TURNS_A_LIFE = 400, FRONT_DESCRIPTORS = 500 };

enum role { FRONT, WORKER, N_ROLES };

struct course {
    struct chance chance;
    struct ledger ledger;
    struct front_side front;
    struct worker_side worker;
    struct actor actors[N_ROLES];
    bool is_asleep[N_ROLES];
    struct doorbell bells[N_ROLES]; /* of whom they wake */
    int memory;                     /* of the lane */
    struct lane lane;               /* a view of our own */
    uint64_t n_deaths[N_ROLES], n_sleeps[N_ROLES];
};

/* ---- every lane that is joined is watched ---- */

static struct lane joined[INTERLEAVE_PLACES];

int __real_lane_join(struct lane *lane, int memory_fd);
int __wrap_lane_join(struct lane *lane, int memory_fd);
void __real_lane_leave(struct lane *lane);
void __wrap_lane_leave(struct lane *lane);

/* The place of `base` among the joined; of NULL: a free one. */
static struct lane *find(const uint8_t *base)
{
    for (int i = 0; i < INTERLEAVE_PLACES; i++)
        if (joined[i].base == base)
            return &joined[i];
    assert(base); /* there is always a free one */
    return NULL;
}

int __wrap_lane_join(struct lane *lane, int memory_fd)
{
    int error = __real_lane_join(lane, memory_fd);
    if (!error) {
        interleave_watch(lane->base, lane->total_bytes);
        *find(NULL) = *lane;
    }
    return error;
}

void __wrap_lane_leave(struct lane *lane)
{
    if (lane->base) {
        interleave_forget(lane->base);
        *find(lane->base) = (struct lane){0};
    }
    __real_lane_leave(lane);
}

/* ---- the stage ---- */

static void lane_drop(struct course *course)
{
    lane_leave(&course->lane);
    cleanup_fd(&course->memory);
    for (int role = 0; role < N_ROLES; role++)
        doorbell_close(&course->bells[role]);
}

/* A fresh lane and bells, for both to join. */
static void lane_lay(struct course *course)
{
    lane_drop(course);
    course->memory = peer_lane_new(N_SLOTS);
    int error = lane_join(&course->lane, course->memory);
    for (int role = 0; role < N_ROLES; role++)
        error |= doorbell_new(&course->bells[role]);
    assert(error == 0);
}

static void front_attach(struct course *course)
{
    int rope = fcntl(course->bells[WORKER].rope, F_DUPFD_CLOEXEC, FRONT_DESCRIPTORS);
    int error = lanes_attach(course->front.lanes, 0, course->memory, rope);
    assert(error == 0);
}

static void worker_attach(struct course *course)
{
    int error = worker_side_open(&course->worker, course->memory, &course->lane, true);
    assert(error == 0);
}

/* What the kernel would take back of a dead front: its memory, whose books were cut off in the
 * middle of anything and are left alone, its mappings, its descriptors. */
static void front_forget(struct course *course)
{
    const uint8_t *desk_base =
        course->worker.desk ? desk_block_bytes(course->worker.desk, 0) : NULL;
    for (int i = 0; i < INTERLEAVE_PLACES; i++) {
        struct lane lane = joined[i];
        if (lane.base && lane.base != course->lane.base && lane.base != desk_base)
            lane_leave(&lane);
    }
    int error = close_range(FRONT_DESCRIPTORS, UINT_MAX, 0);
    assert(error == 0);
    memset(&course->front, 0, sizeof(course->front));
}

/* And of a dead worker. */
static void worker_forget(struct course *course)
{
    desk_free(course->worker.desk);
    course->worker.desk = NULL;
    course->worker.n_busy = 0;
    memset(course->worker.states, 0, sizeof(course->worker.states));
}

static void sleep_until_rung(struct course *course, enum role role)
{
    course->n_sleeps[role]++;
    course->is_asleep[role] = true;
    actor_rest();
    doorbell_hush(course->bells[role].bell);
}

/* ---- the actors ---- */

static void run_worker(void *argument);

static void run_front(void *argument)
{
    struct course *course = argument;
    for (;;) {
        if (!course->actors[WORKER].is_alive) {
            worker_forget(course);
            lane_lay(course);
            worker_attach(course);
            front_attach(course); /* settles the old one */
            actor_start(&course->actors[WORKER], run_worker, course);
        }
        front_side_turn(&course->front);
        if (lanes_park(course->front.lanes))
            sleep_until_rung(course, FRONT);
        lanes_unpark(course->front.lanes);
    }
}

static void run_worker(void *argument)
{
    struct course *course = argument;
    struct worker_side *side = &course->worker;
    for (;;) {
        if (!course->actors[FRONT].is_alive) {
            worker_side_bury(side);
            front_forget(course);
            lane_lay(course);
            front_side_init(&course->front, 1, &course->chance, &course->ledger);
            front_attach(course);
            worker_attach(course);
            actor_start(&course->actors[FRONT], run_front, course);
        }
        bool has_more = desk_turn(side->desk);
        worker_side_advance(side);
        assert(!desk_complaint(side->desk));
        desk_ring(side->desk, course->bells[FRONT].rope);
        if (!has_more && desk_park(side->desk))
            sleep_until_rung(course, WORKER);
        desk_unpark(side->desk);
    }
}

static void both_start(struct course *course)
{
    front_forget(course);
    worker_forget(course);
    lane_lay(course);
    front_side_init(&course->front, 1, &course->chance, &course->ledger);
    front_attach(course);
    worker_attach(course);
    actor_start(&course->actors[FRONT], run_front, course);
    actor_start(&course->actors[WORKER], run_worker, course);
}

/* ---- who is next ---- */

static bool is_ringing(int bell)
{
    struct pollfd fd = {.fd = bell, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static bool is_empty(const struct ring_shared *ring)
{
    return atomic_load(&ring->tail) == atomic_load(&ring->head);
}

static bool is_ready(struct course *course, enum role role)
{
    if (!course->actors[role].is_alive)
        return false;
    /* a bell, or the peer's pidfd */
    if (is_ringing(course->bells[role].bell) || !course->actors[!role].is_alive)
        course->is_asleep[role] = false;
    return !course->is_asleep[role];
}

/* Whoever sleeps here has a timer too, but must not need it. */
static void wake_both(struct course *course)
{
    assert(is_empty(course->lane.request_ring) && is_empty(course->lane.reply_ring));
    course->is_asleep[FRONT] = course->is_asleep[WORKER] = false;
}

static void turn(struct course *course)
{
    enum role role = chance_below(&course->chance, N_ROLES);
    if (!is_ready(course, role))
        role = !role;
    if (is_ready(course, role))
        actor_turn(&course->actors[role]);
    else
        wake_both(course);
}

static void perhaps_kill(struct course *course)
{
    enum role role = chance_below(&course->chance, N_ROLES);
    if (!chance_in(&course->chance, TURNS_A_LIFE) || !course->actors[role].is_alive)
        return;
    actor_kill(&course->actors[role]);
    course->is_asleep[role] = false;
    course->n_deaths[role]++;
    if (!course->actors[!role].is_alive)
        both_start(course);
}

/* ---- the play ---- */

static bool is_at_rest(const struct course *course)
{
    return course->actors[FRONT].is_alive && course->actors[WORKER].is_alive &&
           lanes_n_aboard(course->front.lanes) == 0 && course->worker.n_busy == 0 &&
           is_empty(course->lane.request_ring) && is_empty(course->lane.reply_ring);
}

static void run_dry(struct course *course)
{
    enum { ENOUGH = 10000000 };
    for (unsigned n = 0; !is_at_rest(course); n++) {
        assert(n < ENOUGH); /* or something is stuck, or leaks */
        course->front.is_closing = true;
        turn(course);
    }
    front_side_check_rest(&course->front);
}

static void tell_tallies(const struct course *course)
{
    const struct front_side_tally *f = &course->front.tally;
    const struct worker_side_tally *w = &course->worker.tally;
    printf("%" PRIu64 " parts, %" PRIu64 " fronts and %" PRIu64 " workers died, %" PRIu64
           " and %" PRIu64 " sleeps\n",
        course->ledger.n, course->n_deaths[FRONT], course->n_deaths[WORKER],
        course->n_sleeps[FRONT], course->n_sleeps[WORKER]);
    printf("the last front: %" PRIu64 " told, %" PRIu64 " read; the workers: %" PRIu64
           " heard, %" PRIu64 " delivered, %" PRIu64 " acks, %" PRIu64 " requeues, %" PRIu64
           " cancelled, %" PRIu64 " binds lost\n",
        f->n_told, f->n_read, w->n_heard, w->n_delivered, w->n_acks, w->n_requeues, w->n_cancelled,
        w->n_bind_lost);
    assert(course->n_deaths[FRONT] > 0 && course->n_deaths[WORKER] > 0);
    assert(course->n_sleeps[FRONT] > 0 && course->n_sleeps[WORKER] > 0);
    assert(w->n_acks > 0 && w->n_requeues > 0 && w->n_cancelled > 0 && w->n_bind_lost > 0);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t n_records = strtoull(argv[1], NULL, 10);
    static struct course course = {.memory = -1, .bells = {{-1, -1}, {-1, -1}}};
    course.chance.state = stress_seed("interleave_stress", argc > 2 ? argv[2] : NULL);
    course.ledger = (struct ledger){
        .size = n_records, .is_sent = calloc(n_records, 1), .is_written = calloc(n_records, 1)};
    assert(course.ledger.is_sent && course.ledger.is_written);
    course.worker.chance = &course.chance;
    course.worker.ledger = &course.ledger;
    interleave_init(&course.chance, ACCESSES_A_TURN);
    both_start(&course);
    while (course.ledger.n + FRONT_MAX_PARTS <= n_records) {
        turn(&course);
        perhaps_kill(&course);
    }
    run_dry(&course);
    tell_tallies(&course);
    actor_done(&course.actors[FRONT]);
    actor_done(&course.actors[WORKER]);
    lane_drop(&course);
    return 0;
}
