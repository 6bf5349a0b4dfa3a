/* SPDX-License-Identifier: Apache-2.0 */
/* How the supervisor ends. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
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

TestSuite(supervisor_drain, .init = stage_setup, .fini = stage_teardown);

static bool is_refused(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLEANUP(cleanup_fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(client, (struct sockaddr *)&address, sizeof(address)) < 0 &&
           errno == ECONNREFUSED;
}

static void drain_in_order(int signal)
{
    stage_signal(&stage, signal);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    cr_assert_leq(puppet_number(&cast.front.puppet, "in_ms"), 10000);
    cr_assert_gt(puppet_number(&cast.front.puppet, "in_ms"), 5000);
    cr_assert(puppet_hears_nothing(&cast.worker[0].puppet));
    cr_assert(puppet_hears_nothing(&cast.worker[1].puppet));
    puppet_do(&cast.front.puppet, "exit 0");
    for (int i = 0; i < 2; i++) {
        (void)puppet_hears(&cast.worker[i].puppet, "drain ");
        cr_assert_leq(puppet_number(&cast.worker[i].puppet, "in_ms"), 10000);
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
}

Test(supervisor_drain, the_front_leaves_before_the_workers)
{
    cast_enter(&cast, &stage);
    drain_in_order(SIGTERM);
    (void)stage_log(&stage, "draining signal=SIGTERM timeout_ms=10000");
    (void)stage_log(&stage, "child-left child=\"front\"");
    (void)stage_log(&stage, "drained");
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_drain, an_interrupt_drains_too)
{
    cast_enter(&cast, &stage);
    drain_in_order(SIGINT);
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_drain, nothing_more_is_accepted_once_the_front_has_left)
{
    uint16_t port = stage.listener->port;
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    puppet_do(&cast.front.puppet, "exit 0");
    puppet_dies(&cast.front.puppet);
    cr_assert(is_refused(port));
}

Test(supervisor_drain, workers_drain_at_once_when_there_is_no_front)
{
    stage.outfit->front = stage_program("/nonexistent/leveret-front");
    stage_start(&stage);
    for (int i = 0; i < 2; i++)
        (void)cast_meet(&cast, &stage);
    (void)stage_log(&stage, "restart_ms=200");
    stage_signal(&stage, SIGTERM);
    for (int i = 0; i < 2; i++) {
        puppet_hears_at_last(&cast.worker[i].puppet, "drain "); /* past lanes to dead fronts */
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_drain, a_child_that_dies_is_not_replaced_any_more)
{
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    puppet_kill(&cast.worker[0].puppet, SIGKILL);
    const char *obituary = stage_log(&stage, "child-died child=\"worker 0\"");
    cr_assert_not(strstr(obituary, "restart_ms"), "%s", obituary);
    puppet_do(&cast.front.puppet, "exit 0");
    (void)puppet_hears(&cast.worker[1].puppet, "drain ");
    puppet_do(&cast.worker[1].puppet, "exit 0");
    (void)stage_log(&stage, "not-drained");
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
}

/* Its READY and our DRAIN cross on the way. */
Test(supervisor_drain, what_a_child_says_that_is_leaving_is_ignored)
{
    stage_start(&stage);
    for (int i = 0; i < 3; i++)
        (void)cast_meet(&cast, &stage);
    stage_forbids(&stage, "message-dropped");
    stage_signal(&stage, SIGTERM);
    puppet_hears_at_last(&cast.front.puppet, "drain ");
    puppet_do(&cast.front.puppet, "ready");
    puppet_do(&cast.front.puppet, "complain 0");
    puppet_do(&cast.front.puppet, "exit 0");
    for (int i = 0; i < 2; i++) {
        puppet_hears_at_last(&cast.worker[i].puppet, "drain ");
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
    (void)stage_log(&stage, "drained");
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_DRAINED);
}

Test(supervisor_drain, the_workers_drain_when_the_front_dies_instead_of_leaving)
{
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    puppet_kill(&cast.front.puppet, SIGUSR1);
    for (int i = 0; i < 2; i++) {
        (void)puppet_hears(&cast.worker[i].puppet, "drain ");
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
}

Test(supervisor_drain, a_child_that_leaves_with_an_error_is_told)
{
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    puppet_do(&cast.front.puppet, "exit 4");
    const char *obituary = stage_log(&stage, "child-died child=\"front\"");
    cr_assert(strstr(obituary, "status=4"), "%s", obituary);
    for (int i = 0; i < 2; i++) {
        (void)puppet_hears(&cast.worker[i].puppet, "drain ");
        puppet_do(&cast.worker[i].puppet, "exit 0");
    }
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
}

Test(supervisor_drain, who_has_not_left_in_time_is_killed_and_the_workers_still_get_their_time)
{
    stage.outfit->drain_timeout_ns = 20 * CLOCK_MS;
    stage.patience.leave_ns = 20 * CLOCK_MS;
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    (void)stage_log(&stage, "child-killed child=\"front\"");
    (void)puppet_hears(&cast.worker[0].puppet, "drain ");
    (void)puppet_hears(&cast.worker[1].puppet, "drain ");
    (void)stage_log(&stage, "reason=\"has not left in time\"");
    (void)stage_log(&stage, "reason=\"has not left in time\"");
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
}

Test(supervisor_drain, a_second_signal_kills_all_at_once)
{
    cast_enter(&cast, &stage);
    stage_signal(&stage, SIGTERM);
    (void)puppet_hears(&cast.front.puppet, "drain ");
    stage_signal(&stage, SIGINT);
    (void)stage_log(&stage, "drain-cut-short signal=SIGINT");
    cr_assert_eq(stage_wait(&stage), SUPERVISOR_CUT_SHORT);
    puppet_dies(&cast.front.puppet);
    puppet_dies(&cast.worker[0].puppet);
    puppet_dies(&cast.worker[1].puppet);
}

Test(supervisor_drain, a_child_that_has_hung_up_is_killed_since_it_cannot_be_told)
{
    cast_enter(&cast, &stage);
    puppet_do(&cast.front.puppet, "hang up");
    (void)puppet_hears(&cast.front.puppet, "hung up");
    puppet_do(&cast.front.puppet, "stuck"); /* the orders are obeyed in turn */
    stage_signal(&stage, SIGTERM);
    (void)stage_log(&stage, "child-killed child=\"front\"");
    (void)puppet_hears(&cast.worker[0].puppet, "drain ");
}
