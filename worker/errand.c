/* SPDX-License-Identifier: Apache-2.0 */
#include "errand.h"

#include <assert.h>
#include <stddef.h>

static void finish(struct errand *errand, const struct channel_end *refusal)
{
    errand->channel = NULL;
    errand->on_done(errand->owner, refusal);
}

static void on_open(struct channel *channel)
{
    struct errand *errand = channel->owner;
    if (errand->channel != channel || errand->topology.state != TOPOLOGY_DONE)
        return; /* the declarations stand behind channel.open and will be answered */
    channel_close(channel);
    finish(errand, NULL);
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct errand *errand = channel->owner;
    if (errand->channel != channel)
        return; /* done, or dropped */
    if (end->reason == CHANNEL_END_BROKER)
        finish(errand, end);
    errand->channel = NULL;
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct errand *errand = channel->owner;
    switch (topology_on_method(&errand->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        channel_close(channel);
        finish(errand, NULL);
        break;
    case TOPOLOGY_NOT_OURS:
        connection_violation(
            channel->table->connection, AMQP_COMMAND_INVALID, amqp_method_name(method->id));
        break;
    }
}

/* Content comes behind methods that on_method() does not accept. */
static void on_content(struct channel *channel, const struct frame_content *content) {}

static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last) {}

static const struct channel_ops ops = {
    .on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
};

int errand_run(
    struct errand *errand, struct channel_table *channels, const struct topology_wish *wish)
{
    assert(!errand->channel);
    struct channel *channel;
    int error = channel_open(channels, &ops, errand, &channel);
    if (error)
        return error;
    error = topology_start(&errand->topology, channel, wish);
    if (error)
        channel_close(channel);
    else
        errand->channel = channel;
    return error;
}

void errand_drop(struct errand *errand)
{
    if (errand->channel)
        channel_close(STEAL(errand->channel));
}
