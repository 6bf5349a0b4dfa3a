/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "poison.h"
#include "shm/clock.h"

static struct poison poison;
static uint64_t now_ns = 1000 * CLOCK_S;

/* One that stays away for as long as it is held, and is met again at once. */
static void expect_round(uint64_t seconds)
{
    uint64_t hold_ns = poison_hold_ns(&poison, true, now_ns);
    cr_assert_eq(hold_ns, seconds * CLOCK_S, "%llu s for %llu ns", (unsigned long long)seconds,
        (unsigned long long)hold_ns);
    now_ns += hold_ns;
}

static void grow_to_the_ceiling(void)
{
    for (int i = 0; i < 7; i++)
        now_ns += poison_hold_ns(&poison, true, now_ns);
    expect_round(60);
}

Test(poison, what_comes_back_is_held_twice_as_long_each_time_up_to_a_minute)
{
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        expect_round(seconds[i]);
    for (int i = 0; i < 1000; i++)
        expect_round(60);
}

Test(poison, what_comes_for_the_first_time_is_held_for_a_second_whatever_the_others_have_come_to)
{
    grow_to_the_ceiling();
    cr_assert_eq(poison_hold_ns(&poison, false, now_ns), POISON_FIRST_NS);
    expect_round(60);
}

Test(poison, many_that_come_back_together_are_one_round)
{
    expect_round(1);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(poison_hold_ns(&poison, true, now_ns + (uint64_t)i), 2 * CLOCK_S);
    now_ns += 2 * CLOCK_S - 1;
    cr_assert_eq(poison_hold_ns(&poison, true, now_ns), 2 * CLOCK_S, "the round is not over");
    now_ns += 1;
    expect_round(4);
}

Test(poison, falls_back_after_a_minute_without_any)
{
    grow_to_the_ceiling();
    now_ns += POISON_CALM_NS - 1;
    expect_round(60);
    now_ns += POISON_CALM_NS;
    expect_round(1);
    expect_round(2);
}

Test(poison, does_not_fall_back_while_new_ones_come)
{
    grow_to_the_ceiling();
    for (int i = 0; i < 100; i++) {
        now_ns += CLOCK_S;
        cr_assert_eq(poison_hold_ns(&poison, false, now_ns), POISON_FIRST_NS);
    }
    expect_round(60);
}

Test(poison, is_counted)
{
    for (uint64_t i = 1; i <= 100; i++)
        cr_assert_eq(poison_met(&poison), i);
}
