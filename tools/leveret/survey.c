/* SPDX-License-Identifier: Apache-2.0 */
#include "survey.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "child.h"
#include "child_user.h"
#include "config_path.h"
#include "plan_declaration.h"
#include "plan_topology.h"
#include "plan_worker.h"
#include "shm/clock.h"
#include "shm/control.h"

/* A finding on its way from the worker into the list. */
struct report {
    const struct config *config;
    struct findings *findings;
    const struct survey_finding *found;
};

static void add(const struct report *report, enum finding_severity severity,
    const struct config_path *path, const char *what)
{
    struct config_path_text where;
    config_path_write(path, &where);
    const struct finding_place place = {.source = report->config->file, .path = where.text};
    const char *text = report->found ? report->found->text : "";
    findings_add(report->findings, severity, place, "%s%s%s", what, *text ? ": " : "", text);
}

/* ---- hosts ---------------------------------------------------------------------------------- */

static void report_host(const struct report *report)
{
    const struct topology *topology = report->config->topology;
    const struct survey_finding *found = report->found;
    if (found->index >= topology->n_brokers)
        return; /* no such broker: gossip */
    const struct config_backend *backend =
        topology->backends[topology->brokers[found->index]].backend;
    const struct config_path owner = config_path_again(backend->host.n > 0 ? backend->path : "$");
    const struct config_path list = config_path_member(&owner, "host");
    const struct config_path host = config_path_element(&list, found->part);
    if (found->outcome == SURVEY_AWAY)
        add(report, FINDING_WARNING, &host, "this host cannot be used now, another one can");
    else if (found->outcome == SURVEY_BROKEN_OFF)
        add(report, FINDING_ERROR, &host, "the broker left before all was asked");
    else
        add(report, FINDING_ERROR, &host, "no way to the broker");
}

/* ---- exchanges and queues ------------------------------------------------------------------- */

/* The thing that a finding is about, as the file has it. */
struct thing {
    const struct topology_backend *user; /* NULL: there is no such thing, which is gossip */
    const char *key;                     /* that names it */
    bool is_exchange;
};

static const struct topology_backend *producer_at(const struct topology *topology, uint32_t index)
{
    return index < topology->n_backends ? &topology->backends[index] : NULL;
}

static const struct topology_backend *consumer_at(const struct topology *topology, uint32_t tap)
{
    return tap < topology->n_taps ? &topology->backends[topology->taps[tap].first] : NULL;
}

static struct thing thing_of(const struct topology *topology, const struct survey_finding *found)
{
    switch (found->subject) {
    case SURVEY_EXCHANGE:
        return (struct thing){producer_at(topology, found->index), "exchange", true};
    case SURVEY_QUEUE:
        return (struct thing){producer_at(topology, found->index), "name", false};
    case SURVEY_TAP_QUEUE:
        return (struct thing){consumer_at(topology, found->index), "name", false};
    case SURVEY_TAP_EXCHANGE:
        return (struct thing){found->index < topology->n_taps
                                  ? plan_binding_backend(topology, found->index, found->part)
                                  : NULL,
            "exchange", true};
    default:
        return (struct thing){0};
    }
}

static const char *name_of(const struct config_backend *backend, bool is_exchange)
{
    return is_exchange ? backend->amqp.exchange : backend->amqp.queue;
}

/* Whether the file itself brings about what one of its backends takes as given. */
static bool is_declared(const struct topology *topology, const struct thing *thing)
{
    const char *name = name_of(thing->user->backend, thing->is_exchange);
    for (uint32_t i = 0; i < topology->n_backends; i++) {
        const struct topology_backend *other = &topology->backends[i];
        if (other->broker == thing->user->broker &&
            other->backend->amqp.declare == CONFIG_DECLARE_ACTIVE &&
            strcmp(name_of(other->backend, thing->is_exchange), name) == 0)
            return true;
    }
    return false;
}

/* A producer publishes to its exchange whatever becomes of its queue. */
static enum finding_severity gravity(const struct thing *thing)
{
    bool is_extra = !thing->is_exchange && thing->user->backend->role == CONFIG_PRODUCER;
    return is_extra ? FINDING_WARNING : FINDING_ERROR;
}

