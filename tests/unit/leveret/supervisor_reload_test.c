/* SPDX-License-Identifier: Apache-2.0 */
/* One generation after the other. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cast.h"

static struct stage stage;
static struct cast elder, successor;

static void stage_setup(void)
{
    stage_init(&stage, 1);
}

static void stage_teardown(void)
{
    stage_done(&stage);
}

TestSuite(supervisor_reload, .init = stage_setup, .fini = stage_teardown);

static void expects_renewed(unsigned n_workers)
{
    static int n;
    stage.renewed[n++] = stage_outfit(&stage, n_workers);
}

/* The workers of the successor are met, and must attach. */
static void meet_workers(unsigned n_workers)
{
    successor = (struct cast){0};
    for (unsigned i = 0; i < n_workers; i++) {
        int index = cast_meet(&successor, &stage);
        cr_assert_geq(index, 0);
        cr_assert_eq(puppet_number(&successor.worker[index].puppet, "attach"), 1);
    }
}

static void all_ready(unsigned n_workers)
{
    for (unsigned i = 0; i < n_workers; i++)
        cast_ready(&stage, &successor.worker[i]);
    cr_assert_eq(cast_meet(&successor, &stage), -1);
    for (unsigned i = 0; i < n_workers; i++)
        cast_joined(&successor, i);
    cast_ready(&stage, &successor.front);
}

static void leave(struct actor *actor)
{
    (void)puppet_hears(&actor->puppet, "drain ");
    puppet_do(&actor->puppet, "exit 0");
}

static void reload(unsigned n_workers)
{
    stage_signal(&stage, SIGHUP);
    meet_workers(n_workers);
    all_ready(n_workers);
}

Test(supervisor_reload, the_elder_leaves_when_the_successor_serves)
{
    expects_renewed(2);
    cast_enter(&elder, &stage);
    reload(2);
    (void)stage_log(&stage, "reloaded generation=2 drains=1");
    leave(&elder.front);
    leave(&elder.worker[0]);
    (void)stage_log(&stage, "generation-gone generation=1 orderly=1");
    cr_assert(puppet_hears_nothing(&successor.front.puppet));
    cr_assert(puppet_hears_nothing(&successor.worker[0].puppet));
}

/* Else clients would be let in before anything can be done for them. */
Test(supervisor_reload, the_new_front_comes_after_its_workers_and_the_elder_goes_after_both)
{
    expects_renewed(2);
    cast_enter(&elder, &stage);
    stage_forbids(&stage, "child-started child=\"front\"");
    stage_signal(&stage, SIGHUP);
    meet_workers(2);
    cast_ready(&stage, &successor.worker[0]);
    stage_forbids(&stage, NULL);
    cast_ready(&stage, &successor.worker[1]);
    cr_assert_eq(cast_meet(&successor, &stage), -1);
    cast_joined(&successor, 0);
    cast_joined(&successor, 1);
    cr_assert(puppet_hears_nothing(&elder.front.puppet));
    cast_ready(&stage, &successor.front);
    leave(&elder.front);
}

Test(supervisor_reload, a_bad_file_changes_nothing)
{
    cast_enter(&elder, &stage);
    stage_forbids(&stage, "child-started");
    stage_signal(&stage, SIGHUP);
    (void)stage_log(
        &stage, "not-reloaded reason=\"the file cannot be served\": generation=1 goes on");
    cr_assert(puppet_hears_nothing(&elder.front.puppet));
    cr_assert(puppet_hears_nothing(&elder.worker[0].puppet));
    stage_forbids(&stage, NULL);
    puppet_kill(&elder.worker[0].puppet, SIGUSR1);
    cr_assert_eq(cast_meet(&elder, &stage), 0);
    cast_joined(&elder, 0);
}

Test(supervisor_reload, a_third_generation_waits_until_the_first_is_gone_and_signals_count_once)
{
    expects_renewed(1);
    expects_renewed(1);
    cast_enter(&elder, &stage);
    reload(1);
    stage_forbids(&stage, "reloading generation=3");
    for (int i = 0; i < 3; i++) {
        stage_signal(&stage, SIGHUP);
        (void)stage_log(&stage, "reload-waits reason=\"generation=1 has not left yet\"");
    }
    leave(&elder.front);
    (void)puppet_hears(&elder.worker[0].puppet, "drain ");
    cr_assert(puppet_hears_nothing(&successor.front.puppet));
    stage_forbids(&stage, "reloading generation=4");
    puppet_do(&elder.worker[0].puppet, "exit 0");
    (void)stage_log(&stage, "generation-gone generation=1");
    struct cast second = successor;
    meet_workers(1);
    all_ready(1);
    leave(&second.front);
    leave(&second.worker[0]);
    (void)stage_log(&stage, "generation-gone generation=2");
    cr_assert(puppet_hears_nothing(&successor.front.puppet));
}

Test(supervisor_reload, a_successor_that_does_not_serve_in_time_is_given_up)
{
    stage.patience.serve_ns = 50 * CLOCK_MS;
    expects_renewed(1);
    cast_enter(&elder, &stage);
    stage_signal(&stage, SIGHUP);
    /* its worker never says that it is ready, and may be killed before it says anything */
    (void)stage_log(&stage, "not-reloaded reason=\"generation=2 does not serve after 50 ms\"");
    (void)stage_log(&stage, "child-killed child=\"worker 0\"");
    (void)stage_log(&stage, "generation-gone generation=2");
    cr_assert(puppet_hears_nothing(&elder.front.puppet));
    stage_signal(&stage, SIGTERM);
    leave(&elder.front);
    leave(&elder.worker[0]);
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED, "what was given up does not count");
}

