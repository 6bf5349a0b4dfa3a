/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"

#include "frame.h"

#define FIRST_PAUSE_NS (UINT64_C(50) * CLOCK_MS)
#define MAX_PAUSE_NS CLOCK_S
#define LOCKED_PAUSE_NS (UINT64_C(10) * CLOCK_MS)

enum { MAX_LOCKED = 20, CONSUMER_TAG_BYTES = 16 };

static const char *const state_names[INTAKE_N_STATES] = {
    [INTAKE_CLOSED] = "closed",
    [INTAKE_DECLARING] = "declaring",
    [INTAKE_READY] = "ready",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << INTAKE_##state)
static const unsigned arrows[INTAKE_N_STATES] = {
    [INTAKE_CLOSED] = TO(DECLARING),
    [INTAKE_DECLARING] = TO(READY) | TO(CLOSED),
    [INTAKE_READY] = TO(CLOSED),
};
#undef TO

static void enter(struct intake *intake, enum intake_state state)
{
    assert(arrows[intake->state] & (1u << state));
    intake->state = state;
}

const char *intake_state_name(enum intake_state state)
{
    return state_names[state];
}

static void touch(struct intake *intake)
{
    intake->config.on_touched(intake->config.owner);
}

/* ---- what the tap wants said ---- */

/* Acks and cancels are small and the outbox keeps room for them: when even that is full, the broker
 * has long stopped to read. */
static void say(struct intake *intake, amqp_method_number_t id, const void *method)
{
    if (channel_method(intake->channel, id, method) == -ENOBUFS)
        connection_lost(intake->channel->table->connection, ENOBUFS,
            "the broker reads nothing, not even an ack");
}

static amqp_bytes_t consumer_tag(uint32_t consumer, char text[CONSUMER_TAG_BYTES])
{
    (void)snprintf(text, CONSUMER_TAG_BYTES, "%u", consumer); /* ten digits at most */
    return amqp_cstring_bytes(text);
}

static void on_consume(void *owner, uint32_t consumer, uint16_t prefetch)
{
    struct intake *intake = owner;
    char tag[CONSUMER_TAG_BYTES];
    amqp_basic_qos_t qos = {.prefetch_count = prefetch};
    amqp_basic_consume_t consume = {
        .queue = amqp_cstring_bytes(intake->queue),
        .consumer_tag = consumer_tag(consumer, tag),
        .no_local = intake->config.is_no_local,
    };
    say(intake, AMQP_BASIC_QOS_METHOD, &qos);
    say(intake, AMQP_BASIC_CONSUME_METHOD, &consume);
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

static const struct tap_ops tap_ops = {
    .consume = on_consume, .cancel = on_cancel, .ack = on_ack, .nack = on_nack};

/* ---- its end ---- */

static void rest(struct intake *intake, uint64_t pause_ns)
{
    intake->rests_until_ns = intake->now_ns() + pause_ns;
}

static void refused(struct intake *intake, const struct channel_end *end)
{
    if (end->code == AMQP_RESOURCE_LOCKED && intake->n_locked < MAX_LOCKED) {
        rest(intake, LOCKED_PAUSE_NS * ++intake->n_locked);
        return; /* GETs wait on */
    }
    rest(intake, backoff_failed(&intake->backoff, (uint32_t)random()));
    intake->was_tried = true;
    tap_refused(&intake->tap, end->code, end->text);
    intake->config.on_refused(intake->config.owner, end);
}

/* READY no more, for a reason of the broker's. */
static void lost(struct intake *intake)
{
    uint64_t pause_ns = FIRST_PAUSE_NS * intake->n_losses++;
    rest(intake, pause_ns < MAX_PAUSE_NS ? pause_ns : MAX_PAUSE_NS);
}

static void close_tap(struct intake *intake)
{
    arrival_drop(&intake->arrival, intake->tap.desk);
    enter(intake, INTAKE_CLOSED);
    tap_closed(&intake->tap);
    touch(intake);
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct intake *intake = channel->owner;
    if (intake->channel != channel)
        return; /* it was given up */
    bool was_ready = intake->state == INTAKE_READY;
    intake->channel = NULL;
    if (was_ready)
        close_tap(intake);
    else
        enter(intake, INTAKE_CLOSED);
    if (end->reason == CHANNEL_END_BROKER && was_ready) {
        lost(intake);
        intake->config.on_refused(intake->config.owner, end);
    } else if (end->reason == CHANNEL_END_BROKER) {
        refused(intake, end);
    }
    touch(intake);
}

/* The broker has cancelled our consumer: the queue was deleted, or its node went away. A fresh
 * channel finds out what is left of it. */
static void give_up_channel(struct intake *intake)
{
    channel_close(STEAL(intake->channel));
    close_tap(intake);
    lost(intake);
}

/* ---- its beginning ---- */

/* What we want cannot even be asked for: with this plan it never can, or not on this connection. */
static void cannot_ask(struct intake *intake, int error)
{
    struct channel_end end = {.reason = CHANNEL_END_ASKED};
    if (intake->channel)
        channel_close(STEAL(intake->channel));
    enter(intake, INTAKE_CLOSED);
    rest(intake, backoff_failed(&intake->backoff, (uint32_t)random()));
    intake->was_tried = true;
    touch(intake);
    if (error == -ENOTCONN)
        return; /* the link will tell */
    end.text = error == -EINVAL ? "A name or an argument of the declaration is too long for AMQP."
                                : "The connection to the broker has no room for another channel.";
    tap_refused(&intake->tap, end.code, end.text);
    intake->config.on_refused(intake->config.owner, &end);
}

static void declare_next(struct intake *intake);

static void is_declared(struct intake *intake)
{
    if (intake->nth_wish == 0)
        memcpy(intake->queue, intake->topology.queue, sizeof(intake->queue));
    if (++intake->nth_wish < intake->config.n_wishes) {
        declare_next(intake);
        return;
    }
    enter(intake, INTAKE_READY);
    intake->was_tried = true;
    backoff_reset(&intake->backoff);
    intake->n_locked = 0;
    tap_opened(&intake->tap, intake->channel->epoch);
    touch(intake);
}

static void declare_next(struct intake *intake)
{
    int error = topology_start(
        &intake->topology, intake->channel, &intake->config.wishes[intake->nth_wish]);
    if (error)
        cannot_ask(intake, error);
    else if (intake->topology.state == TOPOLOGY_DONE && intake->channel->state == CHANNEL_OPEN)
        is_declared(intake);
}

/* ---- what the broker says ---- */

static void lie(struct intake *intake, const char *what)
{
    connection_violation(intake->channel->table->connection, AMQP_COMMAND_INVALID, what);
}

/* The number that a consumer tag of ours is; 0 when it is none. */
static uint32_t consumer_number(amqp_bytes_t tag)
{
    const char *digits = tag.bytes;
    uint32_t number = 0;
    if (!tag.len || tag.len > 9)
        return 0;
    for (size_t i = 0; i < tag.len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return 0;
        number = number * 10 + (uint32_t)(digits[i] - '0');
    }
    return number;
}

static void on_deliver(struct intake *intake, const amqp_basic_deliver_t *deliver)
{
    uint32_t consumer = consumer_number(deliver->consumer_tag);
    if (!consumer || consumer > intake->tap.last_consumer) {
        lie(intake, "a delivery to a consumer that never was");
        return;
    }
    arrival_begin(&intake->arrival, deliver, consumer);
}

static void on_consumer_cancelled(struct intake *intake, const amqp_basic_cancel_t *cancel)
{
    if (consumer_number(cancel->consumer_tag) == intake->tap.consumer)
        give_up_channel(intake);
}

static void on_topology(struct intake *intake, const amqp_method_t *method)
{
    switch (topology_on_method(&intake->topology, method)) {
    case TOPOLOGY_WAITING:
        break;
    case TOPOLOGY_COMPLETE:
        is_declared(intake);
        break;
    case TOPOLOGY_NOT_OURS:
        lie(intake, amqp_method_name(method->id));
        break;
    }
}

static void on_ready_method(struct intake *intake, const amqp_method_t *method)
{
    const amqp_basic_consume_ok_t *ok = method->decoded;
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        on_deliver(intake, method->decoded);
        break;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        tap_consume_ok(&intake->tap, consumer_number(ok->consumer_tag));
        intake->n_losses = 0;
        touch(intake);
        break;
    case AMQP_BASIC_CANCEL_METHOD:
        on_consumer_cancelled(intake, method->decoded);
        break;
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_BASIC_CANCEL_OK_METHOD:
        break;
    default:
        lie(intake, amqp_method_name(method->id));
    }
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct intake *intake = channel->owner;
    if (intake->channel != channel)
        return;
    if (intake->state == INTAKE_READY)
        on_ready_method(intake, method);
    else
        on_topology(intake, method);
}

static void on_open(struct channel *channel)
{
    struct intake *intake = channel->owner;
    if (intake->channel == channel && intake->topology.state == TOPOLOGY_DONE)
        is_declared(intake);
}

/* ---- messages ---- */

static void arrived(struct intake *intake)
{
    struct tap_message message = arrival_take(&intake->arrival);
    tap_message(&intake->tap, &message, intake->now_ns());
    touch(intake);
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct intake *intake = channel->owner;
    if (intake->channel != channel)
        return;
    arrival_content(&intake->arrival, intake->tap.desk, intake->config.max_body_bytes, content);
    if (!content->body_size)
        arrived(intake);
}

static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last)
{
    struct intake *intake = channel->owner;
    if (intake->channel != channel)
        return;
    arrival_body(&intake->arrival, intake->tap.desk, bytes, n_bytes);
    if (is_last)
        arrived(intake);
}

