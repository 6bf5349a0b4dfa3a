/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "shm/clock.h"
#include "tests/support/folder.h"
#include "tests/support/require.h"

extern char **environ;

enum { EXEC_FAILED = 127 };

/* execve() changes neither strings nor pointers; its prototype is older than const. */
static char *const *for_exec(const char *const *strings)
{
    union {
        const char *const *in;
        char *const *out;
    } list = {.in = strings};
    return list.out;
}

/* Only what is safe between fork and exec in a process with threads. */
_Noreturn static void become(const struct child_program *program, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none); /* cannot fail */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXEC_FAILED);
    if (program->is_apart)
        (void)setsid(); /* fails for the leader of a group: a forked process is none */
    int in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0)
        _exit(EXEC_FAILED);
    if (program->output != NULL) {
        int out = open(program->output, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
            _exit(EXEC_FAILED);
    }
    if (program->folder != NULL && chdir(program->folder) != 0)
        _exit(EXEC_FAILED);
    if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
        _exit(EXEC_FAILED);
    char *const *env = program->env != NULL ? for_exec(program->env) : environ;
    (void)execve(program->argv[0], for_exec(program->argv), env);
    _exit(EXEC_FAILED);
}

void child_start(struct child *child, const struct child_program *program)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0)
        become(program, parent);
    child->pid = pid;
    child->pidfd = pidfd_open(pid, 0);
    require(child->pidfd >= 0, "pidfd_open");
    child->code = 0;
    child->is_apart = program->is_apart;
}

void child_signal(const struct child *child, int signal)
{
    require(child_is_running(child), "signal %d to a process that has ended", signal);
    require(kill(child->pid, signal) == 0, "kill(%d, %d)", (int)child->pid, signal);
}

bool child_wait(struct child *child, uint64_t deadline_ns)
{
    if (!child_is_running(child))
        return true;
    struct pollfd end = {.fd = child->pidfd, .events = POLLIN};
    int n;
    do {
        n = poll(&end, 1, clock_wait_ms(clock_now_ns(), deadline_ns, 60000));
    } while (n == 0 ? clock_now_ns() < deadline_ns : n < 0 && errno == EINTR);
    require(n >= 0, "poll");
    if (n == 0)
        return false;

    siginfo_t info;
    require(waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) == 0, "waitid");
    child->code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    (void)close(child->pidfd); /* nothing to lose */
    *child = (struct child){.pidfd = -1, .code = child->code};
    return true;
}

void child_kill(struct child *child)
{
    if (!child_is_running(child))
        return;
    pid_t group = child->is_apart ? child->pid : 0;
    if (group != 0)
        (void)kill(-group, SIGKILL); /* fails when it has not got so far as to have one */
    child_signal(child, SIGKILL);
    require(child_wait(child, deadline_in_ms(30000)), "a killed process stays");
    while (group != 0 && waitpid(-group, NULL, 0) > 0)
        ; /* those that became ours as it ended */
}

/* "42 (name) T 1 ...": the state stands behind the name, which may hold anything. */
static bool is_thread_stopped(const char *tasks, const char *tid)
{
    autofree char *file = format_text("%s/%s/stat", tasks, tid);
    autofree char *text = folder_read(file);
    const char *name_end = text == NULL ? NULL : strrchr(text, ')');
    return name_end == NULL || name_end[2] == 'T'; /* a thread that has ended has stopped too */
}

static bool is_stopped(pid_t pid)
{
    autofree char *tasks = format_text("/proc/%d/task", (int)pid);
    DIR *dir = opendir(tasks);
    require(dir != NULL, "no process %d", (int)pid);
    bool stopped = true;
    for (struct dirent *entry; stopped && (entry = readdir(dir)) != NULL;)
        stopped = entry->d_name[0] == '.' || is_thread_stopped(tasks, entry->d_name);
    (void)closedir(dir); /* only read from */
    return stopped;
}

void process_freeze(pid_t pid)
{
    require(kill(pid, SIGSTOP) == 0, "kill(%d, SIGSTOP)", (int)pid);
    await(is_stopped(pid), 5000, "%d does not stop", (int)pid);
}

void process_thaw(pid_t pid)
{
    require(kill(pid, SIGCONT) == 0, "kill(%d, SIGCONT)", (int)pid);
}

static long memory_kib(pid_t pid, const char *row)
{
    autofree char *file = format_text("/proc/%d/status", (int)pid);
    autofree char *text = folder_read(file);
    const char *at = text != NULL ? strstr(text, row) : NULL;
    require(at != NULL, "%d has no memory", (int)pid);
    return strtol(at + strlen(row), NULL, 10);
}

long process_resident_kib(pid_t pid)
{
    return memory_kib(pid, "VmRSS:");
}

long process_own_kib(pid_t pid)
{
    return memory_kib(pid, "RssAnon:");
}
