/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"

#include "decode.h"
#include "reshape.h"
#include "tap_consumer.h"
#include "tap_unsettled.h"

#define NEVER_HEARD_NS CLOCK_S /* a gap counts for no more than this */

static struct figures_queue nowhere;

/* ---- a message meets a GET ---- */

static bool is_listening(const struct tap *tap, uint64_t now_ns)
{
    return tap->state == TAP_LISTENING && now_ns >= tap->choked_until_ns;
}

static void spoil(struct tap *tap, struct desk_slot *slot, enum outcome outcome,
    const struct tap_message *message, uint64_t now_ns)
{
    static const char discarded[] = "It was discarded, or dead-lettered if its queue does that.";
    bool is_discarded =
        outcome == OUTCOME_UNDECODABLE && tap->config.backends[slot->backend].discards_malformed;
    struct tap_spoiled spoiled = {.outcome = outcome,
        .backend = slot->backend,
        .delivery_tag = message->delivery_tag,
        .is_redelivered = message->is_redelivered,
        .n = poison_met(&tap->poison)};
    figure_add(outcome == OUTCOME_TOO_LARGE ? &tap->config.figures->too_large
                                            : &tap->config.figures->undecodable,
        1);
    if (is_discarded)
        desk_say(slot, 0, discarded, sizeof discarded - 1);
    desk_end_get(slot, outcome, is_listening(tap, now_ns));
    if (is_discarded) {
        tap_unsettled_discard(tap, message);
    } else {
        spoiled.hold_ns = poison_hold_ns(&tap->poison, message->is_redelivered, now_ns);
        tap_unsettled_hold(tap, message, now_ns + spoiled.hold_ns);
    }
    tap->config.ops->spoiled(tap->config.owner, &spoiled);
}

static void deliver(struct tap *tap, struct desk_slot *slot, const struct tap_message *message,
    const struct decode_part *part)
{
    uint32_t block = (uint32_t)message->block;
    slot->tag = message->delivery_tag;
    slot->consumer = message->consumer;
    slot->channel_epoch = tap->epoch;
    desk_deliver(
        slot, &(struct desk_delivery){.block = message->block,
                  .fields = {block, message->n_fields},
                  .body = {block + message->n_fields + (uint32_t)part->at, (uint32_t)part->n_bytes},
                  .is_redelivered = message->is_redelivered});
    if (!tap->config.backends[slot->backend].is_auto_acked)
        return;
    slot->channel_epoch = 0; /* settled: its verdict changes nothing */
    tap_unsettled_conclude(tap, message->delivery_tag, message->consumer, true);
}

/* What the backend shows of it. One that finds no room for that now costs its GET too. */
static void deliver_shaped(struct tap *tap, struct desk_slot *slot,
    const struct tap_message *message, struct decode_part *part, uint64_t now_ns)
{
    const struct plan_backend *backend = &tap->config.backends[slot->backend];
    struct shape shape = {.plan = tap->config.plan,
        .rules = &backend->shape,
        .encoding = backend->encoding,
        .tree = tap->config.tree};
    struct tap_message shaped = *message;
    switch (reshape(&shape, tap->desk, &shaped, part)) {
    case RESHAPE_OK:
        deliver(tap, slot, &shaped, part);
        break;
    case RESHAPE_TOO_LARGE:
        spoil(tap, slot, OUTCOME_TOO_LARGE, message, now_ns);
        break;
    case RESHAPE_NOT_NOW:
        desk_end_get(slot, OUTCOME_BUSY, is_listening(tap, now_ns));
        tap_unsettled_hold(tap, message, now_ns + POISON_FIRST_NS);
        break;
    }
}

/* BOUND: one message for one GET, whatever comes of it. */
static void serve(
    struct tap *tap, struct desk_slot *slot, const struct tap_message *message, uint64_t now_ns)
{
    const struct plan_backend *backend = &tap->config.backends[slot->backend];
    struct decode_part part;
    if (message->fit == TAP_TOO_LARGE || message->n_body > backend->max_body_bytes) {
        spoil(tap, slot, OUTCOME_TOO_LARGE, message, now_ns);
        return;
    }
    const uint8_t *body = desk_block_bytes(tap->desk, message->block) + message->n_fields;
    if (!decode(backend->encoding, body, message->n_body, &part))
        spoil(tap, slot, OUTCOME_UNDECODABLE, message, now_ns);
    else if (backend->shape.is_any)
        deliver_shaped(tap, slot, message, &part, now_ns);
    else
        deliver(tap, slot, message, &part);
}

