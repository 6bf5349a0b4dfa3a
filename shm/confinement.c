/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/confinement.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define ALLOW(name)                                                                                \
    {                                                                                              \
        .call = SYS_##name                                                                         \
    }
#define ALLOW_IF_IS(name, position, value)                                                         \
    {                                                                                              \
        .call = SYS_##name, .check = FILTER_IS, .argument = (position), .operand = (value)         \
    }
#define ALLOW_IF_NONE(name, position, bits)                                                        \
    {                                                                                              \
        .call = SYS_##name, .check = FILTER_HAS_NONE, .argument = (position), .operand = (bits)    \
    }

/* What every process of ours needs, whatever it does: memory that is not executed, descriptors that
 * it has, shared memory and descriptors that are handed to it, time, locks, a log line, an orderly
 * end and last words. */
static const struct filter_rule common_rules[] = {
    ALLOW(read), ALLOW(readv), ALLOW(write), ALLOW(writev), ALLOW(pwritev2), ALLOW(pread64),
    ALLOW(close), ALLOW(lseek), ALLOW(fcntl), ALLOW(recvmsg), ALLOW(recvfrom), ALLOW(sendmsg),
    ALLOW(sendto), ALLOW(getsockopt), ALLOW(setsockopt), ALLOW(getsockname), ALLOW(getpeername),
    ALLOW(shutdown), ALLOW(ppoll),
#ifdef SYS_poll
    ALLOW(poll),
#endif
    ALLOW(epoll_create1), ALLOW(epoll_ctl), ALLOW(epoll_pwait), ALLOW(epoll_pwait2),
#ifdef SYS_epoll_wait
    ALLOW(epoll_wait),
#endif
    ALLOW(eventfd2),
    /* fstat() of the C library is newfstatat() of no path */
    ALLOW(fstat), ALLOW_IF_IS(newfstatat, 3, AT_EMPTY_PATH),
    /* memory; what is not executable now never becomes so, and a library that somebody would load
     * is told so and may go on without */
    ALLOW(brk), ALLOW_IF_NONE(mmap, 2, PROT_EXEC), {.call = SYS_mmap, .error = EACCES},
    ALLOW_IF_NONE(mprotect, 2, PROT_EXEC), {.call = SYS_mprotect, .error = EACCES}, ALLOW(munmap),
    ALLOW(mremap), ALLOW(madvise), ALLOW(futex), ALLOW(getrandom), ALLOW(clock_gettime),
    ALLOW(clock_getres), ALLOW(gettimeofday), ALLOW(getpid), ALLOW(gettid), ALLOW(getrusage),
    ALLOW(sysinfo), /* qsort(), for how much it may take */
    ALLOW(restart_syscall),
    /* the end */
    ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(sigaltstack),
    ALLOW(exit), ALLOW(exit_group), ALLOW(setitimer),
#ifdef SYS_alarm
    ALLOW(alarm),
#endif
    ALLOW_IF_IS(pidfd_send_signal, 1, SIGKILL), /* a neighbour that hangs, when nobody else is */
};

/* ---- the layers ---- */

int confine_core(void)
{
    const struct rlimit none = {0};
    int error = setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : error;
}

/* In this order: who is not root any more may not change the rest. The change makes a process
 * dumpable where the system says so, hence the last line. */
static int confine_user(uid_t uid, gid_t gid)
{
    if (geteuid() != 0 || uid == 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

/* The bounding set says what a program that is executed may get: whoever has the right to, takes
 * it away before the user changes. */
static void bounds_drop(void)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        (void)prctl(PR_CAPBSET_DROP, capability); /* without the right to, no_new_privs remains */
}

/* The two do not need each other; Landlock and the filter need the second. */
static int confine_rights(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* they go with the rest */
    int error = syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : error;
}

/* The tables of the process, and what all have in common. */
static int confine_calls(const struct confinement *confinement)
{
    /* abort() and raise(): of this process's own threads */
    const struct filter_rule own[] = {ALLOW_IF_IS(tgkill, 0, (uint32_t)getpid())};
    struct filter_table tables[2 + CONFINEMENT_MAX_FILTERS] = {
        FILTER_TABLE(common_rules), FILTER_TABLE(own)};
    assert(confinement->n_filters <= CONFINEMENT_MAX_FILTERS);
    for (size_t i = 0; i < confinement->n_filters; i++)
        tables[2 + i] = confinement->filters[i];
    return filter_install(tables, 2 + confinement->n_filters);
}

void confine(const struct confinement *confinement, struct confinement_report *report)
{
    *report = (struct confinement_report){0};
    if (!confinement_is_possible())
        return;
    tzset(); /* log lines: what is read once is read now */
    report->layers[CONFINEMENT_CORE] = confine_core();
    bounds_drop();
    report->layers[CONFINEMENT_USER] = confine_user(confinement->uid, confinement->gid);
    report->layers[CONFINEMENT_RIGHTS] = confine_rights();
    report->layers[CONFINEMENT_LANDLOCK] = landlock_restrict(&confinement->landlock);
    report->layers[CONFINEMENT_FILTER] = confine_calls(confinement);
}

/* ---- words ---- */

const char *confinement_layer_name(enum confinement_layer layer)
{
    static const char *const names[CONFINEMENT_N_LAYERS] = {
        [CONFINEMENT_CORE] = "core",
        [CONFINEMENT_USER] = "user",
        [CONFINEMENT_RIGHTS] = "rights",
        [CONFINEMENT_LANDLOCK] = "landlock",
        [CONFINEMENT_FILTER] = "filter",
    };
    return names[layer];
}

bool confinement_is_possible(void)
{
#ifdef LEVERET_INSTRUMENTED
    return false;
#else
    return true;
#endif
}
