/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "shm/clock.h"

/* The supervisor looks every second and kills at the fifth look in vain. */
enum { MISSED_BEATS = 3 };
#define SUPERVISOR_SILENT_NS (10 * CLOCK_S)

static const struct {
    const char *name, *detail;
} kinds[PROBE_N_KINDS] = {
    [PROBE_DRAINING] = {"draining", "It was told to end, or another configuration serves."},
    [PROBE_HUNG] = {"hung", "It was called and its loop does not turn."},
    [PROBE_WORKER_DOWN] = {"worker-down", "The worker is being started again."},
    [PROBE_BROKER_AWAY] = {"broker-away", "There is no connection to the broker."},
    [PROBE_BROKER_BLOCKED] = {"broker-blocked", "The broker takes no messages at present."},
    [PROBE_TOPOLOGY_REFUSED] = {"topology-refused", "The broker refuses the exchange or queue."},
    [PROBE_BROKER_NEVER_SEEN] = {"broker-never-seen", "There was no connection to the broker yet."},
};

const char *probe_reason_name(enum probe_reason_kind kind)
{
    return kinds[kind].name;
}

const char *probe_reason_detail(enum probe_reason_kind kind)
{
    return kinds[kind].detail;
}

static void add(
    struct probe *probe, enum probe_reason_kind kind, uint32_t endpoint, struct slice what)
{
    if (probe->n < PROBE_MAX_REASONS)
        probe->reasons[probe->n] =
            (struct probe_reason){.kind = kind, .endpoint = endpoint, .what = what};
    probe->n++;
}

/* ---- live ---- */

static void add_process(struct probe *probe, uint32_t place)
{
    if (probe->n < PROBE_MAX_REASONS)
        add(probe, PROBE_HUNG, PROBE_NO_ENDPOINT,
            overview_process_name(place, probe->names[probe->n]));
}

void probe_live(const struct overview *overview, struct probe *probe)
{
    const struct figures *supervisor = &overview->books->supervisor;
    probe->n = 0;
    if (!supervisor->base)
        return;
    uint64_t looked_at = figure_get(&supervisor->supervisor->looked_at);
    if (looked_at < overview->now_ns && overview->now_ns - looked_at > SUPERVISOR_SILENT_NS)
        add_process(probe, FIGURES_PROCESS_SUPERVISOR);
    for (uint32_t i = FIGURES_PROCESS_FIRST_WORKER; i < overview_n_processes(overview); i++)
        if (figure_get(&supervisor->processes[i].missed_beats) >= MISSED_BEATS)
            add_process(probe, i);
}

/* ---- how a part is ---- */

static uint32_t connection_of(const struct overview *overview, const struct plan_part *part)
{
    if (part->verb == PLAN_PRODUCE)
        return 2 * part->broker;
    if (!overview_planned_queue(overview, part->queue)->is_exclusive)
        return 2 * part->broker + 1;
    return 2 * overview->config->brokers.count + part->queue;
}

/* What keeps this worker from serving the part; PROBE_N_KINDS: nothing does. */
static enum probe_reason_kind obstacle_at(
    const struct overview *overview, const struct plan_part *part, uint32_t worker)
{
    const struct figures *figures = &overview->books->workers[worker];
    if (!(overview->lanes_live >> worker & 1) || !figures->base)
        return PROBE_WORKER_DOWN;
    const struct figures_connection *connection =
        &figures->connections[connection_of(overview, part)];
    if (figure_get(&connection->state) != FIGURES_CONNECTION_UP)
        return PROBE_BROKER_AWAY;
    if (part->verb == PLAN_PRODUCE) {
        if (figure_get(&figures->backends[part->backend].is_refused))
            return PROBE_TOPOLOGY_REFUSED;
        return figure_get(&connection->is_blocked) ? PROBE_BROKER_BLOCKED : PROBE_N_KINDS;
    }
    return figure_get(&figures->queues[part->queue].state) == FIGURES_QUEUE_REFUSED
               ? PROBE_TOPOLOGY_REFUSED
               : PROBE_N_KINDS;
}

/* The obstacle at the last worker, when there is one at each that may serve it. */
static enum probe_reason_kind obstacle(
    const struct overview *overview, const struct plan_part *part)
{
    enum probe_reason_kind kind = PROBE_WORKER_DOWN;
    if (part->worker != PLAN_ANY_WORKER)
        return obstacle_at(overview, part, part->worker);
    for (uint32_t i = 0; i < overview->config->n_workers; i++)
        if ((kind = obstacle_at(overview, part, i)) == PROBE_N_KINDS)
            return PROBE_N_KINDS;
    return kind;
}

static struct slice culprit(
    const struct overview *overview, const struct plan_part *part, enum probe_reason_kind kind)
{
    if (kind == PROBE_WORKER_DOWN)
        return slice_of("");
    if (kind == PROBE_TOPOLOGY_REFUSED)
        return slice_of_plan(overview->plan, part->name);
    return overview_broker(overview, part->broker);
}

/* ---- ready ---- */

void probe_ready(const struct overview *overview, struct probe *probe)
{
    probe->n = 0;
    if (overview->is_draining)
        add(probe, PROBE_DRAINING, PROBE_NO_ENDPOINT, slice_of(""));
    for (uint32_t i = 0; i < overview->books->shape.n_endpoints; i++) {
        struct overview_endpoint endpoint = overview_endpoint(overview, i);
        for (uint32_t k = 0; k < endpoint.n_parts; k++) {
            const struct plan_part *part = &endpoint.parts[k];
            enum probe_reason_kind kind = obstacle(overview, part);
            if (kind != PROBE_N_KINDS)
                add(probe, kind, i, culprit(overview, part, kind));
        }
    }
}

/* ---- started ---- */

static bool was_seen_by(
    const struct overview *overview, const struct plan_part *part, uint32_t worker)
{
    const struct figures_connection *connection =
        overview_connection(overview, worker, connection_of(overview, part));
    return connection && figure_get(&connection->ups) > 0;
}

static bool was_seen(const struct overview *overview, const struct plan_part *part)
{
    if (part->worker != PLAN_ANY_WORKER)
        return was_seen_by(overview, part, part->worker);
    for (uint32_t i = 0; i < overview->config->n_workers; i++)
        if (was_seen_by(overview, part, i))
            return true;
    return false;
}

/* Counters do not fall, so what was seen once is seen for ever. */
void probe_started(const struct overview *overview, struct probe *probe)
{
    probe->n = 0;
    for (uint32_t i = 0; i < overview->books->shape.n_endpoints; i++) {
        struct overview_endpoint endpoint = overview_endpoint(overview, i);
        for (uint32_t k = 0; k < endpoint.n_parts; k++)
            if (!was_seen(overview, &endpoint.parts[k]))
                add(probe, PROBE_BROKER_NEVER_SEEN, i,
                    overview_broker(overview, endpoint.parts[k].broker));
    }
}
