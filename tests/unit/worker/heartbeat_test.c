/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "heartbeat.h"
#include "shm/clock.h"

Test(heartbeat, due_after_half_an_interval_and_dead_after_two)
{
    struct heartbeat heartbeat = {
        .interval_ns = 10 * CLOCK_S, .heard_ns = 100 * CLOCK_S, .spoke_ns = 200 * CLOCK_S};
    cr_assert_eq(heartbeat_due_ns(&heartbeat), 205 * CLOCK_S);
    cr_assert_eq(heartbeat_death_ns(&heartbeat), 120 * CLOCK_S);
}

Test(heartbeat, an_odd_interval_of_a_second_still_has_a_half)
{
    struct heartbeat heartbeat = {.interval_ns = CLOCK_S};
    cr_assert_eq(heartbeat_due_ns(&heartbeat), CLOCK_S / 2);
}

Test(heartbeat, none_is_never_due)
{
    struct heartbeat heartbeat = {.heard_ns = 5, .spoke_ns = 5};
    cr_assert_eq(heartbeat_due_ns(&heartbeat), CLOCK_NEVER);
    cr_assert_eq(heartbeat_death_ns(&heartbeat), CLOCK_NEVER);
}
