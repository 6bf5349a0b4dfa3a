/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap's deliveries on their way to being settled: given to a GET, kept for one to come (spare),
 * held until they go back. For the tap's own files.
 *
 *   tap_unsettled_arrived ──▶ with a GET ───▶ _conclude (acknowledged, discarded) or _give_back
 *                        ├──▶ spare ───────▶ taken for a GET, or given back
 *                        └──▶ held ────────▶ given back when it is due
 */
#ifndef LEVERET_WORKER_TAP_UNSETTLED_H
#define LEVERET_WORKER_TAP_UNSETTLED_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "tap.h"

/* Room for as many spare messages as can come for nobody. -ENOMEM. */
int tap_unsettled_init(struct tap *tap) MUST_USE;
void tap_unsettled_done(struct tap *tap);

void tap_unsettled_arrived(struct tap *tap, const struct tap_message *message);

/* Acknowledged or discarded: for the queue it is no more. */
void tap_unsettled_conclude(struct tap *tap, uint64_t delivery_tag, uint32_t consumer, bool is_ack);

/* Back to its queue, from its GET. */
void tap_unsettled_give_back(struct tap *tap, uint64_t delivery_tag, uint32_t consumer);

/* For ever: the block is the reply area's again. */
void tap_unsettled_discard(struct tap *tap, const struct tap_message *message);

/* Keeps it unacknowledged, without its block, and gives it back when due. */
void tap_unsettled_hold(struct tap *tap, const struct tap_message *message, uint64_t due_ns);

/* Gives back what is due; when the tap is leaving, all that is held. */
void tap_unsettled_release_due(struct tap *tap, uint64_t now_ns);

/* Keeps a message for a GET to come; or gives it back where none is to be kept. */
void tap_unsettled_keep(struct tap *tap, const struct tap_message *message);

/* The first spare one, whose block becomes the caller's; there is one. */
struct tap_message tap_unsettled_take_spare(struct tap *tap);

void tap_unsettled_give_back_spares(struct tap *tap);

/* The channel is gone: all have gone back by themselves. */
void tap_unsettled_forget(struct tap *tap);

#endif
