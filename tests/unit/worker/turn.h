/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop for one test, turned until what is expected has happened, or for ten seconds: a test waits
 * for the event, and fails instead of hanging.
 */
#ifndef LEVERET_TESTS_WORKER_TURN_H
#define LEVERET_TESTS_WORKER_TURN_H

#include <criterion/criterion.h>

#include "loop.h"
#include "shm/clock.h"

static struct loop *loop;

static inline void turn_new(const struct loop_config *config)
{
    int r = loop_new(&loop, config);
    cr_assert_eq(r, 0, "%s", loop_explain(r));
}

static inline void turn_once(void)
{
    cr_assert_eq(loop_turn(loop, clock_now_ns()), 0);
}

#define TURN_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t turn_end_ns = clock_now_ns() + 10 * CLOCK_S;                                      \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_now_ns(), turn_end_ns, "never came: %s", #condition);               \
            cr_assert_eq(loop_turn(loop, turn_end_ns), 0);                                         \
        }                                                                                          \
    } while (0)

#endif
