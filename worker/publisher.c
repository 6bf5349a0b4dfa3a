/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"

static struct figures_backend nowhere;

/* ---- the end of a publish ---- */

static void leave(struct publisher *publisher, struct desk_slot *slot)
{
    line_leave(slot);
    publisher->n_open--;
    publisher->publish_link->n_open--;
}

static void end(struct publisher *publisher, struct desk_slot *slot, enum outcome outcome)
{
    leave(publisher, slot);
    desk_end(slot, outcome);
}

static void end_saying(struct publisher *publisher, struct desk_slot *slot, enum outcome outcome,
    uint16_t code, const char *text)
{
    desk_say(slot, code, text, strlen(text));
    end(publisher, slot, outcome);
}

/* With its channel. The broker's words, if it has said any; ours are for the log. */
static void end_quoting(struct publisher *publisher, struct desk_slot *slot, enum outcome outcome,
    const struct channel_end *why)
{
    const char *words = why->code ? why->text : "";
    desk_say(slot, why->code, words, strlen(words));
    leave(publisher, slot);
    publish_link_end(publisher->publish_link, slot, outcome);
}

static void end_all_saying(struct publisher *publisher, struct line *line, enum outcome outcome,
    uint16_t code, const char *text)
{
    while (line->first)
        end_saying(publisher, line->first, outcome, code, text);
}

/* ---- sending ---- */

static void keep(struct publisher *publisher, struct line *line, struct desk_slot *slot)
{
    line_leave(slot);
    line_join(line, slot);
    publish_link_attend(publisher->publish_link, publisher);
}

static void keep_twin(struct publisher *publisher, struct desk_slot *slot, uint64_t id)
{
    slot->confirm.id = id;
    if (publisher->twins.n < PUBLISHER_MAX_TWINS)
        keep(publisher, &publisher->twins, slot);
    else
        end_saying(publisher, slot, OUTCOME_BUSY, 0,
            "Too many publishes with this message id are waiting.");
}

static void queued(struct publisher *publisher, struct desk_slot *slot, uint64_t first_byte)
{
    slot->first_byte = first_byte;
    slot->end = channel_offset(publisher->publish_channel.channel);
    line_leave(slot);
    line_join(&publisher->publish_link->unsent, slot);
    if (publisher->config.is_confirmed) {
        confirm_add(&publisher->confirm, &slot->confirm, publisher->publish_link->publication->id);
        publish_link_note_publish(publisher->publish_link, slot->deadline_ns);
    }
}

/* The channel is READY. False: there is no room just now, and the slot is where it was. */
static bool send(struct publisher *publisher, struct desk_slot *slot)
{
    struct channel *channel = publisher->publish_channel.channel;
    struct publication *publication = publisher->publish_link->publication;
    const char *wrong = publication_read(publication, slot, &publisher->config.form);
    if (wrong) {
        end_saying(publisher, slot, OUTCOME_INVALID, 0, wrong);
        return true;
    }
    if (publisher->config.is_confirmed && confirm_has_id(&publisher->confirm, publication->id)) {
        keep_twin(publisher, slot, publication->id);
        return true;
    }
    uint64_t first_byte = channel_offset(channel);
    int error = channel_message(channel, &publication->message);
    if (error == -ENOBUFS)
        return false;
    if (error == -ENOTCONN)
        end_saying(publisher, slot, OUTCOME_DOWN, 0, "The connection to the broker is closing.");
    else if (error)
        end_saying(publisher, slot, OUTCOME_INVALID, 0,
            "The message's headers are larger than the broker takes.");
    else
        queued(publisher, slot, first_byte);
    return true;
}

/* OUTCOME_NONE, or why it is not even tried. */
static enum outcome refusal(const struct publisher *publisher, uint64_t now_ns)
{
    const struct publish_link *publish_link = publisher->publish_link;
    if (publisher->config.is_immediate)
        return OUTCOME_UNSUPPORTED;
    if (publish_link->state == PUBLISH_LINK_DOWN)
        return OUTCOME_DOWN;
    if (publish_link->is_blocked || publish_channel_is_stopped(&publisher->publish_channel))
        return OUTCOME_BLOCKED;
    if (publish_link_is_silent(publish_link, now_ns))
        return OUTCOME_STALLED;
    if (publisher->n_open >= publisher->config.window ||
        publish_link->n_open >= publisher->config.link_window)
        return OUTCOME_BUSY;
    if (publish_channel_is_refused(&publisher->publish_channel, now_ns))
        return OUTCOME_TOPOLOGY;
    return OUTCOME_NONE;
}

