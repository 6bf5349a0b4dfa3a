/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static char order[64];
static size_t n_order;

static void note(char what)
{
    cr_assert_lt(n_order, sizeof order - 1);
    order[n_order++] = what;
}

static void set_up(void)
{
    turn_new(&LOOP_CONFIG_DEFAULT);
}

static void tear_down(void)
{
    loop_free(loop);
}

TestSuite(loop, .init = set_up, .fini = tear_down);

/* ---- timers --------------------------------------------------------------------------------- */

struct clocked {
    struct loop_timer timer;
    char name;
    uint64_t due_ns, fired_ns;
    int n_left; /* how often it arms itself again */
};

static void on_due(void *owner)
{
    struct clocked *clocked = owner;
    note(clocked->name);
    clocked->fired_ns = clock_now_ns();
    if (clocked->n_left-- > 0)
        loop_timer_set(loop, &clocked->timer, loop_now_ns(loop));
}

static void arm(struct clocked *clocked, char name, uint64_t due_ns)
{
    clocked->timer.on_due = on_due;
    clocked->timer.owner = clocked;
    clocked->name = name;
    clocked->due_ns = due_ns;
    loop_timer_set(loop, &clocked->timer, due_ns);
}

Test(loop, timers_fire_in_their_order_and_never_early)
{
    struct clocked clocked[3] = {0};
    uint64_t now_ns = clock_now_ns();
    arm(&clocked[0], 'b', now_ns + 20 * CLOCK_MS);
    arm(&clocked[1], 'c', now_ns + 30 * CLOCK_MS);
    arm(&clocked[2], 'a', now_ns + 10 * CLOCK_MS);
    TURN_UNTIL(n_order == 3);
    cr_assert_str_eq(order, "abc");
    for (int i = 0; i < 3; i++)
        cr_assert_geq(clocked[i].fired_ns, clocked[i].due_ns);
}

Test(loop, a_timer_may_be_moved_and_disarmed)
{
    struct clocked moved = {0}, disarmed = {0}, last = {0};
    uint64_t now_ns = clock_now_ns();
    arm(&moved, 'm', now_ns + 3600 * CLOCK_S);
    loop_timer_set(loop, &moved.timer, now_ns + CLOCK_MS);
    arm(&disarmed, 'd', now_ns + CLOCK_MS);
    loop_timer_set(loop, &disarmed.timer, CLOCK_NEVER);
    arm(&last, 'l', now_ns + 2 * CLOCK_MS);
    TURN_UNTIL(last.fired_ns);
    cr_assert_str_eq(order, "ml");
}

Test(loop, a_timer_that_arms_itself_for_now_leaves_room_for_the_rest)
{
    struct clocked eager = {.n_left = 5};
    arm(&eager, 'e', clock_now_ns());
    turn_once();
    cr_assert_eq(n_order, 1, "once a turn");
    TURN_UNTIL(n_order == 6);
}

Test(loop, a_turn_does_not_sleep_past_its_deadline)
{
    uint64_t deadline_ns = clock_now_ns() + 5 * CLOCK_MS;
    cr_assert_eq(loop_turn(loop, deadline_ns), 0);
    cr_assert_geq(loop_now_ns(loop), deadline_ns);
    cr_assert_lt(loop_now_ns(loop), deadline_ns + 5 * CLOCK_S);
}

/* ---- hooks ---------------------------------------------------------------------------------- */

static int n_more; /* how often a WORK hook still has more to do */

static bool on_work(void *owner)
{
    note('w');
    return n_more-- > 0;
}

static bool on_second_work(void *owner)
{
    note('x');
    return false;
}

static bool on_flush(void *owner)
{
    note('f');
    return false;
}

static bool on_park(void *owner)
{
    note('p');
    loop_hook_remove(loop, LOOP_PARK, owner);
    return false;
}

Test(loop, hooks_run_by_phase_and_may_remove_themselves)
{
    struct loop_hook work = {.run = on_work}, second = {.run = on_second_work},
                     flush = {.run = on_flush}, park = {.run = on_park};
    park.owner = &park;
    loop_hook_add(loop, LOOP_PARK, &park);
    loop_hook_add(loop, LOOP_FLUSH, &flush);
    loop_hook_add(loop, LOOP_WORK, &work);
    loop_hook_add(loop, LOOP_WORK, &second);
    turn_once();
    cr_assert_str_eq(order, "wxfp");
    loop_hook_remove(loop, LOOP_WORK, &work);
    turn_once();
    cr_assert_str_eq(order, "wxfpxf");
}

