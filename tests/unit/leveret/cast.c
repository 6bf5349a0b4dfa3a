/* SPDX-License-Identifier: Apache-2.0 */
#include "cast.h"

#include <criterion/criterion.h>
#include <string.h>

int cast_meet(struct cast *cast, struct stage *stage)
{
    struct actor actor = {.puppet = stage_meet(stage)};
    (void)puppet_hears(&actor.puppet, "start ");
    actor.n_lanes_due = puppet_number(&actor.puppet, "lanes");
    if (strcmp(actor.puppet.role, "front") == 0) {
        (void)puppet_hears(&actor.puppet, "listener ");
        cast->front = actor;
        return -1;
    }
    long index = puppet_number(&actor.puppet, "worker");
    cr_assert_lt(index, CAST_WORKERS_MAX);
    cast->worker[index] = actor;
    return (int)index;
}

static void lane_hear(struct actor *actor, unsigned index)
{
    (void)puppet_hears(&actor->puppet, "lane ");
    cr_assert_eq(puppet_number(&actor->puppet, "worker"), index);
    actor->lane = puppet_number(&actor->puppet, "memory");
    actor->peer = puppet_number(&actor->puppet, "peer");
}

void cast_joined(struct cast *cast, unsigned index)
{
    struct actor *front = &cast->front, *worker = &cast->worker[index];
    lane_hear(front, index);
    lane_hear(worker, index);
    cr_assert_eq(front->lane, worker->lane, "two halves of different lanes");
    cr_assert_eq(front->peer, worker->puppet.pid);
    cr_assert_eq(worker->peer, front->puppet.pid);
    cast->front_lane[index] = front->lane;
    cast->front_peer[index] = front->peer;
}

void cast_ready(struct stage *stage, struct actor *actor)
{
    char expected[64];
    bool is_json = stage->outfit->log_format == LOG_JSON;
    (void)snprintf(expected, sizeof(expected),
        is_json ? "\"pid\":%d,\"after_ms\":" : "pid=%d after_ms=", actor->puppet.pid);
    puppet_do(&actor->puppet, "ready");
    (void)stage_log(stage, expected);
}

void cast_enter(struct cast *cast, struct stage *stage)
{
    stage_start(stage);
    cast_gather(cast, stage);
}

void cast_gather(struct cast *cast, struct stage *stage)
{
    *cast = (struct cast){0};
    for (unsigned i = 0; i < 1 + stage->outfit->n_workers; i++)
        (void)cast_meet(cast, stage);
    for (unsigned i = 0; i < stage->outfit->n_workers; i++) {
        cast_joined(cast, i);
        cast_ready(stage, &cast->worker[i]);
    }
    cast_ready(stage, &cast->front);
}
