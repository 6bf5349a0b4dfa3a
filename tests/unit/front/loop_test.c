/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/clock.h"

#include "fake_worker.h"
#include "loop.h"
#include "timer.h"

static struct loop loop;
static struct fake_worker worker;
static enum part_state seen;

static void on_part(void *owner, struct part *part) {}

static void on_deadline(void *owner)
{
    seen = ((struct part *)owner)->state;
}

Test(loop, a_reply_that_came_by_the_deadline_is_not_too_late)
{
    static const struct plan_part plan = {.verb = PLAN_PRODUCE};
    struct part part = {.plan = &plan};
    struct timer timer;
    cr_assert_eq(loop_init(&loop, 4), 0);
    loop.lanes = lanes_new(1, 1, &(struct lanes_events){.on_part = on_part});
    fake_worker_open(&worker);
    cr_assert_eq(lanes_attach(loop.lanes, 0, worker.memory_fd, dup(worker.doorbell.rope)), 0);
    cr_assert_eq(lanes_submit(loop.lanes, &part, 1), LANES_OK);
    fake_worker_publish(&worker, OUTCOME_CONFIRMED);

    timer_init(&timer, on_deadline, &part);
    timer_set(&loop.timers, &timer, clock_now_ns());
    loop_turn(&loop);
    cr_assert_eq(seen, PART_OVER, "the deadline was asked before the worker");
    lanes_free(loop.lanes);
    fake_worker_close(&worker);
}
