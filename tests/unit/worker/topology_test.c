/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <string.h>

#include "channel.h"
#include "topology.h"

static struct channel_table table;
static struct channel *channel;
static struct topology topology;
static enum topology_outcome last_outcome;
static uint16_t closed_code;
static char closed_text[CONNECTION_TEXT_BYTES];

static void on_open(struct channel *opened) {}

static void on_closed(struct channel *closed, const struct channel_end *end)
{
    closed_code = end->code;
    (void)snprintf(closed_text, sizeof closed_text, "%s", end->text);
}

static void on_method(struct channel *on, const amqp_method_t *method)
{
    last_outcome = topology_on_method(&topology, method);
}

static const struct channel_ops ops = {
    .on_open = on_open, .on_closed = on_closed, .on_method = on_method};

static void on_connection_open(void *owner) {}

static void on_connection_frame(void *owner, const struct frame *frame)
{
    channel_table_input(&table, frame);
}

static const struct connection_ops connection_ops = {
    .on_open = on_connection_open, .on_frame = on_connection_frame};

static void set_up(void)
{
    static const struct connection_config config = {
        .name = "test", .version = "1", .outbox_bytes = 1 << 18};
    cr_assert_eq(connection_init(&connection, &config, &connection_ops, NULL), 0);
    cr_assert_eq(channel_table_init(&table, &connection, 2), 0);
    broker_accept();
    cr_assert_eq(channel_open(&table, &ops, NULL, &channel), 0);
    amqp_channel_open_ok_t open_ok = {0};
    broker_method(1, AMQP_CHANNEL_OPEN_OK_METHOD, &open_ok);
    broker_speak();
    (void)broker_heard(1, AMQP_CHANNEL_OPEN_METHOD);
}

static void tear_down(void)
{
    channel_table_done(&table);
    connection_done(&connection);
    empty_amqp_pool(&hears_pool);
}

TestSuite(topology, .init = set_up, .fini = tear_down);

static enum topology_outcome answer(amqp_method_number_t id, const char *queue)
{
    amqp_exchange_declare_ok_t exchange_ok = {0};
    amqp_queue_declare_ok_t queue_ok = {.queue = amqp_cstring_bytes(queue)};
    amqp_queue_bind_ok_t bind_ok = {0};
    last_outcome = 0;
    broker_method(1, id,
        id == AMQP_EXCHANGE_DECLARE_OK_METHOD ? (void *)&exchange_ok
        : id == AMQP_QUEUE_DECLARE_OK_METHOD  ? (void *)&queue_ok
                                              : (void *)&bind_ok);
    broker_speak();
    return last_outcome;
}

static const char *const keys[] = {"a.#", ""};

static const struct topology_wish consumer = {
    .exchange = {.name = "events", .is_durable = true, .is_auto_delete = true},
    .queue = {.name = "inbox", .is_durable = true, .is_exclusive = true},
    .keys = keys,
    .n_keys = 2};

Test(topology, a_consumer_gets_exchange_queue_and_a_binding_per_key_in_one_go)
{
    cr_assert_eq(topology_start(&topology, channel, &consumer), 0);
    const amqp_exchange_declare_t *exchange = broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD);
    cr_assert(is_text(exchange->exchange, "events"));
    cr_assert(is_text(exchange->type, "topic"));
    cr_assert(exchange->durable && exchange->auto_delete);
    cr_assert_not(exchange->passive || exchange->internal || exchange->nowait);
    const amqp_queue_declare_t *queue = broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert(is_text(queue->queue, "inbox"));
    cr_assert(queue->durable && queue->exclusive);
    cr_assert_not(queue->auto_delete || queue->passive || queue->nowait);
    for (int i = 0; i < 2; i++) {
        const amqp_queue_bind_t *bind = broker_heard(1, AMQP_QUEUE_BIND_METHOD);
        cr_assert(is_text(bind->queue, "inbox"));
        cr_assert(is_text(bind->exchange, "events"));
        cr_assert(is_text(bind->routing_key, keys[i]));
        cr_assert_not(bind->nowait);
    }
    cr_assert(broker_heard_all());

    cr_assert_eq(answer(AMQP_EXCHANGE_DECLARE_OK_METHOD, ""), TOPOLOGY_WAITING);
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "inbox"), TOPOLOGY_WAITING);
    cr_assert_eq(answer(AMQP_QUEUE_BIND_OK_METHOD, ""), TOPOLOGY_WAITING);
    cr_assert_eq(topology.state, TOPOLOGY_PENDING);
    cr_assert_eq(answer(AMQP_QUEUE_BIND_OK_METHOD, ""), TOPOLOGY_COMPLETE);
    cr_assert_eq(topology.state, TOPOLOGY_DONE);
    cr_assert_str_eq(topology.queue, "inbox");
}

