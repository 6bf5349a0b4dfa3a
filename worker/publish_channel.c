/* SPDX-License-Identifier: Apache-2.0 */
#include "publish_channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/clock.h"

#define FIRST_PAUSE_NS (UINT64_C(50) * CLOCK_MS)

static const char *const state_names[PUBLISH_CHANNEL_N_STATES] = {
    [PUBLISH_CHANNEL_CLOSED] = "closed",
    [PUBLISH_CHANNEL_DECLARING] = "declaring",
    [PUBLISH_CHANNEL_QUEUEING] = "queueing",
    [PUBLISH_CHANNEL_SELECTING] = "selecting",
    [PUBLISH_CHANNEL_READY] = "ready",
    [PUBLISH_CHANNEL_REFUSED] = "refused",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << PUBLISH_CHANNEL_##state)
static const unsigned arrows[PUBLISH_CHANNEL_N_STATES] = {
    [PUBLISH_CHANNEL_CLOSED] = TO(DECLARING),
    [PUBLISH_CHANNEL_DECLARING] =
        TO(QUEUEING) | TO(SELECTING) | TO(READY) | TO(CLOSED) | TO(REFUSED),
    [PUBLISH_CHANNEL_QUEUEING] = TO(SELECTING) | TO(READY) | TO(CLOSED) | TO(REFUSED),
    [PUBLISH_CHANNEL_SELECTING] = TO(READY) | TO(CLOSED) | TO(REFUSED),
    [PUBLISH_CHANNEL_READY] = TO(CLOSED),
    [PUBLISH_CHANNEL_REFUSED] = TO(DECLARING),
};
#undef TO

static void enter(struct publish_channel *publish_channel, enum publish_channel_state state)
{
    assert(arrows[publish_channel->state] & (1u << state));
    publish_channel->state = state;
}

const char *publish_channel_state_name(enum publish_channel_state state)
{
    return state_names[state];
}

/* ---- its end ---- */

static void refused(struct publish_channel *publish_channel, const struct channel_end *end)
{
    enter(publish_channel, PUBLISH_CHANNEL_REFUSED);
    publish_channel->refusal_code = end->code;
    (void)snprintf(
        publish_channel->refusal_text, sizeof(publish_channel->refusal_text), "%s", end->text);
    publish_channel->rests_until_ns =
        publish_channel->now_ns() + backoff_failed(&publish_channel->backoff, (uint32_t)random());
    publish_channel->config.ops->on_failed(publish_channel->config.owner, end);
}

static void failed(struct publish_channel *publish_channel, const struct channel_end *end)
{
    enter(publish_channel, PUBLISH_CHANNEL_CLOSED);
    publish_channel->config.ops->on_failed(publish_channel->config.owner, end);
}

/* What we want cannot even be asked for. */
static void cannot_ask(struct publish_channel *publish_channel, int error)
{
    declaration_drop(&publish_channel->declaration);
    if (publish_channel->channel)
        channel_close(STEAL(publish_channel->channel));
    if (error == -EINVAL) {
        refused(publish_channel,
            &(struct channel_end){.reason = CHANNEL_END_ASKED,
                .text = "A name or an argument of the declaration is too long for AMQP."});
        return;
    }
    publish_channel->rests_until_ns = publish_channel->now_ns() + PUBLISH_CHANNEL_MAX_PAUSE_NS;
    failed(publish_channel,
        &(struct channel_end){.reason = CHANNEL_END_ASKED,
            .text = error == -ENOTCONN
                        ? "The connection to the broker is closing."
                        : "The connection to the broker has no room for another channel."});
}

static void lost(
    struct publish_channel *publish_channel, struct channel *channel, const struct channel_end *end)
{
    enter(publish_channel, PUBLISH_CHANNEL_CLOSED);
    uint64_t pause_ns = FIRST_PAUSE_NS * publish_channel->n_losses;
    if (end->reason == CHANNEL_END_LOST)
        pause_ns = 0; /* the link takes its own time */
    else
        publish_channel->n_losses++;
    publish_channel->rests_until_ns =
        publish_channel->now_ns() +
        (pause_ns < PUBLISH_CHANNEL_MAX_PAUSE_NS ? pause_ns : PUBLISH_CHANNEL_MAX_PAUSE_NS);
    publish_channel->config.ops->on_lost(publish_channel->config.owner, channel, end);
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct publish_channel *publish_channel = channel->owner;
    if (publish_channel->channel != channel)
        return; /* it was given up */
    publish_channel->channel = NULL;
    declaration_drop(&publish_channel->declaration);
    if (publish_channel->state == PUBLISH_CHANNEL_READY)
        lost(publish_channel, channel, end);
    else if (end->reason == CHANNEL_END_BROKER)
        refused(publish_channel, end);
    else
        failed(publish_channel, end);
}

/* ---- its beginning ---- */

static void is_ready(struct publish_channel *publish_channel)
{
    backoff_reset(&publish_channel->backoff);
    enter(publish_channel, PUBLISH_CHANNEL_READY);
    publish_channel->config.ops->on_ready(publish_channel->config.owner);
}

static void select_confirms(struct publish_channel *publish_channel)
{
    if (!publish_channel->config.is_confirmed) {
        is_ready(publish_channel);
        return;
    }
    enter(publish_channel, PUBLISH_CHANNEL_SELECTING);
    amqp_confirm_select_t select = {0};
    int error = channel_method(publish_channel->channel, AMQP_CONFIRM_SELECT_METHOD, &select);
    if (error)
        cannot_ask(publish_channel, error);
}

static void on_errand_done(void *owner, const struct channel_end *refusal)
{
    struct publish_channel *publish_channel = owner;
    if (refusal)
        publish_channel->config.ops->on_queue_refused(publish_channel->config.owner, refusal);
    select_confirms(publish_channel);
}

static void exchange_is_there(struct publish_channel *publish_channel)
{
    if (!publish_channel->config.queue.queue.name) {
        select_confirms(publish_channel);
        return;
    }
    enter(publish_channel, PUBLISH_CHANNEL_QUEUEING);
    int error = declaration_run(&publish_channel->declaration, publish_channel->channel->table,
        &publish_channel->config.queue);
    if (error)
        cannot_ask(publish_channel, error);
}

/* ---- what the broker says ---- */

static void on_topology(struct publish_channel *publish_channel, const amqp_method_t *method)
{
    switch (topology_on_method(&publish_channel->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        exchange_is_there(publish_channel);
        break;
    case TOPOLOGY_NOT_OURS:
        connection_violation(publish_channel->channel->table->connection, AMQP_COMMAND_INVALID,
            amqp_method_name(method->id));
        break;
    }
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct publish_channel *publish_channel = channel->owner;
    if (publish_channel->channel != channel)
        return;
    if (publish_channel->state == PUBLISH_CHANNEL_READY)
        publish_channel->config.ops->on_method(publish_channel->config.owner, method);
    else if (publish_channel->state == PUBLISH_CHANNEL_SELECTING &&
             method->id == AMQP_CONFIRM_SELECT_OK_METHOD)
        is_ready(publish_channel);
    else
        on_topology(publish_channel, method);
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct publish_channel *publish_channel = channel->owner;
    if (publish_channel->channel == channel && publish_channel->state == PUBLISH_CHANNEL_READY)
        publish_channel->config.ops->on_content(publish_channel->config.owner, content);
}

/* Of a message that came back: it is what was sent. */
static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last) {}

static void on_open(struct channel *channel)
{
    struct publish_channel *publish_channel = channel->owner;
    if (publish_channel->channel == channel && publish_channel->topology.state == TOPOLOGY_DONE)
        exchange_is_there(publish_channel); /* nothing was to be declared */
}

static void on_flow(struct channel *channel)
{
    struct publish_channel *publish_channel = channel->owner;
    if (publish_channel->channel == channel)
        publish_channel->config.ops->on_flow(publish_channel->config.owner);
}

static const struct channel_ops channel_ops = {
    .on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
    .on_flow = on_flow,
};

/* ---- a life ---- */

void publish_channel_init(
    struct publish_channel *publish_channel, const struct publish_channel_config *config)
{
    const struct backoff_config backoff = {.strategy = BACKOFF_EXPONENTIAL_JITTER};
    *publish_channel = (struct publish_channel){.config = *config, .now_ns = clock_now_ns};
    publish_channel->declaration.on_done = on_errand_done;
    publish_channel->declaration.owner = publish_channel;
    backoff_init(&publish_channel->backoff, &backoff);
}

void publish_channel_want(
    struct publish_channel *publish_channel, struct channel_table *channels, uint64_t now_ns)
{
    bool is_at_rest = publish_channel->state == PUBLISH_CHANNEL_CLOSED ||
                      publish_channel->state == PUBLISH_CHANNEL_REFUSED;
    if (!is_at_rest || now_ns < publish_channel->rests_until_ns ||
        !channel_table_has_room(channels))
        return;
    enter(publish_channel, PUBLISH_CHANNEL_DECLARING);
    int error = channel_open(channels, &channel_ops, publish_channel, &publish_channel->channel);
    if (!error)
        error = topology_start(&publish_channel->topology, publish_channel->channel,
            &publish_channel->config.exchange);
    if (error)
        cannot_ask(publish_channel, error);
}

bool publish_channel_is_refused(const struct publish_channel *publish_channel, uint64_t now_ns)
{
    return publish_channel->state == PUBLISH_CHANNEL_REFUSED &&
           now_ns < publish_channel->rests_until_ns;
}

bool publish_channel_is_stopped(const struct publish_channel *publish_channel)
{
    return publish_channel->channel && publish_channel->channel->is_stopped;
}

void publish_channel_worked(struct publish_channel *publish_channel)
{
    publish_channel->n_losses = 0;
}
