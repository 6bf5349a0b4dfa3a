/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>

#include "child.h"
#include "shm/plan.h"
#include "supervisor.h"

enum { PATIENCE_MS = 20000 };

static void await_readable(int fd, const char *what)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&polled, 1, PATIENCE_MS), 1, "waited in vain for %s", what);
}

static void door_open(struct stage *stage)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    (void)snprintf(name, sizeof(name), "leveret-stage-%d", getpid());
    (void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
    stage->door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(stage->door, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(stage->door, 128), 0);
    cr_assert_eq(setenv("LEVERET_STAGE", name, 1), 0);
}

static int plan_fd(enum plan_kind kind)
{
    const struct plan_front front = {0};
    const struct plan_worker worker = {0};
    struct plan_builder *builder = plan_builder_new(kind);
    cr_assert(builder);
    int fd = kind == PLAN_FRONT ? plan_builder_seal(builder, &front, sizeof(front))
                                : plan_builder_seal(builder, &worker, sizeof(worker));
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    return fd;
}

const struct program *stage_program(const char *path)
{
    static struct program programs[4];
    static size_t n;
    for (size_t i = 0; i < n; i++)
        if (strcmp(programs[i].path, path) == 0)
            return &programs[i];
    cr_assert_lt(n, sizeof(programs) / sizeof(programs[0]));
    struct program *program = &programs[n++];
    (void)snprintf(program->path, sizeof(program->path), "%s", path);
    if (program_open(program, path) < 0)
        program->fd = -1; /* it is not there, and the test knows */
    return program;
}

static struct config_listener any_port = {.host = "127.0.0.1"};

struct outfit *stage_outfit(struct stage *stage, unsigned n_workers)
{
    struct outfit *outfit = malloc(sizeof(*outfit));
    cr_assert(outfit);
    *outfit = (struct outfit){
        .front = stage_program(PUPPET_FRONT),
        .worker = stage_program(PUPPET_WORKER),
        .front_plan = plan_fd(PLAN_FRONT),
        .worker_plan = plan_fd(PLAN_WORKER),
        .all = &stage->listeners,
        .listeners = calloc(1, sizeof(*outfit->listeners)),
        .n_listeners = 1,
        .n_workers = n_workers,
        .lane_size = {.n_slots = 16, .request_area_bytes = 4096, .reply_area_bytes = 4096},
        .drain_timeout_ns = 10 * CLOCK_S,
        .log_level = LOG_DEBUG,
        .log_format = LOG_TEXT,
    };
    cr_assert(outfit->listeners);
    cr_assert_eq(listeners_take(&stage->listeners, &any_port, NULL, 0, &outfit->listeners[0]), 0);
    return outfit;
}

void stage_init(struct stage *stage, unsigned n_workers)
{
    *stage = (struct stage){.log = -1, .patience = SUPERVISOR_PATIENCE};
    stage->outfit = stage_outfit(stage, n_workers);
    stage->listener = stage->outfit->listeners[0];
    door_open(stage);
}

static struct outfit *renew(void *owner)
{
    struct stage *stage = owner;
    return stage->renewed[stage->n_renewed++];
}

/* In the new process it returns 0, with its standard error read by the test. */
static pid_t stage_fork(struct stage *stage)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    stage->log = ends[0];
    stage->supervisor = fork();
    cr_assert_geq(stage->supervisor, 0);
    if (stage->supervisor == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(ends[1], STDERR_FILENO);
        return 0;
    }
    (void)close(ends[1]);
    for (struct listener *l; stage->outfit->n_listeners;) { /* the supervisor has its own */
        l = stage->outfit->listeners[--stage->outfit->n_listeners];
        cleanup_fd(&l->fd);
        l->fd = -1;
    }
    return stage->supervisor;
}

/* In the supervisor's process: children that another program has started in it. */
static const struct heritage *heritage_make(void)
{
    static const char *const paths[] = {PUPPET_FRONT, PUPPET_WORKER};
    static struct heritage heritage = {
        .version = HERITAGE_VERSION, .generation = 4, .n_workers = 1};
    for (int i = 0; i < 2; i++) {
        struct child child;
        child_init(&child, i ? "worker 0" : "front", stage_program(paths[i]));
        cr_assert_eq(child_start(&child, clock_now_ns()), 0);
        heritage.children[i] = (struct heritage_child){.pid = child.pid,
            .pidfd = child.pidfd,
            .control = child.control,
            .last_words = child.last_words};
    }
    return &heritage;
}

void stage_start(struct stage *stage)
{
    if (stage_fork(stage))
        return;
    log_open("supervisor", LOG_DEBUG, LOG_TEXT);
    const struct supervisor_setup setup = {.heritage = stage->inherits ? heritage_make() : NULL,
        .outfit = stage->outfit,
        .renew = renew,
        .owner = stage,
        .patience = stage->patience};
    int result = supervisor_run(&setup);
    _exit(result < 0 ? 100 : result);
}

