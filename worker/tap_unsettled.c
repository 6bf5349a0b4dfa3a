/* SPDX-License-Identifier: Apache-2.0 */
#include "tap_unsettled.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"

#include "tap_consumer.h"

void tap_unsettled_arrived(struct tap *tap, const struct tap_message *message)
{
    tap->n_unsettled++;
    figure_add(&tap->config.figures->delivered, 1);
    tap_consumer_delivered(tap, message->consumer);
}

void tap_unsettled_conclude(struct tap *tap, uint64_t delivery_tag, uint32_t consumer, bool is_ack)
{
    tap->n_unsettled--;
    if (tap_consumer_is_low_rate(tap) && !tap->config.is_single_active)
        tap_consumer_stop_if_unwanted(tap);
    tap_consumer_settled(tap, consumer);
    figure_add(is_ack ? &tap->config.figures->acked : &tap->config.figures->discarded, 1);
    if (is_ack)
        tap->config.ops->ack(tap->config.owner, delivery_tag);
    else
        tap->config.ops->nack(tap->config.owner, delivery_tag, false);
}

static void drop_block(struct tap *tap, const struct tap_message *message)
{
    if (message->block != DESK_NO_BLOCK)
        desk_block_give(tap->desk, message->block);
}

void tap_unsettled_discard(struct tap *tap, const struct tap_message *message)
{
    drop_block(tap, message);
    tap_unsettled_conclude(tap, message->delivery_tag, message->consumer, false);
}

static void nack(struct tap *tap, uint64_t delivery_tag, uint32_t consumer)
{
    tap_consumer_stop_if_unwanted(tap);
    tap_consumer_settled(tap, consumer);
    figure_add(&tap->config.figures->requeued, 1);
    tap->config.ops->nack(tap->config.owner, delivery_tag, true);
}

void tap_unsettled_give_back(struct tap *tap, uint64_t delivery_tag, uint32_t consumer)
{
    tap->n_unsettled--;
    nack(tap, delivery_tag, consumer);
}

/* ---- held ---- */

static void release_held(struct tap *tap, const struct held_delivery *held)
{
    nack(tap, held->delivery_tag, held->consumer);
}

void tap_unsettled_hold(struct tap *tap, const struct tap_message *message, uint64_t due_ns)
{
    drop_block(tap, message);
    tap->n_unsettled--;
    if (held_is_full(&tap->held)) {
        struct held_delivery next = held_take_next(&tap->held);
        release_held(tap, &next);
    }
    held_put(&tap->held, &(struct held_delivery){.delivery_tag = message->delivery_tag,
                             .due_ns = due_ns,
                             .consumer = message->consumer});
}

void tap_unsettled_release_due(struct tap *tap, uint64_t now_ns)
{
    struct held_delivery due;
    while (held_take_due(&tap->held, tap->is_leaving ? CLOCK_NEVER : now_ns, &due))
        release_held(tap, &due);
}

/* ---- messages for nobody ---- */

static void give_back_message(struct tap *tap, const struct tap_message *message)
{
    drop_block(tap, message);
    tap_unsettled_give_back(tap, message->delivery_tag, message->consumer);
}

void tap_unsettled_keep(struct tap *tap, const struct tap_message *message)
{
    if (tap->gives_back || tap->is_leaving || tap->n_spare > tap->spare_mask)
        give_back_message(tap, message);
    else
        tap->spare[(tap->first_spare + tap->n_spare++) & tap->spare_mask] = *message;
}

struct tap_message tap_unsettled_take_spare(struct tap *tap)
{
    assert(tap->n_spare);
    tap->n_spare--;
    return tap->spare[tap->first_spare++ & tap->spare_mask];
}

void tap_unsettled_give_back_spares(struct tap *tap)
{
    while (tap->n_spare) {
        struct tap_message message = tap_unsettled_take_spare(tap);
        give_back_message(tap, &message);
    }
}

/* ---- a life ---- */

void tap_unsettled_forget(struct tap *tap)
{
    while (tap->n_spare) {
        struct tap_message message = tap_unsettled_take_spare(tap);
        drop_block(tap, &message);
    }
    figure_add(&tap->config.figures->requeued, tap->n_unsettled + tap->held.n);
    tap->held.n = tap->n_unsettled = 0;
}

int tap_unsettled_init(struct tap *tap)
{
    /* an old consumer and its successor may both have filled their credit */
    uint32_t n_spare = tap_consumer_power_of_two(2 * tap->config.prefetch_count);
    tap->spare_mask = n_spare - 1;
    tap->spare = calloc(n_spare, sizeof(*tap->spare));
    return tap->spare ? 0 : -ENOMEM;
}

void tap_unsettled_done(struct tap *tap)
{
    free(tap->spare);
}
