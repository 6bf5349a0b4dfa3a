/* SPDX-License-Identifier: Apache-2.0 */
#include "spout.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/clock.h"

#define FIRST_PAUSE_NS (UINT64_C(50) * CLOCK_MS)

static const char *const state_names[SPOUT_N_STATES] = {
    [SPOUT_CLOSED] = "closed",
    [SPOUT_DECLARING] = "declaring",
    [SPOUT_QUEUEING] = "queueing",
    [SPOUT_SELECTING] = "selecting",
    [SPOUT_READY] = "ready",
    [SPOUT_REFUSED] = "refused",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << SPOUT_##state)
static const unsigned arrows[SPOUT_N_STATES] = {
    [SPOUT_CLOSED] = TO(DECLARING),
    [SPOUT_DECLARING] = TO(QUEUEING) | TO(SELECTING) | TO(READY) | TO(CLOSED) | TO(REFUSED),
    [SPOUT_QUEUEING] = TO(SELECTING) | TO(READY) | TO(CLOSED) | TO(REFUSED),
    [SPOUT_SELECTING] = TO(READY) | TO(CLOSED) | TO(REFUSED),
    [SPOUT_READY] = TO(CLOSED),
    [SPOUT_REFUSED] = TO(DECLARING),
};
#undef TO

static void enter(struct spout *spout, enum spout_state state)
{
    assert(arrows[spout->state] & (1u << state));
    spout->state = state;
}

const char *spout_state_name(enum spout_state state)
{
    return state_names[state];
}

/* ---- its end ---- */

static void refused(struct spout *spout, const struct channel_end *end)
{
    enter(spout, SPOUT_REFUSED);
    spout->refusal_code = end->code;
    (void)snprintf(spout->refusal_text, sizeof(spout->refusal_text), "%s", end->text);
    spout->rests_until_ns = spout->now_ns() + backoff_failed(&spout->backoff, (uint32_t)random());
    spout->config.ops->on_failed(spout->config.owner, end);
}

static void failed(struct spout *spout, const struct channel_end *end)
{
    enter(spout, SPOUT_CLOSED);
    spout->config.ops->on_failed(spout->config.owner, end);
}

/* What we want cannot even be asked for. */
static void cannot_ask(struct spout *spout, int error)
{
    errand_drop(&spout->errand);
    if (spout->channel)
        channel_close(STEAL(spout->channel));
    if (error == -EINVAL) {
        refused(
            spout, &(struct channel_end){.reason = CHANNEL_END_ASKED,
                       .text = "A name or an argument of the declaration is too long for AMQP."});
        return;
    }
    spout->rests_until_ns = spout->now_ns() + SPOUT_MAX_PAUSE_NS;
    failed(
        spout, &(struct channel_end){.reason = CHANNEL_END_ASKED,
                   .text = error == -ENOTCONN
                               ? "The connection to the broker is closing."
                               : "The connection to the broker has no room for another channel."});
}

static void lost(struct spout *spout, struct channel *channel, const struct channel_end *end)
{
    enter(spout, SPOUT_CLOSED);
    uint64_t pause_ns = FIRST_PAUSE_NS * spout->n_losses;
    if (end->reason == CHANNEL_END_LOST)
        pause_ns = 0; /* the link takes its own time */
    else
        spout->n_losses++;
    spout->rests_until_ns =
        spout->now_ns() + (pause_ns < SPOUT_MAX_PAUSE_NS ? pause_ns : SPOUT_MAX_PAUSE_NS);
    spout->config.ops->on_lost(spout->config.owner, channel, end);
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct spout *spout = channel->owner;
    if (spout->channel != channel)
        return; /* it was given up */
    spout->channel = NULL;
    errand_drop(&spout->errand);
    if (spout->state == SPOUT_READY)
        lost(spout, channel, end);
    else if (end->reason == CHANNEL_END_BROKER)
        refused(spout, end);
    else
        failed(spout, end);
}

/* ---- its beginning ---- */

static void is_ready(struct spout *spout)
{
    backoff_reset(&spout->backoff);
    enter(spout, SPOUT_READY);
    spout->config.ops->on_ready(spout->config.owner);
}

static void select_confirms(struct spout *spout)
{
    if (!spout->config.is_confirmed) {
        is_ready(spout);
        return;
    }
    enter(spout, SPOUT_SELECTING);
    amqp_confirm_select_t select = {0};
    int error = channel_method(spout->channel, AMQP_CONFIRM_SELECT_METHOD, &select);
    if (error)
        cannot_ask(spout, error);
}

static void on_errand_done(void *owner, const struct channel_end *refusal)
{
    struct spout *spout = owner;
    if (refusal)
        spout->config.ops->on_queue_refused(spout->config.owner, refusal);
    select_confirms(spout);
}

static void exchange_is_there(struct spout *spout)
{
    if (!spout->config.queue.queue.name) {
        select_confirms(spout);
        return;
    }
    enter(spout, SPOUT_QUEUEING);
    int error = errand_run(&spout->errand, spout->channel->table, &spout->config.queue);
    if (error)
        cannot_ask(spout, error);
}

/* ---- what the broker says ---- */

static void on_topology(struct spout *spout, const amqp_method_t *method)
{
    switch (topology_on_method(&spout->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        exchange_is_there(spout);
        break;
    case TOPOLOGY_NOT_OURS:
        connection_violation(
            spout->channel->table->connection, AMQP_COMMAND_INVALID, amqp_method_name(method->id));
        break;
    }
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct spout *spout = channel->owner;
    if (spout->channel != channel)
        return;
    if (spout->state == SPOUT_READY)
        spout->config.ops->on_method(spout->config.owner, method);
    else if (spout->state == SPOUT_SELECTING && method->id == AMQP_CONFIRM_SELECT_OK_METHOD)
        is_ready(spout);
    else
        on_topology(spout, method);
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct spout *spout = channel->owner;
    if (spout->channel == channel && spout->state == SPOUT_READY)
        spout->config.ops->on_content(spout->config.owner, content);
}

/* Of a message that came back: it is what was sent. */
static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last) {}

static void on_open(struct channel *channel)
{
    struct spout *spout = channel->owner;
    if (spout->channel == channel && spout->topology.state == TOPOLOGY_DONE)
        exchange_is_there(spout); /* nothing was to be declared */
}

static const struct channel_ops channel_ops = {
    .on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
};

/* ---- a life ---- */

void spout_init(struct spout *spout, const struct spout_config *config)
{
    const struct backoff_config backoff = {.strategy = BACKOFF_EXPONENTIAL_JITTER};
    *spout = (struct spout){.config = *config, .now_ns = clock_now_ns};
    spout->errand.on_done = on_errand_done;
    spout->errand.owner = spout;
    backoff_init(&spout->backoff, &backoff);
}

void spout_want(struct spout *spout, struct channel_table *channels, uint64_t now_ns)
{
    bool is_at_rest = spout->state == SPOUT_CLOSED || spout->state == SPOUT_REFUSED;
    if (!is_at_rest || now_ns < spout->rests_until_ns)
        return;
    enter(spout, SPOUT_DECLARING);
    int error = channel_open(channels, &channel_ops, spout, &spout->channel);
    if (!error)
        error = topology_start(&spout->topology, spout->channel, &spout->config.exchange);
    if (error)
        cannot_ask(spout, error);
}

bool spout_is_refused(const struct spout *spout, uint64_t now_ns)
{
    return spout->state == SPOUT_REFUSED && now_ns < spout->rests_until_ns;
}

void spout_worked(struct spout *spout)
{
    spout->n_losses = 0;
}
