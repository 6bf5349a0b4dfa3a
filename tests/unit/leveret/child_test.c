/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "child.h"
#include "shm/clock.h"
#include "stage.h"

static struct stage stage;

static void stage_setup(void)
{
    stage_init(&stage, 1);
}

static void stage_teardown(void)
{
    stage_done(&stage);
}

TestSuite(child, .init = stage_setup, .fini = stage_teardown);

static struct obituary die(struct child *child)
{
    struct obituary obituary;
    struct pollfd polled = {.fd = child->pidfd, .events = POLLIN};
    cr_assert_eq(poll(&polled, 1, 20000), 1);
    cr_assert_eq(child_bury(child, child->started_ns + 7, &obituary), CHILD_IS_DEAD);
    cr_assert_eq(child->state, CHILD_DOWN);
    return obituary;
}

static struct child start(const char *path)
{
    struct child child;
    child_init(&child, "worker 0", stage_program(path));
    cr_assert_eq(child.state, CHILD_DOWN);
    cr_assert_eq(child_start(&child, clock_now_ns()), 0);
    cr_assert_eq(child.state, CHILD_STARTING);
    return child;
}

/* Also of what the test itself inherited or opened without care. */
Test(child, inherits_three_standard_descriptors_its_control_socket_and_a_page)
{
    int careless = open("/dev/null", O_RDONLY);
    sigset_t set;
    (void)sigfillset(&set);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    struct child child = start(PUPPET_WORKER);
    struct puppet puppet = stage_meet(&stage);
    cr_assert_eq(puppet.pid, child.pid);
    cr_assert_eq(puppet_number(&puppet, "descriptors"), 5);
    cr_assert_eq(puppet_number(&puppet, "in_is_null"), 1);
    cr_assert_eq(puppet_number(&puppet, "blocked"), 0);
    child_condemn(&child);
    (void)die(&child);
    (void)close(careless);
}

Test(child, ignores_the_signals_that_are_the_supervisors)
{
    struct child child = start(PUPPET_WORKER);
    struct puppet puppet = stage_meet(&stage);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};
    unsigned long long ignored = strtoull(strstr(puppet.report, "ignored=") + 8, NULL, 16);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        cr_assert(ignored & (1ULL << (signals[i] - 1)), "signal %d", signals[i]);
    puppet_do(&puppet, "exit 0");
    (void)die(&child);
}

Test(child, an_exit_is_told_from_a_signal)
{
    struct child child = start(PUPPET_WORKER);
    struct puppet first = stage_meet(&stage);
    puppet_do(&first, "exit 5");
    struct obituary obituary = die(&child);
    cr_assert_eq(obituary.pid, first.pid);
    cr_assert_eq(obituary.signal, 0);
    cr_assert_eq(obituary.status, 5);
    cr_assert_eq(obituary.lived_ns, 7);
    cr_assert_eq(obituary.last_state, CHILD_STARTING);
    cr_assert(!obituary.was_ready);

    cr_assert_eq(child_start(&child, clock_now_ns()), 0);
    child_ready(&child);
    struct puppet second = stage_meet(&stage);
    puppet_kill(&second, SIGUSR1);
    obituary = die(&child);
    cr_assert_eq(obituary.signal, SIGUSR1);
    cr_assert_eq(obituary.status, 0);
    cr_assert_eq(obituary.last_state, CHILD_SERVING);
    cr_assert(obituary.was_ready);
}

Test(child, is_not_buried_alive)
{
    struct obituary obituary;
    struct child child = start(PUPPET_WORKER);
    struct puppet puppet = stage_meet(&stage);
    cr_assert_eq(child_bury(&child, clock_now_ns(), &obituary), CHILD_IS_ALIVE);
    cr_assert_eq(child.state, CHILD_STARTING);
    puppet_do(&puppet, "exit 0");
    (void)die(&child);
}

Test(child, is_live_until_it_is_told_to_leave_or_killed)
{
    struct child child = start(PUPPET_WORKER);
    struct puppet puppet = stage_meet(&stage);
    cr_assert(child_is_live(&child));
    child_ready(&child);
    cr_assert(child_is_live(&child));
    child_leave(&child);
    cr_assert(!child_is_live(&child));
    child_condemn(&child);
    cr_assert(!child_is_live(&child));
    cr_assert_eq(die(&child).signal, SIGKILL);
    cr_assert(!child_is_live(&child));
    puppet_forget(&puppet);
}

Test(child, a_message_to_one_that_has_hung_up_fails)
{
    const struct control_message drain = {.kind = CONTROL_DRAIN};
    struct child child = start(PUPPET_WORKER);
    struct puppet puppet = stage_meet(&stage);
    cr_assert_eq(child_tell(&child, &drain, NULL), 0);
    (void)puppet_hears(&puppet, "drain");
    child_hang_up(&child);
    cr_assert_eq(child_tell(&child, &drain, NULL), -EPIPE);
    (void)puppet_hears(&puppet, "eof");
    puppet_do(&puppet, "exit 0");
    (void)die(&child);
}

Test(child, a_program_that_is_not_there_is_an_exit)
{
    struct child child = start("/nonexistent/leveret-worker");
    cr_assert_eq(die(&child).status, 127);
}

/* With ever more descriptors, until there are enough. */
Test(child, that_cannot_be_started_leaves_nothing_behind)
{
    int spare = dup(0);
    (void)close(spare);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int n = 0;; n++) {
        struct child child;
        struct rlimit tight = {.rlim_cur = (rlim_t)(spare + n), .rlim_max = limit.rlim_max};
        child_init(&child, "worker 0", stage_program(PUPPET_WORKER));
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int error = child_start(&child, 0);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (!error) {
            cr_assert_geq(n, 3);
            child_condemn(&child);
            (void)die(&child);
            break;
        }
        cr_assert_eq(error, -EMFILE);
        cr_assert_eq(child.state, CHILD_DOWN);
    }
    int next = dup(0);
    cr_assert_eq(next, spare);
    (void)close(next);
}

Test(child, a_dead_one_cannot_become_ready, .signal = SIGABRT)
{
    struct child child;
    child_init(&child, "worker 0", stage_program(PUPPET_WORKER));
    child_ready(&child);
}
