/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "pair.h"
#include "shm/doorbell.h"

static const struct lane_size small = {
    .n_slots = 16, .request_area_bytes = 4096, .reply_area_bytes = 4096};

static struct pair pair;

static void pair_setup(void)
{
    pair_init(&pair);
    cr_assert_eq(pair_open(&pair, &small), 0);
}

static void pair_teardown(void)
{
    pair_close(&pair);
}

TestSuite(pair, .init = pair_setup, .fini = pair_teardown);

static struct vitals look(enum pair_end end)
{
    struct vitals vitals = {0};
    pair_look(&pair, end, &vitals);
    return vitals;
}

Test(pair, hands_out_the_lane_both_bells_and_the_peer)
{
    struct control_fds fds = pair_fds(&pair, 99);
    cr_assert_eq(fds.n, CONTROL_LANE_N_FDS);
    cr_assert_eq(fds.fd[CONTROL_LANE_MEMORY], pair.memory);
    cr_assert_eq(fds.fd[CONTROL_LANE_FRONT_BELL], pair.bells[PAIR_FRONT]);
    cr_assert_eq(fds.fd[CONTROL_LANE_WORKER_BELL], pair.bells[PAIR_WORKER]);
    cr_assert_eq(fds.fd[CONTROL_LANE_PEER], 99);
}

Test(pair, a_side_that_is_parked_is_not_awake)
{
    cr_assert(look(PAIR_WORKER).is_awake);
    doorbell_park(pair.lane.worker);
    cr_assert(!look(PAIR_WORKER).is_awake);
    cr_assert(look(PAIR_FRONT).is_awake);
}

Test(pair, a_beat_counts_once)
{
    cr_assert(!look(PAIR_FRONT).is_beating);
    atomic_store(&pair.lane.front->beats, 7);
    cr_assert(look(PAIR_FRONT).is_beating);
    cr_assert(!look(PAIR_FRONT).is_beating);
    cr_assert(!look(PAIR_WORKER).is_beating);
}

Test(pair, a_child_beats_when_it_beats_in_any_of_its_lanes)
{
    struct pair other;
    struct vitals vitals = {0};
    pair_init(&other);
    cr_assert_eq(pair_open(&other, &small), 0);
    atomic_store(&other.lane.front->beats, 1);
    pair_look(&pair, PAIR_FRONT, &vitals);
    pair_look(&other, PAIR_FRONT, &vitals);
    cr_assert(vitals.is_beating);
    cr_assert(vitals.is_awake);
    pair_close(&other);
}

Test(pair, calling_rings_the_bell_of_one_end_even_of_one_that_is_awake)
{
    struct pollfd front = {.fd = pair.bells[PAIR_FRONT], .events = POLLIN};
    struct pollfd worker = {.fd = pair.bells[PAIR_WORKER], .events = POLLIN};
    pair_call(&pair, PAIR_FRONT);
    cr_assert_eq(poll(&front, 1, 0), 1);
    cr_assert_eq(poll(&worker, 1, 0), 0);
}

Test(pair, can_be_closed_twice)
{
    pair_close(&pair);
    cr_assert(!pair_is_open(&pair));
    pair_close(&pair);
}

/* With ever more descriptors, until there are enough. */
Test(pair, a_pair_that_cannot_be_opened_stays_closed_and_leaks_nothing)
{
    int spare = dup(0);
    (void)close(spare);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int n = 0;; n++) {
        struct pair another;
        struct rlimit tight = {.rlim_cur = (rlim_t)(spare + n), .rlim_max = limit.rlim_max};
        pair_init(&another);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int error = pair_open(&another, &small);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (!error) {
            cr_assert_geq(n, 3);
            pair_close(&another);
            break;
        }
        cr_assert_eq(error, -EMFILE);
        cr_assert(!pair_is_open(&another));
    }
    int next = dup(0);
    cr_assert_eq(next, spare);
    (void)close(next);
}