static const struct channel_ops channel_ops = {
    .on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
};

static void open_channel(struct intake *intake)
{
    enter(intake, INTAKE_DECLARING);
    intake->nth_wish = 0;
    int error = channel_open(intake->channels, &channel_ops, intake, &intake->channel);
    if (error)
        cannot_ask(intake, error);
    else
        declare_next(intake);
}

/* ---- the link's side ---- */

void intake_up(struct intake *intake, struct channel_table *channels)
{
    intake->channels = channels;
    intake->rests_until_ns = 0;
    touch(intake);
}

void intake_down(struct intake *intake)
{
    intake->channels = NULL;
    if (intake->tap.state == TAP_REFUSED)
        tap_closed(&intake->tap); /* the next broker may see it differently */
    touch(intake);
}

void intake_failed(struct intake *intake)
{
    intake->was_tried = true;
    tap_is_away(&intake->tap);
    touch(intake);
}

/* ---- the front's side ---- */

void intake_use_desk(struct intake *intake, struct desk *desk)
{
    arrival_drop(&intake->arrival, intake->tap.desk);
    tap_use_desk(&intake->tap, desk);
    touch(intake);
}

void intake_get(struct intake *intake, struct desk_slot *slot, uint64_t now_ns)
{
    tap_get(&intake->tap, slot, now_ns);
    touch(intake);
}

