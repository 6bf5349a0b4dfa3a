/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection that a broker's publishers share, as they see it: is it up, does the broker read,
 * has it fallen silent.
 *
 *    UNTRIED ──outlet_up──▶ UP ──outlet_down──▶ DOWN ──outlet_up──▶ UP
 *       └─────outlet_failed──────────────────────▲
 *
 * UNTRIED is the time before the first attempt has come to anything: publishes wait then, for as
 * long as their deadlines allow. Afterwards a connection that is away is answered at once.
 *
 * Silence: a publish has passed its deadline unconfirmed, and no byte has come from the broker
 * since it was queued. New publishes are then refused at once until a byte comes: whoever follows
 * need not wait for its own deadline to learn the same.
 */
#ifndef LEVERET_WORKER_OUTLET_H
#define LEVERET_WORKER_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "letter.h"
#include "line.h"

struct publisher;

enum outlet_state { OUTLET_UNTRIED, OUTLET_UP, OUTLET_DOWN, OUTLET_N_STATES };

struct outlet {
    enum outlet_state state;
    struct channel_table *channels;
    struct letter *letter; /* borrowed: the worker's one */
    uint64_t (*now_ns)(void);
    bool is_blocked;
    bool is_held;                /* nothing is published yet: queues are still being declared */
    uint64_t heard_ns;           /* when the broker was last heard before the publishes below, */
    uint64_t silence_ns;         /* the earliest of whose deadlines is this */
    struct line unsent;          /* queued, not handed to the kernel: CLAIMED */
    struct publisher *attentive; /* those in which something waits */
};

void outlet_init(struct outlet *outlet, struct channel_table *channels, struct letter *letter);

/* What the link says. */
void outlet_up(struct outlet *outlet);
void outlet_down(struct outlet *outlet);
void outlet_failed(struct outlet *outlet);
void outlet_blocked(struct outlet *outlet, bool is_blocked);

/* In every turn, before the connection flushes: what waits is tried again, or is told that it
 * waited in vain. Returns when it wants to be called at the latest, or CLOCK_NEVER. */
uint64_t outlet_turn(struct outlet *outlet, uint64_t now_ns);

/* The last thing before the connection flushes: what it will hand to the kernel becomes SENT. */
void outlet_flush(struct outlet *outlet);

/* In this publisher something waits: outlet_turn() calls it until nothing does. */
void outlet_attend(struct outlet *outlet, struct publisher *publisher);

/* A publish with this deadline was queued. */
void outlet_note_publish(struct outlet *outlet, uint64_t deadline_ns);
bool outlet_is_silent(const struct outlet *outlet, uint64_t now_ns);

#endif
