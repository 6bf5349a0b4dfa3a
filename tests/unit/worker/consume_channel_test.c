/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consume channel between a front, played over a real lane, and a broker, played over a real
 * connection without a socket. What the tap decides is tap_test.c's; here is what goes over the
 * wire.
 */
#include "broker.h"
#include "fake_front.h"

#include "consume_channel.h"
#include "desk.h"

enum { CHANNEL = 1, MAX_BODY = 20000 };

static struct channel_table table;
static struct consume_channel consume_channel;
static struct consume_channel_config config;
static struct fake_front front;
static struct desk *desk;
static int n_touched, n_refused;
static struct tap_spoiled last_spoiled;
static uint64_t last_delivery;

/* ---- the stage ---- */

static void on_get(void *owner, struct desk_slot *slot)
{
    consume_channel_get(&consume_channel, slot, now_ns);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    consume_channel_cancelled(&consume_channel, slot, now_ns);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    consume_channel_verdict(&consume_channel, slot, is_ack);
}

static const struct desk_ops desk_ops = {on_get, on_get, on_cancelled, on_verdict};

static void on_connection_open(void *owner) {}

static void on_connection_frame(void *owner, const struct frame *frame)
{
    channel_table_input(&table, frame);
}

static const struct connection_ops connection_ops = {
    .on_open = on_connection_open, .on_frame = on_connection_frame};

static void on_touched(void *owner)
{
    n_touched++;
}

static void on_refused(void *owner, const struct channel_end *end)
{
    n_refused++;
}

static void on_spoiled(void *owner, const struct tap_spoiled *spoiled)
{
    last_spoiled = *spoiled;
}

static uint64_t test_now_ns(void)
{
    return now_ns;
}

static void set_up(void)
{
    static const struct connection_config connection_config = {
        .name = "test", .version = "1", .channel_max = 3};
    static const uint8_t verbs[] = {PLAN_CONSUME};
    static const struct plan_backend backend = {
        .encoding = PLAN_STRING, .max_body_bytes = MAX_BODY};
    static const char *const keys[] = {"a.*"};
    static const struct topology_wish wishes[] = {
        {.exchange = {.name = "ex"}, .queue = {.name = "q"}, .keys = keys, .n_keys = 1},
        {.exchange = {.name = "ex2"},
            .queue = {.name = "q", .declare = TOPOLOGY_NONE},
            .keys = keys,
            .n_keys = 1},
    };
    struct desk_config desk_config = {.verbs = verbs, .n_backends = 1, .ops = &desk_ops};
    fake_front_open(&front);
    cr_assert_eq(desk_new(&desk, front.memory_fd, &desk_config), 0);
    cr_assert_eq(connection_init(&connection, &connection_config, &connection_ops, NULL), 0);
    cr_assert_eq(channel_table_init(&table, &connection, 3), 0);
    config = (struct consume_channel_config){
        .tap = {.prefetch_count = 10, .idle_release_ns = CLOCK_S, .backends = &backend},
        .wishes = wishes,
        .n_wishes = 1,
        .wish = {.max_body_bytes = MAX_BODY},
        .on_touched = on_touched,
        .on_refused = on_refused,
        .on_spoiled = on_spoiled,
    };
}

static void tear_down(void)
{
    consume_channel_done(&consume_channel);
    channel_table_done(&table);
    connection_done(&connection);
    desk_free(desk);
    fake_front_close(&front);
}

TestSuite(consume_channel, .init = set_up, .fini = tear_down);

static void turn(void)
{
    (void)desk_turn(desk);
    (void)consume_channel_turn(&consume_channel, now_ns);
    broker_hear();
}

static void start_unconnected(void)
{
    cr_assert_eq(consume_channel_init(&consume_channel, &config), 0);
    consume_channel.now_ns = test_now_ns;
    consume_channel_use_desk(&consume_channel, desk);
    broker_accept();
}

static void start(void)
{
    start_unconnected();
    consume_channel_up(&consume_channel, &table);
    turn();
}

static void get(uint32_t slot)
{
    fake_front_get(&front, slot, 0);
    turn();
}

/* ---- what the broker hears and says ---- */

static void answer(amqp_method_number_t id)
{
    uint8_t arguments[64] = {0}; /* all -ok methods here take zeroes */
    broker_method(CHANNEL, id, arguments);
    broker_speak();
    turn();
}

static void heard_declarations(void)
{
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    (void)broker_heard(CHANNEL, AMQP_QUEUE_DECLARE_METHOD);
    (void)broker_heard(CHANNEL, AMQP_QUEUE_BIND_METHOD);
}

