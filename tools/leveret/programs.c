/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/clock.h"

enum { EXIT_NOT_EXECUTED = 127 };

/* From the folder of this program. The last is set by the build and may be absolute. */
static const char *const front_places[] = {".", "../../front", LEVERET_CHILDREN_FOLDER};
static const char *const worker_places[] = {".", "../../worker", LEVERET_CHILDREN_FOLDER};
enum { N_PLACES = sizeof(front_places) / sizeof(front_places[0]) };

int program_open(struct program *program, const char *path)
{
    if (strlen(path) >= sizeof(program->path))
        return -ENAMETOOLONG;
    if (access(path, X_OK) < 0)
        return -errno;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    strcpy(program->path, path);
    program->fd = fd;
    return 0;
}

/* The new process, from fork to exec. */
static _Noreturn void become(const struct program *program, const char *option)
{
    char path[PATH_MAX];
    strcpy(path, program->path);
    char *argv[] = {strrchr(path, '/') + 1, (char *)(uintptr_t)option, NULL};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a rehearsal may be killed; cannot fail */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        fcntl(program->fd, F_SETFD, 0) == 0) /* a script is opened by its number once more */
        (void)fexecve(program->fd, argv, environ);
    _exit(EXIT_NOT_EXECUTED);
}

/* Whether it ended by itself. It is dead afterwards, but not collected. */
static bool ends_until(uint64_t deadline_ns, int pidfd)
{
    struct pollfd polled = {.fd = pidfd, .events = POLLIN};
    int n;
    do
        n = poll(&polled, 1, clock_wait_ms(clock_now_ns(), deadline_ns, INT_MAX));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0); /* fails when it is dead: fine */
    return n > 0;
}

int program_try(
    const struct program *program, const char *option, uint64_t deadline_ns, int *status)
{
    siginfo_t info = {0};
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(program, option);
    CLEANUP(cleanup_fd) int pidfd = pidfd_open(pid, 0); /* not yet collected: the pid is its own */
    int error = pidfd < 0 ? -errno : 0;
    bool has_ended = false;
    if (error)
        (void)kill(pid, SIGKILL); /* it is there until the next line collects it */
    else
        has_ended = ends_until(deadline_ns, pidfd);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
        return -errno; /* where SIGCHLD was inherited as ignored, the kernel collects */
    if (error || !has_ended)
        return error ? error : PROGRAM_DOES_NOT_END;
    if (info.si_code == CLD_EXITED && info.si_status == 0)
        return PROGRAM_STARTS;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return PROGRAM_FAILS;
}

static bool is_program_at(
    const char *folder, const char *place, const char *name, struct program *program)
{
    char path[PATH_MAX];
    bool is_absolute = place[0] == '/';
    int n = snprintf(path, sizeof(path), "%s%s%s/%s", is_absolute ? "" : folder,
        is_absolute ? "" : "/", place, name);
    return n > 0 && n < PATH_MAX && program_open(program, path) == 0;
}

static bool find(
    const char *folder, const char *const *places, const char *name, struct program *program)
{
    for (int i = 0; i < N_PLACES; i++) {
        if (is_program_at(folder, places[i], name, program))
            return true;
    }
    return false;
}

int programs_open(const char *folder, struct programs *programs, const char **missing)
{
    struct programs found = PROGRAMS_NONE;
    bool has_front = find(folder, front_places, "leveret-front", &found.front);
    if (!has_front || !find(folder, worker_places, "leveret-worker", &found.worker)) {
        programs_close(&found);
        *missing = has_front ? "leveret-worker" : "leveret-front";
        return -ENOENT;
    }
    *programs = found;
    return 0;
}

void programs_close(struct programs *programs)
{
    cleanup_fd(&programs->front.fd);
    cleanup_fd(&programs->worker.fd);
    programs->front.fd = programs->worker.fd = -1;
}

int programs_folder(char folder[PATH_MAX])
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    if (n < 0)
        return -errno;
    if (n == sizeof(path))
        return -ENAMETOOLONG;
    path[n] = '\0';
    *strrchr(path, '/') = '\0'; /* the kernel gives an absolute path */
    strcpy(folder, path);
    return 0;
}
