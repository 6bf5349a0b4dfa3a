/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/clock.h"
#include "shm/deadline.h"

enum { N = 200 };

static struct deadlines deadlines;
static struct deadline all[N];

static void init(void)
{
    cr_assert_eq(deadlines_init(&deadlines, N), 0);
}

static void done(void)
{
    deadlines_done(&deadlines);
}

TestSuite(deadlines, .init = init, .fini = done);

Test(deadlines, none_never_comes)
{
    cr_assert_eq(deadlines_next(&deadlines), CLOCK_NEVER);
    cr_assert_null(deadlines_pop(&deadlines, CLOCK_NEVER));
}

Test(deadlines, come_in_order_and_not_before_their_time)
{
    for (uint64_t i = 0; i < N; i++)
        deadline_set(&deadlines, &all[i], (i * 7919) % N + 1);
    for (uint64_t now = 0; now <= N; now++) {
        struct deadline *came = deadlines_pop(&deadlines, now);
        cr_assert_eq(came != NULL, now > 0);
        if (came) {
            cr_assert_eq(came->at_ns, now);
            cr_assert_not(deadline_is_set(came));
        }
        cr_assert_null(deadlines_pop(&deadlines, now));
    }
}

Test(deadlines, set_anew_and_cleared_ones_are_forgotten)
{
    deadline_set(&deadlines, &all[0], 10);
    deadline_set(&deadlines, &all[1], 20);
    deadline_set(&deadlines, &all[0], 30);
    cr_assert_eq(deadlines_next(&deadlines), 20);
    deadline_clear(&deadlines, &all[1]);
    deadline_clear(&deadlines, &all[1]);
    cr_assert_eq(deadlines_next(&deadlines), 30);
    cr_assert_eq(deadlines_pop(&deadlines, 30), &all[0]);
    cr_assert_eq(deadlines_next(&deadlines), CLOCK_NEVER);
}

/* Against a plain array: the least of all that are set comes first, after any history. */
Test(deadlines, keep_order_through_random_histories)
{
    uint32_t seed = 88172645u;
    for (int step = 0; step < 100000; step++) {
        seed = seed * 1664525u + 1013904223u;
        struct deadline *deadline = &all[(seed >> 16) % N];
        if (seed >> 31)
            deadline_set(&deadlines, deadline, (seed >> 8) % 1000);
        else
            deadline_clear(&deadlines, deadline);
        uint64_t least = CLOCK_NEVER;
        for (int i = 0; i < N; i++)
            if (deadline_is_set(&all[i]) && all[i].at_ns < least)
                least = all[i].at_ns;
        cr_assert_eq(deadlines_next(&deadlines), least);
    }
}
