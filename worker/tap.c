/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"

#include "decode.h"
#include "reshape.h"

#define NEVER_HEARD_NS CLOCK_S /* a gap counts for no more than this */

static const char *const state_names[TAP_N_STATES] = {
    [TAP_SHUT] = "shut",
    [TAP_REFUSED] = "refused",
    [TAP_IDLE] = "idle",
    [TAP_STARTING] = "starting",
    [TAP_LISTENING] = "listening",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << TAP_##state)
static const unsigned arrows[TAP_N_STATES] = {
    [TAP_SHUT] = TO(SHUT) | TO(IDLE) | TO(REFUSED),
    [TAP_REFUSED] = TO(IDLE) | TO(REFUSED) | TO(SHUT),
    [TAP_IDLE] = TO(STARTING) | TO(SHUT),
    [TAP_STARTING] = TO(LISTENING) | TO(IDLE) | TO(SHUT),
    [TAP_LISTENING] = TO(IDLE) | TO(SHUT),
};
#undef TO

static void enter(struct tap *tap, enum tap_state state)
{
    assert(arrows[tap->state] & (1u << state));
    tap->state = state;
}

const char *tap_state_name(enum tap_state state)
{
    return state_names[state];
}

static bool is_open(const struct tap *tap)
{
    return tap->state >= TAP_IDLE;
}

static bool is_low_rate(const struct tap *tap)
{
    return tap->gap_ns > TAP_LOW_RATE_NS;
}

/* The broker has not answered the last consume. Until it has, that consumer must not be cancelled:
 * RabbitMQ before 4 runs the cancel first if it is quick, and its channel dies of the consume-ok
 * that it finds afterwards (541, which costs the connection). */
static bool is_starting(const struct tap *tap)
{
    return tap->consumer != tap->started_consumer;
}

/* ---- asking for messages ---- */

static void start_consumer(struct tap *tap, uint32_t prefetch)
{
    uint32_t old = tap->consumer;
    tap->consumer = ++tap->last_consumer;
    tap->prefetch = prefetch;
    tap->n_on_current = 0;
    tap->config.ops->consume(tap->config.owner, tap->consumer, (uint16_t)prefetch);
    if (old)
        tap->config.ops->cancel(tap->config.owner, old);
    else
        enter(tap, TAP_STARTING); /* else the queue is listened to all the time */
}

static void stop_consumer(struct tap *tap)
{
    tap->config.ops->cancel(tap->config.owner, tap->consumer);
    tap->consumer = tap->started_consumer = tap->prefetch = tap->n_on_current = 0;
    enter(tap, TAP_IDLE);
}

static uint32_t power_of_two_from(uint32_t n)
{
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* Those who wait, and at a high rate those who will wait again when they have their answers. */
static uint32_t wanted_prefetch(const struct tap *tap)
{
    uint32_t n = tap->waiting.n + (is_low_rate(tap) ? 0 : tap->n_unsettled);
    uint32_t bound = tap->config.prefetch_count;
    if (tap->config.is_single_active)
        return bound < tap->trust ? bound : tap->trust;
    uint32_t room = bound > tap->n_unsettled ? bound - tap->n_unsettled : 0;
    uint32_t prefetch = power_of_two_from(n < bound ? n : bound);
    if (prefetch > room)
        prefetch = room;
    return prefetch < tap->trust ? prefetch : tap->trust;
}

/* Would what found no room find some now? */
static bool has_room(const struct tap *tap)
{
    uint64_t block = desk_block_take(tap->desk, tap->choked_bytes);
    if (block == DESK_NO_BLOCK)
        return false;
    desk_block_give(tap->desk, block);
    return true;
}

/* Returns when it is to be tried again because nothing could be asked for, or CLOCK_NEVER. */
static uint64_t ask(struct tap *tap, uint64_t now_ns)
{
    uint32_t credit = tap->prefetch > tap->n_on_current ? tap->prefetch - tap->n_on_current : 0;
    if (!is_open(tap) || is_starting(tap) || tap->waiting.n <= credit)
        return CLOCK_NEVER;
    if (tap->config.is_single_active && tap->consumer)
        return CLOCK_NEVER; /* it has all that it may have */
    if (now_ns >= tap->choked_until_ns && tap->choked_bytes && !has_room(tap))
        tap->choked_until_ns = now_ns + TAP_NO_ROOM_NS;
    if (now_ns < tap->choked_until_ns)
        return tap->choked_until_ns;
    tap->choked_bytes = 0;
    uint32_t prefetch = wanted_prefetch(tap);
    if (prefetch > credit)
        start_consumer(tap, prefetch);
    return CLOCK_NEVER;
}

static void attach(struct tap *tap)
{
    if (!tap->must_attach || !is_open(tap) || tap->is_leaving)
        return;
    tap->must_attach = false;
    if (!tap->consumer)
        start_consumer(tap, 1);
}

/* Nothing more is to come, as far as that can be had. */
static void shut_off(struct tap *tap)
{
    if (!tap->consumer || is_starting(tap))
        return;
    if (!tap->config.is_auto_delete || tap->is_leaving)
        stop_consumer(tap);
    else if (tap->prefetch > 1)
        start_consumer(tap, 1);
}

/* ---- giving back ---- */

static void note_settled(struct tap *tap, uint32_t consumer)
{
    if (consumer == tap->consumer && tap->n_on_current)
        tap->n_on_current--;
}

/* Nobody waits: without this the broker would send the next one, or the same one again. */
static void stop_if_unwanted(struct tap *tap)
{
    if (tap->consumer && !is_starting(tap) && !tap->waiting.n && !tap->config.is_auto_delete)
        stop_consumer(tap);
}

/* Acknowledged or discarded: for the queue it is no more. */
static void conclude(struct tap *tap, uint64_t delivery_tag, uint32_t consumer, bool is_ack)
{
    tap->n_unsettled--;
    if (is_low_rate(tap) && !tap->config.is_single_active)
        stop_if_unwanted(tap);
    note_settled(tap, consumer);
    if (is_ack)
        tap->config.ops->ack(tap->config.owner, delivery_tag);
    else
        tap->config.ops->nack(tap->config.owner, delivery_tag, false);
}

static void give_back(struct tap *tap, uint64_t delivery_tag, uint32_t consumer)
{
    stop_if_unwanted(tap);
    note_settled(tap, consumer);
    tap->config.ops->nack(tap->config.owner, delivery_tag, true);
}

static void drop_block(struct tap *tap, const struct tap_message *message)
{
    if (message->block != DESK_NO_BLOCK)
        desk_block_give(tap->desk, message->block);
}

/* One that nobody was told of. */
static void give_back_message(struct tap *tap, const struct tap_message *message)
{
    drop_block(tap, message);
    tap->n_unsettled--;
    give_back(tap, message->delivery_tag, message->consumer);
}

static void release_held(struct tap *tap, const struct held_delivery *held)
{
    give_back(tap, held->delivery_tag, held->consumer);
}

static void hold(struct tap *tap, const struct tap_message *message, uint64_t due_ns)
{
    drop_block(tap, message);
    tap->n_unsettled--;
    if (held_is_full(&tap->held)) {
        struct held_delivery oldest = held_take_oldest(&tap->held);
        release_held(tap, &oldest);
    }
    held_put(&tap->held, &(struct held_delivery){.delivery_tag = message->delivery_tag,
                             .due_ns = due_ns,
                             .consumer = message->consumer});
}

static void release_due(struct tap *tap, uint64_t now_ns)
{
    struct held_delivery due;
    while (held_take_due(&tap->held, tap->is_leaving ? CLOCK_NEVER : now_ns, &due))
        release_held(tap, &due);
}

/* ---- messages for nobody ---- */

static bool keep_spare(struct tap *tap, const struct tap_message *message)
{
    if (tap->gives_back || tap->is_leaving || tap->n_spare > tap->spare_mask)
        return false;
    tap->spare[(tap->first_spare + tap->n_spare++) & tap->spare_mask] = *message;
    return true;
}

static struct tap_message take_spare(struct tap *tap)
{
    assert(tap->n_spare);
    tap->n_spare--;
    return tap->spare[tap->first_spare++ & tap->spare_mask];
}

static void give_back_spares(struct tap *tap)
{
    while (tap->n_spare) {
        struct tap_message message = take_spare(tap);
        give_back_message(tap, &message);
    }
}

/* ---- a message meets a GET ---- */

static bool is_listening(const struct tap *tap, uint64_t now_ns)
{
    return tap->state == TAP_LISTENING && now_ns >= tap->choked_until_ns;
}

static void spoil(struct tap *tap, struct desk_slot *slot, enum outcome outcome,
    const struct tap_message *message, uint64_t now_ns)
{
    const struct plan_backend *backend = &tap->config.backends[slot->backend];
    desk_end_get(slot, outcome, is_listening(tap, now_ns));
    if (outcome == OUTCOME_UNDECODABLE && backend->discards_malformed) {
        drop_block(tap, message);
        conclude(tap, message->delivery_tag, message->consumer, false);
    } else {
        hold(tap, message, now_ns + TAP_HOLD_NS);
    }
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
    conclude(tap, message->delivery_tag, message->consumer, true);
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
        spoil(tap, slot, OUTCOME_BUSY, message, now_ns);
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
    shut_off(tap);
    hold(tap, message, tap->choked_until_ns);
}

void tap_message(struct tap *tap, const struct tap_message *message, uint64_t now_ns)
{
    struct desk_slot *slot;
    tap->n_unsettled++;
    if (message->consumer == tap->consumer)
        tap->n_on_current++;
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
    if (!keep_spare(tap, message))
        give_back_message(tap, message);
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
        struct tap_message message = take_spare(tap);
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
    if (!is_open(tap) || slot->channel_epoch != tap->epoch)
        return; /* settled already, or gone back with its channel */
    if (is_ack) {
        conclude(tap, slot->tag, slot->consumer, true);
        return;
    }
    tap->n_unsettled--;
    give_back(tap, slot->tag, slot->consumer);
}

void tap_use_desk(struct tap *tap, struct desk *desk)
{
    assert(!tap->waiting.n); /* the desk has taken them back */
    if (tap->desk)
        give_back_spares(tap);
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
    enter(tap, TAP_IDLE);
    tap->epoch = epoch;
    tap->is_away = false;
}

void tap_closed(struct tap *tap)
{
    while (tap->n_spare) {
        struct tap_message message = take_spare(tap);
        drop_block(tap, &message);
    }
    tap->held.n = tap->n_unsettled = tap->n_on_current = 0;
    tap->consumer = tap->started_consumer = tap->prefetch = 0;
    tap->choked_until_ns = tap->choked_bytes = 0;
    tap->epoch = 0;
    enter(tap, TAP_SHUT);
}

void tap_refused(struct tap *tap, uint16_t code, const char *text)
{
    struct desk_slot *slot;
    enter(tap, TAP_REFUSED);
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
        enter(tap, TAP_LISTENING);
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
    shut_off(tap);
    give_back_spares(tap);
}

/* When what nobody waits for is to be given up. */
static uint64_t release_time(const struct tap *tap, uint64_t now_ns)
{
    if (!is_open(tap) || is_starting(tap) || tap->waiting.n || !has_to_release(tap))
        return CLOCK_NEVER;
    if (tap->is_leaving)
        return now_ns;
    if (!tap->config.idle_release_ns)
        return CLOCK_NEVER;
    if (tap->config.is_single_active && tap->n_unsettled > tap->n_spare)
        return CLOCK_NEVER; /* a verdict is to come */
    return tap->release_ns != CLOCK_NEVER ? tap->release_ns : now_ns + tap->config.idle_release_ns;
}

uint64_t tap_settle(struct tap *tap, uint64_t now_ns)
{
    release_due(tap, now_ns);
    attach(tap);
    uint64_t next_ns = ask(tap, now_ns);
    tap->release_ns = release_time(tap, now_ns);
    if (tap->release_ns <= now_ns) {
        release(tap);
        tap->release_ns = CLOCK_NEVER;
    }
    if (tap->release_ns < next_ns)
        next_ns = tap->release_ns;
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
    tap->trust = tap->config.prefetch_count;
    /* an old consumer and its successor may both have filled their credit */
    uint32_t n_spare = power_of_two_from(2 * tap->config.prefetch_count);
    tap->spare_mask = n_spare - 1;
    tap->spare = calloc(n_spare, sizeof(*tap->spare));
    return tap->spare ? 0 : -ENOMEM;
}

void tap_done(struct tap *tap)
{
    free(tap->spare);
    *tap = (struct tap){0};
}
