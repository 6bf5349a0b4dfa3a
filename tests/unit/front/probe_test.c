/* SPDX-License-Identifier: Apache-2.0 */
#include "seen.h"

#include "probe.h"

static struct seen seen;
static struct probe probe;

/* Everything is up. */
static void open_it(void)
{
    seen_open(&seen);
    for (int i = 0; i < SEEN_WORKERS; i++) {
        for (uint32_t k = 0; k < figures_n_connections(&seen_shape); k++) {
            figure_set(&seen.workers[i].connections[k].state, FIGURES_CONNECTION_UP);
            figure_set(&seen.workers[i].connections[k].ups, 1);
        }
    }
}

static void close_it(void)
{
    seen_close(&seen);
}

TestSuite(probe, .init = open_it, .fini = close_it);

/* It is not ready, for this reason and at this endpoint alone. */
static void expect_not_ready(enum probe_reason_kind kind, uint32_t endpoint)
{
    probe_ready(&seen.overview, &probe);
    cr_assert_eq(probe.n, 1);
    cr_expect_eq(probe.reasons[0].kind, kind, "%s", probe_reason_name(probe.reasons[0].kind));
    cr_expect_eq(probe.reasons[0].endpoint, endpoint);
}

static void expect_ready(void)
{
    probe_ready(&seen.overview, &probe);
    cr_expect_eq(probe.n, 0);
}

static struct figures_connection *connection(int worker, uint32_t which)
{
    return &seen.workers[worker].connections[which];
}

enum { PUBLISH, CONSUME, OWN = 2 + SEEN_OWN_QUEUE };

Test(probe, is_ready_when_everything_is_up)
{
    expect_ready();
}

Test(probe, one_worker_that_can_publish_is_enough)
{
    figure_set(&connection(0, PUBLISH)->state, FIGURES_CONNECTION_AWAY);
    expect_ready();
    figure_set(&connection(1, PUBLISH)->is_blocked, 1);
    expect_not_ready(PROBE_BROKER_BLOCKED, SEEN_PRODUCE);
    figure_set(&connection(1, PUBLISH)->is_blocked, 0);
    figure_set(&connection(1, PUBLISH)->state, FIGURES_CONNECTION_CONNECTING);
    expect_not_ready(PROBE_BROKER_AWAY, SEEN_PRODUCE);
}

Test(probe, a_queue_needs_its_own_worker_and_its_own_connection)
{
    figure_set(&connection(1, CONSUME)->state, FIGURES_CONNECTION_AWAY);
    expect_ready();
    figure_set(&connection(1, OWN)->state, FIGURES_CONNECTION_AWAY);
    expect_not_ready(PROBE_BROKER_AWAY, SEEN_EXCLUSIVE);
    figure_set(&connection(1, OWN)->state, FIGURES_CONNECTION_UP);
    figure_set(&connection(0, CONSUME)->is_blocked, 1); /* that stops who publishes alone */
    expect_ready();
    seen.overview.lanes_live = 2;
    expect_not_ready(PROBE_WORKER_DOWN, SEEN_CONSUME);
}

Test(probe, what_the_broker_refuses_is_not_ready)
{
    figure_set(&seen.workers[0].queues[SEEN_SHARED_QUEUE].state, FIGURES_QUEUE_REFUSED);
    expect_not_ready(PROBE_TOPOLOGY_REFUSED, SEEN_CONSUME);
    figure_set(&seen.workers[0].queues[SEEN_SHARED_QUEUE].state, FIGURES_QUEUE_IDLE);
    figure_set(&seen.workers[0].backends[0].is_refused, 1);
    expect_ready();
    figure_set(&seen.workers[1].backends[0].is_refused, 1);
    expect_not_ready(PROBE_TOPOLOGY_REFUSED, SEEN_PRODUCE);
}

Test(probe, who_drains_is_not_ready)
{
    seen.overview.is_draining = true;
    expect_not_ready(PROBE_DRAINING, PROBE_NO_ENDPOINT);
}

Test(probe, has_started_when_every_broker_was_there_once)
{
    figure_set(&connection(1, OWN)->ups, 0);
    probe_started(&seen.overview, &probe);
    cr_assert_eq(probe.n, 1);
    cr_expect_eq(probe.reasons[0].endpoint, SEEN_EXCLUSIVE);
    figure_set(&connection(1, OWN)->ups, 1);
    figure_set(&connection(1, OWN)->state, FIGURES_CONNECTION_AWAY);
    probe_started(&seen.overview, &probe);
    cr_expect_eq(probe.n, 0, "it is away again, but it was there");
}

Test(probe, one_that_hangs_is_not_live_and_one_that_died_is_no_reason)
{
    struct figures_process *worker = &seen.supervisor.processes[FIGURES_PROCESS_FIRST_WORKER + 1];
    figure_set(&worker->state, FIGURES_PROCESS_DOWN);
    probe_live(&seen.overview, &probe);
    cr_expect_eq(probe.n, 0);
    figure_set(&worker->missed_beats, 3);
    probe_live(&seen.overview, &probe);
    cr_assert_eq(probe.n, 1);
    cr_expect_eq(probe.reasons[0].kind, PROBE_HUNG);
    cr_expect(slice_equals(probe.reasons[0].what, slice_of("worker 1")));
}

Test(probe, a_supervisor_that_does_not_look_is_not_live)
{
    figure_set(&seen.supervisor.supervisor->looked_at, seen.overview.now_ns - 11 * CLOCK_S);
    probe_live(&seen.overview, &probe);
    cr_assert_eq(probe.n, 1);
    cr_expect(slice_equals(probe.reasons[0].what, slice_of("supervisor")));
}

Test(probe, liars_are_answered_all_the_same)
{
    seen_fill(&seen.supervisor);
    for (int i = 0; i < SEEN_WORKERS; i++)
        seen_fill(&seen.workers[i]);
    probe_live(&seen.overview, &probe);
    cr_expect_leq(probe.n, 1 + SEEN_WORKERS);
    probe_ready(&seen.overview, &probe);
    cr_expect_leq(probe.n, SEEN_BACKENDS);
    probe_started(&seen.overview, &probe);
}
