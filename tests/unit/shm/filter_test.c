/* SPDX-License-Identifier: Apache-2.0 */
/* Each in a process of its own, since there is no way back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shm/filter.h"

TestSuite(filter, .timeout = 20);

/* What a process that tries it ends with: its status, or minus the signal. */
static int outcome_of(const struct filter_table *tables, size_t n_tables, int (*attempt)(void))
{
    int status;
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        const struct rlimit none = {0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGSYS, SIG_DFL); /* not the test framework's */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_install(tables, n_tables) != 0)
            _exit(99);
        _exit(attempt());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int asks_its_pid(void)
{
    return syscall(SYS_getpid) > 0 ? 0 : errno;
}

static int asks_its_parent(void)
{
    return syscall(SYS_getppid) > 0 ? 0 : errno;
}

static int makes_a_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int makes_a_netlink_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : errno;
}

static int makes_a_raw_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : errno;
}

static int calls_what_is_high(void)
{
    return (int)syscall(0x40000000 + SYS_getpid);
}

static const struct filter_rule end[] = {{.call = SYS_exit_group}};

Test(filter, lets_through_what_is_listed_in_any_table)
{
    static const struct filter_rule rules[] = {{.call = SYS_getpid}};
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_assert_eq(outcome_of(tables, 2, asks_its_pid), 0);
}

Test(filter, what_is_not_listed_ends_with_a_signal)
{
    static const struct filter_rule rules[] = {{.call = SYS_getpid}};
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_assert_eq(outcome_of(tables, 2, asks_its_parent), -SIGSYS);
}

Test(filter, an_argument_decides_by_its_value)
{
    static const struct filter_rule rules[] = {
        {.call = SYS_socket, .check = FILTER_IS, .operand = AF_UNIX}};
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_expect_eq(outcome_of(tables, 2, makes_a_unix_socket), 0);
    cr_expect_eq(outcome_of(tables, 2, makes_a_netlink_socket), -SIGSYS);
}

Test(filter, an_argument_decides_by_its_bits)
{
    static const struct filter_rule rules[] = {{.call = SYS_socket,
        .check = FILTER_HAS_NONE,
        .argument = 1,
        .operand = SOCK_CLOEXEC | SOCK_NONBLOCK}};
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_expect_eq(outcome_of(tables, 2, makes_a_unix_socket), 0);
    cr_expect_eq(outcome_of(tables, 2, makes_a_raw_unix_socket), -SIGSYS);
}

Test(filter, the_first_rule_that_fits_decides_and_may_fail_the_call)
{
    static const struct filter_rule rules[] = {
        {.call = SYS_socket, .check = FILTER_IS, .operand = AF_UNIX},
        {.call = SYS_socket, .error = EACCES},
        {.call = SYS_getppid},
    };
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_expect_eq(outcome_of(tables, 2, makes_a_unix_socket), 0);
    cr_expect_eq(outcome_of(tables, 2, makes_a_netlink_socket), EACCES);
    cr_expect_eq(outcome_of(tables, 2, asks_its_parent), 0);
}

#ifdef __x86_64__
Test(filter, the_same_calls_by_other_numbers_are_none)
{
    static const struct filter_rule rules[] = {{.call = SYS_getpid}};
    const struct filter_table tables[] = {FILTER_TABLE(end), FILTER_TABLE(rules)};
    cr_assert_eq(outcome_of(tables, 2, calls_what_is_high), -SIGSYS);
}
#endif
