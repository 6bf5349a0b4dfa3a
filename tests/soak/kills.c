/* SPDX-License-Identifier: Apache-2.0 */
#include "kills.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "tests/support/child.h"
#include "tests/support/require.h"

/* N_WORKERS: as soak.json says. */
enum { N_WORKERS = 2, MAX_CHILDREN = 9, BACK_MS = 60000, FROZEN_MS = 1500 };

static void send_signal(pid_t pid, int signal)
{
    require(kill(pid, signal) == 0 || errno == ESRCH, "kill(%d, %d)", (int)pid, signal);
}

static bool is_worker(const struct sidecar *sidecar, pid_t pid)
{
    pid_t pids[MAX_CHILDREN];
    int n = sidecar_workers(sidecar, pids, MAX_CHILDREN);
    for (int i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* What a worker had sent or was about to ack may be lost with it. */
static void hit_worker(struct stage *stage, int signal)
{
    const struct sidecar *sidecar = &stage->scene.sidecar;
    pid_t pids[MAX_CHILDREN];
    int n;
    await((n = sidecar_workers(sidecar, pids, MAX_CHILDREN)) > 0, BACK_MS, "no worker is back");
    pid_t pid = pids[dice_between(&stage->dice, 0, (uint64_t)n - 1)];
    int span = trouble_begin(&stage->trouble, TROUBLE_ACKS);
    send_signal(pid, signal);
    await(!is_worker(sidecar, pid), BACK_MS, "worker %d got signal %d and stays", (int)pid, signal);
    await(sidecar_workers(sidecar, pids, MAX_CHILDREN) >= N_WORKERS, BACK_MS,
        "no worker in its place");
    trouble_end(&stage->trouble, span);
}

static bool is_served(struct stage *stage)
{
    struct http_answer answer = scene_get(&stage->scene, "/__health");
    bool served = answer.status == 200;
    http_answer_done(&answer);
    return served;
}

static void hit_front(struct stage *stage, int signal)
{
    const struct sidecar *sidecar = &stage->scene.sidecar;
    pid_t old, new;
    await((old = sidecar_front(sidecar)) != 0, BACK_MS, "no front is back");
    int acks = trouble_begin(&stage->trouble, TROUBLE_ACKS);
    int front = trouble_begin(&stage->trouble, TROUBLE_FRONT);
    send_signal(old, signal);
    await((new = sidecar_front(sidecar)) != 0 && new != old, BACK_MS,
        "front %d got signal %d, and no other is in its place", (int)old, signal);
    await(is_served(stage), BACK_MS, "the new front does not serve");
    trouble_end(&stage->trouble, front);
    trouble_end(&stage->trouble, acks);
}

static int watch_children(const struct sidecar *sidecar, int pidfds[MAX_CHILDREN])
{
    pid_t pids[MAX_CHILDREN];
    int n = sidecar_workers(sidecar, pids, MAX_CHILDREN - 1), n_watched = 0;
    pids[n++] = sidecar_front(sidecar);
    for (int i = 0; i < n; i++) {
        int fd = pids[i] == 0 ? -1 : pidfd_open(pids[i], 0);
        if (fd >= 0) /* or it has gone by itself */
            pidfds[n_watched++] = fd;
    }
    return n_watched;
}

static bool has_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    bool ended = poll(&end, 1, BACK_MS) == 1;
    (void)close(pidfd); /* nothing to lose */
    return ended;
}

static void hit_supervisor(struct stage *stage, int signal)
{
    struct sidecar *sidecar = &stage->scene.sidecar;
    int pidfds[MAX_CHILDREN];
    int acks = trouble_begin(&stage->trouble, TROUBLE_ACKS);
    int front = trouble_begin(&stage->trouble, TROUBLE_FRONT);
    int n = watch_children(sidecar, pidfds);
    child_signal(&sidecar->supervisor, signal);
    for (int i = 0; i < n; i++)
        require(has_ended(pidfds[i]), "a child outlives its supervisor");
    sidecar_restart(sidecar);
    trouble_end(&stage->trouble, front);
    trouble_end(&stage->trouble, acks);
}

void kills_worker(struct stage *stage)
{
    hit_worker(stage, SIGKILL);
}

void kills_crash_worker(struct stage *stage)
{
    hit_worker(stage, SIGSEGV);
}

void kills_hang_worker(struct stage *stage)
{
    hit_worker(stage, SIGSTOP);
}

void kills_front(struct stage *stage)
{
    hit_front(stage, SIGKILL);
}

void kills_crash_front(struct stage *stage)
{
    hit_front(stage, SIGSEGV);
}

void kills_hang_front(struct stage *stage)
{
    hit_front(stage, SIGSTOP);
}

void kills_supervisor(struct stage *stage)
{
    hit_supervisor(stage, SIGKILL);
}

void kills_crash_supervisor(struct stage *stage)
{
    hit_supervisor(stage, SIGSEGV);
}

void kills_freeze_supervisor(struct stage *stage)
{
    process_freeze(stage->scene.sidecar.supervisor.pid);
    (void)poll(NULL, 0, FROZEN_MS); /* it is to stand still for a while */
    process_thaw(stage->scene.sidecar.supervisor.pid);
}

/* A generation that finds no broker in half a minute is given up, and the old one stays. */
static bool was_given_up(const struct sidecar *sidecar)
{
    autofree char *log = sidecar_log(sidecar);
    return log != NULL && strstr(log, "not-reloaded") != NULL;
}

/* A client that says something on an idle connection in the moment when the old front closes it
 * gets no answer, as ever in HTTP/1.1. */
void kills_reload(struct stage *stage)
{
    const struct sidecar *sidecar = &stage->scene.sidecar;
    int pidfds[MAX_CHILDREN];
    int front = trouble_begin(&stage->trouble, TROUBLE_FRONT);
    int n = watch_children(sidecar, pidfds);
    child_signal(&sidecar->supervisor, SIGHUP);
    for (int i = 0; i < n; i++)
        require(has_ended(pidfds[i]) || was_given_up(sidecar), "an old child stays");
    await(is_served(stage), BACK_MS, "the new generation does not serve");
    trouble_end(&stage->trouble, front);
}
