/* SPDX-License-Identifier: Apache-2.0 */
#include "consume_channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"

#include "frame.h"

#define FIRST_PAUSE_NS (UINT64_C(50) * CLOCK_MS)
#define MAX_PAUSE_NS CLOCK_S
#define NO_ROOM_PAUSE_NS (UINT64_C(5) * CLOCK_MS)
#define FIRST_LOCKED_PAUSE_NS (UINT64_C(10) * CLOCK_MS)
#define MAX_LOCKED_PAUSE_NS (UINT64_C(100) * CLOCK_MS)

enum { CONSUMER_TAG_BYTES = 16 };

static const char *const state_names[CONSUME_CHANNEL_N_STATES] = {
    [CONSUME_CHANNEL_CLOSED] = "closed",
    [CONSUME_CHANNEL_DECLARING] = "declaring",
    [CONSUME_CHANNEL_READY] = "ready",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << CONSUME_CHANNEL_##state)
static const unsigned arrows[CONSUME_CHANNEL_N_STATES] = {
    [CONSUME_CHANNEL_CLOSED] = TO(DECLARING),
    [CONSUME_CHANNEL_DECLARING] = TO(READY) | TO(CLOSED),
    [CONSUME_CHANNEL_READY] = TO(CLOSED),
};
#undef TO

static void enter(struct consume_channel *consume_channel, enum consume_channel_state state)
{
    assert(arrows[consume_channel->state] & (1u << state));
    consume_channel->state = state;
}

const char *consume_channel_state_name(enum consume_channel_state state)
{
    return state_names[state];
}

static void touch(struct consume_channel *consume_channel)
{
    consume_channel->config.on_touched(consume_channel->config.owner);
}

/* ---- what the tap wants said ---- */

/* Acks and cancels are small and the outbox keeps room for them: when even that is full, the broker
 * has long stopped to read. */
static void say(
    struct consume_channel *consume_channel, amqp_method_number_t id, const void *method)
{
    if (channel_method(consume_channel->channel, id, method) == -ENOBUFS)
        connection_lost(consume_channel->channel->table->connection, ENOBUFS,
            "the broker reads nothing, not even an ack");
}

static amqp_bytes_t consumer_tag(uint32_t consumer, char text[CONSUMER_TAG_BYTES])
{
    (void)snprintf(text, CONSUMER_TAG_BYTES, "%u", consumer); /* ten digits at most */
    return amqp_cstring_bytes(text);
}

static void on_consume(void *owner, uint32_t consumer, uint16_t prefetch)
{
    struct consume_channel *consume_channel = owner;
    char tag[CONSUMER_TAG_BYTES];
    amqp_basic_qos_t qos = {.prefetch_count = prefetch};
    amqp_basic_consume_t consume = {
        .queue = amqp_cstring_bytes(consume_channel->queue),
        .consumer_tag = consumer_tag(consumer, tag),
        .no_local = consume_channel->config.is_no_local,
    };
    say(consume_channel, AMQP_BASIC_QOS_METHOD, &qos);
    say(consume_channel, AMQP_BASIC_CONSUME_METHOD, &consume);
}

static void on_cancel(void *owner, uint32_t consumer)
{
    char tag[CONSUMER_TAG_BYTES];
    amqp_basic_cancel_t cancel = {.consumer_tag = consumer_tag(consumer, tag)};
    say(owner, AMQP_BASIC_CANCEL_METHOD, &cancel);
}

static void on_ack(void *owner, uint64_t delivery_tag)
{
    amqp_basic_ack_t ack = {.delivery_tag = delivery_tag};
    say(owner, AMQP_BASIC_ACK_METHOD, &ack);
}

static void on_nack(void *owner, uint64_t delivery_tag, bool is_requeued)
{
    amqp_basic_nack_t nack = {.delivery_tag = delivery_tag, .requeue = is_requeued};
    say(owner, AMQP_BASIC_NACK_METHOD, &nack);
}

static void on_spoiled(void *owner, const struct tap_spoiled *spoiled)
{
    struct consume_channel *consume_channel = owner;
    consume_channel->config.on_spoiled(consume_channel->config.owner, spoiled);
}

static const struct tap_ops tap_ops = {.consume = on_consume,
    .cancel = on_cancel,
    .ack = on_ack,
    .nack = on_nack,
    .spoiled = on_spoiled};

/* ---- its end ---- */

static void rest(struct consume_channel *consume_channel, uint64_t pause_ns)
{
    consume_channel->rests_until_ns = consume_channel->now_ns() + pause_ns;
}

/* Is whoever has locked it still given time? */
static bool is_patient(struct consume_channel *consume_channel)
{
    uint64_t now_ns = consume_channel->now_ns();
    if (!consume_channel->n_locked)
        consume_channel->locked_until_ns = now_ns + consume_channel->config.locked_ns;
    return now_ns < consume_channel->locked_until_ns;
}

static void refused(struct consume_channel *consume_channel, const struct channel_end *end)
{
    if (end->code == AMQP_RESOURCE_LOCKED && is_patient(consume_channel)) {
        uint64_t pause_ns = FIRST_LOCKED_PAUSE_NS * ++consume_channel->n_locked;
        rest(consume_channel, pause_ns < MAX_LOCKED_PAUSE_NS ? pause_ns : MAX_LOCKED_PAUSE_NS);
        return; /* GETs wait on */
    }
    rest(consume_channel, backoff_failed(&consume_channel->backoff, (uint32_t)random()));
    consume_channel->was_tried = true;
    tap_refused(&consume_channel->tap, end->code, end->text);
    consume_channel->config.on_refused(consume_channel->config.owner, end);
}

/* READY no more, for a reason of the broker's. */
static void lost(struct consume_channel *consume_channel)
{
    uint64_t pause_ns = FIRST_PAUSE_NS * consume_channel->n_losses++;
    rest(consume_channel, pause_ns < MAX_PAUSE_NS ? pause_ns : MAX_PAUSE_NS);
}

static void close_tap(struct consume_channel *consume_channel)
{
    delivery_drop(&consume_channel->delivery, consume_channel->tap.desk);
    enter(consume_channel, CONSUME_CHANNEL_CLOSED);
    tap_closed(&consume_channel->tap);
    touch(consume_channel);
}

/* Will the broker not have us consume, though the queue was declared anew since it said so first?
 */
static bool is_consume_refused(
    const struct consume_channel *consume_channel, const struct channel_end *end)
{
    return end->method == AMQP_BASIC_CONSUME_METHOD && consume_channel->n_losses;
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct consume_channel *consume_channel = channel->owner;
    if (consume_channel->channel != channel)
        return; /* it was given up */
    bool was_ready = consume_channel->state == CONSUME_CHANNEL_READY;
    consume_channel->channel = NULL;
    if (was_ready)
        close_tap(consume_channel);
    else
        enter(consume_channel, CONSUME_CHANNEL_CLOSED);
    if (end->reason == CHANNEL_END_BROKER && was_ready &&
        !is_consume_refused(consume_channel, end)) {
        lost(consume_channel);
        consume_channel->config.on_refused(consume_channel->config.owner, end);
    } else if (end->reason == CHANNEL_END_BROKER) {
        refused(consume_channel, end);
    }
    touch(consume_channel);
}

/* The broker has cancelled our consumer: the queue was deleted, or its node went away. A fresh
 * channel finds out what is left of it. */
static void give_up_channel(struct consume_channel *consume_channel)
{
    channel_close(STEAL(consume_channel->channel));
    close_tap(consume_channel);
    lost(consume_channel);
}

/* ---- its beginning ---- */

/* What we want cannot even be asked for: with this plan it never can, or not on this connection. */
static void cannot_ask(struct consume_channel *consume_channel, int error)
{
    struct channel_end end = {.reason = CHANNEL_END_ASKED};
    if (consume_channel->channel)
        channel_close(STEAL(consume_channel->channel));
    enter(consume_channel, CONSUME_CHANNEL_CLOSED);
    rest(consume_channel, backoff_failed(&consume_channel->backoff, (uint32_t)random()));
    consume_channel->was_tried = true;
    touch(consume_channel);
    if (error == -ENOTCONN)
        return; /* the link will tell */
    end.text = error == -EINVAL ? "A name or an argument of the declaration is too long for AMQP."
                                : "The connection to the broker has no room for another channel.";
    tap_refused(&consume_channel->tap, end.code, end.text);
    consume_channel->config.on_refused(consume_channel->config.owner, &end);
}

static void declare_next(struct consume_channel *consume_channel);

static void is_declared(struct consume_channel *consume_channel)
{
    if (consume_channel->nth_wish == 0)
        memcpy(consume_channel->queue, consume_channel->topology.queue,
            sizeof(consume_channel->queue));
    if (++consume_channel->nth_wish < consume_channel->config.n_wishes) {
        declare_next(consume_channel);
        return;
    }
    enter(consume_channel, CONSUME_CHANNEL_READY);
    consume_channel->was_tried = true;
    if (!consume_channel->n_losses)
        backoff_reset(&consume_channel->backoff);
    consume_channel->n_locked = 0;
    tap_opened(&consume_channel->tap, consume_channel->channel->epoch);
    touch(consume_channel);
}

static void declare_next(struct consume_channel *consume_channel)
{
    int error = topology_start(&consume_channel->topology, consume_channel->channel,
        &consume_channel->config.wishes[consume_channel->nth_wish]);
    if (error)
        cannot_ask(consume_channel, error);
    else if (consume_channel->topology.state == TOPOLOGY_DONE &&
             consume_channel->channel->state == CHANNEL_OPEN)
        is_declared(consume_channel);
}

/* ---- what the broker says ---- */

static void lie(struct consume_channel *consume_channel, const char *what)
{
    connection_violation(consume_channel->channel->table->connection, AMQP_COMMAND_INVALID, what);
}

/* The number that a consumer tag of ours is; 0 when it is none. */
static uint32_t consumer_number(amqp_bytes_t tag)
{
    const char *digits = tag.bytes;
    uint64_t number = 0;
    if (!tag.len || tag.len > 10)
        return 0;
    for (size_t i = 0; i < tag.len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool is_ours(const struct consume_channel *consume_channel, uint32_t consumer)
{
    return consumer && consumer <= consume_channel->tap.last_consumer;
}

/* A message is settled by its tag: 0 is none (specification, domain delivery-tag), and brokers count
 * them up on each channel. */
static void on_deliver(struct consume_channel *consume_channel, const amqp_basic_deliver_t *deliver)
{
    uint32_t consumer = consumer_number(deliver->consumer_tag);
    if (!is_ours(consume_channel, consumer)) {
        lie(consume_channel, "a delivery to a consumer that never was");
        return;
    }
    if (deliver->delivery_tag <= consume_channel->last_tag) {
        lie(consume_channel, "a delivery tag that is not larger than the last one");
        return;
    }
    consume_channel->last_tag = deliver->delivery_tag;
    delivery_begin(&consume_channel->delivery, deliver, consumer);
}

static void on_consumer_cancelled(
    struct consume_channel *consume_channel, const amqp_basic_cancel_t *cancel)
{
    uint32_t consumer = consumer_number(cancel->consumer_tag);
    if (!is_ours(consume_channel, consumer))
        lie(consume_channel, "the cancel of a consumer that never was");
    else if (consumer == consume_channel->tap.consumer)
        give_up_channel(consume_channel);
}

static void on_consume_ok(
    struct consume_channel *consume_channel, const amqp_basic_consume_ok_t *ok)
{
    uint32_t consumer = consumer_number(ok->consumer_tag);
    if (!is_ours(consume_channel, consumer)) {
        lie(consume_channel, "the start of a consumer that never was");
        return;
    }
    tap_consume_ok(&consume_channel->tap, consumer);
    consume_channel->n_losses = 0;
    touch(consume_channel);
}

static void on_topology(struct consume_channel *consume_channel, const amqp_method_t *method)
{
    switch (topology_on_method(&consume_channel->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        is_declared(consume_channel);
        break;
    case TOPOLOGY_NOT_OURS:
        lie(consume_channel, amqp_method_name(method->id));
        break;
    }
}

static void on_ready_method(struct consume_channel *consume_channel, const amqp_method_t *method)
{
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        on_deliver(consume_channel, method->decoded);
        break;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        on_consume_ok(consume_channel, method->decoded);
        break;
    case AMQP_BASIC_CANCEL_METHOD:
        on_consumer_cancelled(consume_channel, method->decoded);
        break;
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_BASIC_CANCEL_OK_METHOD:
        break;
    default:
        lie(consume_channel, amqp_method_name(method->id));
    }
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct consume_channel *consume_channel = channel->owner;
    if (consume_channel->channel != channel)
        return;
    if (consume_channel->state == CONSUME_CHANNEL_READY)
        on_ready_method(consume_channel, method);
    else
        on_topology(consume_channel, method);
}

static void on_open(struct channel *channel)
{
    struct consume_channel *consume_channel = channel->owner;
    if (consume_channel->channel == channel && consume_channel->topology.state == TOPOLOGY_DONE)
        is_declared(consume_channel);
}

/* ---- messages ---- */

static void arrived(struct consume_channel *consume_channel)
{
    struct tap_message message = delivery_take(&consume_channel->delivery);
    tap_message(&consume_channel->tap, &message, consume_channel->now_ns());
    touch(consume_channel);
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct consume_channel *consume_channel = channel->owner;
    if (consume_channel->channel != channel)
        return;
    delivery_content(&consume_channel->delivery, consume_channel->tap.desk,
        &consume_channel->config.wish, content);
    if (!content->body_size)
        arrived(consume_channel);
}

static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last)
{
    struct consume_channel *consume_channel = channel->owner;
    if (consume_channel->channel != channel)
        return;
    delivery_body(&consume_channel->delivery, consume_channel->tap.desk, bytes, n_bytes);
    if (is_last)
        arrived(consume_channel);
}

static const struct channel_ops channel_ops = {
    .on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
};

static void open_channel(struct consume_channel *consume_channel)
{
    if (!channel_table_has_room(consume_channel->channels)) {
        rest(consume_channel, NO_ROOM_PAUSE_NS);
        return;
    }
    enter(consume_channel, CONSUME_CHANNEL_DECLARING);
    consume_channel->nth_wish = 0;
    consume_channel->last_tag = 0;
    int error = channel_open(
        consume_channel->channels, &channel_ops, consume_channel, &consume_channel->channel);
    if (error)
        cannot_ask(consume_channel, error);
    else
        declare_next(consume_channel);
}

/* ---- the link's side ---- */

void consume_channel_up(struct consume_channel *consume_channel, struct channel_table *channels)
{
    consume_channel->channels = channels;
    consume_channel->rests_until_ns = 0;
    touch(consume_channel);
}

void consume_channel_down(struct consume_channel *consume_channel)
{
    consume_channel->channels = NULL;
    if (consume_channel->tap.state == TAP_REFUSED)
        tap_closed(&consume_channel->tap); /* the next broker may see it differently */
    touch(consume_channel);
}

void consume_channel_failed(struct consume_channel *consume_channel)
{
    consume_channel->was_tried = true;
    tap_is_away(&consume_channel->tap);
    touch(consume_channel);
}

/* ---- the front's side ---- */

void consume_channel_use_desk(struct consume_channel *consume_channel, struct desk *desk)
{
    delivery_drop(&consume_channel->delivery, consume_channel->tap.desk);
    tap_use_desk(&consume_channel->tap, desk);
    touch(consume_channel);
}

void consume_channel_get(
    struct consume_channel *consume_channel, struct desk_slot *slot, uint64_t now_ns)
{
    tap_get(&consume_channel->tap, slot, now_ns);
    touch(consume_channel);
}

void consume_channel_cancelled(
    struct consume_channel *consume_channel, struct desk_slot *slot, uint64_t now_ns)
{
    tap_cancelled(&consume_channel->tap, slot, now_ns);
    touch(consume_channel);
}

void consume_channel_verdict(
    struct consume_channel *consume_channel, struct desk_slot *slot, bool is_ack)
{
    tap_verdict(&consume_channel->tap, slot, is_ack);
    touch(consume_channel);
}

void consume_channel_attach(struct consume_channel *consume_channel)
{
    tap_attach(&consume_channel->tap);
    touch(consume_channel);
}

bool consume_channel_has_attached(const struct consume_channel *consume_channel)
{
    return (consume_channel->was_tried || consume_channel->n_locked) &&
           !tap_is_attaching(&consume_channel->tap);
}

void consume_channel_leave(struct consume_channel *consume_channel)
{
    tap_leave(&consume_channel->tap);
    touch(consume_channel);
}

uint64_t consume_channel_turn(struct consume_channel *consume_channel, uint64_t now_ns)
{
    if (consume_channel->state == CONSUME_CHANNEL_CLOSED && consume_channel->channels &&
        now_ns >= consume_channel->rests_until_ns)
        open_channel(consume_channel);
    uint64_t next_ns = tap_settle(&consume_channel->tap, now_ns);
    if (consume_channel->state == CONSUME_CHANNEL_CLOSED && consume_channel->channels &&
        consume_channel->rests_until_ns < next_ns)
        next_ns = consume_channel->rests_until_ns;
    return next_ns;
}

/* ---- a life ---- */

int consume_channel_init(
    struct consume_channel *consume_channel, const struct consume_channel_config *config)
{
    assert(config->n_wishes);
    *consume_channel = (struct consume_channel){.config = *config, .now_ns = clock_now_ns};
    consume_channel->config.tap.ops = &tap_ops;
    consume_channel->config.tap.owner = consume_channel;
    delivery_init(&consume_channel->delivery);
    const struct backoff_config backoff = {.strategy = BACKOFF_EXPONENTIAL_JITTER};
    backoff_init(&consume_channel->backoff, &backoff);
    return tap_init(&consume_channel->tap, &consume_channel->config.tap);
}

void consume_channel_done(struct consume_channel *consume_channel)
{
    tap_done(&consume_channel->tap);
}
