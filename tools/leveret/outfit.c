/* SPDX-License-Identifier: Apache-2.0 */
#include "outfit.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "differences.h"
#include "environment.h"
#include "findings.h"
#include "plan_front.h"
#include "plan_topology.h"
#include "plan_worker.h"
#include "shm/clock.h"
#include "shm/confinement.h"

#define TRIAL_NS (UINT64_C(2) * CLOCK_S) /* of io_uring; it takes a millisecond */

/* Each step says itself why it cannot be done. */
enum step { DONE, NOT_DONE };

static enum step not_done(enum log_level gravity, const char *event, int error)
{
    log_line(gravity, event, "reason=\"%s\"", strerror(-error));
    return NOT_DONE;
}

static void log_findings(const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *f = &findings->items[i];
        bool is_error = f->severity == FINDING_ERROR;
        log_line(is_error ? LOG_ERROR : LOG_WARN, "configuration", "%s:%zu:%zu: %s: %s: %s",
            f->source, f->line, f->column, f->path, is_error ? "error" : "warning", f->message);
    }
}

static enum step configure(
    const struct options *options, enum log_level gravity, struct config **config)
{
    const struct overrides overrides = {
        .port = options->port, .workers = options->n_workers, .admin = options->admin};
    CLEANUP(findings_done) struct findings findings = {0};
    int outcome = config_load(options->config, &overrides, config, &findings);
    if (outcome < 0)
        return not_done(gravity, "not-configured", outcome);
    if (outcome == CONFIG_INVALID) {
        log_findings(&findings);
        log_line(gravity, "not-configured", "file=%s errors=%zu warnings=%zu", options->config,
            findings.n_errors, findings.n_warnings);
        return NOT_DONE;
    }
    log_open(
        "supervisor", (enum log_level)(*config)->log_level, (enum log_format)(*config)->log_format);
    log_findings(&findings);
    differences_log(*config);
    return DONE;
}

static enum step make_plans(
    struct outfit *outfit, const struct config *config, enum log_level gravity)
{
    outfit->front_environment = environment_without(config->variables);
    if (!outfit->front_environment)
        return not_done(gravity, "no-plan", -ENOMEM);
    outfit->front_plan = plan_front_new(config);
    outfit->worker_plan = plan_worker_new(config);
    if (outfit->front_plan < 0 || outfit->worker_plan < 0)
        return not_done(
            gravity, "no-plan", outfit->front_plan < 0 ? outfit->front_plan : outfit->worker_plan);
    return DONE;
}

static const char *trial_reason(int trial, int status)
{
    if (trial < 0)
        return strerror(-trial);
    if (trial == PROGRAM_DOES_NOT_END)
        return "the trial does not end";
    return status < 0 ? strsignal(-status) : strerror(status); /* a worker says the errno */
}

/* Else its workers would die of it one after the other. */
static enum step try_io(
    const struct outfit *outfit, const struct config *config, enum log_level gravity)
{
    int status = 0;
    if (config->io != IO_URING)
        return DONE;
    int trial = program_try(outfit->worker, "--try-io-uring", clock_now_ns() + TRIAL_NS, &status);
    if (trial == PROGRAM_STARTS)
        return DONE;
    log_line(gravity, "no-io-uring",
        "reason=\"%s\": the file asks for it, and a worker cannot set it up here; with io=auto it "
        "would use epoll",
        trial_reason(trial, status));
    return NOT_DONE;
}

static enum step find_user(
    struct outfit *outfit, const struct config *config, enum log_level gravity)
{
    outfit->is_confined = config->confinement == CONFIG_CONFINED && confinement_is_possible();
    if (child_user_choose(config->user, &outfit->user) == 0)
        return DONE;
    log_line(gravity, "no-user",
        "user=\"%s\": root would start front and workers as this user, whom the system does not "
        "know",
        config->user);
    return NOT_DONE;
}

