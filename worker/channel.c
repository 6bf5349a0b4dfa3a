/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[CHANNEL_N_STATES] = {
    [CHANNEL_FREE] = "free",
    [CHANNEL_OPENING] = "opening",
    [CHANNEL_OPEN] = "open",
    [CHANNEL_CLOSING] = "closing",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << CHANNEL_##state)
static const unsigned arrows[CHANNEL_N_STATES] = {
    [CHANNEL_FREE] = TO(OPENING),
    [CHANNEL_OPENING] = TO(OPEN) | TO(CLOSING) | TO(FREE),
    [CHANNEL_OPEN] = TO(CLOSING) | TO(FREE),
    [CHANNEL_CLOSING] = TO(FREE),
};
#undef TO

static void enter(struct channel *channel, enum channel_state state)
{
    assert(arrows[channel->state] & (1u << state));
    channel->state = state;
}

/* Frees the numbers that this connection may use, the lowest to be taken first. */
static void free_all(struct channel_table *table)
{
    table->first_free = 0;
    for (uint16_t number = table->n_max; number > 0; number--) {
        table->channels[number].next_free = table->first_free;
        table->first_free = number;
    }
}

/* The owner's last word; the number is free once it has returned. */
static void release(struct channel *channel, const struct channel_end *end)
{
    struct channel_table *table = channel->table;
    channel->ops->on_closed(channel, end);
    enter(channel, CHANNEL_FREE);
    channel->next_free = table->first_free;
    table->first_free = channel->number;
}

static void violated(struct channel *channel, uint16_t code, const char *what)
{
    char text[CONNECTION_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%s on channel %u in state %s", what, channel->number,
        channel_state_name(channel->state));
    connection_violation(channel->table->connection, code, text);
}

/* What must be said for the channel's state to be true on both sides. The outbox keeps room for
 * such words; a broker for which even that is full has long stopped to listen. */
static void say(struct channel *channel, amqp_method_number_t id, const void *method)
{
    struct connection *connection = channel->table->connection;
    if (connection_method(connection, channel->number, id, method) == -ENOBUFS)
        connection_lost(
            connection, ENOBUFS, "the broker reads nothing, not even to close a channel");
}

/* ---- methods -------------------------------------------------------------------------------- */

static void on_close(struct channel *channel, const amqp_channel_close_t *close)
{
    amqp_channel_close_ok_t close_ok = {0};
    say(channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
    if (channel->state == CHANNEL_CLOSING)
        return; /* it crossed ours, whose answer is still to come */

    char text[CONNECTION_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%.*s", (int)close->reply_text.len,
        close->reply_text.len > 0 ? (const char *)close->reply_text.bytes : "");
    release(channel, &(struct channel_end){.reason = CHANNEL_END_BROKER,
                         .code = close->reply_code,
                         .method = (uint32_t)close->class_id << 16 | close->method_id,
                         .text = text});
}

static bool announces_content(amqp_method_number_t id)
{
    return id == AMQP_BASIC_DELIVER_METHOD || id == AMQP_BASIC_RETURN_METHOD ||
           id == AMQP_BASIC_GET_OK_METHOD;
}

static bool is_about_connection(amqp_method_number_t id)
{
    return id >> 16 == AMQP_CONNECTION_CLASS;
}

static void on_open_ok(struct channel *channel)
{
    if (channel->state != CHANNEL_OPENING) {
        violated(channel, AMQP_COMMAND_INVALID, "channel.open-ok");
        return;
    }
    enter(channel, CHANNEL_OPEN);
    channel->ops->on_open(channel);
}

/* Content whose frames are in the outbox is finished, as the specification has it. */
static void on_flow(struct channel *channel, const amqp_channel_flow_t *flow)
{
    if (channel->state != CHANNEL_OPEN) {
        violated(channel, AMQP_COMMAND_INVALID, "channel.flow");
        return;
    }
    bool was_stopped = channel->is_stopped;
    channel->is_stopped = !flow->active;
    amqp_channel_flow_ok_t flow_ok = {.active = flow->active};
    say(channel, AMQP_CHANNEL_FLOW_OK_METHOD, &flow_ok);
    if (channel->is_stopped != was_stopped && channel->ops->on_flow)
        channel->ops->on_flow(channel);
}

static void on_other_method(struct channel *channel, const amqp_method_t *method)
{
    if (channel->state != CHANNEL_OPEN || is_about_connection(method->id) ||
        method->id == AMQP_CHANNEL_CLOSE_OK_METHOD) {
        violated(channel, AMQP_COMMAND_INVALID, amqp_method_name(method->id));
        return;
    }
    channel->wants_header = announces_content(method->id);
    channel->ops->on_method(channel, method);
}

static void on_method(struct channel *channel, const struct frame *frame)
{
    if (channel->wants_header || channel->body_left > 0) {
        violated(channel, AMQP_UNEXPECTED_FRAME, "a method inside of content");
        return;
    }
    struct connection *connection = channel->table->connection;
    amqp_method_t method;
    int r = frame_decode_method(&connection->decoder, frame, &method);
    if (r == -ENOMEM)
        connection_lost(connection, ENOMEM, "no memory to decode a method");
    else if (r < 0)
        violated(channel, AMQP_SYNTAX_ERROR, "a method that cannot be decoded");
    else if (method.id == AMQP_CHANNEL_CLOSE_METHOD)
        on_close(channel, method.decoded);
    else if (method.id == AMQP_CHANNEL_OPEN_OK_METHOD)
        on_open_ok(channel);
    else if (method.id == AMQP_CHANNEL_FLOW_METHOD)
        on_flow(channel, method.decoded);
    else
        on_other_method(channel, &method);
}

/* CLOSING: all but the end of the closing is from before the broker read our word. */
static void on_late_frame(struct channel *channel, const struct frame *frame)
{
    amqp_method_t method;
    if (frame->type != AMQP_FRAME_METHOD ||
        frame_decode_method(&channel->table->connection->decoder, frame, &method) < 0)
        return;
    if (method.id == AMQP_CHANNEL_CLOSE_METHOD)
        on_close(channel, method.decoded);
    else if (method.id == AMQP_CHANNEL_CLOSE_OK_METHOD)
        release(channel, &(struct channel_end){.reason = CHANNEL_END_ASKED, .text = ""});
}

/* ---- content (specification 4.2.6) ---------------------------------------------------------- */

static void on_header(struct channel *channel, const struct frame *frame)
{
    if (!channel->wants_header) {
        violated(channel, AMQP_UNEXPECTED_FRAME, "a content header that no method announced");
        return;
    }
    struct connection *connection = channel->table->connection;
    struct frame_content content;
    int r = frame_decode_content(&connection->decoder, frame, &content);
    if (r == -ENOMEM) {
        connection_lost(connection, ENOMEM, "no memory to decode a content header");
        return;
    }
    if (r < 0) {
        violated(channel, AMQP_SYNTAX_ERROR, "a content header that cannot be decoded");
        return;
    }
    channel->wants_header = false;
    channel->body_left = content.body_size;
    channel->ops->on_content(channel, &content);
}

static void on_body(struct channel *channel, const struct frame *frame)
{
    if (channel->body_left == 0) {
        violated(channel, AMQP_UNEXPECTED_FRAME, "a body that no header announced");
        return;
    }
    if (frame->n_payload > channel->body_left) {
        violated(channel, AMQP_UNEXPECTED_FRAME, "a body larger than its header announced");
        return;
    }
    channel->body_left -= frame->n_payload;
    if (frame->n_payload > 0)
        channel->ops->on_body(channel, frame->payload, frame->n_payload, channel->body_left == 0);
}

/* ---- the table ------------------------------------------------------------------------------ */

const char *channel_state_name(enum channel_state state)
{
    return state_names[state];
}

int channel_table_init(struct channel_table *table, struct connection *connection, uint16_t n_max)
{
    assert(n_max > 0);
    *table = (struct channel_table){.connection = connection, .n_max = n_max};
    table->channels = calloc((size_t)n_max + 1, sizeof *table->channels);
    if (!table->channels)
        return -ENOMEM;
    for (uint32_t number = 1; number <= n_max; number++)
        table->channels[number] = (struct channel){.table = table, .number = (uint16_t)number};
    free_all(table);
    return 0;
}

void channel_table_done(struct channel_table *table)
{
    free(table->channels);
    *table = (struct channel_table){0};
}

void channel_table_input(struct channel_table *table, const struct frame *frame)
{
    struct channel *channel =
        frame->channel <= table->n_max ? &table->channels[frame->channel] : NULL;
    if (!channel || channel->state == CHANNEL_FREE)
        connection_violation(
            table->connection, AMQP_CHANNEL_ERROR, "a frame on a channel that is not open");
    else if (channel->state == CHANNEL_CLOSING)
        on_late_frame(channel, frame);
    else if (frame->type == AMQP_FRAME_METHOD)
        on_method(channel, frame);
    else if (frame->type == AMQP_FRAME_HEADER)
        on_header(channel, frame);
    else
        on_body(channel, frame);
}

void channel_table_lost(struct channel_table *table, const struct connection_end *lost)
{
    assert(table->connection->state != CONNECTION_OPEN); /* nobody opens one while we walk */
    for (uint32_t number = 1; number <= table->n_max; number++) {
        struct channel *channel = &table->channels[number];
        if (channel->state != CHANNEL_FREE)
            release(channel, &(struct channel_end){.reason = CHANNEL_END_LOST,
                                 .code = lost->code,
                                 .method = lost->method,
                                 .text = lost->text});
    }
    free_all(table);
}

/* ---- one channel ---------------------------------------------------------------------------- */

static bool has_reserve(const struct connection *connection)
{
    return outbox_room(&connection->outbox) >= WRITER_RESERVE_BYTES;
}

bool channel_table_has_room(const struct channel_table *table)
{
    const struct outbox *outbox = &table->connection->outbox;
    return outbox_room(outbox) >= outbox->capacity / 2;
}

int channel_open(
    struct channel_table *table, const struct channel_ops *ops, void *owner, struct channel **out)
{
    uint16_t number = table->first_free;
    if (table->connection->state != CONNECTION_OPEN)
        return -ENOTCONN;
    if (number == 0 || number > table->connection->agreed.channel_max ||
        !has_reserve(table->connection))
        return -ENOBUFS;
    amqp_channel_open_t open = {0};
    int r = connection_method(table->connection, number, AMQP_CHANNEL_OPEN_METHOD, &open);
    if (r < 0)
        return r;

    struct channel *channel = &table->channels[number];
    table->first_free = channel->next_free;
    enter(channel, CHANNEL_OPENING);
    channel->ops = ops;
    channel->owner = owner;
    channel->epoch = ++table->last_epoch;
    channel->body_left = 0;
    channel->wants_header = false;
    channel->is_stopped = false;
    *out = channel;
    return 0;
}

void channel_close(struct channel *channel)
{
    assert(channel->state != CHANNEL_FREE);
    if (channel->state == CHANNEL_CLOSING)
        return;
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
    say(channel, AMQP_CHANNEL_CLOSE_METHOD, &close);
    enter(channel, CHANNEL_CLOSING);
}

int channel_method(struct channel *channel, amqp_method_number_t id, const void *method)
{
    assert(channel->state != CHANNEL_FREE);
    if (channel->state == CHANNEL_CLOSING)
        return -ENOTCONN;
    return connection_method(channel->table->connection, channel->number, id, method);
}

int channel_message(struct channel *channel, const struct writer_message *message)
{
    struct connection *connection = channel->table->connection;
    assert(channel->state != CHANNEL_FREE);
    if (channel->state == CHANNEL_CLOSING || connection->state != CONNECTION_OPEN)
        return -ENOTCONN;
    return writer_message(
        &connection->outbox, channel->number, connection->agreed.frame_max, message);
}
