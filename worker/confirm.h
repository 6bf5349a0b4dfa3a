/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one channel has published and the broker has not settled yet (RabbitMQ's publisher confirms:
 * basic.ack and basic.nack from the broker, each for one sequence number or, `multiple`, for every
 * unsettled one up to it). Pure bookkeeping over entries that live in their publishes.
 *
 *                   confirm_add            ack, nack: confirm_take
 *     not here ───────────────▶ IN FLIGHT ─────────────────────────▶ not here
 *                                  │  ▲    channel lost: confirm_take_first
 *                   basic.return   └──┘ is_returned
 *
 * Confirms overtake one another, so each number is on its own. A basic.return has no number; it
 * carries the message id, and comes before its message's ack. So no two publishes with one id may
 * be in flight on a channel: confirm_has_id() says when a second one has to wait. Ids are held as
 * 64-bit hashes: two that collide only wait for one another.
 *
 * What the broker says is checked: a number that was never used, or is settled already, is
 * CONFIRM_UNKNOWN, and nothing that this broker says on this connection can be believed any more.
 */
#ifndef LEVERET_WORKER_CONFIRM_H
#define LEVERET_WORKER_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

/* Embedded in a publish. */
struct confirm_entry {
    uint64_t number; /* delivery tag; 1 is the first publish of a channel */
    uint64_t id;     /* confirm_id() of its message id */
    bool is_returned;
    struct confirm_entry *next, *previous; /* in the order of their numbers */
    struct confirm_entry *same_number_hash, *same_id_hash;
};

enum confirm_outcome { CONFIRM_OK, CONFIRM_UNKNOWN };

struct confirm {
    struct confirm_entry **by_number, **by_id; /* hash heads, mask + 1 of each */
    uint64_t mask;
    struct confirm_entry *first, *last;
    uint32_t n_in_flight;
    uint64_t n_added; /* number of the last publish */
};

/* Sized for about `window` entries in flight; more are only slower. -ENOMEM. */
int confirm_init(struct confirm *confirm, uint32_t window) MUST_USE;
void confirm_done(struct confirm *confirm);

/* A fresh channel: numbers start at 1 again. Nothing may be in flight. */
void confirm_restart(struct confirm *confirm);

uint64_t confirm_id(const char *message_id, size_t n_bytes);

/* Is a publish with this id in flight? */
bool confirm_has_id(const struct confirm *confirm, uint64_t id);

/* The next publish; its id is not in flight. Gives it its number. */
void confirm_add(struct confirm *confirm, struct confirm_entry *entry, uint64_t id);

/* The message with this id came back as unroutable: its entry, marked; NULL when there is none in
 * flight. */
struct confirm_entry *confirm_return(struct confirm *confirm, uint64_t id);

/* May the broker say this? `tag` 0 with `is_multiple` means all (specification 1.8.3.13). An
 * `is_multiple` that finds nothing left to settle is not a lie. */
enum confirm_outcome confirm_check(
    const struct confirm *confirm, uint64_t tag, bool is_multiple) MUST_USE;

/* Takes out the next entry that a checked (tag, is_multiple) settles, in the order of their
 * numbers; NULL when no further one. */
struct confirm_entry *confirm_take(struct confirm *confirm, uint64_t tag, bool is_multiple);

/* Takes out the oldest entry, whatever the broker said; NULL when nothing is in flight. */
struct confirm_entry *confirm_take_first(struct confirm *confirm);

#endif
