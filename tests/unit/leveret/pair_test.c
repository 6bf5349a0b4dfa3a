/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "pair.h"
#include "shm/doorbell.h"

static const struct lane_size small = {
    .n_slots = 16, .request_area_bytes = 4096, .reply_area_bytes = 4096};

static struct pair pair;
static struct pair_ends ends;

static void pair_setup(void)
{
    pair_init(&pair);
    cr_assert_eq(pair_open(&pair, &small, &ends), 0);
}

static void pair_teardown(void)
{
    pair_close(&pair);
    pair_ends_close(&ends);
}

TestSuite(pair, .init = pair_setup, .fini = pair_teardown, .timeout = 20);

static struct vitals look(enum pair_end end)
{
    struct vitals vitals = {0};
    pair_look(&pair, end, &vitals);
    return vitals;
}

static bool is_ringing(enum pair_end end)
{
    struct pollfd fd = {.fd = ends.bells[end].bell, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

Test(pair, hands_each_end_the_lane_its_bell_and_the_other_ones_rope)
{
    struct control_fds front = pair_fds(&ends, PAIR_FRONT, 98);
    struct control_fds worker = pair_fds(&ends, PAIR_WORKER, 99);
    cr_assert_eq(front.n, CONTROL_LANE_N_FDS);
    cr_assert_eq(worker.n, CONTROL_LANE_N_FDS);
    cr_assert_eq(front.fd[CONTROL_LANE_MEMORY], worker.fd[CONTROL_LANE_MEMORY]);
    cr_assert_eq(front.fd[CONTROL_LANE_PEER], 98);
    cr_assert_eq(worker.fd[CONTROL_LANE_PEER], 99);
    cr_assert_eq(front.fd[CONTROL_LANE_BELL], ends.bells[PAIR_FRONT].bell);
    cr_assert_eq(worker.fd[CONTROL_LANE_BELL], ends.bells[PAIR_WORKER].bell);
    doorbell_pull(front.fd[CONTROL_LANE_ROPE]);
    cr_assert(is_ringing(PAIR_WORKER) && !is_ringing(PAIR_FRONT));
    doorbell_hush(ends.bells[PAIR_WORKER].bell);
    doorbell_pull(worker.fd[CONTROL_LANE_ROPE]);
    cr_assert(is_ringing(PAIR_FRONT) && !is_ringing(PAIR_WORKER));
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
    CLEANUP(pair_ends_close) struct pair_ends other_ends;
    struct vitals vitals = {0};
    pair_init(&other);
    cr_assert_eq(pair_open(&other, &small, &other_ends), 0);
    atomic_store(&other.lane.front->beats, 1);
    pair_look(&pair, PAIR_FRONT, &vitals);
    pair_look(&other, PAIR_FRONT, &vitals);
    cr_assert(vitals.is_beating);
    cr_assert(vitals.has_lane);
    pair_close(&other);
}

Test(pair, calling_rings_even_those_that_are_awake)
{
    pair_call(&pair);
    cr_assert(is_ringing(PAIR_FRONT) && is_ringing(PAIR_WORKER));
}

/* All that a child has of a lane; it blocks for ever, if it blocks. */
Test(pair, no_child_can_make_a_call_block)
{
    uint64_t most = UINT64_MAX - 1;
    for (enum pair_end end = PAIR_FRONT; end < PAIR_N_ENDS; end++) {
        struct control_fds fds = pair_fds(&ends, end, 99);
        int bell = fds.fd[CONTROL_LANE_BELL], rope = fds.fd[CONTROL_LANE_ROPE];
        cr_assert_eq(fcntl(bell, F_SETFL, 0) | fcntl(rope, F_SETFL, 0), 0);
        cr_assert_eq(write(rope, &most, sizeof(most)), (ssize_t)sizeof(most));
        doorbell_hush(bell);
    }
    pair_call(&pair);
    pair_call(&pair);
    cr_assert(is_ringing(PAIR_FRONT) && is_ringing(PAIR_WORKER));
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
        struct pair_ends another_ends = PAIR_NO_ENDS;
        struct rlimit tight = {.rlim_cur = (rlim_t)(spare + n), .rlim_max = limit.rlim_max};
        pair_init(&another);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int error = pair_open(&another, &small, &another_ends);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (!error) {
            cr_assert_geq(n, 3);
            pair_close(&another);
            pair_ends_close(&another_ends);
            break;
        }
        cr_assert_eq(error, -EMFILE);
        cr_assert(!pair_is_open(&another) && another_ends.memory == -1);
    }
    int next = dup(0);
    cr_assert_eq(next, spare);
    (void)close(next);
}