static void say_queue(const char *name)
{
    amqp_queue_declare_ok_t ok = {.queue = amqp_cstring_bytes(name)};
    broker_method(CHANNEL, AMQP_QUEUE_DECLARE_OK_METHOD, &ok);
    broker_speak();
    turn();
}

static void declare_as(const char *queue)
{
    heard_declarations();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(AMQP_EXCHANGE_DECLARE_OK_METHOD);
    say_queue(queue);
    answer(AMQP_QUEUE_BIND_OK_METHOD);
}

static void open_channel(void)
{
    start();
    declare_as("q");
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_READY);
}

static void heard_consume(const char *queue, const char *tag, uint16_t prefetch)
{
    const amqp_basic_qos_t *qos = broker_heard(CHANNEL, AMQP_BASIC_QOS_METHOD);
    cr_assert_eq(qos->prefetch_count, prefetch);
    cr_assert_not(qos->global);
    const amqp_basic_consume_t *consume = broker_heard(CHANNEL, AMQP_BASIC_CONSUME_METHOD);
    cr_assert(is_text(consume->queue, queue));
    cr_assert(is_text(consume->consumer_tag, tag));
    cr_assert_not(consume->no_ack);
    cr_assert_not(consume->exclusive);
    cr_assert_not(consume->nowait);
}

static void say_consume_ok(const char *tag)
{
    amqp_basic_consume_ok_t ok = {.consumer_tag = amqp_cstring_bytes(tag)};
    broker_method(CHANNEL, AMQP_BASIC_CONSUME_OK_METHOD, &ok);
    broker_speak();
}

static void say_deliver(const char *tag)
{
    amqp_basic_deliver_t deliver = {
        .consumer_tag = amqp_cstring_bytes(tag), .delivery_tag = ++last_delivery};
    broker_method(CHANNEL, AMQP_BASIC_DELIVER_METHOD, &deliver);
}

static void say_properties(uint64_t body_size, amqp_basic_properties_t *properties)
{
    uint8_t encoded[512] = {0};
    int n =
        amqp_encode_properties(AMQP_BASIC_CLASS, properties, frame_bytes(encoded, sizeof(encoded)));
    size_t begun = begin_frame(&says, AMQP_FRAME_HEADER, CHANNEL);
    put_16(&says, AMQP_BASIC_CLASS);
    put_16(&says, 0);
    put_64(&says, body_size);
    put(&says, encoded, (size_t)n);
    end_frame(&says, begun);
}

static void say_header(uint64_t body_size, const char *content_type)
{
    amqp_basic_properties_t properties = {0};
    if (content_type) {
        properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = amqp_cstring_bytes(content_type);
    }
    say_properties(body_size, &properties);
}

static void deliver(const char *tag, const char *body)
{
    say_deliver(tag);
    say_header(strlen(body), NULL);
    if (*body)
        put_body(&says, CHANNEL, body, strlen(body));
    broker_speak();
    turn();
}

static void close_channel_over(uint16_t code, const char *text, amqp_method_number_t about)
{
    amqp_channel_close_t close = {.reply_code = code,
        .reply_text = amqp_cstring_bytes(text),
        .class_id = (uint16_t)(about >> 16),
        .method_id = (uint16_t)about};
    broker_method(CHANNEL, AMQP_CHANNEL_CLOSE_METHOD, &close);
    broker_speak();
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
}

static void close_channel(uint16_t code, const char *text)
{
    close_channel_over(code, text, 0);
}

static void expect_violation(void)
{
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.reason, CONNECTION_END_VIOLATION);
}

static void listen_for(uint32_t slot)
{
    open_channel();
    get(slot);
    heard_consume("q", "1", 1);
    say_consume_ok("1");
}

/* ---- opening ---- */

Test(consume_channel, declares_its_queue_as_soon_as_there_is_a_connection)
{
    open_channel();
    cr_assert(broker_heard_all(), "and consumes nothing");
    cr_assert(consume_channel.was_tried);
}

Test(consume_channel, binds_to_one_exchange_after_the_other)
{
    config.n_wishes = 2;
    start();
    declare_as("q");
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_DECLARING);
    const amqp_exchange_declare_t *declare = broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    cr_assert(is_text(declare->exchange, "ex2"));
    const amqp_queue_bind_t *bind = broker_heard(CHANNEL, AMQP_QUEUE_BIND_METHOD);
    cr_assert(is_text(bind->exchange, "ex2"));
    answer(AMQP_EXCHANGE_DECLARE_OK_METHOD);
    answer(AMQP_QUEUE_BIND_OK_METHOD);
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_READY);
}

