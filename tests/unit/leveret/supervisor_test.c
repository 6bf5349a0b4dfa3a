/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, dying and coming back. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

TestSuite(supervisor, .init = stage_setup, .fini = stage_teardown);

Test(supervisor, starts_a_front_with_listeners_and_a_lane_to_each_worker)
{
    uint16_t port = stage.listener->port;
    cast_enter(&cast, &stage);
    cr_assert_eq(cast.front.n_lanes_due, 2);
    cr_assert_neq(cast.front_lane[0], cast.front_lane[1]);
    cr_assert_neq(cast.worker[0].puppet.pid, cast.worker[1].puppet.pid);
    char serving[128];
    (void)snprintf(serving, sizeof(serving),
        "serving addresses=127.0.0.1:%u port=%u workers=2 pid=%d", port, port, stage.supervisor);
    (void)stage_log(&stage, serving);
}

Test(supervisor, hands_each_child_its_plan_and_the_way_to_log)
{
    stage.outfit->n_workers = 1;
    stage.outfit->log_format = LOG_JSON;
    stage_start(&stage);
    long plan[2];
    for (int i = 0; i < 2; i++) {
        struct puppet puppet = stage_meet(&stage);
        (void)puppet_hears(&puppet, "start ");
        cr_assert_eq(puppet_number(&puppet, "level"), LOG_DEBUG);
        cr_assert_eq(puppet_number(&puppet, "format"), LOG_JSON);
        cr_assert_eq(puppet_number(&puppet, "listeners"), strcmp(puppet.role, "front") == 0);
        plan[i] = puppet_number(&puppet, "plan");
    }
    cr_assert_neq(plan[0], plan[1]);
}

Test(supervisor, replaces_a_dead_worker_and_joins_it_to_the_same_front)
{
    cast_enter(&cast, &stage);
    struct cast before = cast;
    puppet_kill(&cast.worker[1].puppet, SIGKILL);
    cr_assert_eq(cast_meet(&cast, &stage), 1);
    cast_joined(&cast, 1);
    cr_assert_neq(cast.front_lane[1], before.front_lane[1]);
    cr_assert_neq(cast.front_peer[1], before.front_peer[1]);
    cr_assert(puppet_hears_nothing(&cast.worker[0].puppet));
    char expected[96];
    (void)snprintf(expected, sizeof(expected), "child-died child=\"worker 1\" pid=%d signal=9",
        before.worker[1].puppet.pid);
    const char *obituary = stage_log(&stage, expected);
    cr_assert(strstr(obituary, "was_ready=1 restart_ms=0"), "%s", obituary);
}

/* Some that start programs leave the signal ignored, and then the kernel collects the children. */
Test(supervisor, learns_how_a_child_died_although_SIGCHLD_was_ignored_when_it_started)
{
    (void)signal(SIGCHLD, SIG_IGN);
    stage_start(&stage);
    (void)signal(SIGCHLD, SIG_DFL);
    cast_gather(&cast, &stage);
    puppet_kill(&cast.worker[0].puppet, SIGKILL);
    const char *obituary = stage_log(&stage, "child-died child=\"worker 0\"");
    cr_assert(strstr(obituary, "signal=9"), "%s", obituary);
}

Test(supervisor, replaces_a_dead_front_and_joins_it_to_the_same_workers)
{
    cast_enter(&cast, &stage);
    struct cast before = cast;
    puppet_kill(&cast.front.puppet, SIGKILL);
    cr_assert_eq(cast_meet(&cast, &stage), -1);
    cr_assert_eq(cast.front.n_lanes_due, 2);
    for (unsigned i = 0; i < 2; i++) {
        cast_joined(&cast, i);
        cr_assert_neq(cast.front_lane[i], before.front_lane[i]);
        cr_assert_eq(cast.front_peer[i], before.front_peer[i]);
    }
    cast_ready(&stage, &cast.front);
    (void)stage_log(&stage, "serving ");
}

