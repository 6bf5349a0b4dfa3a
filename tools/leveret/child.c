/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heritage.h"
#include "shm/log.h"

enum { EXIT_NOT_EXECUTED = 127 };

static const int ignored_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};

static const bool arrows[CHILD_N_STATES][CHILD_N_STATES] = {
    [CHILD_DOWN] = {[CHILD_STARTING] = true},
    [CHILD_STARTING] = {[CHILD_SERVING] = true,
        [CHILD_LEAVING] = true,
        [CHILD_DOOMED] = true,
        [CHILD_DOWN] = true},
    [CHILD_SERVING] = {[CHILD_LEAVING] = true, [CHILD_DOOMED] = true, [CHILD_DOWN] = true},
    [CHILD_LEAVING] = {[CHILD_DOOMED] = true, [CHILD_DOWN] = true},
    [CHILD_DOOMED] = {[CHILD_DOWN] = true},
};

static void state_change(struct child *child, enum child_state state)
{
    assert(arrows[child->state][state]);
    child->state = state;
}

void child_init(struct child *child, const char *name, const struct program *program)
{
    *child = (struct child){.program = program, .pidfd = -1, .control = -1, .last_words = -1};
    (void)snprintf(child->name, sizeof(child->name), "%s", name);
    murmur_init(&child->murmur);
    child->deadline.owner = child;
}

void child_done(struct child *child)
{
    cleanup_fd(&child->pidfd);
    cleanup_fd(&child->control);
    cleanup_fd(&child->last_words);
    murmur_done(&child->murmur);
    child->pidfd = child->control = child->last_words = -1;
}

bool child_is_live(const struct child *child)
{
    return child->state == CHILD_STARTING || child->state == CHILD_SERVING;
}

/* At the number where the new program looks for it. */
static bool descriptor_place(int fd, int at)
{
    return fd == at ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, at) == at;
}

/* Standard error becomes the pipe, and what it was goes to a number of its own. `murmur`: -1, and it
 * stays as it is. */
static bool voice_arrange(int murmur)
{
    if (murmur < 0)
        return true;
    if (dup2(STDERR_FILENO, LEVERET_LOG_FD) < 0 || dup2(murmur, STDERR_FILENO) < 0)
        return false;
    log_to(LEVERET_LOG_FD);
    return true;
}

/* What is to be closed has to be closed here, and not by trust in whoever started us: descriptors
 * that leveret itself inherited may lack the flag. *program moves out of the way. */
static bool descriptors_arrange(int control, int last_words, int murmur, int *program)
{
    *program = fcntl(*program, F_DUPFD_CLOEXEC, LEVERET_LOG_FD + 1);
    murmur = murmur < 0 ? -1 : fcntl(murmur, F_DUPFD_CLOEXEC, LEVERET_LOG_FD + 1);
    if (*program < 0)
        return false;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return false;
    /* opened in this order, so none stands in the other's place */
    if (!descriptor_place(control, LEVERET_CONTROL_FD) ||
        !descriptor_place(last_words, LEVERET_LAST_WORDS_FD) || !voice_arrange(murmur))
        return false;
    /* where it is refused, the flag on all of ours remains */
    unsigned first = murmur < 0 ? LEVERET_LAST_WORDS_FD + 1 : LEVERET_LOG_FD + 1;
    (void)close_range(first, ~0U, CLOSE_RANGE_CLOEXEC);
    return true;
}

/* The new process, from fork to exec. */
static _Noreturn void become(const struct child *child, int control, int last_words, int murmur)
{
    sigset_t none;
    char path[PATH_MAX];
    strcpy(path, child->program->path);
    char *argv[] = {strrchr(path, '/') + 1, NULL};
    int program = child->program->fd;
    for (size_t i = 0; i < sizeof(ignored_signals) / sizeof(ignored_signals[0]); i++)
        (void)signal(ignored_signals[i], SIG_IGN); /* cannot fail for these */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (descriptors_arrange(control, last_words, murmur, &program))
        (void)fexecve(program, argv, child->environment ? child->environment : environ);
    log_line(LOG_ERROR, "not-executed", "child=\"%s\" path=%s reason=\"%s\"", child->name, path,
        strerror(errno));
    _exit(EXIT_NOT_EXECUTED);
}

int child_start(struct child *child, uint64_t now_ns)
{
    int ends[2];
    int error = control_pair(ends);
    if (error)
        return error;
    CLEANUP(cleanup_fd) int ours = ends[0];
    CLEANUP(cleanup_fd) int theirs = ends[1];
    CLEANUP(cleanup_fd) int last_words = last_words_new();
    if (last_words < 0)
        return last_words;
    CLEANUP(cleanup_fd) int murmur = -1;
    error = child->is_heard ? murmur_open(&child->murmur, &murmur) : 0;
    if (error)
        return error;
    pid_t pid = fork();
    if (pid < 0) {
        error = -errno;
        murmur_done(&child->murmur);
        return error;
    }
    if (pid == 0)
        become(child, theirs, last_words, murmur);
    int pidfd = pidfd_open(pid, 0); /* ours and not yet collected: the pid is still its own */
    if (pidfd < 0) {
        error = -errno;
        (void)kill(pid, SIGKILL); /* it is there until the next line collects it */
        (void)waitpid(pid, NULL, 0);
        murmur_done(&child->murmur);
        return error;
    }
    state_change(child, CHILD_STARTING);
    child->pid = pid;
    child->pidfd = pidfd;
    child->control = STEAL_FD(ours);
    child->last_words = STEAL_FD(last_words);
    child->started_ns = now_ns;
    child->was_ready = false;
    child->n_missed = 0;
    child->n_starts++;
    return 0;
}

void child_adopt(struct child *child, const struct heritage_child *heir, uint64_t now_ns)
{
    state_change(child, CHILD_STARTING);
    state_change(child, CHILD_SERVING);
    child->pid = heir->pid;
    child->pidfd = heir->pidfd;
    child->control = heir->control;
    child->last_words = heir->last_words;
    child->started_ns = now_ns;
    child->was_ready = true;
    child->n_missed = 0;
    child->n_starts++;
}

int child_tell(
    struct child *child, const struct control_message *message, const struct control_fds *fds)
{
    return child->control < 0 ? -EPIPE : control_send(child->control, message, fds);
}

void child_ready(struct child *child)
{
    state_change(child, CHILD_SERVING);
    child->was_ready = true;
}

void child_leave(struct child *child)
{
    state_change(child, CHILD_LEAVING);
}

void child_condemn(struct child *child)
{
    state_change(child, CHILD_DOOMED);
    (void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0); /* fails when it is dead: fine */
}

void child_hang_up(struct child *child)
{
    cleanup_fd(&child->control);
    child->control = -1;
}

enum child_outcome child_bury(struct child *child, uint64_t now_ns, struct obituary *obituary)
{
    siginfo_t info = {0};
    int result = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG);
    assert(result == 0); /* our own child, collected here alone */
    if (!info.si_pid)
        return CHILD_IS_ALIVE;
    bool is_exit = info.si_code == CLD_EXITED;
    *obituary = (struct obituary){
        .pid = child->pid,
        .signal = is_exit ? 0 : info.si_status,
        .status = is_exit ? info.si_status : 0,
        .lived_ns = now_ns - child->started_ns,
        .last_state = child->state,
        .was_ready = child->was_ready,
    };
    obituary->has_words = last_words_read(child->last_words, &obituary->words) == LAST_WORDS_SAID;
    child_done(child);
    state_change(child, CHILD_DOWN);
    return CHILD_IS_DEAD;
}