Test(consume_channel, consumes_the_queue_by_the_name_that_the_broker_gave_it)
{
    start();
    declare_as("amq.gen-1");
    get(1);
    heard_consume("amq.gen-1", "1", 1);
}

Test(consume_channel, tells_a_refusal_and_tries_again_after_a_rest)
{
    start();
    get(1);
    heard_declarations();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    close_channel(406, "inequivalent arg 'durable'");
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    cr_assert_eq(fake_front_reply(&front, 1)->broker_code, 406);
    cr_assert_eq(n_refused, 1);
    turn();
    cr_assert(broker_heard_all());
    cr_assert_leq(consume_channel_turn(&consume_channel, now_ns), now_ns + BACKOFF_MAX_NS);
    now_ns += BACKOFF_MAX_NS;
    turn();
    declare_as("q");
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_READY);
}

Test(consume_channel, asks_again_for_a_locked_queue_while_its_gets_wait)
{
    config.locked_ns = CLOCK_S;
    start();
    get(1);
    for (uint64_t n_ms = 0, pause_ms = 10; n_ms < 1000; n_ms += pause_ms) {
        heard_declarations();
        answer(AMQP_CHANNEL_OPEN_OK_METHOD);
        close_channel(405, "RESOURCE_LOCKED");
        fake_front_expect_nothing(&front);
        pause_ms = n_ms && pause_ms < 100 ? pause_ms + 10 : pause_ms;
        now_ns += pause_ms * CLOCK_MS;
        turn();
    }
    cr_assert_not(consume_channel.was_tried);
    heard_declarations();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    close_channel(405, "RESOURCE_LOCKED");
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    cr_assert_eq(n_refused, 1);
}

/* Whoever has it leaves when we are ready. */
Test(consume_channel, a_locked_queue_is_as_good_as_attached)
{
    config.locked_ns = CLOCK_S;
    start();
    cr_assert_not(consume_channel_has_attached(&consume_channel));
    heard_declarations();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    close_channel(405, "RESOURCE_LOCKED");
    cr_assert(consume_channel_has_attached(&consume_channel));
}

Test(consume_channel, says_when_no_channel_is_free_and_tries_again_later)
{
    struct channel *others[3];
    cr_assert_eq(consume_channel_init(&consume_channel, &config), 0);
    consume_channel.now_ns = test_now_ns;
    consume_channel_use_desk(&consume_channel, desk);
    broker_accept();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(channel_open(&table, NULL, NULL, &others[i]), 0);
    get(1);
    consume_channel_up(&consume_channel, &table);
    turn();
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    cr_assert_eq(n_refused, 1);
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_CLOSED);
    cr_assert_gt(consume_channel_turn(&consume_channel, now_ns), now_ns);
    cr_assert_leq(consume_channel_turn(&consume_channel, now_ns), now_ns + BACKOFF_MAX_NS);
}

/* Others have begun so many in this turn that there is hardly room for a word. */
Test(consume_channel, waits_for_room_to_begin_and_its_gets_wait_with_it)
{
    static const uint8_t bytes[(1 << 19) + 1]; /* more than half of an outbox */
    start_unconnected();
    cr_assert_eq(outbox_append(&connection.outbox, bytes, sizeof(bytes)), 0);
    uint64_t offset = connection.outbox.queued;
    consume_channel_up(&consume_channel, &table);
    fake_front_get(&front, 1, 0);
    (void)desk_turn(desk);
    cr_assert_leq(consume_channel_turn(&consume_channel, now_ns), now_ns + 5 * CLOCK_MS);
    cr_assert_eq(connection.outbox.queued, offset, "it began all the same");
    fake_front_expect_nothing(&front);
    broker_hear();
    n_read = hears.n;
    now_ns += 5 * CLOCK_MS;
    turn();
    declare_as("q");
    heard_consume("q", "1", 1);
}

Test(consume_channel, is_refused_when_its_declaration_is_none_in_amqp)
{
    static char name[300];
    static struct topology_wish wish = {.queue = {.name = name}};
    memset(name, 'q', sizeof(name) - 1);
    config.wishes = &wish;
    cr_assert_eq(consume_channel_init(&consume_channel, &config), 0);
    consume_channel.now_ns = test_now_ns;
    consume_channel_use_desk(&consume_channel, desk);
    broker_accept();
    get(1);
    consume_channel_up(&consume_channel, &table);
    turn();
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    cr_assert_eq(n_refused, 1);
}