Test(topology, what_is_compared_is_looked_for_before_it_is_declared)
{
    const struct topology_wish wish = {
        .exchange = {.name = "events", .declare = TOPOLOGY_COMPARE, .is_durable = true},
        .queue = {.name = "inbox", .declare = TOPOLOGY_COMPARE, .is_auto_delete = true}};
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    const amqp_exchange_declare_t *exchange = broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD);
    cr_assert(exchange->passive);
    exchange = broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD);
    cr_assert_not(exchange->passive);
    cr_assert(exchange->durable);
    const amqp_queue_declare_t *queue = broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert(queue->passive);
    queue = broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert_not(queue->passive);
    cr_assert(queue->auto_delete);
    cr_assert(broker_heard_all());
    for (int i = 0; i < 2; i++)
        cr_assert_eq(answer(AMQP_EXCHANGE_DECLARE_OK_METHOD, ""), TOPOLOGY_WAITING);
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "inbox"), TOPOLOGY_WAITING);
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "inbox"), TOPOLOGY_COMPLETE);
}

Test(topology, the_default_exchange_is_neither_declared_nor_bound)
{
    struct topology_wish wish = consumer;
    wish.exchange.name = "";
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    (void)broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert(broker_heard_all());
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "inbox"), TOPOLOGY_COMPLETE);
}

Test(topology, a_producer_without_a_queue_declares_its_exchange_alone)
{
    struct topology_wish wish = {.exchange = {.name = "events", .type = "direct"}};
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    const amqp_exchange_declare_t *exchange = broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD);
    cr_assert(is_text(exchange->type, "direct"));
    cr_assert(broker_heard_all());
    cr_assert_eq(answer(AMQP_EXCHANGE_DECLARE_OK_METHOD, ""), TOPOLOGY_COMPLETE);
}

Test(topology, nothing_wanted_is_done_at_once)
{
    struct topology_wish wish = {.exchange = {.name = "events", .declare = TOPOLOGY_NONE},
        .queue = {.name = "inbox", .declare = TOPOLOGY_NONE}};
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    cr_assert_eq(topology.state, TOPOLOGY_DONE);
    cr_assert_str_eq(topology.queue, "inbox");
    cr_assert(broker_heard_all());
}

Test(topology, passive_asks_and_does_not_create)
{
    struct topology_wish wish = consumer;
    wish.exchange.declare = TOPOLOGY_PASSIVE;
    wish.queue.declare = TOPOLOGY_PASSIVE;
    wish.n_keys = 0;
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    cr_assert(((amqp_exchange_declare_t *)broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD))->passive);
    cr_assert(((amqp_queue_declare_t *)broker_heard(1, AMQP_QUEUE_DECLARE_METHOD))->passive);
}

Test(topology, a_queue_without_a_name_gets_the_brokers)
{
    struct topology_wish wish = consumer;
    wish.queue.name = "";
    wish.n_keys = 1;
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    (void)broker_heard(1, AMQP_EXCHANGE_DECLARE_METHOD);
    (void)broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    const amqp_queue_bind_t *bind = broker_heard(1, AMQP_QUEUE_BIND_METHOD);
    cr_assert_eq(bind->queue.len, 0, "the one declared last on this channel");
    (void)answer(AMQP_EXCHANGE_DECLARE_OK_METHOD, "");
    (void)answer(AMQP_QUEUE_DECLARE_OK_METHOD, "amq.gen-1");
    cr_assert_eq(answer(AMQP_QUEUE_BIND_OK_METHOD, ""), TOPOLOGY_COMPLETE);
    cr_assert_str_eq(topology.queue, "amq.gen-1");
}

