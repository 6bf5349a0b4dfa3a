/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const state_names[TOPOLOGY_N_STATES] = {
    [TOPOLOGY_IDLE] = "idle",
    [TOPOLOGY_PENDING] = "pending",
    [TOPOLOGY_DONE] = "done",
};

/* How often a thing is declared. */
static const size_t n_times[] = {
    [TOPOLOGY_ACTIVE] = 1,
    [TOPOLOGY_PASSIVE] = 1,
    [TOPOLOGY_COMPARE] = 2,
    [TOPOLOGY_NONE] = 0,
};

static bool is_passive(enum topology_declare declare, size_t nth)
{
    return declare == TOPOLOGY_PASSIVE || (declare == TOPOLOGY_COMPARE && nth == 0);
}

static amqp_table_t table_or_none(const amqp_table_t *table)
{
    return table ? *table : amqp_empty_table;
}

static bool is_named(const char *name)
{
    return name && *name;
}

static int declare_exchange(
    struct channel *channel, const struct topology_exchange *exchange, bool is_passive)
{
    amqp_exchange_declare_t declare = {
        .exchange = amqp_cstring_bytes(exchange->name),
        .type = amqp_cstring_bytes(exchange->type ? exchange->type : "topic"),
        .passive = is_passive,
        .durable = exchange->is_durable,
        .auto_delete = exchange->is_auto_delete,
        .arguments = table_or_none(exchange->arguments),
    };
    return channel_method(channel, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

static int declare_queue(
    struct channel *channel, const struct topology_queue *queue, bool is_passive)
{
    amqp_queue_declare_t declare = {
        .queue = amqp_cstring_bytes(queue->name),
        .passive = is_passive,
        .durable = queue->is_durable,
        .auto_delete = queue->is_auto_delete,
        .exclusive = queue->is_exclusive,
        .arguments = table_or_none(queue->arguments),
    };
    return channel_method(channel, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

/* An empty queue name is the one that was declared last on this channel (queue.bind in the
 * specification), so that a name the broker chooses need not be waited for. */
static int bind_queue(struct channel *channel, const struct topology_wish *wish, const char *key)
{
    amqp_queue_bind_t bind = {
        .queue = amqp_cstring_bytes(wish->queue.name),
        .exchange = amqp_cstring_bytes(wish->exchange.name),
        .routing_key = amqp_cstring_bytes(key),
    };
    return channel_method(channel, AMQP_QUEUE_BIND_METHOD, &bind);
}

static int queue_all(
    const struct topology *topology, struct channel *channel, const struct topology_wish *wish)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < topology->n_exchange; i++)
        r = declare_exchange(channel, &wish->exchange, is_passive(wish->exchange.declare, i));
    for (size_t i = 0; r == 0 && i < topology->n_queue; i++)
        r = declare_queue(channel, &wish->queue, is_passive(wish->queue.declare, i));
    for (size_t i = 0; r == 0 && i < topology->n_binds; i++)
        r = bind_queue(channel, wish, wish->keys[i]);
    return r;
}

/* Answers come in the order of the questions. */
static amqp_method_number_t awaited(const struct topology *topology)
{
    if (topology->n_heard < topology->n_exchange)
        return AMQP_EXCHANGE_DECLARE_OK_METHOD;
    if (topology->n_heard < topology->n_exchange + topology->n_queue)
        return AMQP_QUEUE_DECLARE_OK_METHOD;
    return AMQP_QUEUE_BIND_OK_METHOD;
}

static bool has_all(const struct topology *topology)
{
    return topology->n_heard == topology->n_exchange + topology->n_queue + topology->n_binds;
}

static void note_queue(struct topology *topology, const void *name, size_t n_bytes)
{
    assert(n_bytes < sizeof topology->queue); /* a short string on the wire */
    if (n_bytes > 0)
        memcpy(topology->queue, name, n_bytes);
    topology->queue[n_bytes] = '\0';
}

const char *topology_state_name(enum topology_state state)
{
    return state_names[state];
}

int topology_start(
    struct topology *topology, struct channel *channel, const struct topology_wish *wish)
{
    bool is_bindable = wish->queue.name && is_named(wish->exchange.name);
    struct topology started = {
        .state = TOPOLOGY_PENDING,
        .n_exchange = is_named(wish->exchange.name) ? n_times[wish->exchange.declare] : 0,
        .n_queue = wish->queue.name ? n_times[wish->queue.declare] : 0,
        .n_binds = is_bindable ? wish->n_keys : 0,
    };
    struct outbox *outbox = &channel->table->connection->outbox;
    struct outbox_mark mark = outbox_mark(outbox);
    int r = queue_all(&started, channel, wish);
    if (r == 0 && outbox_room(outbox) < WRITER_RESERVE_BYTES)
        r = -ENOBUFS; /* a close must always find some */
    if (r < 0) {
        outbox_rollback(outbox, &mark);
        return r;
    }
    *topology = started;
    if (wish->queue.name && strlen(wish->queue.name) < sizeof topology->queue)
        note_queue(topology, wish->queue.name, strlen(wish->queue.name));
    if (has_all(topology))
        topology->state = TOPOLOGY_DONE;
    return 0;
}

enum topology_outcome topology_on_method(struct topology *topology, const amqp_method_t *method)
{
    if (topology->state != TOPOLOGY_PENDING || method->id != awaited(topology))
        return TOPOLOGY_NOT_OURS;
    if (method->id == AMQP_QUEUE_DECLARE_OK_METHOD) {
        const amqp_queue_declare_ok_t *ok = method->decoded;
        note_queue(topology, ok->queue.bytes, ok->queue.len);
    }
    topology->n_heard++;
    if (!has_all(topology))
        return TOPOLOGY_WAITING;
    topology->state = TOPOLOGY_DONE;
    return TOPOLOGY_COMPLETE;
}
