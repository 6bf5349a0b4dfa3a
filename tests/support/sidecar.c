/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sidecar.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/folder.h"
#include "tests/support/http_client.h"
#include "tests/support/port.h"
#include "tests/support/require.h"

enum { START_MS = 10000, CHILD_MS = 15000, STOP_MS = 15000, LOG_MS = 30000, LOOK_AGAIN_MS = 5 };

static const char *program_named_by(const char *variable)
{
    const char *path = getenv(variable);
    require(path != NULL && access(path, X_OK) == 0, "%s does not name a program", variable);
    return path;
}

static const char *folder(void)
{
    const char *path = getenv("LEVERET_TEST_FOLDER");
    return path != NULL ? path : "/tmp";
}

static void launch(struct sidecar *sidecar)
{
    autofree char *port = format_text("%u", sidecar->port);
    autofree char *n_workers = format_text("%d", sidecar->n_workers);
    autofree char *admin = format_text("127.0.0.1:%u", sidecar->admin_port);
    const char *argv[12];
    int n = 0;
    if (sidecar->is_io_uring_refused)
        argv[n++] = program_named_by("LEVERET_TEST_WITHOUT_IO_URING");
    argv[n++] = program_named_by("LEVERET");
    argv[n++] = "run";
    argv[n++] = "-c";
    argv[n++] = sidecar->configuration_file;
    argv[n++] = "--admin";
    argv[n++] = sidecar->admin_path ? sidecar->admin_path : admin;
    if (!sidecar->is_port_in_file) {
        argv[n++] = "-p";
        argv[n++] = port;
    }
    if (sidecar->n_workers > 0) {
        argv[n++] = "--workers";
        argv[n++] = n_workers;
    }
    argv[n] = NULL;
    child_start(
        &sidecar->supervisor, &(struct child_program){.argv = argv, .output = sidecar->log_file});
}

static bool is_healthy(const struct sidecar *sidecar)
{
    autofree char *url = format_text("%s/__health", sidecar->url);
    struct http_answer answer;
    http_do(&(struct http_request){.url = url, .authority = sidecar->authority}, &answer);
    bool healthy = answer.status == 200;
    http_answer_done(&answer);
    return healthy;
}

static void wait_until_healthy(struct sidecar *sidecar)
{
    uint64_t deadline = deadline_in_ms(START_MS);
    while (!is_healthy(sidecar)) {
        require(!child_wait(&sidecar->supervisor, deadline_in_ms(LOOK_AGAIN_MS)),
            "leveret ended with %d instead of serving", sidecar->supervisor.code);
        require(clock_now_ns() < deadline, "leveret does not serve");
    }
}

void sidecar_start(struct sidecar *sidecar, const struct sidecar_options *options)
{
    sidecar->port = options->port ? options->port : port_reserve();
    sidecar->name = format_text("%s", options->name);
    sidecar->authority = options->authority;
    sidecar->url =
        format_text("%s://127.0.0.1:%u", options->authority ? "https" : "http", sidecar->port);
    sidecar->admin_port = port_reserve();
    sidecar->admin_url = format_text("http://127.0.0.1:%u", sidecar->admin_port);
    sidecar->admin_path = options->admin_path;
    sidecar->configuration_file = format_text("%s/%s.json", folder(), options->name);
    sidecar->log_file = format_text("%s/%s.log", folder(), options->name);
    folder_write(sidecar->configuration_file, options->configuration);
    sidecar->n_workers = options->n_workers;
    sidecar->is_port_in_file = options->port != 0;
    sidecar->is_io_uring_refused = options->is_io_uring_refused;
    sidecar->is_draining = false;
    launch(sidecar);
    wait_until_healthy(sidecar);
}

void sidecar_restart(struct sidecar *sidecar)
{
    require(child_wait(&sidecar->supervisor, deadline_in_ms(STOP_MS)), "leveret does not leave");
    launch(sidecar);
    wait_until_healthy(sidecar);
}

void sidecar_reload(struct sidecar *sidecar, const char *configuration)
{
    require(unlink(sidecar->configuration_file) == 0, "no file to put another in its place");
    folder_write(sidecar->configuration_file, configuration);
    child_signal(&sidecar->supervisor, SIGHUP);
}

static bool has_logged(const struct sidecar *sidecar, const char *text)
{
    autofree char *log = sidecar_log(sidecar);
    return log != NULL && strstr(log, text) != NULL;
}

void sidecar_await_log(const struct sidecar *sidecar, const char *text)
{
    await(has_logged(sidecar, text), LOG_MS, "\"%s\" is not in the log", text);
}

void sidecar_drain(struct sidecar *sidecar)
{
    child_signal(&sidecar->supervisor, SIGTERM);
    sidecar->is_draining = true;
}

void sidecar_forget(struct sidecar *sidecar)
{
    require(child_wait(&sidecar->supervisor, deadline_in_ms(STOP_MS)), "leveret does not leave");
    (void)unlink(sidecar->configuration_file); /* its folder goes with the run */
    (void)unlink(sidecar->log_file);
    free(sidecar->configuration_file);
    free(sidecar->log_file);
    free(sidecar->url);
    free(sidecar->admin_url);
    free(sidecar->name);
    *sidecar = (struct sidecar){0};
}

void sidecar_stop(struct sidecar *sidecar)
{
    if (!sidecar->is_draining)
        sidecar_drain(sidecar);
    require(child_wait(&sidecar->supervisor, deadline_in_ms(STOP_MS)), "leveret does not leave");
    require(sidecar->supervisor.code == 0, "leveret left with %d", sidecar->supervisor.code);
    sidecar_forget(sidecar);
}

static bool is_named(const char *pid, const char *name)
{
    autofree char *file = format_text("/proc/%s/comm", pid);
    autofree char *text = folder_read(file);
    return text != NULL && strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '\n';
}

static int children_named(const struct sidecar *sidecar, const char *name, pid_t *found, int max)
{
    pid_t pid = sidecar->supervisor.pid;
    autofree char *file = format_text("/proc/%d/task/%d/children", (int)pid, (int)pid);
    autofree char *pids = folder_read(file);
    char *rest = pids;
    int n = 0;
    for (char *child; pids != NULL && (child = strsep(&rest, " ")) != NULL;) {
        if (*child == '\0' || !is_named(child, name))
            continue;
        if (n < max)
            found[n] = atoi(child);
        n++;
    }
    return n;
}

pid_t sidecar_front(const struct sidecar *sidecar)
{
    pid_t front;
    await(children_named(sidecar, "leveret-front", &front, 1) > 0, CHILD_MS, "there is no front");
    return front;
}

pid_t sidecar_worker(const struct sidecar *sidecar)
{
    pid_t worker;
    await(sidecar_workers(sidecar, &worker, 1) > 0, CHILD_MS, "there is no worker");
    return worker;
}

int sidecar_workers(const struct sidecar *sidecar, pid_t *pids, int max)
{
    return children_named(sidecar, "leveret-worker", pids, max);
}

char *sidecar_log(const struct sidecar *sidecar)
{
    return folder_read(sidecar->log_file);
}