Test(topology, arguments_go_along)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-max-length"),
        .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 7}}};
    amqp_table_t arguments = {.num_entries = 1, .entries = &entry};
    struct topology_wish wish = {.queue = {.name = "q", .arguments = &arguments}};
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    const amqp_queue_declare_t *queue = broker_heard(1, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert_eq(queue->arguments.num_entries, 1);
    cr_assert_eq(queue->arguments.entries[0].value.value.i32, 7);
}

Test(topology, a_refusal_is_the_end_of_the_channel_with_the_brokers_words)
{
    cr_assert_eq(topology_start(&topology, channel, &consumer), 0);
    amqp_channel_close_t close = {.reply_code = 406,
        .reply_text = amqp_cstring_bytes("PRECONDITION_FAILED - inequivalent arg 'type'")};
    broker_method(1, AMQP_CHANNEL_CLOSE_METHOD, &close);
    broker_speak();
    cr_assert_eq(closed_code, 406);
    cr_assert_str_eq(closed_text, "PRECONDITION_FAILED - inequivalent arg 'type'");
    cr_assert_eq(topology.state, TOPOLOGY_PENDING);
}

Test(topology, other_methods_and_answers_out_of_order_are_not_ours)
{
    cr_assert_eq(topology_start(&topology, channel, &consumer), 0);
    cr_assert_eq(answer(AMQP_QUEUE_BIND_OK_METHOD, ""), TOPOLOGY_NOT_OURS);
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    broker_method(1, AMQP_BASIC_ACK_METHOD, &ack);
    broker_speak();
    cr_assert_eq(last_outcome, TOPOLOGY_NOT_OURS);
    cr_assert_eq(answer(AMQP_EXCHANGE_DECLARE_OK_METHOD, ""), TOPOLOGY_WAITING);
}

Test(topology, after_the_last_answer_none_is_ours)
{
    struct topology_wish wish = {.queue = {.name = "q"}};
    cr_assert_eq(topology_start(&topology, channel, &wish), 0);
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "q"), TOPOLOGY_COMPLETE);
    cr_assert_eq(answer(AMQP_QUEUE_DECLARE_OK_METHOD, "q"), TOPOLOGY_NOT_OURS);
}

Test(topology, declarations_leave_room_for_what_must_be_said)
{
    char name[201] = "";
    memset(name, 'q', sizeof name - 1);
    struct topology_wish wish = {.queue = {.name = name}};
    struct channel *another;
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    while (outbox_room(&connection.outbox) >= WRITER_RESERVE_BYTES + sizeof name)
        cr_assert_eq(channel_method(channel, AMQP_BASIC_ACK_METHOD, &ack), 0);
    uint64_t offset = channel_offset(channel);
    cr_assert_eq(topology_start(&topology, channel, &wish), -ENOBUFS);
    cr_assert_eq(channel_offset(channel), offset, "half of it was queued");
    while (outbox_room(&connection.outbox) >= WRITER_RESERVE_BYTES)
        cr_assert_eq(channel_method(channel, AMQP_BASIC_ACK_METHOD, &ack), 0);
    cr_assert_eq(channel_open(&table, &ops, NULL, &another), -ENOBUFS);
    channel_close(channel);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(topology, a_name_over_255_bytes_is_refused_and_nothing_is_queued)
{
    static char name[300];
    memset(name, 'n', sizeof name - 1);
    struct topology_wish wish = consumer;
    wish.queue.name = name;
    cr_assert_eq(topology_start(&topology, channel, &wish), -EINVAL);
    cr_assert(broker_heard_all());
    cr_assert_eq(topology.state, TOPOLOGY_IDLE);
}

Test(topology, more_bindings_than_the_outbox_holds_are_refused_as_a_whole)
{
    static const char *many[10000];
    static char key[250];
    memset(key, 'k', sizeof key - 1);
    for (int i = 0; i < 10000; i++)
        many[i] = key;
    struct topology_wish wish = consumer;
    wish.keys = many;
    wish.n_keys = 10000;
    cr_assert_eq(topology_start(&topology, channel, &wish), -ENOBUFS);
    cr_assert(broker_heard_all());
}
