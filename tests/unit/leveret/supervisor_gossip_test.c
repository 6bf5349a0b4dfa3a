/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor thinks of children that are hung, deaf, or talk nonsense. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cast.h"

static struct stage stage;
static struct cast cast;

static void stage_setup(void)
{
    stage_init(&stage, 2);
}

static void stage_teardown(void)
{
    stage_done(&stage);
}

TestSuite(supervisor_gossip, .init = stage_setup, .fini = stage_teardown);

Test(supervisor_gossip, a_hung_worker_is_killed_and_replaced)
{
    stage.patience.look_ns = 5 * CLOCK_MS;
    stage.patience.n_missed = 200; /* a second */
    cast_enter(&cast, &stage);
    puppet_do(&cast.worker[1].puppet, "stuck");
    const char *line = stage_log(&stage, "child-killed");
    cr_assert(strstr(line, "child=\"worker 1\""), "%s", line);
    cr_assert(strstr(line, "hung"), "%s", line);
    cr_assert_eq(cast_meet(&cast, &stage), 1);
    cast_joined(&cast, 1);
}

Test(supervisor_gossip, a_hung_front_is_killed_and_replaced)
{
    stage.patience.look_ns = 5 * CLOCK_MS;
    stage.patience.n_missed = 200; /* a second */
    cast_enter(&cast, &stage);
    puppet_do(&cast.front.puppet, "stuck");
    const char *line = stage_log(&stage, "child-killed");
    cr_assert(strstr(line, "child=\"front\""), "%s", line);
    cr_assert_eq(cast_meet(&cast, &stage), -1);
}

/* One more call than it would take to be called hung. */
Test(supervisor_gossip, a_child_that_beats_when_it_is_called_lives)
{
    stage.patience.look_ns = 20 * CLOCK_MS;
    stage.patience.n_missed = 40;
    cast_enter(&cast, &stage);
    puppet_do(&cast.worker[0].puppet, "beat when called");
    for (unsigned i = 0; i <= stage.patience.n_missed; i++)
        (void)puppet_hears(&cast.worker[0].puppet, "called");
    cr_assert(puppet_hears_nothing(&cast.worker[1].puppet));
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
}

Test(supervisor_gossip, a_complaint_of_the_front_costs_the_worker_its_life)
{
    cast_enter(&cast, &stage);
    puppet_do(&cast.front.puppet, "complain 1");
    (void)stage_log(&stage, "complaint from=\"front\" lane=1 reason=\"so I was told\"");
    puppet_dies(&cast.worker[1].puppet);
    cr_assert_eq(cast_meet(&cast, &stage), 1);
    cast_joined(&cast, 1);
}

Test(supervisor_gossip, a_complaint_of_a_worker_costs_it_its_own_life)
{
    cast_enter(&cast, &stage);
    puppet_do(&cast.worker[0].puppet, "complain 0");
    puppet_dies(&cast.worker[0].puppet);
    cr_assert_eq(cast_meet(&cast, &stage), 0);
    cast_joined(&cast, 0);
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
}

Test(supervisor_gossip, complaints_again_and_again_are_throttled)
{
    static const char *const delays[] = {"restart_ms=0", "restart_ms=100", "restart_ms=200"};
    cast_enter(&cast, &stage);
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        puppet_do(&cast.front.puppet, "complain 1");
        const char *obituary = stage_log(&stage, "child-died child=\"worker 1\"");
        cr_assert(strstr(obituary, delays[i]), "%s", obituary);
        cr_assert_eq(cast_meet(&cast, &stage), 1);
        cast_joined(&cast, 1);
        cast_ready(&stage, &cast.worker[1]);
    }
}

Test(supervisor_gossip, a_complaint_about_somebody_else_or_nobody_is_dropped)
{
    cast_enter(&cast, &stage);
    puppet_do(&cast.worker[0].puppet, "complain 1");
    (void)stage_log(&stage, "message-dropped from=\"worker 0\"");
    puppet_do(&cast.front.puppet, "complain 2");
    (void)stage_log(&stage, "message-dropped from=\"front\"");
    puppet_do(&cast.front.puppet, "complain -1");
    (void)stage_log(&stage, "message-dropped from=\"front\"");
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
}

Test(supervisor_gossip, what_makes_no_sense_is_dropped)
{
    cast_enter(&cast, &stage);
    puppet_do(&cast.front.puppet, "babble");
    (void)stage_log(&stage, "message-dropped from=\"front\" reason=malformed");
    puppet_do(&cast.front.puppet, "ready");
    (void)stage_log(&stage, "message-dropped from=\"front\" kind=5");
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
}

/* So many listeners that they cannot all wait in its socket. */
Test(supervisor_gossip, a_child_that_does_not_read_its_socket_is_killed)
{
    enum { N_LISTENERS = 4000 };
    static struct listener *listeners[N_LISTENERS];
    for (int i = 0; i < N_LISTENERS; i++)
        listeners[i] = stage.listener;
    stage.outfit->front = stage_program(PUPPET_DEAF);
    free(stage.outfit->listeners);
    stage.outfit->listeners = listeners;
    stage.outfit->n_listeners = N_LISTENERS;
    stage_start(&stage);
    (void)stage_log(&stage, "child-killed child=\"front\"");
    const char *obituary = stage_log(&stage, "child-died child=\"front\"");
    cr_assert(strstr(obituary, "signal=9"), "%s", obituary);
}

/* The READY is still in the socket when its sender is found dead. */
Test(supervisor_gossip, the_last_words_of_a_dead_child_are_heard)
{
    stage_start(&stage);
    for (int i = 0; i < 3; i++)
        (void)cast_meet(&cast, &stage);
    stage_freeze(&stage);
    puppet_do(&cast.worker[0].puppet, "ready");
    puppet_do(&cast.worker[0].puppet, "exit 0");
    puppet_dies(&cast.worker[0].puppet);
    stage_thaw(&stage);
    const char *obituary = stage_log(&stage, "child-died child=\"worker 0\"");
    cr_assert(strstr(obituary, "was_ready=1"), "%s", obituary);
}