Test(loop, a_hook_with_more_to_do_keeps_the_turn_from_sleeping)
{
    struct loop_hook work = {.run = on_work};
    n_more = 3;
    loop_hook_add(loop, LOOP_WORK, &work);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(loop_turn(loop, CLOCK_NEVER), 0);
    cr_assert_str_eq(order, "www");
}

/* ---- watches -------------------------------------------------------------------------------- */

static struct loop_watch *watch;
static int bell = -1, n_ready;
static bool reads = true, frees;

static void on_ready(void *owner)
{
    eventfd_t n;
    n_ready++;
    if (reads)
        cr_assert_eq(eventfd_read(bell, &n), 0);
    if (frees)
        loop_watch_free(loop, watch);
}

static void hang_bell(void)
{
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch = loop_watch_new(loop, bell, on_ready, NULL);
    cr_assert_not_null(watch);
}

static void ring(void)
{
    cr_assert_eq(eventfd_write(bell, 1), 0);
}

Test(loop, a_watch_tells_every_ring)
{
    hang_bell();
    for (int i = 1; i <= 5; i++) {
        ring();
        TURN_UNTIL(n_ready == i);
    }
    turn_once();
    turn_once();
    cr_assert_eq(n_ready, 5, "and nothing when it is quiet");
    close(bell);
}

Test(loop, a_ring_before_the_watch_is_told_too)
{
    bell = eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK);
    watch = loop_watch_new(loop, bell, on_ready, NULL);
    TURN_UNTIL(n_ready == 1);
    close(bell);
}

Test(loop, what_is_left_unread_is_told_again)
{
    reads = false;
    hang_bell();
    ring();
    TURN_UNTIL(n_ready == 3);
    reads = true;
    TURN_UNTIL(n_ready == 4);
    close(bell);
}

Test(loop, a_watch_may_be_freed_from_its_own_callback)
{
    frees = true;
    hang_bell();
    ring();
    TURN_UNTIL(n_ready == 1);
    ring();
    turn_once();
    turn_once();
    cr_assert_eq(n_ready, 1);
    close(bell);
}

Test(loop, no_callback_comes_after_a_watch_was_freed)
{
    hang_bell();
    turn_once();
    ring();
    loop_watch_free(loop, watch);
    close(bell);
    for (int i = 0; i < 5; i++)
        turn_once();
    cr_assert_eq(n_ready, 0);
}

/* As many watches as a process full of lanes has: more than the submission queue holds. */
Test(loop, more_operations_than_the_queue_holds_are_submitted_in_between)
{
    enum { N = 600 };
    static struct loop_watch *watches[N];
    static int bells[N];
    for (int i = 0; i < N; i++) {
        bells[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        cr_assert_geq(bells[i], 0);
        reads = false;
        watches[i] = loop_watch_new(loop, bells[i], on_ready, NULL);
        cr_assert_not_null(watches[i]);
    }
    TURN_UNTIL(n_ready >= N);
    for (int i = 0; i < N; i++) {
        loop_watch_free(loop, watches[i]);
        close(bells[i]);
    }
    turn_once();
    int n_before = n_ready;
    turn_once();
    cr_assert_eq(n_ready, n_before);
}

/* ---- where io_uring is refused --------------------------------------------------------------- */

static void refuse_io_uring(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

Test(loop, a_refused_io_uring_is_said_to_be_refused)
{
    struct loop *other;
    refuse_io_uring(EPERM);
    cr_assert_eq(loop_new(&other, &LOOP_CONFIG_DEFAULT), -EPERM);
    cr_assert(strstr(loop_explain(-EPERM), "seccomp"));
}

Test(loop, a_kernel_without_io_uring_is_said_to_be_too_old)
{
    struct loop *other;
    refuse_io_uring(ENOSYS);
    cr_assert_eq(loop_new(&other, &LOOP_CONFIG_DEFAULT), -ENOSYS);
    cr_assert(strstr(loop_explain(-ENOSYS), "6.1"));
}

/* What a kernel answers to flags that it does not know. */
Test(loop, a_kernel_that_calls_our_flags_invalid_is_too_old)
{
    struct loop *other;
    refuse_io_uring(EINVAL);
    cr_assert_eq(loop_new(&other, &LOOP_CONFIG_DEFAULT), -ENOSYS);
}