Test(supervisor_reload, a_successor_whose_front_dies_at_once_is_given_up)
{
    stage.patience.serve_ns = 4 * CLOCK_S;
    expects_renewed(1);
    stage.renewed[0]->front = stage_program("/nonexistent/leveret-front");
    cast_enter(&elder, &stage);
    stage_signal(&stage, SIGHUP);
    meet_workers(1);
    cast_ready(&stage, &successor.worker[0]);
    (void)stage_log(&stage, "not-reloaded reason=\"generation=2 does not serve");
    (void)stage_log(&stage, "generation-gone generation=2");
    cr_assert(puppet_hears_nothing(&elder.front.puppet));
    cr_assert(puppet_hears_nothing(&elder.worker[0].puppet));
}

Test(supervisor_reload, a_worker_that_dies_before_the_change_is_replaced_and_must_attach_too)
{
    expects_renewed(1);
    cast_enter(&elder, &stage);
    stage_signal(&stage, SIGHUP);
    meet_workers(1);
    puppet_kill(&successor.worker[0].puppet, SIGUSR1);
    meet_workers(1);
    all_ready(1);
    leave(&elder.front);
    puppet_kill(&successor.worker[0].puppet, SIGUSR1);
    cr_assert_eq(cast_meet(&successor, &stage), 0);
    cr_assert_eq(puppet_number(&successor.worker[0].puppet, "attach"), 0, "it is alone now");
}

Test(supervisor_reload, the_end_drains_both)
{
    expects_renewed(1);
    cast_enter(&elder, &stage);
    reload(1);
    (void)puppet_hears(&elder.front.puppet, "drain ");
    stage_signal(&stage, SIGTERM);
    leave(&successor.front);
    leave(&successor.worker[0]);
    puppet_do(&elder.front.puppet, "exit 0");
    leave(&elder.worker[0]);
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_reload, the_end_in_the_middle_of_a_change_drains_both)
{
    expects_renewed(1);
    cast_enter(&elder, &stage);
    stage_signal(&stage, SIGHUP);
    meet_workers(1);
    stage_signal(&stage, SIGTERM);
    leave(&successor.worker[0]);
    leave(&elder.front);
    leave(&elder.worker[0]);
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_reload, being_told_twice_to_end_kills_both)
{
    expects_renewed(1);
    cast_enter(&elder, &stage);
    reload(1);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&successor.front.puppet, "drain ");
    stage_signal(&stage, SIGTERM);
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
    puppet_dies(&elder.front.puppet);
    puppet_dies(&elder.worker[0].puppet);
    puppet_dies(&successor.front.puppet);
    puppet_dies(&successor.worker[0].puppet);
}

Test(supervisor_reload, is_refused_while_draining)
{
    cast_enter(&elder, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&elder.front.puppet, "drain ");
    stage_signal(&stage, SIGHUP);
    (void)stage_log(&stage, "not-reloaded reason=\"it is draining\"");
}

/* The first file that the new program finds is bad. */
Test(supervisor_reload, what_was_inherited_serves_until_a_successor_does_which_is_tried_again)
{
    struct puppet inherited[2];
    stage.inherits = true;
    stage.patience.retry_ns = 100 * CLOCK_MS;
    stage.renewed[1] = stage_outfit(&stage, 1);
    stage_start(&stage);
    (void)stage_log(&stage, "not-reloaded reason=\"the file cannot be served\": generation=4");
    for (int i = 0; i < 2; i++)
        inherited[i] = stage_meet(&stage);
    int front = strcmp(inherited[0].role, "front") == 0 ? 0 : 1;
    meet_workers(1);
    all_ready(1);
    (void)stage_log(&stage, "reloaded generation=5 drains=4");
    (void)puppet_hears(&inherited[front], "eof");
    cr_assert(puppet_hears_nothing(&inherited[!front]));
    puppet_do(&inherited[front], "exit 0");
    (void)puppet_hears(&inherited[!front], "eof");
    puppet_do(&inherited[!front], "exit 0");
    (void)stage_log(&stage, "generation-gone generation=4 orderly=1");
}

/* It alone is not replaced: whoever comes brings a generation of its own. */
Test(supervisor_reload, when_one_that_was_inherited_dies_a_successor_is_tried_at_once)
{
    struct puppet inherited;
    stage.inherits = true;
    stage.patience.retry_ns = 1000 * CLOCK_S;
    stage.renewed[1] = stage_outfit(&stage, 1);
    stage_start(&stage);
    (void)stage_log(&stage, "not-reloaded reason=\"the file cannot be served\": generation=4");
    inherited = stage_meet(&stage);
    (void)stage_meet(&stage);
    puppet_kill(&inherited, SIGKILL);
    const char *obituary = stage_log(&stage, "child-died");
    cr_assert_not(strstr(obituary, "restart_ms"), "%s", obituary);
    meet_workers(1);
    all_ready(1);
    (void)stage_log(&stage, "reloaded generation=5 drains=4");
}