/* What goes back counts against a delivery limit: so nothing else is to follow it, and then one at
 * first. */
static void choke(struct tap *tap, const struct tap_message *message, uint64_t now_ns)
{
    uint64_t n_bytes = (uint64_t)message->n_fields + message->n_body;
    tap->choked_until_ns = now_ns + TAP_NO_ROOM_NS;
    tap->choked_bytes = n_bytes ? n_bytes : 1; /* an empty one takes a block, too */
    tap->trust = 1;
    tap_consumer_shut_off(tap);
    tap_unsettled_hold(tap, message, tap->choked_until_ns);
}

void tap_message(struct tap *tap, const struct tap_message *message, uint64_t now_ns)
{
    struct desk_slot *slot;
    tap_unsettled_arrived(tap, message);
    if (message->fit == TAP_NO_ROOM) {
        choke(tap, message, now_ns);
        return;
    }
    if (tap->trust < tap->config.prefetch_count)
        tap->trust++;
    while ((slot = line_take(&tap->waiting))) {
        if (desk_bind(slot)) {
            serve(tap, slot, message, now_ns);
            return;
        }
    }
    tap_unsettled_keep(tap, message);
}

/* ---- GETs ---- */

static void note_rate(struct tap *tap, uint64_t now_ns)
{
    uint64_t gap_ns = now_ns - tap->last_get_ns;
    if (gap_ns > NEVER_HEARD_NS)
        gap_ns = NEVER_HEARD_NS;
    tap->gap_ns = (7 * tap->gap_ns + gap_ns) / 8;
    tap->last_get_ns = now_ns;
}

/* Takes a spare message, if there is one. */
static bool serve_spare(struct tap *tap, struct desk_slot *slot, uint64_t now_ns)
{
    if (!tap->n_spare)
        return false;
    if (desk_bind(slot)) {
        struct tap_message message = tap_unsettled_take_spare(tap);
        serve(tap, slot, &message, now_ns);
    }
    return true;
}

void tap_get(struct tap *tap, struct desk_slot *slot, uint64_t now_ns)
{
    assert(slot->desk == tap->desk);
    note_rate(tap, now_ns);
    tap->gives_back = false;
    tap->release_ns = CLOCK_NEVER; /* it is not idle */
    if (tap->state == TAP_REFUSED) {
        desk_say(slot, tap->refusal_code, tap->refusal_text, strlen(tap->refusal_text));
        desk_end_get(slot, OUTCOME_TOPOLOGY, false);
    } else if (tap->state == TAP_SHUT && tap->is_away) {
        desk_end_get(slot, OUTCOME_DOWN, false);
    } else if (!serve_spare(tap, slot, now_ns)) {
        line_join(&tap->waiting, slot);
    }
}

void tap_cancelled(struct tap *tap, struct desk_slot *slot, uint64_t now_ns)
{
    line_leave(slot);
    desk_end_get(slot, OUTCOME_CANCELLED, is_listening(tap, now_ns));
}

void tap_verdict(struct tap *tap, struct desk_slot *slot, bool is_ack)
{
    if (!tap_consumer_is_open(tap) || slot->channel_epoch != tap->epoch)
        return; /* settled already, or gone back with its channel */
    if (is_ack)
        tap_unsettled_conclude(tap, slot->tag, slot->consumer, true);
    else
        tap_unsettled_give_back(tap, slot->tag, slot->consumer);
}

void tap_use_desk(struct tap *tap, struct desk *desk)
{
    assert(!tap->waiting.n); /* the desk has taken them back */
    if (tap->desk)
        tap_unsettled_give_back_spares(tap);
    tap->desk = desk;
}

void tap_attach(struct tap *tap)
{
    tap->must_attach = tap->config.is_auto_delete;
}

bool tap_is_attaching(const struct tap *tap)
{
    return tap->state == TAP_STARTING || (tap->state == TAP_IDLE && tap->must_attach);
}

void tap_leave(struct tap *tap)
{
    tap->is_leaving = true;
}

/* ---- the channel ---- */

void tap_opened(struct tap *tap, uint64_t epoch)
{
    tap_consumer_enter(tap, TAP_IDLE);
    tap->epoch = epoch;
    tap->is_away = false;
}

