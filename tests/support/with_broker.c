/* SPDX-License-Identifier: Apache-2.0 */
/*
 * with_broker [--nodes N] PROGRAM [ARGUMENT...]: starts a private RabbitMQ (a cluster of N nodes),
 * runs the program beside it with AMQP_URL and its friends in the environment, ends the broker and
 * exits as the program did. Told to end while the broker starts (SIGINT, SIGTERM), it runs nothing.
 *
 * Nothing is left behind: whatever the program started and forgot becomes this process's child, is
 * named on stderr, killed, and makes the exit code 1. The logs of sidecars whose test did not come
 * to its end are shown there too.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/support/broker.h"
#include "tests/support/broker_control.h"
#include "tests/support/child.h"
#include "tests/support/folder.h"
#include "tests/support/require.h"

enum { LEAVE_MS = 5000, SIGNALLED = 128, LOG_BYTES = 16384 };

/* Ctrl-C and a caller's time-out are passed on: the program ends, and then we do. Blocked from here
 * on, they also end the wait for a broker that starts. */
static int catch_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these three cannot fail */
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    require(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    require(fd >= 0, "signalfd");
    return fd;
}

/* The signal that came while the broker was started; 0: none. */
static int signal_that_came(int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    struct signalfd_siginfo info;
    if (poll(&fd, 1, 0) != 1)
        return 0;
    require(read(signals, &info, sizeof info) == sizeof info, "signalfd");
    return (int)info.ssi_signo;
}

static void pass_on(int signals, const struct child *program)
{
    struct signalfd_siginfo info;
    require(read(signals, &info, sizeof info) == sizeof info, "signalfd");
    child_signal(program, (int)info.ssi_signo);
}

struct cluster {
    int n;
    struct broker *nodes[BROKER_MAX_NODES];
};

static void cluster_init(struct cluster *cluster, int n)
{
    cluster->n = n;
    cluster->nodes[0] = broker_new();
    for (int i = 1; i < n; i++)
        cluster->nodes[i] = broker_new_beside(cluster->nodes[0]);
    broker_control_export(cluster->nodes, n);
}

static void cluster_done(struct cluster *cluster)
{
    while (cluster->n > 0)
        broker_free(cluster->nodes[--cluster->n]);
}

static void serve_until_end(
    struct child *program, const struct cluster *cluster, int listener, int signals)
{
    struct pollfd fds[] = {{.fd = program->pidfd, .events = POLLIN},
        {.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, sizeof fds / sizeof fds[0], -1);
        require(n > 0 || errno == EINTR, "poll");
        if (fds[0].revents != 0)
            break;
        if (fds[1].revents != 0)
            broker_control_serve(listener, cluster->nodes, cluster->n);
        if (fds[2].revents != 0)
            pass_on(signals, program);
    }
    require(child_wait(program, deadline_in_ms(LEAVE_MS)), "a process that ended stays");
}

/* The program's exit code, as a shell would tell it. */
static int run_beside(
    const struct cluster *cluster, const char *const *argv, int listener, int signals)
{
    struct child program;
    child_start(&program, &(struct child_program){.argv = argv});
    serve_until_end(&program, cluster, listener, signals);
    return program.code >= 0 ? program.code : SIGNALLED - program.code;
}

/* Reaps what has ended. True when no child is left. */
static bool has_no_child(void)
{
    int status;
    pid_t pid;
    do {
        pid = waitpid(-1, &status, WNOHANG);
    } while (pid > 0);
    return pid < 0 && errno == ECHILD;
}

static void kill_children(void)
{
    autofree char *file = format_text("/proc/self/task/%d/children", (int)gettid());
    autofree char *pids = folder_read(file);
    char *rest = pids;
    for (char *pid; pids != NULL && (pid = strsep(&rest, " ")) != NULL;) {
        if (*pid == '\0')
            continue;
        autofree char *name_file = format_text("/proc/%s/comm", pid);
        autofree char *name = folder_read(name_file);
        (void)fprintf(stderr, "left running: %s %s", pid, name != NULL ? name : "?\n");
        (void)kill(atoi(pid), SIGKILL); /* it may have ended meanwhile */
    }
}

/* Grandchildren become children as their parents end, so more than one round may be needed. */
static bool leaves_nothing_running(void)
{
    uint64_t deadline = deadline_in_ms(LEAVE_MS);
    while (!has_no_child() && clock_now_ns() < deadline)
        (void)poll(NULL, 0, 5); /* nothing to learn from it */
    if (has_no_child())
        return true;
    do {
        kill_children();
        (void)poll(NULL, 0, 5); /* nothing to learn from it */
    } while (!has_no_child());
    return false;
}

static void show_logs(const char *folder)
{
    DIR *dir = opendir(folder);
    require(dir != NULL, "opendir %s", folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".log") == NULL)
            continue;
        autofree char *file = format_text("%s/%s", folder, entry->d_name);
        autofree char *text = folder_read(file);
        size_t length = text == NULL ? 0 : strlen(text);
        if (length == 0)
            continue;
        size_t skipped = length > LOG_BYTES ? length - LOG_BYTES : 0;
        (void)fprintf(stderr, "---- %s, last %zu bytes of %zu\n%s", entry->d_name, length - skipped,
            length, text + skipped);
    }
    (void)closedir(dir); /* only read from */
}

/* Where the program stands in argv; 0 when there is none. */
static int parse_arguments(int argc, char **argv, int *n_nodes)
{
    int program = 1;
    *n_nodes = 1;
    if (argc > 2 && strcmp(argv[1], "--nodes") == 0) {
        *n_nodes = atoi(argv[2]);
        program = 3;
    }
    return argc > program && *n_nodes >= 1 && *n_nodes <= BROKER_MAX_NODES ? program : 0;
}

int main(int argc, char **argv)
{
    int n_nodes, first = parse_arguments(argc, argv, &n_nodes);
    if (first == 0) {
        (void)fprintf(
            stderr, "usage: with_broker [--nodes 1..%d] PROGRAM [ARGUMENT...]\n", BROKER_MAX_NODES);
        return 2;
    }
    int signals = catch_signals();
    require(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "PR_SET_CHILD_SUBREAPER");
    int listener = broker_control_listen();
    autofree char *folder = folder_new("leveret-tests");
    require(setenv("LEVERET_TEST_FOLDER", folder, 1) == 0, "setenv");
    struct cluster cluster;
    cluster_init(&cluster, n_nodes);

    const char *const *program = (const char *const *)argv + first;
    int signal = signal_that_came(signals);
    int code = signal != 0 ? SIGNALLED + signal : run_beside(&cluster, program, listener, signals);

    cluster_done(&cluster);
    bool is_clean = leaves_nothing_running();
    show_logs(folder);
    folder_remove(folder);
    if (code != 0)
        return code;
    return is_clean ? 0 : 1;
}