Test(consume_channel, takes_a_queue_as_given_that_it_is_not_to_declare)
{
    static const struct topology_wish wishes[] = {
        {.queue = {.name = "given", .declare = TOPOLOGY_NONE}},
        {.queue = {.name = "given", .declare = TOPOLOGY_NONE}},
    };
    config.wishes = wishes;
    config.n_wishes = 2;
    start();
    get(1);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    cr_assert(broker_heard_all());
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    heard_consume("given", "1", 1);
}

Test(consume_channel, tells_gets_at_once_that_its_broker_cannot_be_reached)
{
    cr_assert_eq(consume_channel_init(&consume_channel, &config), 0);
    consume_channel_use_desk(&consume_channel, desk);
    get(1);
    consume_channel_failed(&consume_channel);
    cr_assert(consume_channel.was_tried);
    get(2);
    fake_front_expect(&front, 2, OUTCOME_DOWN);
    fake_front_expect_nothing(&front);
}

Test(consume_channel, forgets_a_refusal_with_the_connection)
{
    start();
    heard_declarations();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    close_channel(406, "inequivalent arg 'durable'");
    connection_lost(&connection, ECONNRESET, "reset");
    channel_table_lost(&table, &connection.end);
    consume_channel_down(&consume_channel);
    connection_reset(&connection);
    get(1);
    fake_front_expect_nothing(&front);
    broker_accept();
    consume_channel_up(&consume_channel, &table);
    turn();
    declare_as("q");
    heard_consume("q", "1", 1);
}

Test(consume_channel, gives_up_a_connection_that_takes_not_even_an_ack)
{
    listen_for(3);
    deliver("1", "x");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
    static uint8_t bulk[1 << 16];
    while (outbox_append(&connection.outbox, bulk, sizeof(bulk)) == 0)
        ;
    while (outbox_append(&connection.outbox, bulk, 1) == 0)
        ;
    fake_front_tell(&front, LANE_ACK, 3);
    (void)desk_turn(desk);
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.error, ENOBUFS);
}

/* ---- messages ---- */

Test(consume_channel, puts_a_message_together_from_its_frames_with_its_content_type)
{
    listen_for(3);
    say_deliver("1");
    say_header(10, "text/csv");
    put_body(&says, CHANNEL, "a,b", 3);
    broker_speak();
    fake_front_expect_nothing(&front);
    put_body(&says, CHANNEL, "\0\xff;rest", 7);
    broker_speak();
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
    const struct slot_reply *reply = fake_front_reply(&front, 3);
    cr_assert_eq(reply->body.length, 10);
    cr_assert_arr_eq(lane_reply_bytes(&front.lane, reply->body), "a,b\0\xff;rest", 10);
    struct message_reader reader = {
        .bytes = lane_reply_bytes(&front.lane, reply->fields), .size = reply->fields.length};
    struct message_field field;
    cr_assert_eq(message_read(&reader, &field), MESSAGE_OK);
    cr_assert_eq(field.kind, MESSAGE_CONTENT_TYPE);
    cr_assert_eq(field.value_bytes, 8);
    cr_assert_arr_eq(field.value, "text/csv", 8);
    cr_assert_eq(message_read(&reader, &field), MESSAGE_END);
    fake_front_tell(&front, LANE_ACK, 3);
    turn();
    const amqp_basic_cancel_t *cancel = broker_heard(CHANNEL, AMQP_BASIC_CANCEL_METHOD);
    cr_assert(is_text(cancel->consumer_tag, "1"));
    const amqp_basic_ack_t *ack = broker_heard(CHANNEL, AMQP_BASIC_ACK_METHOD);
    cr_assert_eq(ack->delivery_tag, 1);
    cr_assert_not(ack->multiple);
}

Test(consume_channel, hands_on_the_other_properties_where_a_backend_shows_them)
{
    config.wish.wants_properties = true;
    listen_for(3);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_APP_ID_FLAG, .app_id = amqp_cstring_bytes("shop")};
    say_deliver("1");
    say_properties(1, &properties);
    put_body(&says, CHANNEL, "x", 1);
    broker_speak();
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
    fake_front_expect_body(&front, 3, "x");
    struct lane_ref fields = fake_front_reply(&front, 3)->fields;
    struct message_reader reader = {
        .bytes = lane_reply_bytes(&front.lane, fields), .size = fields.length};
    struct message_field field;
    cr_assert_eq(message_read(&reader, &field), MESSAGE_OK);
    cr_assert_eq(field.kind, MESSAGE_PROPERTY);
    cr_assert_arr_eq(field.name, "app-id", 6);
    cr_assert_arr_eq(field.value, "shop", 4);
    cr_assert_eq(message_read(&reader, &field), MESSAGE_END);
}

