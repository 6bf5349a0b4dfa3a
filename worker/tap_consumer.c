/* SPDX-License-Identifier: Apache-2.0 */
#include "tap_consumer.h"

#include <assert.h>

#include "shm/clock.h"

static const char *const state_names[TAP_N_STATES] = {
    [TAP_SHUT] = "shut",
    [TAP_REFUSED] = "refused",
    [TAP_IDLE] = "idle",
    [TAP_STARTING] = "starting",
    [TAP_LISTENING] = "listening",
};

static const uint8_t states[TAP_N_STATES] = {
    [TAP_SHUT] = FIGURES_QUEUE_SHUT,
    [TAP_REFUSED] = FIGURES_QUEUE_REFUSED,
    [TAP_IDLE] = FIGURES_QUEUE_IDLE,
    [TAP_STARTING] = FIGURES_QUEUE_STARTING,
    [TAP_LISTENING] = FIGURES_QUEUE_LISTENING,
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

void tap_consumer_enter(struct tap *tap, enum tap_state state)
{
    assert(arrows[tap->state] & (1u << state));
    tap->state = state;
    figure_set(&tap->config.figures->state, states[state]);
}

const char *tap_state_name(enum tap_state state)
{
    return state_names[state];
}

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
        tap_consumer_enter(tap, TAP_STARTING); /* else the queue is listened to all the time */
}

void tap_consumer_forget(struct tap *tap)
{
    tap->consumer = tap->started_consumer = tap->prefetch = tap->n_on_current = 0;
}

static void stop_consumer(struct tap *tap)
{
    tap->config.ops->cancel(tap->config.owner, tap->consumer);
    tap_consumer_forget(tap);
    tap_consumer_enter(tap, TAP_IDLE);
}

uint32_t tap_consumer_power_of_two(uint32_t n)
{
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* Those who wait, and at a high rate those who will wait again when they have their answers. */
static uint32_t wanted_prefetch(const struct tap *tap)
{
    uint32_t n = tap->waiting.n + (tap_consumer_is_low_rate(tap) ? 0 : tap->n_unsettled);
    uint32_t bound = tap->config.prefetch_count;
    if (tap->config.is_single_active)
        return bound < tap->trust ? bound : tap->trust;
    uint32_t room = bound > tap->n_unsettled ? bound - tap->n_unsettled : 0;
    uint32_t prefetch = tap_consumer_power_of_two(n < bound ? n : bound);
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

uint64_t tap_consumer_ask(struct tap *tap, uint64_t now_ns)
{
    uint32_t credit = tap->prefetch > tap->n_on_current ? tap->prefetch - tap->n_on_current : 0;
    if (!tap_consumer_is_open(tap) || tap_consumer_is_starting(tap) || tap->waiting.n <= credit)
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

void tap_consumer_attach(struct tap *tap)
{
    if (!tap->must_attach || !tap_consumer_is_open(tap) || tap->is_leaving)
        return;
    tap->must_attach = false;
    if (!tap->consumer)
        start_consumer(tap, 1);
}

void tap_consumer_shut_off(struct tap *tap)
{
    if (!tap->consumer || tap_consumer_is_starting(tap))
        return;
    if (!tap->config.is_auto_delete || tap->is_leaving)
        stop_consumer(tap);
    else if (tap->prefetch > 1)
        start_consumer(tap, 1);
}

void tap_consumer_stop_if_unwanted(struct tap *tap)
{
    if (tap->consumer && !tap_consumer_is_starting(tap) && !tap->waiting.n &&
        !tap->config.is_auto_delete)
        stop_consumer(tap);
}

void tap_consumer_delivered(struct tap *tap, uint32_t consumer)
{
    if (consumer == tap->consumer)
        tap->n_on_current++;
}

void tap_consumer_settled(struct tap *tap, uint32_t consumer)
{
    if (consumer == tap->consumer && tap->n_on_current)
        tap->n_on_current--;
}