static void copy_sizes(struct outfit *outfit, const struct config *config)
{
    int error = lane_size_from_memory(
        (uint64_t)config->memory_bytes, (uint32_t)config->workers, &outfit->lane_size);
    assert(!error); /* config_load() refuses what is too little */
    outfit->n_workers = (uint32_t)config->workers;
    outfit->io = (enum io)config->io;
    outfit->configuration = config->hash;
    outfit->figures_shape = (struct figures_shape){.n_endpoints = (uint32_t)config->n_endpoints,
        .n_brokers = config->topology->n_brokers,
        .n_backends = config->topology->n_backends,
        .n_queues = config->topology->n_taps};
    outfit->drain_timeout_ns = (uint64_t)config->drain_timeout_ns;
    outfit->drain_delay_ns = (uint64_t)config->drain_delay_ns;
    outfit->log_level = (enum log_level)config->log_level;
    outfit->log_format = (enum log_format)config->log_format;
}

static enum step listen_at(
    struct outfit *outfit, const struct config_listener *wanted, enum log_level gravity)
{
    size_t n = outfit->n_listeners;
    char address[128];
    int error = listeners_take(outfit->all, wanted, outfit->listeners, n, &outfit->listeners[n]);
    if (!error) {
        outfit->n_listeners++;
        return DONE;
    }
    listener_describe(wanted, address, sizeof(address));
    log_line(gravity, "not-listening", "address=%s reason=\"%s\"", address, strerror(-error));
    return NOT_DONE;
}

static enum step listen_all(
    struct outfit *outfit, const struct config *config, enum log_level gravity)
{
    bool wants_admin = config->admin.host || config->admin.unix_path;
    outfit->listeners = calloc(config->n_listeners + 1, sizeof(*outfit->listeners));
    if (!outfit->listeners)
        return not_done(gravity, "not-listening", -ENOMEM);
    for (size_t i = 0; i < config->n_listeners; i++)
        if (listen_at(outfit, &config->listeners[i], gravity))
            return NOT_DONE;
    if (wants_admin && listen_at(outfit, &config->admin, gravity))
        return NOT_DONE;
    outfit->has_admin = wants_admin;
    return DONE;
}

static void config_drop(struct config **config)
{
    config_free(*config);
}

static void outfit_drop(struct outfit **outfit)
{
    outfit_free(*outfit);
}

/* What can fail for good comes first: an address is taken only for a configuration that is sound.
 * `all`: NULL, and none is. */
static struct outfit *make(const struct options *options, const struct programs *programs,
    struct listeners *all, enum log_level gravity)
{
    CLEANUP(config_drop) struct config *config = NULL;
    CLEANUP(outfit_drop) struct outfit *outfit = calloc(1, sizeof(*outfit));
    if (!outfit) {
        (void)not_done(gravity, "not-configured", -ENOMEM);
        return NULL;
    }
    *outfit = (struct outfit){.front = &programs->front,
        .worker = &programs->worker,
        .front_plan = -1,
        .worker_plan = -1,
        .all = all};
    if (configure(options, gravity, &config) || make_plans(outfit, config, gravity) ||
        try_io(outfit, config, gravity) || find_user(outfit, config, gravity))
        return NULL;
    copy_sizes(outfit, config);
    return all && listen_all(outfit, config, gravity) ? NULL : STEAL(outfit);
}

struct outfit *outfit_new(const struct options *options, const struct programs *programs,
    struct listeners *all, enum log_level gravity)
{
    return make(options, programs, all, gravity);
}

/* ---- over an exec ---- */

