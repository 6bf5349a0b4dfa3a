/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/refuse.h"

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

/* The front has the other end of a bell, and may ring it at any time. */
Test(loop, of_a_bell_that_lives_on_elsewhere_nothing_is_heard_after_its_watch_was_freed)
{
    frees = true;
    hang_bell();
    int elsewhere = dup(bell);
    ring();
    TURN_UNTIL(n_ready == 1);
    close(bell);
    cr_assert_eq(eventfd_write(elsewhere, 1), 0);
    turn_once(); /* which may still have the end of the watch to tell */
    uint64_t deadline_ns = clock_now_ns() + 5 * CLOCK_MS;
    cr_assert_eq(loop_turn(loop, deadline_ns), 0);
    cr_assert_geq(loop_now_ns(loop), deadline_ns, "it sleeps");
    cr_assert_eq(n_ready, 1);
    close(elsewhere);
}

Test(loop, an_end_that_was_hung_up_is_told_in_every_turn)
{
    int ends[2];
    reads = false;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    watch = loop_watch_new(loop, ends[0], on_ready, NULL);
    close(ends[1]);
    TURN_UNTIL(n_ready == 3);
    loop_watch_free(loop, watch);
    close(ends[0]);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* One end of a socket that is received from; the test has the other. */
struct ear {
    struct loop_op op;
    int fd, mouth;
    int n_events, n_ends, result;
    size_t n_bytes;
    bool answers;       /* whatever it hears, it makes the test's end say again */
    struct ear *rival;  /* whichever hears first silences the other */
    struct ear *victim; /* whichever hears first reads what the other would hear */
};

static void say(struct ear *ear)
{
    static const char bytes[4096];
    (void)send(ear->mouth, bytes, sizeof bytes, MSG_DONTWAIT); /* what does not fit is no matter */
}

static void silence(struct ear *ear)
{
    ear->rival = NULL;
    if (ear->op.is_busy)
        cr_assert_eq(loop_cancel(loop, &ear->op), 0);
}

static void rob(struct ear *ear)
{
    static char bytes[4096];
    ear->victim = NULL;
    (void)recv(ear->fd, bytes, sizeof bytes, MSG_DONTWAIT); /* io_uring may have been quicker */
}

static void on_heard(void *owner, const struct loop_event *event)
{
    struct ear *ear = owner;
    cr_assert_eq(ear->n_ends, 0, "the last event is the last");
    ear->n_events++;
    ear->n_ends += event->is_last;
    ear->result = event->result;
    ear->n_bytes += event->result > 0 ? (size_t)event->result : 0;
    cr_assert_eq(ear->op.is_busy, !event->is_last);
    if (ear->answers)
        say(ear);
    if (ear->rival)
        silence(STEAL(ear->rival));
    if (ear->victim)
        rob(STEAL(ear->victim));
}

static void listen_with(struct ear *ear)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *ear =
        (struct ear){.op = {.on_event = on_heard, .owner = ear}, .fd = ends[0], .mouth = ends[1]};
    cr_assert_eq(loop_receive(loop, &ear->op, ear->fd), 0);
}

static void stop_listening(struct ear *ear)
{
    if (ear->op.is_busy) {
        cr_assert_eq(loop_cancel(loop, &ear->op), 0);
        TURN_UNTIL(ear->n_ends == 1);
    }
    close(ear->fd);
    close(ear->mouth);
}

Test(loop, a_receive_that_is_cancelled_ends_once_and_in_a_later_turn)
{
    struct ear ear;
    listen_with(&ear);
    turn_once();
    cr_assert_eq(loop_cancel(loop, &ear.op), 0);
    cr_assert_eq(ear.n_events, 0);
    uint64_t deadline_ns = clock_now_ns() + 10 * CLOCK_S;
    while (ear.n_ends == 0)
        cr_assert_eq(loop_turn(loop, deadline_ns), 0);
    cr_assert_lt(loop_now_ns(loop), deadline_ns, "it does not sleep while there is an end to tell");
    cr_assert_eq(ear.result, -ECANCELED);
    say(&ear);
    turn_once();
    turn_once();
    cr_assert_eq(ear.n_events, 1);
    stop_listening(&ear);
}

