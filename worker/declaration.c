/* SPDX-License-Identifier: Apache-2.0 */
#include "declaration.h"

#include <assert.h>
#include <stddef.h>

static void finish(struct declaration *declaration, const struct channel_end *refusal)
{
    declaration->channel = NULL;
    declaration->on_done(declaration->owner, refusal);
}

static void on_open(struct channel *channel)
{
    struct declaration *declaration = channel->owner;
    if (declaration->channel != channel || declaration->topology.state != TOPOLOGY_DONE)
        return; /* the declarations stand behind channel.open and will be answered */
    channel_close(channel);
    finish(declaration, NULL);
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct declaration *declaration = channel->owner;
    if (declaration->channel != channel)
        return; /* done, or dropped */
    if (end->reason == CHANNEL_END_BROKER)
        finish(declaration, end);
    declaration->channel = NULL;
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct declaration *declaration = channel->owner;
    switch (topology_on_method(&declaration->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        channel_close(channel);
        finish(declaration, NULL);
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

int declaration_run(struct declaration *declaration, struct channel_table *channels,
    const struct topology_wish *wish)
{
    assert(!declaration->channel);
    struct channel *channel;
    int error = channel_open(channels, &ops, declaration, &channel);
    if (error)
        return error;
    error = topology_start(&declaration->topology, channel, wish);
    if (error)
        channel_close(channel);
    else
        declaration->channel = channel;
    return error;
}

void declaration_drop(struct declaration *declaration)
{
    if (declaration->channel)
        channel_close(STEAL(declaration->channel));
}
