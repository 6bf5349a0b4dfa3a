/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The taps that this worker serves, each behind its channel (consume_channel.h), as the plan asks
 * for them: one place to turn, to ask and to tell all of them.
 *
 *   supplies_init ──▶ supplies_add (each that is this worker's) ──▶ get, cancelled, verdict, turn
 *
 * They log what the broker refuses and what becomes of messages that cannot be shown.
 */
#ifndef LEVERET_WORKER_SUPPLIES_H
#define LEVERET_WORKER_SUPPLIES_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"
#include "shm/json_tree.h"
#include "shm/plan.h"

#include "consume_channel.h"
#include "loop.h"
#include "plan_reader.h"
#include "wire.h"

/* All borrowed for life. */
struct supplies_config {
    const struct plan *plan; /* of a worker */
    struct plan_reader *plan_reader;
    struct json_tree *tree;
    struct loop *loop;
    const struct figures *figures; /* where they count; NULL: nowhere */
    bool must_attach;              /* another process is to leave its queues to this one */
};

/* A tap, its channel and its place in the loop. */
struct supply {
    struct consume_channel consume_channel;
    struct supplies *all;
    struct wire *wire; /* NULL: another worker serves it */
    const char *name;
    struct loop_timer timer;
    struct supply *next_touched;
    bool is_touched;
};

struct supplies {
    struct supplies_config config;
    const struct plan_worker *root;
    const struct plan_backend *backends;
    struct supply *items; /* by tap */
    struct supply *touched;
};

/* None is added yet. -ENOMEM. Stays where it is until supplies_done(), which also takes one that is
 * all zero. */
int supplies_init(struct supplies *supplies, const struct supplies_config *config) MUST_USE;
void supplies_done(struct supplies *supplies);

/* This tap is ours, and its messages come over `wire`, which is laid. -ENOMEM. */
int supplies_add(struct supplies *supplies, uint32_t tap, struct wire *wire) MUST_USE;

/* What the front says of a backend's GET. One that is another worker's ends as invalid: the front
 * is mistaken. */
void supplies_get(struct supplies *supplies, struct desk_slot *slot);
void supplies_cancelled(struct supplies *supplies, struct desk_slot *slot);
void supplies_verdict(struct supplies *supplies, struct desk_slot *slot, bool is_ack);

/* Once in a turn of the loop, before the links flush. */
void supplies_turn(struct supplies *supplies);

/* Has this tap tried to declare its queue? One that a predecessor has locked was there all the
 * time. Of another worker's: yes. */
bool supplies_has_tried(const struct supplies *supplies, uint32_t tap);

/* consume_channel.h, for all of them */
void supplies_use_desk(struct supplies *supplies, struct desk *desk);
void supplies_leave(struct supplies *supplies);
bool supplies_have_attached(const struct supplies *supplies);
bool supplies_keep_queues(const struct supplies *supplies); /* those that go with their last user */
bool supplies_are_quiet(const struct supplies *supplies);
bool supplies_have_unsettled(const struct supplies *supplies);

#endif
