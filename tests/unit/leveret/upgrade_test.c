/* SPDX-License-Identifier: Apache-2.0 */
/* The rehearsal of another program, and an exec that fails. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "upgrade.h"

static struct upgrade upgrade;
static int status;

static void begin(char **argv)
{
    upgrade_init(&upgrade, argv);
    cr_assert_eq(upgrade_rehearse(&upgrade, clock_now_ns()), 0);
    cr_assert(upgrade_is_rehearsing(&upgrade));
    cr_assert_neq(upgrade.deadline_ns, CLOCK_NEVER);
}

static enum upgrade_outcome end_of(char **argv)
{
    begin(argv);
    struct pollfd ended = {.fd = upgrade.pidfd, .events = POLLIN};
    cr_assert_eq(poll(&ended, 1, 20000), 1);
    enum upgrade_outcome outcome = upgrade_heard(&upgrade, &status);
    cr_assert(!upgrade_is_rehearsing(&upgrade));
    cr_assert_eq(upgrade.deadline_ns, CLOCK_NEVER);
    return outcome;
}

static char sh[] = "/bin/sh", minus_c[] = "-c";

Test(upgrade, a_program_is_given_its_own_line_and_the_version_of_the_heritage)
{
    char script[] = "test \"$0 $1 $2\" = 'run --rehearse 1'", run[] = "run";
    cr_assert_eq(end_of((char *[]){sh, minus_c, script, run, NULL}), UPGRADE_PASSED);
}

Test(upgrade, a_program_that_refuses_has_failed)
{
    char script[] = "exit 3";
    cr_assert_eq(end_of((char *[]){sh, minus_c, script, NULL}), UPGRADE_FAILED);
    cr_assert_eq(status, 3);
}

Test(upgrade, a_program_that_dies_has_failed)
{
    char script[] = "kill -USR1 $$";
    cr_assert_eq(end_of((char *[]){sh, minus_c, script, NULL}), UPGRADE_FAILED);
    cr_assert_eq(status, -SIGUSR1);
}

Test(upgrade, a_program_that_is_not_there_has_failed)
{
    char nowhere[] = "/nonexistent/leveret";
    cr_assert_eq(end_of((char *[]){nowhere, NULL}), UPGRADE_FAILED);
    cr_assert_eq(status, 127);
}

Test(upgrade, a_rehearsal_that_does_not_end_can_be_ended)
{
    char script[] = "read nothing", *argv[] = {sh, minus_c, script, NULL};
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_geq(dup2(ends[0], STDIN_FILENO), 0);
    begin(argv);
    cr_assert_eq(upgrade_heard(&upgrade, &status), UPGRADE_GOES_ON);
    cr_assert(upgrade_is_rehearsing(&upgrade));
    upgrade_done(&upgrade);
    cr_assert(!upgrade_is_rehearsing(&upgrade));
    upgrade_done(&upgrade);
}

Test(upgrade, an_exec_that_fails_changes_nothing)
{
    static struct heritage heritage;
    char nowhere[] = "/nonexistent/leveret", *argv[] = {nowhere, NULL};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    heritage = (struct heritage){
        .version = HERITAGE_VERSION, .n_workers = 1, .n_listeners = 1, .listeners = {{.fd = fd}}};
    upgrade_init(&upgrade, argv);
    cr_assert_eq(upgrade_execute(&upgrade, &heritage), -ENOENT);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(heritage_take(&heritage), HERITAGE_NONE);
}