void intake_cancelled(struct intake *intake, struct desk_slot *slot, uint64_t now_ns)
{
    tap_cancelled(&intake->tap, slot, now_ns);
    touch(intake);
}

void intake_verdict(struct intake *intake, struct desk_slot *slot, bool is_ack)
{
    tap_verdict(&intake->tap, slot, is_ack);
    touch(intake);
}

void intake_leave(struct intake *intake)
{
    tap_leave(&intake->tap);
    touch(intake);
}

uint64_t intake_turn(struct intake *intake, uint64_t now_ns)
{
    if (intake->state == INTAKE_CLOSED && intake->channels && now_ns >= intake->rests_until_ns)
        open_channel(intake);
    uint64_t next_ns = tap_settle(&intake->tap, now_ns);
    if (intake->state == INTAKE_CLOSED && intake->channels && intake->rests_until_ns < next_ns)
        next_ns = intake->rests_until_ns;
    return next_ns;
}

/* ---- a life ---- */

int intake_init(struct intake *intake, const struct intake_config *config)
{
    assert(config->n_wishes);
    *intake = (struct intake){.config = *config, .now_ns = clock_now_ns};
    intake->config.tap.ops = &tap_ops;
    intake->config.tap.owner = intake;
    arrival_init(&intake->arrival);
    const struct backoff_config backoff = {.strategy = BACKOFF_EXPONENTIAL_JITTER};
    backoff_init(&intake->backoff, &backoff);
    return tap_init(&intake->tap, &intake->config.tap);
}

void intake_done(struct intake *intake)
{
    tap_done(&intake->tap);
}