void publisher_publish(struct publisher *publisher, struct desk_slot *slot, uint64_t now_ns)
{
    const struct publish_channel *publish_channel = &publisher->publish_channel;
    enum outcome outcome = refusal(publisher, now_ns);
    publisher->n_open++;
    publisher->publish_link->n_open++;
    slot->holder = publisher;
    if (outcome == OUTCOME_TOPOLOGY)
        end_saying(
            publisher, slot, outcome, publish_channel->refusal_code, publish_channel->refusal_text);
    else if (outcome != OUTCOME_NONE)
        end(publisher, slot, outcome);
    else if (publish_channel->state != PUBLISH_CHANNEL_READY || publisher->waiting.n ||
             !send(publisher, slot))
        keep(publisher, &publisher->waiting, slot);
}

void publisher_sent(struct publisher *publisher, struct desk_slot *slot)
{
    if (!publisher->config.is_confirmed)
        keep(publisher, &publisher->written, slot);
}

/* ---- what waits ---- */

static void send_waiting(struct publisher *publisher)
{
    struct line *waiting = &publisher->waiting;
    while (waiting->first && send(publisher, waiting->first))
        ;
    struct desk_slot *next;
    for (struct desk_slot *slot = publisher->twins.first; slot; slot = next) {
        next = slot->next;
        if (!confirm_has_id(&publisher->confirm, slot->confirm.id) && !send(publisher, slot))
            return;
    }
}

static void end_written(struct publisher *publisher)
{
    uint64_t taken = channel_taken(publisher->publish_channel.channel);
    while (publisher->written.first && publisher->written.first->end <= taken)
        end(publisher, publisher->written.first, OUTCOME_UNCONFIRMED);
}

static void end_late(struct publisher *publisher, struct line *line, uint64_t now_ns,
    enum outcome outcome, const char *text)
{
    struct desk_slot *next;
    for (struct desk_slot *slot = line->first; slot; slot = next) {
        next = slot->next;
        if (slot->deadline_ns <= now_ns + PUBLISHER_MARGIN_NS)
            end_saying(publisher, slot, outcome, 0, text);
    }
}

static void keep_deadlines(struct publisher *publisher, uint64_t now_ns)
{
    if (now_ns < publisher->check_ns)
        return;
    publisher->check_ns = now_ns + PUBLISHER_MARGIN_NS / 4;
    if (publisher->publish_channel.state == PUBLISH_CHANNEL_READY)
        end_late(publisher, &publisher->waiting, now_ns, OUTCOME_BUSY,
            "The connection to the broker did not take it in time.");
    else
        end_late(publisher, &publisher->waiting, now_ns, OUTCOME_DOWN,
            "The broker did not open a channel in time.");
    end_late(publisher, &publisher->twins, now_ns, OUTCOME_BUSY,
        "Another publish with this message id is not settled yet.");
}

bool publisher_turn(struct publisher *publisher, uint64_t now_ns)
{
    struct publish_link *publish_link = publisher->publish_link;
    if (publish_link->state == PUBLISH_LINK_UP && !publish_link->is_held && publisher->waiting.n)
        publish_channel_want(&publisher->publish_channel, publish_link->channels, now_ns);
    if (publisher->publish_channel.state == PUBLISH_CHANNEL_READY) {
        send_waiting(publisher);
        end_written(publisher);
    }
    keep_deadlines(publisher, now_ns);
    return publisher->waiting.n || publisher->twins.n || publisher->written.n;
}

void publisher_give_up(struct publisher *publisher, enum outcome outcome)
{
    end_all_saying(publisher, &publisher->waiting, outcome, 0, "");
    end_all_saying(publisher, &publisher->twins, outcome, 0, "");
}

/* ---- what the broker says ---- */

