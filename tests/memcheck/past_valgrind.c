/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor needs and valgrind 3.19 has not, which is Debian's: it answers pidfd_open(2) and
 * pidfd_send_signal(2) with ENOSYS. The linker leads the supervisor's calls here (--wrap). A pidfd
 * is a real one, opened by a process outside valgrind, so it can be waited for and passed on. And a
 * child that takes seconds to start is not hung.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/cleanup.h"
#include "programs.h"
#include "supervisor.h"

enum { EXIT_NOT_EXECUTED = 127, N_MISSED = 120 };
#define PATIENCE_NS (120 * CLOCK_S)

int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags);
int __wrap_supervisor_run(const struct supervisor_setup *setup);
int __real_supervisor_run(const struct supervisor_setup *setup);
int __wrap_program_try(
    const struct program *program, const char *option, uint64_t deadline_ns, int *status);
int __real_program_try(
    const struct program *program, const char *option, uint64_t deadline_ns, int *status);

static _Noreturn void become_opener(int socket, pid_t pid)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", (int)pid); /* it fits */
    if (dup2(socket, STDIN_FILENO) >= 0)
        (void)execl(PIDFD_OF, "pidfd_of", text, NULL);
    _exit(EXIT_NOT_EXECUTED);
}

/* -1 when none came. */
static int receive(int socket)
{
    int fd = -1;
    char byte;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof fd)];
    } control;
    struct iovec bytes = {.iov_base = &byte, .iov_len = sizeof byte};
    struct msghdr message = {.msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) > 0 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    int ends[2], status = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    CLEANUP(cleanup_fd) int ours = ends[0];
    CLEANUP(cleanup_fd) int theirs = ends[1];
    pid_t opener = fork();
    if (opener < 0)
        return -1;
    if (opener == 0)
        become_opener(theirs, pid);
    cleanup_fd(&theirs);
    theirs = -1;
    int pidfd = receive(ours); /* or the end of the file, when the other is gone */
    while (waitpid(opener, &status, 0) < 0 && errno == EINTR)
        ;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    return pidfd;
}

/* Whose it is stands in the kernel's notes on the descriptor; -1 when it is dead and collected. */
static pid_t owner_of(int pidfd)
{
    char path[64], line[64];
    int pid = -1;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd); /* it fits */
    FILE *notes = fopen(path, "re");
    if (!notes)
        return -1;
    while (fgets(line, sizeof line, notes)) {
        if (strncmp(line, "Pid:", 4) == 0)
            pid = atoi(line + 4);
    }
    (void)fclose(notes); /* only read from */
    return pid;
}

int __wrap_pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags)
{
    pid_t pid = owner_of(pidfd);
    if (pid > 0)
        return kill(pid, signal);
    errno = ESRCH;
    return -1;
}

int __wrap_supervisor_run(const struct supervisor_setup *setup)
{
    struct supervisor_setup patient = *setup;
    patient.patience.n_missed = N_MISSED;
    patient.patience.leave_ns = PATIENCE_NS;
    return __real_supervisor_run(&patient);
}

int __wrap_program_try(
    const struct program *program, const char *option, uint64_t deadline_ns, int *status)
{
    return __real_program_try(program, option, deadline_ns + PATIENCE_NS, status);
}