static int inherit_listener(struct outfit *outfit, const struct heritage_listener *l)
{
    struct listeners_wish wish = {
        .wanted = {.host = l->host,
            .port = (uint16_t)l->wanted_port,
            .unix_path = *l->unix_path ? l->unix_path : NULL,
            .mode = l->mode},
        .listener = {.fd = l->fd,
            .port = (uint16_t)l->port,
            .device = l->device,
            .inode = l->inode},
    };
    strcpy(wish.listener.address, l->address);
    strcpy(wish.listener.unix_path, l->unix_path);
    int error = listeners_adopt(outfit->all, &wish, &outfit->listeners[outfit->n_listeners]);
    outfit->n_listeners += !error;
    return error;
}

struct outfit *outfit_inherit(const struct heritage *heritage, struct listeners *all)
{
    CLEANUP(outfit_drop) struct outfit *outfit = calloc(1, sizeof(*outfit));
    if (!outfit)
        return NULL;
    *outfit = (struct outfit){.front_plan = -1,
        .worker_plan = -1,
        .all = all,
        .n_workers = heritage->n_workers,
        .drain_timeout_ns = heritage->drain_timeout_ns,
        .log_level =
            heritage->log_level < LOG_N_LEVELS ? (enum log_level)heritage->log_level : LOG_INFO,
        .log_format = heritage->log_format == LOG_JSON ? LOG_JSON : LOG_TEXT};
    outfit->listeners = calloc(heritage->n_listeners + 1, sizeof(*outfit->listeners));
    for (uint32_t i = 0; outfit->listeners && i < heritage->n_listeners; i++)
        if (inherit_listener(outfit, &heritage->listeners[i]))
            return NULL;
    return outfit->listeners ? STEAL(outfit) : NULL;
}

static void bequeath_listener(const struct listener *listener, struct heritage_listener *l)
{
    const struct config_listener *wanted = listeners_wanted(listener);
    *l = (struct heritage_listener){.fd = listener->fd,
        .port = listener->port,
        .wanted_port = wanted->port,
        .mode = (int32_t)wanted->mode,
        .device = listener->device,
        .inode = listener->inode};
    (void)snprintf(l->host, sizeof(l->host), "%s", wanted->host ? wanted->host : "");
    (void)snprintf(l->unix_path, sizeof(l->unix_path), "%s", listener->unix_path);
    (void)snprintf(l->address, sizeof(l->address), "%s", listener->address);
}

bool outfit_bequeath(const struct outfit *outfit, struct heritage *heritage)
{
    if (outfit->n_listeners > HERITAGE_MAX_LISTENERS)
        return false;
    heritage->n_workers = outfit->n_workers;
    heritage->log_level = outfit->log_level;
    heritage->log_format = outfit->log_format;
    heritage->drain_timeout_ns = outfit->drain_timeout_ns;
    heritage->n_listeners = (uint32_t)outfit->n_listeners;
    for (size_t i = 0; i < outfit->n_listeners; i++)
        bequeath_listener(outfit->listeners[i], &heritage->listeners[i]);
    return true;
}

/* ---- the rest ---- */

bool outfit_can_be_made(const struct options *options, const struct programs *programs)
{
    CLEANUP(outfit_drop) struct outfit *outfit = make(options, programs, NULL, LOG_FATAL);
    return outfit;
}

void outfit_stop_serving(struct outfit *outfit)
{
    size_t n = outfit->n_listeners - outfit->has_admin;
    for (size_t i = 0; i < n; i++)
        listeners_give(outfit->all, outfit->listeners[i]);
    if (outfit->has_admin)
        outfit->listeners[0] = outfit->listeners[n];
    outfit->n_listeners = outfit->has_admin;
}

void outfit_stop_listening(struct outfit *outfit)
{
    outfit->has_admin = false;
    while (outfit->n_listeners)
        listeners_give(outfit->all, outfit->listeners[--outfit->n_listeners]);
}

void outfit_free(struct outfit *outfit)
{
    if (!outfit)
        return;
    outfit_stop_listening(outfit);
    free(outfit->listeners);
    free(outfit->front_environment);
    cleanup_fd(&outfit->front_plan);
    cleanup_fd(&outfit->worker_plan);
    free(outfit);
}