void tap_closed(struct tap *tap)
{
    tap_unsettled_forget(tap);
    tap_consumer_forget(tap);
    tap->choked_until_ns = tap->choked_bytes = 0;
    tap->epoch = 0;
    tap_consumer_enter(tap, TAP_SHUT);
}

void tap_refused(struct tap *tap, uint16_t code, const char *text)
{
    struct desk_slot *slot;
    tap_consumer_enter(tap, TAP_REFUSED);
    tap->refusal_code = code;
    (void)snprintf(tap->refusal_text, sizeof(tap->refusal_text), "%s", text); /* may be cut */
    while ((slot = line_take(&tap->waiting))) {
        desk_say(slot, code, tap->refusal_text, strlen(tap->refusal_text));
        desk_end_get(slot, OUTCOME_TOPOLOGY, false);
    }
}

void tap_is_away(struct tap *tap)
{
    tap->is_away = true;
}

void tap_consume_ok(struct tap *tap, uint32_t consumer)
{
    if (consumer != tap->consumer)
        return;
    tap->started_consumer = consumer;
    if (tap->state == TAP_STARTING)
        tap_consumer_enter(tap, TAP_LISTENING);
}

/* ---- at the end of a turn ---- */

static bool has_to_release(const struct tap *tap)
{
    if (tap->config.is_auto_delete && !tap->is_leaving)
        return tap->prefetch > 1 || tap->n_spare > 1;
    return tap->consumer || tap->n_spare;
}

static void release(struct tap *tap)
{
    tap->gives_back = !tap->config.is_auto_delete || tap->is_leaving;
    tap_consumer_shut_off(tap);
    tap_unsettled_give_back_spares(tap);
}

/* When what nobody waits for is to be given up. */
static uint64_t release_time(const struct tap *tap, uint64_t now_ns)
{
    if (!tap_consumer_is_open(tap) || tap_consumer_is_starting(tap) || tap->waiting.n ||
        !has_to_release(tap))
        return CLOCK_NEVER;
    if (tap->is_leaving)
        return now_ns;
    if (!tap->config.idle_release_ns)
        return CLOCK_NEVER;
    if (tap->config.is_single_active && tap->n_unsettled > tap->n_spare)
        return CLOCK_NEVER; /* a verdict is to come */
    return tap->release_ns != CLOCK_NEVER ? tap->release_ns : now_ns + tap->config.idle_release_ns;
}

static void count(const struct tap *tap)
{
    struct figures_queue *figures = tap->config.figures;
    figure_set(&figures->waiting_gets, tap->waiting.n);
    figure_set(&figures->prefetch, tap->consumer ? tap->prefetch : 0);
    figure_set(&figures->held, tap->held.n);
}

uint64_t tap_settle(struct tap *tap, uint64_t now_ns)
{
    tap_unsettled_release_due(tap, now_ns);
    tap_consumer_attach(tap);
    uint64_t next_ns = tap_consumer_ask(tap, now_ns);
    tap->release_ns = release_time(tap, now_ns);
    if (tap->release_ns <= now_ns) {
        release(tap);
        tap->release_ns = CLOCK_NEVER;
    }
    if (tap->release_ns < next_ns)
        next_ns = tap->release_ns;
    count(tap);
    uint64_t held_ns = held_next_ns(&tap->held);
    return held_ns < next_ns ? held_ns : next_ns;
}

bool tap_has_unsettled(const struct tap *tap)
{
    return tap->n_unsettled || tap->held.n;
}

bool tap_is_quiet(const struct tap *tap)
{
    return !tap->waiting.n && !tap_has_unsettled(tap) && !tap->consumer;
}

/* ---- a life ---- */

int tap_init(struct tap *tap, const struct tap_config *config)
{
    assert(config->prefetch_count);
    *tap = (struct tap){.config = *config, .release_ns = CLOCK_NEVER, .gap_ns = NEVER_HEARD_NS};
    if (tap->config.prefetch_count > TAP_MAX_PREFETCH)
        tap->config.prefetch_count = TAP_MAX_PREFETCH;
    if (!tap->config.figures)
        tap->config.figures = &nowhere;
    tap->trust = tap->config.prefetch_count;
    return tap_unsettled_init(tap);
}

void tap_done(struct tap *tap)
{
    tap_unsettled_done(tap);
    *tap = (struct tap){0};
}