Test(consume_channel, delivers_an_empty_message_without_waiting_for_a_body)
{
    listen_for(3);
    deliver("1", "");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
    cr_assert_eq(fake_front_reply(&front, 3)->body.length, 0);
}

Test(consume_channel, goes_on_after_a_thousand_million_consumers)
{
    open_channel();
    consume_channel.tap.last_consumer = 999999999;
    get(3);
    heard_consume("q", "1000000000", 1);
    say_consume_ok("1000000000");
    deliver("1000000000", "x");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
}

Test(consume_channel, gives_a_message_back_to_its_queue_alone_and_not_to_the_dead_letters)
{
    listen_for(3);
    deliver("1", "x");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
    fake_front_tell(&front, LANE_REQUEUE, 3);
    turn();
    (void)broker_heard(CHANNEL, AMQP_BASIC_CANCEL_METHOD);
    const amqp_basic_nack_t *nack = broker_heard(CHANNEL, AMQP_BASIC_NACK_METHOD);
    cr_assert_eq(nack->delivery_tag, 1);
    cr_assert(nack->requeue);
    cr_assert_not(nack->multiple);
}

static void say_body_of(size_t n_left)
{
    char zeroes[4000] = {0};
    while (n_left) {
        size_t n = n_left < sizeof(zeroes) ? n_left : sizeof(zeroes);
        put_body(&says, CHANNEL, zeroes, n);
        n_left -= n;
    }
    broker_speak();
    turn();
}

Test(consume_channel, does_not_store_what_nobody_would_take)
{
    listen_for(3);
    say_deliver("1");
    say_header(MAX_BODY + 1, NULL);
    say_body_of(MAX_BODY + 1);
    fake_front_expect(&front, 3, OUTCOME_TOO_LARGE);
    cr_assert_eq(last_spoiled.outcome, OUTCOME_TOO_LARGE);
    get(4);
    (void)broker_heard(CHANNEL, AMQP_BASIC_QOS_METHOD);
    (void)broker_heard(CHANNEL, AMQP_BASIC_CONSUME_METHOD);
    (void)broker_heard(CHANNEL, AMQP_BASIC_CANCEL_METHOD);
    deliver("2", "small");
    fake_front_expect(&front, 4, OUTCOME_DELIVERED);
}

Test(consume_channel, gives_back_shortly_what_finds_no_room)
{
    listen_for(3);
    uint64_t all = desk_block_take(desk, desk_block_max(desk));
    deliver("1", "x");
    fake_front_expect_nothing(&front);
    (void)broker_heard(CHANNEL, AMQP_BASIC_CANCEL_METHOD);
    desk_block_give(desk, all);
    now_ns += TAP_NO_ROOM_NS;
    turn();
    const amqp_basic_nack_t *nack = broker_heard(CHANNEL, AMQP_BASIC_NACK_METHOD);
    cr_assert(nack->requeue);
    heard_consume("q", "2", 1);
    deliver("2", "x");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
}

/* ---- the channel's end ---- */

Test(consume_channel, forgets_half_a_message_with_its_channel_and_its_memory_too)
{
    listen_for(3);
    say_deliver("1");
    say_header(10, NULL);
    put_body(&says, CHANNEL, "half", 4);
    broker_speak();
    connection_lost(&connection, ECONNRESET, "reset");
    channel_table_lost(&table, &connection.end);
    consume_channel_down(&consume_channel);
    cr_assert_neq(desk_block_take(desk, desk_block_max(desk)), DESK_NO_BLOCK);
    fake_front_expect_nothing(&front);
    cr_assert_eq(fake_front_state(&front, 3), SLOT_WAITING, "it waits on");
}

Test(consume_channel, forgets_half_a_message_with_its_front_and_gives_it_back)
{
    listen_for(3);
    say_deliver("1");
    say_header(10, NULL);
    put_body(&says, CHANNEL, "half ", 5);
    broker_speak();
    desk_front_died(desk);
    consume_channel_use_desk(&consume_channel, NULL);
    put_body(&says, CHANNEL, "other", 5);
    broker_speak();
    now_ns += TAP_NO_ROOM_NS;
    (void)consume_channel_turn(&consume_channel, now_ns);
    (void)broker_heard(CHANNEL, AMQP_BASIC_CANCEL_METHOD);
    (void)broker_heard(CHANNEL, AMQP_BASIC_NACK_METHOD);
    cr_assert_eq(desk_n_busy(desk), 0);
}

