/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection that a broker's publishers share, as they see it: is it up, does the broker read,
 * has it fallen silent.
 *
 *               it is up           it is lost            it is up
 *    UNTRIED ──────────────▶ UP ────────────────▶ DOWN ──────────────▶ UP
 *       └───── the first attempt has failed ───────▲
 *
 * UNTRIED is the time before the first attempt has come to anything: publishes wait then, for as
 * long as their deadlines allow. Afterwards a connection that is away is answered at once.
 *
 * Silence: a publish has passed its deadline unconfirmed, and no byte has come from the broker
 * since it was queued. That may be the message's own queue, which is stuck or slow; so the broker
 * is asked shortly before, with a channel that is opened for the answer alone. When no byte comes
 * of that either, new publishes are refused at once until one does: whoever follows need not wait
 * for its own deadline to learn the same.
 */
#ifndef LEVERET_WORKER_PUBLISH_LINK_H
#define LEVERET_WORKER_PUBLISH_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "declaration.h"
#include "line.h"
#include "publication.h"

struct publisher;

/* How long before a deadline the broker is asked, and how long its answer may take. */
#define PUBLISH_LINK_ASK_NS (UINT64_C(200) * 1000000)
#define PUBLISH_LINK_ANSWER_NS (UINT64_C(100) * 1000000)

enum publish_link_state {
    PUBLISH_LINK_UNTRIED,
    PUBLISH_LINK_UP,
    PUBLISH_LINK_DOWN,
    PUBLISH_LINK_N_STATES
};

struct publish_link {
    enum publish_link_state state;
    struct channel_table *channels;
    struct publication *publication; /* borrowed: the worker's one */
    uint32_t n_open;                 /* publishes of all its publishers that have not ended */
    bool is_blocked;
    bool is_held;         /* nothing is published yet: queues are still being declared */
    uint64_t heard_ns;    /* when the broker was last heard before the publishes below, */
    uint64_t deadline_ns; /* the earliest of whose deadlines is this; CLOCK_NEVER: there are none */
    uint64_t silence_ns;  /* asked: when the answer is overdue; else CLOCK_NEVER */
    struct declaration question; /* declares nothing */
    struct line unsent;          /* queued, not handed to the kernel: CLAIMED */
    struct line leaving;         /* publish_link_end() */
    struct publisher *attentive; /* those in which something waits */
};

void publish_link_init(struct publish_link *publish_link, struct channel_table *channels,
    struct publication *publication);

/* What the link says; down also when an attempt has come to nothing. */
void publish_link_up(struct publish_link *publish_link);
void publish_link_down(struct publish_link *publish_link);
void publish_link_blocked(struct publish_link *publish_link, bool is_blocked);

/* In every turn, before the connection flushes: what waits is tried again, or is told that it
 * waited in vain. Returns when it wants to be called at the latest, or CLOCK_NEVER. */
uint64_t publish_link_turn(struct publish_link *publish_link, uint64_t now_ns);

/* The last thing before the connection flushes: what it will hand to the kernel becomes SENT. */
void publish_link_flush(struct publish_link *publish_link);

/* In this publisher something waits: publish_link_turn() calls it until nothing does. */
void publish_link_attend(struct publish_link *publish_link, struct publisher *publisher);

/* This one, which was queued, ends with its channel; it stands in no line. A large body lies in the
 * front's memory and may still be on its way to the kernel, so that its slot is not the front's
 * before it has left. */
void publish_link_end(
    struct publish_link *publish_link, struct desk_slot *slot, enum outcome outcome);

/* A publish with this deadline was queued. */
void publish_link_note_publish(struct publish_link *publish_link, uint64_t deadline_ns);
bool publish_link_is_silent(const struct publish_link *publish_link, uint64_t now_ns);

#endif
