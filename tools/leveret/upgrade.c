/* SPDX-License-Identifier: Apache-2.0 */
#include "upgrade.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

enum { EXIT_NOT_EXECUTED = 127 };

void upgrade_init(struct upgrade *upgrade, char *const *argv)
{
    *upgrade = (struct upgrade){.argv = argv, .pidfd = -1, .deadline_ns = CLOCK_NEVER};
}

static void forget(struct upgrade *upgrade)
{
    cleanup_fd(&upgrade->pidfd);
    upgrade_init(upgrade, upgrade->argv);
}

void upgrade_done(struct upgrade *upgrade)
{
    if (!upgrade_is_rehearsing(upgrade))
        return;
    (void)pidfd_send_signal(upgrade->pidfd, SIGKILL, NULL, 0);  /* fails when it is dead: fine */
    (void)waitid(P_PIDFD, (id_t)upgrade->pidfd, NULL, WEXITED); /* our own child */
    forget(upgrade);
}

/* The new process, from fork to exec. */
static _Noreturn void rehearse(char **argv)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(argv[0], argv);
    _exit(EXIT_NOT_EXECUTED);
}

/* The same line with the rehearsal's option behind it. NULL: no memory; free() it. */
static char **rehearsal_argv(char *const *argv, char *version)
{
    size_t n = 0;
    while (argv[n])
        n++;
    char **longer = calloc(n + 3, sizeof(*longer));
    if (!longer)
        return NULL;
    static char option[] = "--rehearse";
    memcpy(longer, argv, n * sizeof(*longer));
    longer[n] = option;
    longer[n + 1] = version;
    return longer;
}

int upgrade_rehearse(struct upgrade *upgrade, uint64_t now_ns)
{
    char version[16];
    assert(!upgrade_is_rehearsing(upgrade));
    (void)snprintf(version, sizeof(version), "%u", HERITAGE_VERSION);
    char **argv = rehearsal_argv(upgrade->argv, version);
    if (!argv)
        return -ENOMEM;
    pid_t pid = fork();
    if (pid == 0)
        rehearse(argv);
    int error = pid < 0 ? -errno : 0;
    free(argv);
    if (error)
        return error;
    int pidfd = pidfd_open(pid, 0); /* ours and not yet collected: the pid is still its own */
    if (pidfd < 0) {
        error = -errno;
        (void)kill(pid, SIGKILL); /* it is there until the next line collects it */
        (void)waitpid(pid, NULL, 0);
        return error;
    }
    upgrade->pidfd = pidfd;
    upgrade->deadline_ns = now_ns + UPGRADE_REHEARSAL_NS;
    return 0;
}

enum upgrade_outcome upgrade_heard(struct upgrade *upgrade, int *status)
{
    siginfo_t info = {0};
    int result = waitid(P_PIDFD, (id_t)upgrade->pidfd, &info, WEXITED | WNOHANG);
    assert(result == 0); /* our own child, collected here alone */
    if (!info.si_pid)
        return UPGRADE_GOES_ON;
    forget(upgrade);
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return *status ? UPGRADE_FAILED : UPGRADE_PASSED;
}

int upgrade_execute(const struct upgrade *upgrade, const struct heritage *heritage)
{
    int error = heritage_leave(heritage);
    if (error)
        return error;
    (void)execvp(upgrade->argv[0], upgrade->argv);
    error = -errno;
    heritage_keep(heritage);
    return error;
}