static void report_thing(const struct report *report)
{
    const struct topology *topology = report->config->topology;
    const struct thing thing = thing_of(topology, report->found);
    if (!thing.user)
        return;
    const struct config_backend *backend = thing.user->backend;
    const struct config_path owner = config_path_again(backend->amqp_path);
    const struct config_path path = config_path_member(&owner, thing.key);
    const struct report wordless = {.config = report->config, .findings = report->findings};
    switch (report->found->outcome) {
    case SURVEY_ABSENT:
        if (is_declared(topology, &thing))
            add(&wordless, FINDING_NOTE, &path, "is not there yet: it will be declared");
        else
            add(report, gravity(&thing), &path, "is not there, and the file declares it nowhere");
        break;
    case SURVEY_LOCKED:
        add(report, backend->amqp.is_exclusive ? FINDING_WARNING : gravity(&thing), &path,
            "is in use");
        break;
    default:
        add(report, gravity(&thing), &path, "the broker refuses it");
        break;
    }
}

/* ---- the worker ----------------------------------------------------------------------------- */

static void hear(struct report *report, const struct control_message *message)
{
    report->found = &message->finding;
    if (message->kind != CONTROL_FINDING)
        return; /* what a worker that serves would say */
    if (message->finding.subject == SURVEY_HOST)
        report_host(report);
    else
        report_thing(report);
}

/* Until it hangs up, which it does at the latest when it ends. */
static int hear_all(struct report *report, const struct child *worker)
{
    struct pollfd words = {.fd = worker->control, .events = POLLIN};
    for (;;) {
        struct control_message message;
        CLEANUP(control_fds_close) struct control_fds fds = {.n = 0};
        switch (control_receive(worker->control, &message, &fds)) {
        case CONTROL_OK:
            hear(report, &message);
            break;
        case CONTROL_NOTHING:
            if (poll(&words, 1, -1) < 0 && errno != EINTR)
                return -errno;
            break;
        case CONTROL_CLOSED:
            return 0;
        case CONTROL_MALFORMED:
            break;
        }
    }
}

static int bury(struct child *worker, struct obituary *obituary)
{
    struct pollfd end = {.fd = worker->pidfd, .events = POLLIN};
    while (child_bury(worker, clock_now_ns(), obituary) == CHILD_IS_ALIVE)
        if (poll(&end, 1, -1) < 0 && errno != EINTR)
            return -errno;
    return 0;
}

static int converse(struct report *report, struct child *worker, int plan)
{
    struct child_user user;
    int unknown = child_user_choose(report->config->user, &user);
    if (unknown)
        return unknown;
    const struct control_message survey = {.kind = CONTROL_SURVEY,
        .io = (uint32_t)report->config->io,
        .is_confined = report->config->confinement == CONFIG_CONFINED,
        .uid = user.uid,
        .gid = user.gid,
        .log_level = LOG_WARN,
        .log_format = (uint32_t)report->config->log_format};
    const struct control_fds fds = {.fd = {plan, -1, -1, -1}, .n = 1};
    const struct config_path document = {0};
    struct obituary obituary;
    /* when it cannot be told, it has ended, and how it did says why */
    if (child_tell(worker, &survey, &fds) < 0)
        child_hang_up(worker);
    int error = worker->control < 0 ? 0 : hear_all(report, worker);
    if (!error)
        error = bury(worker, &obituary);
    if (error)
        return error;
    report->found = NULL;
    if (obituary.signal || obituary.status)
        add(report, FINDING_ERROR, &document,
            "the brokers were not all asked: leveret-worker broke off");
    return 0;
}

int survey_run(
    const struct config *config, const struct program *program, struct findings *findings)
{
    struct report report = {.config = config, .findings = findings};
    CLEANUP(child_done) struct child worker;
    child_init(&worker, "survey", program);
    CLEANUP(cleanup_fd) int plan = plan_worker_new(config);
    if (plan < 0)
        return plan;
    int error = child_start(&worker, clock_now_ns());
    return error ? error : converse(&report, &worker, plan);
}
