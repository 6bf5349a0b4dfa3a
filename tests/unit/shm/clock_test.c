/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <limits.h>

#include "shm/clock.h"

Test(clock, never_falls)
{
    uint64_t before = clock_now_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_now_ns();
        cr_assert_geq(now, before);
        before = now;
    }
}

Test(clock, a_wait_is_rounded_up_and_bounded)
{
    cr_assert_eq(clock_wait_ms(100, 100, 1000), 0);
    cr_assert_eq(clock_wait_ms(100, 99, 1000), 0);
    cr_assert_eq(clock_wait_ms(100, 101, 1000), 1, "a wait of less must not become a busy loop");
    cr_assert_eq(clock_wait_ms(0, 5 * CLOCK_MS, 1000), 5);
    cr_assert_eq(clock_wait_ms(0, 5 * CLOCK_MS + 1, 1000), 6);
    cr_assert_eq(clock_wait_ms(0, CLOCK_NEVER - 1, 1000), 1000);
    cr_assert_eq(clock_wait_ms(0, CLOCK_NEVER, INT_MAX), INT_MAX);
}