Test(supervisor, the_port_stays_open_while_the_front_is_dead)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(stage.listener->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cast_enter(&cast, &stage);
    stage_freeze(&stage);
    puppet_kill(&cast.front.puppet, SIGKILL);
    puppet_dies(&cast.front.puppet);
    CLEANUP(cleanup_fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    stage_thaw(&stage);
    cr_assert_eq(cast_meet(&cast, &stage), -1);
}

/* Both deaths are there before either is seen; the front's is seen first. */
Test(supervisor, front_and_worker_that_die_together_are_joined_anew)
{
    cast_enter(&cast, &stage);
    struct cast before = cast;
    stage_freeze(&stage);
    puppet_kill(&cast.front.puppet, SIGKILL);
    puppet_kill(&cast.worker[0].puppet, SIGKILL);
    puppet_dies(&cast.front.puppet);
    puppet_dies(&cast.worker[0].puppet);
    stage_thaw(&stage);
    (void)cast_meet(&cast, &stage);
    (void)cast_meet(&cast, &stage);
    cr_assert_neq(cast.front.puppet.pid, before.front.puppet.pid);
    cr_assert_neq(cast.worker[0].puppet.pid, before.worker[0].puppet.pid);
    cr_assert_eq(cast.front.n_lanes_due, 1);
    cast_joined(&cast, 1);
    cast_joined(&cast, 0);
    cr_assert(puppet_hears_nothing(&cast.front.puppet));
    cr_assert(puppet_hears_nothing(&cast.worker[0].puppet));
    cr_assert(puppet_hears_nothing(&cast.worker[1].puppet));
}

/* The worker has failed so often that its place stays empty for a while. */
Test(supervisor, a_front_that_starts_while_a_worker_is_away_gets_its_lane_later)
{
    cast_enter(&cast, &stage);
    for (int i = 0; i < 3; i++) {
        puppet_do(&cast.worker[0].puppet, "exit 3");
        cr_assert_eq(cast_meet(&cast, &stage), 0);
        cast_joined(&cast, 0);
    }
    stage_freeze(&stage);
    puppet_kill(&cast.front.puppet, SIGKILL);
    puppet_do(&cast.worker[0].puppet, "exit 3");
    puppet_dies(&cast.front.puppet);
    puppet_dies(&cast.worker[0].puppet);
    stage_thaw(&stage);
    cr_assert_eq(cast_meet(&cast, &stage), -1);
    cr_assert_eq(cast.front.n_lanes_due, 1);
    cast_joined(&cast, 1);
    cast_ready(&stage, &cast.front);
    cr_assert_eq(cast_meet(&cast, &stage), 0);
    cast_joined(&cast, 0);
}

/* The front has failed so often that its place stays empty for a while. */
Test(supervisor, a_worker_that_starts_while_the_front_is_away_gets_its_lane_later)
{
    cast_enter(&cast, &stage);
    for (int i = 0; i < 3; i++) {
        puppet_do(&cast.front.puppet, "exit 3");
        cr_assert_eq(cast_meet(&cast, &stage), -1);
        cast_joined(&cast, 0);
        cast_joined(&cast, 1);
    }
    stage_freeze(&stage);
    puppet_do(&cast.front.puppet, "exit 3");
    puppet_kill(&cast.worker[0].puppet, SIGKILL);
    puppet_dies(&cast.front.puppet);
    puppet_dies(&cast.worker[0].puppet);
    stage_thaw(&stage);
    cr_assert_eq(cast_meet(&cast, &stage), 0);
    cast_ready(&stage, &cast.worker[0]);
    cr_assert(puppet_hears_nothing(&cast.worker[0].puppet));
    cr_assert_eq(cast_meet(&cast, &stage), -1);
    cr_assert_eq(cast.front.n_lanes_due, 2);
    cast_joined(&cast, 0);
    cast_joined(&cast, 1);
}

Test(supervisor, a_child_that_cannot_be_executed_is_tried_ever_later)
{
    stage.outfit->front = stage_program("/nonexistent/leveret-front");
    stage_start(&stage);
    (void)stage_log(&stage, "not-executed child=\"front\" path=/nonexistent/leveret-front");
    static const char *const delays[] = {"restart_ms=0", "restart_ms=100", "restart_ms=200"};
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        const char *obituary = stage_log(&stage, "child-died child=\"front\"");
        cr_assert(strstr(obituary, "status=127"), "%s", obituary);
        cr_assert(strstr(obituary, delays[i]), "%s", obituary);
    }
}

Test(supervisor, children_see_the_end_of_file_when_it_is_killed)
{
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGKILL);
    cr_assert_eq(stage_wait(&stage), -SIGKILL);
    (void)puppet_hears(&cast.front.puppet, "eof");
    (void)puppet_hears(&cast.worker[0].puppet, "eof");
    (void)puppet_hears(&cast.worker[1].puppet, "eof");
}

/* One child must not hold another's socket open, or the end of file would never come. */
Test(supervisor, children_that_were_started_later_do_not_keep_a_socket_of_the_earlier)
{
    cast_enter(&cast, &stage);
    puppet_kill(&cast.front.puppet, SIGKILL);
    (void)cast_meet(&cast, &stage);
    cast_joined(&cast, 0);
    cast_joined(&cast, 1);
    stage_signal(&stage, SIGKILL);
    cr_assert_eq(stage_wait(&stage), -SIGKILL);
    (void)puppet_hears(&cast.worker[0].puppet, "eof");
    (void)puppet_hears(&cast.front.puppet, "eof");
}