Test(consume_channel, comes_back_by_itself_when_the_broker_cancels_its_consumer)
{
    listen_for(3);
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes("1"), .nowait = true};
    broker_method(CHANNEL, AMQP_BASIC_CANCEL_METHOD, &cancel);
    broker_speak();
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_METHOD);
    answer(AMQP_CHANNEL_CLOSE_OK_METHOD);
    now_ns += CLOCK_S;
    turn();
    declare_as("q");
    heard_consume("q", "2", 1);
    deliver("2", "x");
    fake_front_expect(&front, 3, OUTCOME_DELIVERED);
}

Test(consume_channel, does_not_mind_the_late_cancel_of_an_old_consumer)
{
    listen_for(3);
    get(4);
    get(5);
    turn();
    uint32_t current = consume_channel.tap.consumer;
    cr_assert_gt(current, 1);
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes("1"), .nowait = true};
    broker_method(CHANNEL, AMQP_BASIC_CANCEL_METHOD, &cancel);
    broker_speak();
    cr_assert_eq(consume_channel.state, CONSUME_CHANNEL_READY);
}

Test(consume_channel, tells_its_gets_when_it_may_declare_but_not_consume)
{
    open_channel();
    get(3);
    heard_consume("q", "1", 1);
    close_channel_over(403, "no access to queue 'q'", AMQP_BASIC_CONSUME_METHOD);
    fake_front_expect_nothing(&front); /* the queue may be another one by now */
    turn();
    declare_as("q");
    heard_consume("q", "2", 1);
    close_channel_over(403, "no access to queue 'q'", AMQP_BASIC_CONSUME_METHOD);
    fake_front_expect(&front, 3, OUTCOME_TOPOLOGY);
    cr_assert_eq(fake_front_reply(&front, 3)->broker_code, 403);
    cr_assert_eq(n_refused, 2);
    turn();
    cr_assert(broker_heard_all(), "it rests");
    get(4);
    fake_front_expect(&front, 4, OUTCOME_TOPOLOGY);
}

Test(consume_channel, opens_another_channel_when_the_broker_closes_it)
{
    listen_for(3);
    close_channel(404, "no queue 'q'");
    cr_assert_eq(n_refused, 1);
    fake_front_expect_nothing(&front);
    turn();
    declare_as("q");
    heard_consume("q", "2", 1);
    close_channel(404, "no queue 'q'");
    turn();
    cr_assert(broker_heard_all(), "the second time after a pause");
    now_ns += CLOCK_S;
    turn();
    heard_declarations();
}

/* ---- a broker that lies ---- */

Test(consume_channel, ends_the_connection_over_a_delivery_to_nobody)
{
    listen_for(3);
    deliver("7", "x");
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_a_consumer_tag_that_is_no_number)
{
    listen_for(3);
    deliver("1x", "x");
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_a_consumer_tag_that_no_number_of_ours_is)
{
    listen_for(3);
    deliver("4294967297", "x"); /* 1, with 32 bits */
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_a_delivery_tag_that_is_zero)
{
    listen_for(3);
    last_delivery = UINT64_MAX;
    deliver("1", "x");
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_a_delivery_tag_that_comes_twice)
{
    listen_for(3);
    deliver("1", "x");
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    last_delivery--;
    deliver("1", "x");
    expect_violation();
}

static void say_cancel(const char *tag)
{
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes(tag), .nowait = true};
    broker_method(CHANNEL, AMQP_BASIC_CANCEL_METHOD, &cancel);
    broker_speak();
}

Test(consume_channel, ends_the_connection_over_the_cancel_of_a_consumer_that_never_was)
{
    open_channel(); /* nothing is consumed, so that no number is current */
    say_cancel("x");
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_the_start_of_a_consumer_that_never_was)
{
    listen_for(3);
    say_consume_ok("2");
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_an_answer_that_comes_too_early)
{
    start();
    answer(AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(AMQP_QUEUE_BIND_OK_METHOD);
    expect_violation();
}

Test(consume_channel, ends_the_connection_over_an_answer_that_nobody_asked_for)
{
    listen_for(3);
    answer(AMQP_CONFIRM_SELECT_OK_METHOD);
    expect_violation();
}
