/* SPDX-License-Identifier: Apache-2.0 */
/* Each in a process of its own, since there is no way back. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shm/confinement.h"

static bool was_root;

static void set_up(void)
{
    was_root = geteuid() == 0;
    if (!confinement_is_possible())
        cr_skip_test("the build is instrumented");
}

TestSuite(confinement, .init = set_up, .timeout = 20);

/* What the tests ask for beside what all may. */
static const struct filter_rule rules[] = {
    {.call = SYS_openat},
    {.call = SYS_socket},
    {.call = SYS_connect},
    {.call = SYS_bind},
    {.call = SYS_prctl},
    {.call = SYS_getuid},
    {.call = SYS_geteuid},
    {.call = SYS_getgroups},
    {.call = SYS_capget},
    {.call = SYS_prlimit64},
};

static struct confinement_report report;

/* Before that, as a container engine's profile may be: these two calls are refused. */
static void refuse_filters(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = {.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(99);
}

static bool is_refused_filters;

/* The status that a process which is confined and tries it ends with, or minus the signal. */
static int outcome_of(const struct landlock *landlock, int (*attempt)(void))
{
    const struct filter_table filter = FILTER_TABLE(rules);
    const struct confinement confinement = {
        .uid = 65534, .gid = 65534, .landlock = *landlock, .filters = &filter, .n_filters = 1};
    int status;
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)signal(SIGSYS, SIG_DFL); /* not the test framework's */
        if (is_refused_filters)
            refuse_filters();
        confine(&confinement, &report);
        _exit(attempt());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct landlock closed;

static int all_layers_hold(void)
{
    for (int layer = 0; layer < CONFINEMENT_N_LAYERS; layer++)
        if (report.layers[layer] < 0)
            return -report.layers[layer];
    return 0;
}

static int is_bare(void)
{
    struct rlimit core;
    if (prctl(PR_GET_DUMPABLE) != 0)
        return 1;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
        return 2;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 3;
    if (getuid() == 0 || geteuid() == 0)
        return 4;
    if (was_root && getgroups(0, NULL) != 0)
        return 5;
    return prctl(PR_CAPBSET_READ, 0) != 0 ? 6 : 0;
}

static int opens_a_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int writes_a_file(void)
{
    return open("/etc/passwd", O_WRONLY) >= 0 ? 0 : errno;
}

static int reads_elsewhere(void)
{
    return open("/proc/version", O_RDONLY) >= 0 ? 0 : errno;
}

/* Port 1 of the loopback: nobody is there. */
static int connects(void)
{
    const struct sockaddr_in nobody = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (const struct sockaddr *)&nobody, sizeof(nobody)) == 0 ? 0 : errno;
}

static int binds(void)
{
    const struct sockaddr_in any = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 ? 0 : errno;
}

static int maps_what_is_executed(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? 0 : errno;
}

static int maps_memory(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return errno;
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EACCES ? 0 : 1;
}

static int executes(void)
{
    char name[] = "true", *const argv[] = {name, NULL};
    return execv("/bin/true", argv);
}

static int forks(void)
{
    return fork() >= 0 ? 0 : errno;
}

static int kills(void)
{
    return kill(getppid(), 0);
}

static int traces(void)
{
    return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static int makes_a_ring(void)
{
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int signals_another(void)
{
    return (int)syscall(SYS_tgkill, 1, 1, 0);
}

static int aborts(void)
{
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

Test(confinement, all_layers_hold_here)
{
    cr_assert_eq(outcome_of(&closed, all_layers_hold), 0);
}

static int holds_what_it_can(void)
{
    return report.layers[CONFINEMENT_LANDLOCK] == -EPERM &&
                   report.layers[CONFINEMENT_FILTER] == -EPERM
               ? is_bare()
               : 99;
}

Test(confinement, a_layer_that_is_refused_is_told_of_and_the_others_hold)
{
    is_refused_filters = true;
    cr_assert_eq(outcome_of(&closed, holds_what_it_can), 0);
}

Test(confinement, leaves_no_rights)
{
    cr_assert_eq(outcome_of(&closed, is_bare), 0);
}

Test(confinement, files_are_those_that_are_named_and_for_reading)
{
    static const char *const etc[] = {"/etc", "/no/such/folder"};
    const struct landlock open = {.readable = etc, .n_readable = 2};
    cr_expect_eq(outcome_of(&closed, opens_a_file), EACCES);
    cr_expect_eq(outcome_of(&open, opens_a_file), 0);
    cr_expect_eq(outcome_of(&open, writes_a_file), EACCES);
    cr_expect_eq(outcome_of(&open, reads_elsewhere), EACCES);
}

Test(confinement, who_does_not_connect_for_a_living_cannot)
{
    const struct landlock connecting = {.may_connect = true};
    cr_expect_eq(outcome_of(&closed, connects), EACCES);
    cr_expect_eq(outcome_of(&connecting, connects), ECONNREFUSED);
    cr_expect_eq(outcome_of(&connecting, binds), EACCES);
}

Test(confinement, memory_is_never_executed)
{
    cr_expect_eq(outcome_of(&closed, maps_memory), 0);
    cr_expect_eq(outcome_of(&closed, maps_what_is_executed), EACCES);
}

Test(confinement, what_nobody_needs_ends_the_process)
{
    static int (*const attempts[])(void) = {
        executes, forks, kills, traces, makes_a_ring, signals_another};
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        cr_expect_eq(outcome_of(&closed, attempts[i]), -SIGSYS, "attempt %zu", i);
}

Test(confinement, who_fails_can_still_abort)
{
    cr_assert_eq(outcome_of(&closed, aborts), -SIGABRT);
}