Test(loop, what_one_callback_cancels_ends_once_though_it_was_ready_too)
{
    struct ear ears[2];
    listen_with(&ears[0]);
    listen_with(&ears[1]);
    turn_once();
    ears[0].rival = &ears[1];
    ears[1].rival = &ears[0];
    say(&ears[0]);
    say(&ears[1]);
    TURN_UNTIL(ears[0].n_ends + ears[1].n_ends == 1);
    cr_assert_eq(ears[ears[0].n_ends ? 0 : 1].result, -ECANCELED);
    turn_once();
    cr_assert_eq(ears[0].n_ends + ears[1].n_ends, 1);
    stop_listening(&ears[0]);
    stop_listening(&ears[1]);
}

Test(loop, what_one_callback_cancels_ends_once_though_its_end_had_come)
{
    struct ear ears[2];
    listen_with(&ears[0]);
    listen_with(&ears[1]);
    turn_once();
    ears[0].rival = &ears[1];
    ears[1].rival = &ears[0];
    cr_assert_eq(shutdown(ears[0].mouth, SHUT_WR), 0);
    cr_assert_eq(shutdown(ears[1].mouth, SHUT_WR), 0);
    TURN_UNTIL(ears[0].n_ends + ears[1].n_ends == 2);
    turn_once();
    cr_assert_eq(ears[0].n_events, 1);
    cr_assert_eq(ears[1].n_events, 1);
    stop_listening(&ears[0]);
    stop_listening(&ears[1]);
}

Test(loop, what_was_told_in_vain_is_waited_for_again)
{
    struct ear ears[2];
    listen_with(&ears[0]);
    listen_with(&ears[1]);
    turn_once();
    ears[0].victim = &ears[1];
    ears[1].victim = &ears[0];
    say(&ears[0]);
    say(&ears[1]);
    TURN_UNTIL(!ears[0].victim && !ears[1].victim);
    turn_once();
    say(&ears[0]);
    say(&ears[1]);
    TURN_UNTIL(ears[0].n_bytes >= 4096 && ears[1].n_bytes >= 4096);
    cr_assert_eq(ears[0].n_ends + ears[1].n_ends, 0);
    stop_listening(&ears[0]);
    stop_listening(&ears[1]);
}

Test(loop, of_a_socket_that_lives_on_elsewhere_nothing_is_heard_after_the_end)
{
    struct ear ear;
    listen_with(&ear);
    int elsewhere = dup(ear.fd);
    cr_assert_eq(shutdown(ear.mouth, SHUT_WR), 0);
    TURN_UNTIL(ear.n_ends == 1);
    stop_listening(&ear);
    uint64_t deadline_ns = clock_now_ns() + 5 * CLOCK_MS;
    cr_assert_eq(loop_turn(loop, deadline_ns), 0);
    cr_assert_geq(loop_now_ns(loop), deadline_ns, "it sleeps");
    close(elsewhere);
}

Test(loop, an_operation_may_be_used_again_for_another_socket_of_the_same_number)
{
    struct ear ear;
    listen_with(&ear);
    turn_once();
    int fd = ear.fd;
    stop_listening(&ear);
    listen_with(&ear);
    cr_assert_eq(ear.fd, fd);
    say(&ear);
    TURN_UNTIL(ear.n_bytes == 4096);
    stop_listening(&ear);
}

Test(loop, a_socket_that_always_has_more_starves_neither_another_nor_a_bell)
{
    struct ear greedy, modest;
    listen_with(&greedy);
    listen_with(&modest);
    greedy.answers = true;
    for (int i = 0; i < 16; i++)
        say(&greedy);
    hang_bell();
    for (int i = 1; i <= 100; i++) {
        int n_before = greedy.n_events;
        say(&modest);
        ring();
        for (int turn = 0; turn < 3; turn++)
            turn_once();
        cr_assert_eq(n_ready, i, "the bell is heard");
        cr_assert_eq(modest.n_bytes, (size_t)i * 4096, "the other is heard");
        cr_assert_gt(greedy.n_events, n_before, "as is the one that has more");
        cr_assert_leq(greedy.n_events - n_before, 3 * (int)LOOP_CONFIG_DEFAULT.n_buffers);
    }
    greedy.answers = false;
    stop_listening(&greedy);
    stop_listening(&modest);
    close(bell);
}