static void lie(struct publisher *publisher, const char *what)
{
    struct channel *channel = publisher->publish_channel.channel;
    connection_violation(channel->table->connection, AMQP_COMMAND_INVALID, what);
}

static void on_settled(struct publisher *publisher, uint64_t tag, bool is_multiple, bool is_ack)
{
    struct confirm *confirm = &publisher->confirm;
    struct desk_slot *slot;
    if (!publisher->config.is_confirmed || confirm_check(confirm, tag, is_multiple) != CONFIRM_OK) {
        lie(publisher, "a confirm of a message that is not in flight");
        return;
    }
    while ((slot = desk_slot_of(confirm_take(confirm, tag, is_multiple)))) {
        if (slot->state != SLOT_SENT) {
            end(publisher, slot, OUTCOME_UNKNOWN);
            lie(publisher, "a confirm of a message that was not sent yet");
            return;
        }
        enum outcome outcome = slot->confirm.is_returned ? OUTCOME_UNROUTABLE : OUTCOME_CONFIRMED;
        end(publisher, slot, is_ack ? outcome : OUTCOME_NACKED);
    }
    publish_channel_worked(&publisher->publish_channel);
}

/* Its content, which follows, says which message it is. */
static void on_return(struct publisher *publisher, const amqp_basic_return_t *returned)
{
    publisher->return_code = returned->reply_code;
    size_t n = returned->reply_text.len;
    if (n > LANE_TEXT_BYTES)
        n = LANE_TEXT_BYTES;
    if (n)
        memcpy(publisher->return_text, returned->reply_text.bytes, n);
    publisher->return_text[n] = '\0';
}

static void on_method(void *owner, const amqp_method_t *method)
{
    struct publisher *publisher = owner;
    const amqp_basic_ack_t *ack = method->decoded;
    const amqp_basic_nack_t *nack = method->decoded;
    if (method->id == AMQP_BASIC_ACK_METHOD)
        on_settled(publisher, ack->delivery_tag, ack->multiple, true);
    else if (method->id == AMQP_BASIC_NACK_METHOD)
        on_settled(publisher, nack->delivery_tag, nack->multiple, false);
    else if (method->id == AMQP_BASIC_RETURN_METHOD)
        on_return(publisher, method->decoded);
    else
        lie(publisher, amqp_method_name(method->id));
}

static struct desk_slot *returned_slot(
    struct publisher *publisher, const amqp_basic_properties_t *properties)
{
    amqp_bytes_t id = properties->message_id;
    if (!(properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG))
        return NULL;
    return desk_slot_of(confirm_return(&publisher->confirm, confirm_id(id.bytes, id.len)));
}

static void on_content(void *owner, const struct frame_content *content)
{
    struct publisher *publisher = owner;
    if (!publisher->config.is_confirmed)
        return; /* its request has been answered */
    struct desk_slot *slot = returned_slot(publisher, content->properties);
    if (slot)
        desk_say(
            slot, publisher->return_code, publisher->return_text, strlen(publisher->return_text));
    else
        lie(publisher, "a message came back that is not in flight");
}

/* What waits while it is stopped could wait for ever. */
static void on_flow(void *owner)
{
    struct publisher *publisher = owner;
    bool is_stopped = publish_channel_is_stopped(&publisher->publish_channel);
    if (is_stopped)
        publisher_give_up(publisher, OUTCOME_BLOCKED);
    publisher->config.on_stopped(publisher->config.owner, is_stopped);
}

/* ---- the channel's end ---- */

static bool is_handed_over(const struct channel *channel, const struct desk_slot *slot)
{
    return slot->first_byte < channel->table->connection->outbox.handed_over;
}

/* Does the kernel have all of it? Final for a lost connection. */
static bool is_taken(const struct channel *channel, const struct desk_slot *slot)
{
    return slot->end <= channel_taken(channel);
}

static enum outcome outcome_of(const struct channel *channel, const struct channel_end *why,
    const struct desk_slot *slot, const struct desk_slot *next)
{
    if (why->reason == CHANNEL_END_LOST)
        return is_taken(channel, slot) ? OUTCOME_UNKNOWN : OUTCOME_DOWN;
    if (!is_handed_over(channel, slot))
        return OUTCOME_DOWN; /* the broker hears nothing on this channel before our close-ok */
    bool is_last = !next || !is_handed_over(channel, next);
    return is_last && why->method == AMQP_BASIC_PUBLISH_METHOD ? OUTCOME_REJECTED : OUTCOME_UNKNOWN;
}

