/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "backoff.h"
#include "shm/clock.h"

static struct backoff start(enum backoff_strategy strategy, uint32_t max_retries)
{
    struct backoff backoff;
    backoff_init(
        &backoff, &(struct backoff_config){.strategy = strategy, .max_retries = max_retries});
    return backoff;
}

static void expect_seconds(enum backoff_strategy strategy, const uint64_t *seconds, int n)
{
    struct backoff backoff = start(strategy, 0);
    for (int i = 0; i < n; i++)
        cr_assert_eq(backoff_failed(&backoff, 12345), seconds[i] * CLOCK_S, "failure %d", i + 1);
}

Test(backoff, constant_is_a_second)
{
    expect_seconds(BACKOFF_CONSTANT, (uint64_t[]){1, 1, 1, 1, 1}, 5);
}

Test(backoff, linear_is_the_number_of_failures_up_to_five_seconds)
{
    struct backoff backoff = start(BACKOFF_LINEAR, 0);
    for (uint64_t n = 1; n <= 40; n++)
        cr_assert_eq(backoff_failed(&backoff, 0), (n < 5 ? n : 5) * CLOCK_S);
}

Test(backoff, exponential_doubles_up_to_five_seconds)
{
    expect_seconds(BACKOFF_EXPONENTIAL, (uint64_t[]){1, 2, 4, 5, 5}, 5);
    struct backoff backoff = start(BACKOFF_EXPONENTIAL, 0);
    for (int i = 0; i < 100; i++)
        cr_assert_leq(backoff_failed(&backoff, 0), BACKOFF_MAX_NS, "no overflow");
}

Test(backoff, jitter_is_between_half_and_all_of_it)
{
    static const enum backoff_strategy strategies[] = {
        BACKOFF_LINEAR_JITTER, BACKOFF_EXPONENTIAL_JITTER};
    for (int i = 0; i < 2; i++) {
        struct backoff least = start(strategies[i], 0), most = least, middle = least;
        struct backoff full = start(i ? BACKOFF_EXPONENTIAL : BACKOFF_LINEAR, 0);
        for (int n = 0; n < 40; n++) {
            uint64_t full_ns = backoff_failed(&full, 0);
            cr_assert_eq(backoff_failed(&least, 0), full_ns / 2);
            cr_assert_eq(backoff_failed(&most, UINT32_MAX), full_ns);
            uint64_t middle_ns = backoff_failed(&middle, UINT32_MAX / 2);
            cr_assert(middle_ns > full_ns * 74 / 100 && middle_ns < full_ns * 76 / 100);
        }
    }
}

Test(backoff, success_begins_anew)
{
    struct backoff backoff = start(BACKOFF_EXPONENTIAL, 0);
    (void)backoff_failed(&backoff, 0);
    (void)backoff_failed(&backoff, 0);
    backoff_reset(&backoff);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_S);
}

Test(backoff, retries_run_out)
{
    struct backoff backoff = start(BACKOFF_CONSTANT, 2);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_S);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_S);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_NEVER);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_NEVER);
    backoff_reset(&backoff);
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_S);
}

Test(backoff, hosts_are_tried_in_turn_and_waited_for_after_a_whole_round)
{
    struct backoff backoff;
    backoff_init(&backoff, &(struct backoff_config){.strategy = BACKOFF_LINEAR, .n_hosts = 3});
    for (uint64_t round = 1; round < 4; round++) {
        cr_assert_eq(backoff.nth_host, 0);
        cr_assert_eq(backoff_failed(&backoff, 0), 0);
        cr_assert_eq(backoff.nth_host, 1);
        cr_assert_eq(backoff_failed(&backoff, 0), 0);
        cr_assert_eq(backoff.nth_host, 2);
        cr_assert_eq(backoff_failed(&backoff, 0), round * CLOCK_S);
    }
}

Test(backoff, a_stable_connection_that_is_lost_is_followed_by_the_next_host_at_once)
{
    struct backoff backoff;
    backoff_init(&backoff, &(struct backoff_config){.strategy = BACKOFF_LINEAR, .n_hosts = 2});
    (void)backoff_failed(&backoff, 0);
    (void)backoff_failed(&backoff, 0);
    cr_assert_eq(backoff_lost(&backoff, BACKOFF_STABLE_NS, 0), 0);
    cr_assert_eq(backoff.nth_host, 1);
    cr_assert_eq(backoff_failed(&backoff, 0), 0, "a whole round without a wait");
    cr_assert_eq(backoff_failed(&backoff, 0), CLOCK_S, "and the first wait again");
}

Test(backoff, a_connection_that_did_not_last_counts_as_a_failed_round)
{
    struct backoff backoff;
    backoff_init(&backoff, &(struct backoff_config){.strategy = BACKOFF_EXPONENTIAL, .n_hosts = 2});
    cr_assert_eq(backoff_lost(&backoff, BACKOFF_STABLE_NS - 1, 0), CLOCK_S);
    cr_assert_eq(backoff.nth_host, 1);
    cr_assert_eq(backoff_lost(&backoff, 0, 0), 2 * CLOCK_S);
    cr_assert_eq(backoff_lost(&backoff, 0, 0), 4 * CLOCK_S);
}
