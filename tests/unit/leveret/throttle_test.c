/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "throttle.h"

Test(throttle, a_useful_child_that_dies_is_replaced_at_once)
{
    struct throttle throttle = {0};
    for (int i = 0; i < 100; i++)
        cr_assert_eq(throttle_delay_ns(&throttle, 2 * CLOCK_S, true), 0);
}

Test(throttle, waits_ever_longer_for_one_that_never_becomes_ready)
{
    static const uint64_t delays_ms[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct throttle throttle = {0};
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++)
        cr_assert_eq(throttle_delay_ns(&throttle, 3 * CLOCK_S, false), delays_ms[i] * CLOCK_MS);
}

Test(throttle, never_waits_longer_than_the_last_step)
{
    struct throttle throttle = {.n_failures = 1000000};
    cr_assert_eq(throttle_delay_ns(&throttle, 0, false), THROTTLE_LAST_NS);
}

Test(throttle, a_life_shorter_than_a_second_is_a_failure_even_when_ready)
{
    struct throttle throttle = {0};
    cr_assert_eq(throttle_delay_ns(&throttle, CLOCK_S - 1, true), 0);
    cr_assert_eq(throttle_delay_ns(&throttle, CLOCK_S - 1, true), 100 * CLOCK_MS);
    cr_assert_eq(throttle_delay_ns(&throttle, CLOCK_S, true), 0);
}

Test(throttle, forgets_failures_when_a_child_was_useful)
{
    struct throttle throttle = {.n_failures = 6};
    cr_assert_eq(throttle_delay_ns(&throttle, CLOCK_S, true), 0);
    cr_assert_eq(throttle_delay_ns(&throttle, 0, false), 0);
    cr_assert_eq(throttle_delay_ns(&throttle, 0, false), 100 * CLOCK_MS);
}

Test(throttle, forgets_failures_after_a_long_life_whatever_ended_it)
{
    struct throttle throttle = {.n_failures = 6};
    cr_assert_eq(throttle_delay_ns(&throttle, THROTTLE_LONG_LIFE_NS, false), 0);
    cr_assert_eq(throttle_delay_ns(&throttle, 0, false), 100 * CLOCK_MS);
}