/* What an unconfirmed publish still waited for was the kernel alone. */
static void end_unconfirmed(struct publisher *publisher, struct desk_slot *slot,
    const struct channel *channel, const struct channel_end *why)
{
    bool is_gone =
        why->reason == CHANNEL_END_LOST ? is_taken(channel, slot) : is_handed_over(channel, slot);
    end_quoting(publisher, slot, is_gone ? OUTCOME_UNCONFIRMED : OUTCOME_DOWN, why);
}

/* Those in flight. What came back is on no queue, and the broker's words for that are noted. */
static void end_in_flight(
    struct publisher *publisher, const struct channel *channel, const struct channel_end *why)
{
    struct desk_slot *slot;
    while ((slot = desk_slot_of(confirm_take_first(&publisher->confirm)))) {
        struct desk_slot *next = desk_slot_of(publisher->confirm.first);
        if (slot->confirm.is_returned)
            end(publisher, slot, OUTCOME_UNROUTABLE);
        else
            end_quoting(publisher, slot, outcome_of(channel, why, slot, next), why);
    }
}

static void on_lost(void *owner, const struct channel *channel, const struct channel_end *why)
{
    struct publisher *publisher = owner;
    struct desk_slot *slot, *next;
    end_in_flight(publisher, channel, why);
    while (publisher->written.first)
        end_unconfirmed(publisher, publisher->written.first, channel, why);
    for (slot = publisher->publish_link->unsent.first; slot; slot = next) {
        next = slot->next;
        if (slot->holder == publisher)
            end_unconfirmed(publisher, slot, channel, why);
    }
    while (publisher->twins.first) /* their ids are free */
        keep(publisher, &publisher->waiting, publisher->twins.first);
    if (why->reason == CHANNEL_END_BROKER)
        publisher->config.on_refused(publisher->config.owner, PUBLISHER_REFUSED_MESSAGE, why);
}

static void on_failed(void *owner, const struct channel_end *why)
{
    struct publisher *publisher = owner;
    bool is_refused = publisher->publish_channel.state == PUBLISH_CHANNEL_REFUSED;
    figure_set(&publisher->config.figures->is_refused, is_refused);
    end_all_saying(publisher, &publisher->waiting, is_refused ? OUTCOME_TOPOLOGY : OUTCOME_DOWN,
        why->code, why->text);
    if (is_refused)
        publisher->config.on_refused(publisher->config.owner, PUBLISHER_REFUSED_EXCHANGE, why);
}

static void on_queue_refused(void *owner, const struct channel_end *why)
{
    struct publisher *publisher = owner;
    publisher->config.on_refused(publisher->config.owner, PUBLISHER_REFUSED_QUEUE, why);
}

static void on_ready(void *owner)
{
    struct publisher *publisher = owner;
    confirm_restart(&publisher->confirm);
    figure_set(&publisher->config.figures->is_refused, 0);
}

/* ---- a life ---- */

static const struct publish_channel_ops publish_channel_ops = {
    .on_ready = on_ready,
    .on_method = on_method,
    .on_content = on_content,
    .on_flow = on_flow,
    .on_lost = on_lost,
    .on_failed = on_failed,
    .on_queue_refused = on_queue_refused,
};

int publisher_init(struct publisher *publisher, struct publish_link *publish_link,
    const struct publisher_config *config)
{
    *publisher = (struct publisher){.config = *config, .publish_link = publish_link};
    if (!publisher->config.figures)
        publisher->config.figures = &nowhere;
    const struct publish_channel_config publish_channel = {.exchange = config->exchange,
        .queue = config->queue,
        .is_confirmed = config->is_confirmed,
        .ops = &publish_channel_ops,
        .owner = publisher};
    publish_channel_init(&publisher->publish_channel, &publish_channel);
    return confirm_init(&publisher->confirm, config->window);
}

void publisher_done(struct publisher *publisher)
{
    confirm_done(&publisher->confirm);
}
