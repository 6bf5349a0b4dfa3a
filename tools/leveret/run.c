/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "differences.h"
#include "findings.h"
#include "listener.h"
#include "plan_front.h"
#include "plan_worker.h"
#include "programs.h"
#include "shm/log.h"
#include "supervisor.h"

/* What a running supervisor needs. Zeroed but for the descriptors, it can be let go of. */
struct preparation {
    struct config *config;
    struct programs programs;
    struct listener *listeners;
    size_t n_listeners;
    int front_plan, worker_plan;
};

static void preparation_done(struct preparation *p)
{
    for (size_t i = 0; i < p->n_listeners; i++)
        listener_close(&p->listeners[i]);
    free(p->listeners);
    cleanup_fd(&p->front_plan);
    cleanup_fd(&p->worker_plan);
    config_free(p->config);
}

/* Each step says itself why it cannot be done. */
enum step { DONE, NOT_DONE };

static enum step not_done(const char *event, int error)
{
    log_line(LOG_FATAL, event, "reason=\"%s\"", strerror(-error));
    return NOT_DONE;
}

static void log_warnings(const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *f = &findings->items[i];
        log_line(LOG_WARN, "configuration", "%s:%zu:%zu: %s: %s", f->source, f->line, f->column,
            f->path, f->message);
    }
}

static enum step configure(struct preparation *p, const struct options *options)
{
    const struct overrides overrides = {.port = options->port, .workers = options->n_workers};
    CLEANUP(findings_done) struct findings findings = {0};
    int outcome = config_load(options->config, &overrides, &p->config, &findings);
    if (outcome < 0)
        return not_done("not-configured", outcome);
    if (outcome == CONFIG_INVALID) {
        findings_print(&findings, stderr);
        log_line(LOG_FATAL, "not-configured", "file=%s errors=%zu warnings=%zu", options->config,
            findings.n_errors, findings.n_warnings);
        return NOT_DONE;
    }
    log_open(
        "supervisor", (enum log_level)p->config->log_level, (enum log_format)p->config->log_format);
    log_warnings(&findings);
    differences_log(p->config);
    return DONE;
}

static enum step find_programs(struct preparation *p)
{
    char folder[PATH_MAX];
    const char *missing;
    int error = programs_folder(folder);
    if (error)
        return not_done("no-programs", error);
    if (!programs_find(folder, &p->programs, &missing))
        return DONE;
    log_line(LOG_FATAL, "no-programs", "program=%s reason=\"neither beside leveret nor installed\"",
        missing);
    return NOT_DONE;
}

static enum step make_plans(struct preparation *p)
{
    p->front_plan = plan_front_new(p->config);
    p->worker_plan = plan_worker_new(p->config);
    if (p->front_plan < 0 || p->worker_plan < 0)
        return not_done("no-plan", p->front_plan < 0 ? p->front_plan : p->worker_plan);
    return DONE;
}

static struct lane_size lane_size_of(const struct config *config)
{
    struct lane_size size;
    int error =
        lane_size_from_memory((uint64_t)config->memory_bytes, (uint32_t)config->workers, &size);
    assert(!error); /* config_load() refuses what is too little */
    return size;
}

static enum step listen_all(struct preparation *p)
{
    p->listeners = calloc(p->config->n_listeners, sizeof(struct listener));
    if (!p->listeners)
        return not_done("not-listening", -ENOMEM);
    for (size_t i = 0; i < p->config->n_listeners; i++) {
        const struct config_listener *wanted = &p->config->listeners[i];
        int error = listener_open(&p->listeners[i], wanted);
        if (error) {
            char address[128];
            listener_describe(wanted, address, sizeof(address));
            log_line(
                LOG_FATAL, "not-listening", "address=%s reason=\"%s\"", address, strerror(-error));
            return NOT_DONE;
        }
        p->n_listeners = i + 1;
    }
    return DONE;
}

/* What can fail for good comes first: an address is taken only for a configuration that is sound.
 */
static enum step prepare(struct preparation *p, const struct options *options)
{
    if (configure(p, options) || find_programs(p) || make_plans(p))
        return NOT_DONE;
    return listen_all(p);
}

int run(const struct options *options)
{
    CLEANUP(preparation_done) struct preparation p = {.front_plan = -1, .worker_plan = -1};
    log_open("supervisor", LOG_INFO, LOG_TEXT);
    if (prepare(&p, options))
        return EXIT_FAILURE;
    const struct supervisor_setup setup = {
        .front_path = p.programs.front,
        .worker_path = p.programs.worker,
        .front_plan = p.front_plan,
        .worker_plan = p.worker_plan,
        .listeners = p.listeners,
        .n_listeners = p.n_listeners,
        .n_workers = (uint32_t)p.config->workers,
        .lane_size = lane_size_of(p.config),
        .drain_timeout_ns = (uint64_t)p.config->drain_timeout_ns,
        .log_level = (enum log_level)p.config->log_level,
        .log_format = (enum log_format)p.config->log_format,
        .patience = SUPERVISOR_PATIENCE,
    };
    int outcome = supervisor_run(&setup);
    if (outcome < 0)
        log_line(LOG_FATAL, "supervisor-failed", "reason=\"%s\"", strerror(-outcome));
    return outcome == SUPERVISOR_DRAINED ? EXIT_SUCCESS : EXIT_FAILURE;
}