/* ---- what it waits on ------------------------------------------------------------------------ */

static struct loop *other;

static int new_on(enum io io)
{
    struct loop_config config = LOOP_CONFIG_DEFAULT;
    config.io = io;
    return loop_new(&other, &config);
}

struct refusal {
    unsigned number, error;
    int result;
    const char *said; /* part of it */
};

static void expect_refused(const struct refusal *refusal)
{
    cr_assert_eq(refuse(refusal->number, refusal->error), 0);
    cr_assert_eq(new_on(IO_URING), refusal->result);
    cr_assert(strstr(loop_explain(refusal->result), refusal->said));
    cr_assert_eq(new_on(IO_AUTO), 0);
    cr_assert_str_eq(loop_io(other), "epoll");
    cr_assert_eq(loop_refusal(other), refusal->result);
    loop_free(other);
}

Test(loop, where_a_policy_refuses_io_uring_it_waits_on_epoll_and_says_why)
{
    expect_refused(&(struct refusal){SYS_io_uring_setup, EPERM, -EPERM, "seccomp"});
}

Test(loop, where_access_to_io_uring_is_denied_it_waits_on_epoll)
{
    expect_refused(&(struct refusal){SYS_io_uring_setup, EACCES, -EACCES, "seccomp"});
}

Test(loop, where_io_uring_can_be_set_up_but_not_entered_it_waits_on_epoll)
{
    expect_refused(&(struct refusal){SYS_io_uring_enter, EPERM, -EPERM, "seccomp"});
}

Test(loop, where_io_uring_takes_no_buffers_it_waits_on_epoll)
{
    expect_refused(&(struct refusal){SYS_io_uring_register, EPERM, -EPERM, "seccomp"});
}

Test(loop, a_kernel_without_io_uring_is_too_old_for_it)
{
    expect_refused(&(struct refusal){SYS_io_uring_setup, ENOSYS, -ENOSYS, "6.1"});
}

/* What a kernel answers to flags that it does not know. */
Test(loop, a_kernel_that_calls_our_flags_invalid_is_too_old_for_it)
{
    expect_refused(&(struct refusal){SYS_io_uring_setup, EINVAL, -ENOSYS, "6.1"});
}

Test(loop, where_no_memory_may_be_locked_for_io_uring_it_waits_on_epoll)
{
    expect_refused(&(struct refusal){SYS_io_uring_setup, ENOMEM, -ENOMEM, "locked memory"});
}

Test(loop, auto_is_io_uring_wherever_that_can_be_set_up)
{
    cr_assert_eq(new_on(IO_URING), loop_refusal(loop));
    cr_assert_str_eq(loop_io(loop), loop_refusal(loop) ? "epoll" : "io_uring");
    if (!loop_refusal(loop))
        cr_assert_str_eq(loop_io(other), "io_uring");
    loop_free(other);
}

Test(loop, on_epoll_io_uring_is_not_even_asked_for)
{
    cr_assert_eq(refuse(SYS_io_uring_setup, EPERM), 0);
    cr_assert_eq(new_on(IO_EPOLL), 0);
    cr_assert_str_eq(loop_io(other), "epoll");
    cr_assert_eq(loop_refusal(other), 0);
    loop_free(other);
}

Test(loop, without_descriptors_there_is_no_loop)
{
    cr_assert_eq(refuse(SYS_io_uring_setup, EPERM), 0);
    cr_assert_eq(refuse(SYS_epoll_create1, EMFILE), 0);
    cr_assert_eq(new_on(IO_AUTO), -EMFILE);
    cr_assert_str_eq(loop_explain(-EMFILE), strerror(EMFILE));
}