void stage_execute(struct stage *stage, const char *command)
{
    char line[256];
    if (stage_fork(stage))
        return;
    (void)snprintf(line, sizeof(line), "exec %s", command); /* and not beside a shell */
    (void)execl("/bin/sh", "sh", "-c", line, NULL);
    _exit(101);
}

void stage_done(struct stage *stage)
{
    if (stage->supervisor > 0) {
        stage_signal(stage, SIGKILL);
        (void)stage_wait(stage);
    }
    (void)close(stage->door); /* puppets that nobody met end with it */
    (void)close(stage->log);
    (void)close(stage->outfit->front_plan);
    (void)close(stage->outfit->worker_plan);
}

struct puppet stage_meet(struct stage *stage)
{
    struct puppet puppet = {0};
    await_readable(stage->door, "a child");
    puppet.line = accept4(stage->door, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(puppet.line, 0);
    (void)puppet_hears(&puppet, "");
    cr_assert_eq(sscanf(puppet.report, "%15s pid=%d", puppet.role, &puppet.pid), 2);
    puppet.pidfd = pidfd_open(puppet.pid, 0);
    cr_assert_geq(puppet.pidfd, 0);
    return puppet;
}

/* Take a whole line out of what was read of the log. */
static bool line_take(struct stage *stage, char *line, size_t size)
{
    char *end = memchr(stage->unread, '\n', stage->n_unread);
    if (!end)
        return false;
    size_t n = (size_t)(end - stage->unread) + 1;
    (void)snprintf(line, size, "%.*s", (int)n - 1, stage->unread);
    memmove(stage->unread, end + 1, stage->n_unread - n);
    stage->n_unread -= n;
    return true;
}

const char *stage_log(struct stage *stage, const char *text)
{
    static char line[1024];
    for (;;) {
        while (line_take(stage, line, sizeof(line))) {
            cr_assert_not(stage->forbidden && strstr(line, stage->forbidden), "%s", line);
            if (strstr(line, text))
                return line;
        }
        await_readable(stage->log, text);
        ssize_t n = read(
            stage->log, stage->unread + stage->n_unread, sizeof(stage->unread) - stage->n_unread);
        cr_assert_gt(n, 0, "the log ended before \"%s\"", text);
        stage->n_unread += (size_t)n;
    }
}

void stage_forbids(struct stage *stage, const char *text)
{
    stage->forbidden = text;
}

void stage_signal(const struct stage *stage, int signal)
{
    cr_assert_eq(kill(stage->supervisor, signal), 0);
}

int stage_wait(struct stage *stage)
{
    int status;
    cr_assert_eq(waitpid(stage->supervisor, &status, 0), stage->supervisor);
    stage->supervisor = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void stage_freeze(const struct stage *stage)
{
    int status;
    stage_signal(stage, SIGSTOP);
    cr_assert_eq(waitpid(stage->supervisor, &status, WUNTRACED), stage->supervisor);
    cr_assert(WIFSTOPPED(status));
}

void stage_thaw(const struct stage *stage)
{
    stage_signal(stage, SIGCONT);
}

const char *puppet_hears(struct puppet *puppet, const char *beginning)
{
    await_readable(puppet->line, beginning);
    ssize_t n = recv(puppet->line, puppet->report, sizeof(puppet->report), 0);
    cr_assert_gt(
        n, 0, "%s %d is gone instead of being told \"%s\"", puppet->role, puppet->pid, beginning);
    cr_assert_eq(strncmp(puppet->report, beginning, strlen(beginning)), 0,
        "%s was told \"%s\" instead of \"%s\"", puppet->role, puppet->report, beginning);
    return puppet->report;
}

void puppet_hears_at_last(struct puppet *puppet, const char *beginning)
{
    while (strncmp(puppet_hears(puppet, ""), beginning, strlen(beginning)) != 0)
        ;
}

long puppet_number(const struct puppet *puppet, const char *key)
{
    char needle[32];
    (void)snprintf(needle, sizeof(needle), " %s=", key);
    const char *at = strstr(puppet->report, needle);
    cr_assert(at, "no %s in \"%s\"", key, puppet->report);
    return strtol(at + strlen(needle), NULL, 10);
}

void puppet_do(const struct puppet *puppet, const char *order)
{
    cr_assert_eq(send(puppet->line, order, strlen(order), 0), (ssize_t)strlen(order));
}

void puppet_kill(const struct puppet *puppet, int signal)
{
    cr_assert_eq(kill(puppet->pid, signal), 0);
}

void puppet_dies(const struct puppet *puppet)
{
    await_readable(puppet->pidfd, "the end of a child");
}

bool puppet_hears_nothing(const struct puppet *puppet)
{
    struct pollfd polled = {.fd = puppet->line, .events = POLLIN};
    return poll(&polled, 1, 0) == 0;
}

void puppet_forget(struct puppet *puppet)
{
    (void)close(puppet->line);
    (void)close(puppet->pidfd);
    puppet->line = puppet->pidfd = -1;
}
