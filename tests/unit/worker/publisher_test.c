/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publisher between a front, played over a real lane, and a broker, played over a real connection
 * without a socket.
 */
#include <time.h>

#include "broker.h"
#include "fake_front.h"

#include "desk.h"
#include "publish_link.h"
#include "publisher.h"

enum { WINDOW = 8, LINK_WINDOW = 100, CHANNEL = 1, SIDE = 2 };

static struct channel_table table;
static struct publication publication;
static struct publish_link publish_link;
static struct publisher publisher;
static struct publisher_config config;
static struct fake_front front;
static struct desk *desk;
static int n_refused[3], n_stopped;
static bool is_held_back; /* what is queued stays in the outbox */

/* ---- the stage ---- */

static void on_publish(void *owner, struct desk_slot *slot)
{
    publisher_publish(&publisher, slot, now_ns);
}

static void on_get(void *owner, struct desk_slot *slot)
{
    cr_assert_fail("nobody asked for a message");
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    cr_assert_fail("nothing was delivered");
}

static const struct desk_ops desk_ops = {on_publish, on_get, on_get, on_verdict};

static void on_connection_open(void *owner) {}

static void on_connection_frame(void *owner, const struct frame *frame)
{
    channel_table_input(&table, frame);
}

static void on_connection_blocked(void *owner, bool is_blocked, const char *reason)
{
    publish_link_blocked(&publish_link, is_blocked);
}

static const struct connection_ops connection_ops = {.on_open = on_connection_open,
    .on_frame = on_connection_frame,
    .on_blocked = on_connection_blocked};

static void on_refused(void *owner, enum publisher_refusal refusal, const struct channel_end *end)
{
    n_refused[refusal]++;
}

static void on_stopped(void *owner, bool is_stopped)
{
    n_stopped += is_stopped ? 1 : -1;
}

static uint64_t test_now_ns(void)
{
    return now_ns;
}

static void set_up(void)
{
    static const struct connection_config connection_config = {
        .name = "test", .version = "1", .channel_max = 3};
    static const uint8_t verbs[] = {PLAN_PRODUCE};
    struct desk_config desk_config = {.verbs = verbs, .n_backends = 1, .ops = &desk_ops};
    fake_front_open(&front);
    cr_assert_eq(desk_new(&desk, front.memory_fd, &desk_config), 0);
    cr_assert_eq(connection_init(&connection, &connection_config, &connection_ops, NULL), 0);
    cr_assert_eq(channel_table_init(&table, &connection, 3), 0);
    cr_assert_eq(publication_init(&publication), 0);
    publish_link_init(&publish_link, &table, &publication);
    config = (struct publisher_config){
        .form = {.exchange = "orders"},
        .exchange = {.exchange = {.name = "orders", .is_durable = true}},
        .is_confirmed = true,
        .window = WINDOW,
        .link_window = LINK_WINDOW,
        .on_refused = on_refused,
        .on_stopped = on_stopped,
    };
}

static void tear_down(void)
{
    publisher_done(&publisher);
    publication_done(&publication);
    channel_table_done(&table);
    connection_done(&connection);
    desk_free(desk);
    fake_front_close(&front);
}

TestSuite(publisher, .init = set_up, .fini = tear_down);

static void turn(void)
{
    (void)desk_turn(desk);
    (void)publish_link_turn(&publish_link, now_ns);
    publish_link_flush(&publish_link);
    if (!is_held_back)
        broker_hear();
}

static void start(void)
{
    cr_assert_eq(publisher_init(&publisher, &publish_link, &config), 0);
    publisher.publish_channel.now_ns = test_now_ns;
    broker_accept();
    publish_link_up(&publish_link);
}

static void post_with(
    uint32_t slot, const struct message_field *fields, size_t n, const char *body, uint64_t due_ns)
{
    struct slot_request request = fake_front_message(&front, slot, fields, n, body);
    request.deadline_ns = due_ns;
    fake_front_submit(&front, slot, &request);
    turn();
}

static void post_id(uint32_t slot, const char *id)
{
    struct message_field field = {MESSAGE_MESSAGE_ID, "", 0, id, strlen(id)};
    post_with(slot, &field, 1, "body", now_ns + 2 * CLOCK_S);
}

/* A message whose id is "m" and the slot's number. */
static void post(uint32_t slot)
{
    char id[16];
    (void)snprintf(id, sizeof(id), "m%u", slot);
    post_id(slot, id);
}

/* ---- what the broker hears and says ---- */

static void skip_content(void)
{
    for (int i = 0; i < 2; i++) { /* header, body: both small */
        uint32_t n;
        broker_hear();
        cr_assert_geq(hears.n - n_read, 8);
        cr_assert_neq(hears.at[n_read], 1, "no content follows");
        memcpy(&n, hears.at + n_read + 3, sizeof(n));
        n_read += be32toh(n) + FRAME_OVERHEAD_BYTES;
    }
}

static void heard_publishes(int n)
{
    while (n--) {
        const amqp_basic_publish_t *publish = broker_heard(CHANNEL, AMQP_BASIC_PUBLISH_METHOD);
        cr_assert(is_text(publish->exchange, "orders"));
        cr_assert(publish->mandatory);
        cr_assert_not(publish->immediate);
        skip_content();
    }
}

static void answer(uint16_t channel, amqp_method_number_t id)
{
    uint8_t arguments[64] = {0}; /* all -ok methods here take zeroes */
    broker_method(channel, id, arguments);
    broker_speak();
    turn();
}

static void open_channel(void)
{
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(CHANNEL, AMQP_EXCHANGE_DECLARE_OK_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
    answer(CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD);
}

/* Slots 0 to n - 1 are published and unconfirmed. */
static void in_flight(uint32_t n)
{
    start();
    for (uint32_t slot = 0; slot < n; slot++)
        post(slot);
    open_channel();
    heard_publishes((int)n);
}

static void ack(uint64_t tag, bool is_multiple)
{
    now_ns++; /* no turn of a real loop ends at the same nanosecond as another */
    amqp_basic_ack_t method = {.delivery_tag = tag, .multiple = is_multiple};
    broker_method(CHANNEL, AMQP_BASIC_ACK_METHOD, &method);
    broker_speak();
}

static void nack(uint64_t tag, bool is_multiple)
{
    amqp_basic_nack_t method = {.delivery_tag = tag, .multiple = is_multiple};
    broker_method(CHANNEL, AMQP_BASIC_NACK_METHOD, &method);
    broker_speak();
}

static void give_back(const char *id)
{
    amqp_basic_return_t method = {.reply_code = 312, .reply_text = amqp_cstring_bytes("NO_ROUTE")};
    broker_method(CHANNEL, AMQP_BASIC_RETURN_METHOD, &method);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG, .message_id = amqp_cstring_bytes(id)};
    uint8_t encoded[512];
    int n = amqp_encode_properties(
        AMQP_BASIC_CLASS, &properties, frame_bytes(encoded, sizeof(encoded)));
    size_t begun = begin_frame(&says, AMQP_FRAME_HEADER, CHANNEL);
    put_16(&says, AMQP_BASIC_CLASS);
    put_16(&says, 0);
    put_64(&says, 4);
    put(&says, encoded, (size_t)n);
    end_frame(&says, begun);
    put_body(&says, CHANNEL, "body", 4);
    broker_speak();
}

static void close_channel(uint16_t number, uint16_t code, const char *text, uint32_t about)
{
    amqp_channel_close_t close = {.reply_code = code,
        .reply_text = amqp_cstring_bytes(text),
        .class_id = (uint16_t)(about >> 16),
        .method_id = (uint16_t)about};
    broker_method(number, AMQP_CHANNEL_CLOSE_METHOD, &close);
    broker_speak();
}

static void lose_connection(void)
{
    connection_lost(&connection, ECONNRESET, "reset");
    channel_table_lost(&table, &connection.end);
    publish_link_down(&publish_link);
}

static void expect_violation(void)
{
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.reason, CONNECTION_END_VIOLATION);
}

static void expect_words(uint32_t slot, uint16_t code, const char *text)
{
    const struct slot_reply *reply = fake_front_reply(&front, slot);
    cr_assert_eq(reply->broker_code, code);
    cr_assert_eq(reply->text_bytes, strlen(text));
    cr_assert_arr_eq(reply->text, text, strlen(text));
}

/* ---- opening ---- */

Test(publisher, opens_its_channel_at_the_first_publish_and_sends_what_waited_in_order)
{
    start();
    turn();
    cr_assert(broker_heard_all(), "nobody published yet");
    post(0);
    post(1);
    cr_assert_eq(fake_front_state(&front, 0), SLOT_CLAIMED);
    open_channel();
    cr_assert_eq(fake_front_state(&front, 0), SLOT_SENT);
    heard_publishes(2);
    cr_assert(broker_heard_all());
    ack(2, true);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    fake_front_expect(&front, 1, OUTCOME_CONFIRMED);
}

Test(publisher, waits_for_the_first_connection_but_not_for_a_second)
{
    cr_assert_eq(publisher_init(&publisher, &publish_link, &config), 0);
    post(0);
    fake_front_expect_nothing(&front);
    broker_accept();
    publish_link_up(&publish_link);
    turn();
    open_channel();
    heard_publishes(1);
    lose_connection();
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}

Test(publisher, gives_up_what_waited_when_the_first_attempt_to_connect_fails)
{
    cr_assert_eq(publisher_init(&publisher, &publish_link, &config), 0);
    post(0);
    publish_link_down(&publish_link);
    fake_front_expect(&front, 0, OUTCOME_DOWN);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}

Test(publisher, tells_what_waited_that_the_exchange_is_refused_and_asks_again_later)
{
    start();
    post(0);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    close_channel(CHANNEL, 406, "inequivalent arg 'type'", AMQP_EXCHANGE_DECLARE_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
    fake_front_expect(&front, 0, OUTCOME_TOPOLOGY);
    expect_words(0, 406, "inequivalent arg 'type'");
    cr_assert_eq(n_refused[PUBLISHER_REFUSED_EXCHANGE], 1);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_TOPOLOGY);
    expect_words(1, 406, "inequivalent arg 'type'");
    cr_assert(broker_heard_all(), "the broker is not asked again at once");
    now_ns += BACKOFF_MAX_NS;
    post(2);
    open_channel();
    heard_publishes(1);
    ack(1, false);
    fake_front_expect(&front, 2, OUTCOME_CONFIRMED);
}

static void with_queue(void)
{
    static const char *const keys[] = {"a.*", "b"};
    config.queue = (struct topology_wish){.exchange = {.name = "orders", .declare = TOPOLOGY_NONE},
        .queue = {.name = "orders-q", .is_durable = true},
        .keys = keys,
        .n_keys = 2};
    start();
    post(0);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(CHANNEL, AMQP_EXCHANGE_DECLARE_OK_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_OPEN_METHOD);
    const amqp_queue_declare_t *declare = broker_heard(SIDE, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert(is_text(declare->queue, "orders-q"));
    cr_assert(declare->durable);
    cr_assert_not(declare->exclusive);
    (void)broker_heard(SIDE, AMQP_QUEUE_BIND_METHOD);
    (void)broker_heard(SIDE, AMQP_QUEUE_BIND_METHOD);
    answer(SIDE, AMQP_CHANNEL_OPEN_OK_METHOD);
}

Test(publisher, declares_its_queue_before_it_publishes)
{
    with_queue();
    answer(SIDE, AMQP_QUEUE_DECLARE_OK_METHOD);
    answer(SIDE, AMQP_QUEUE_BIND_OK_METHOD);
    cr_assert(broker_heard_all());
    answer(SIDE, AMQP_QUEUE_BIND_OK_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_CLOSE_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
    answer(SIDE, AMQP_CHANNEL_CLOSE_OK_METHOD);
    answer(CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD);
    heard_publishes(1);
}

Test(publisher, publishes_though_its_queue_is_refused_and_says_so)
{
    with_queue();
    close_channel(SIDE, 406, "inequivalent arg 'durable'", AMQP_QUEUE_DECLARE_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_CLOSE_OK_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
    answer(CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD);
    heard_publishes(1);
    cr_assert_eq(n_refused[PUBLISHER_REFUSED_QUEUE], 1);
    cr_assert_eq(n_refused[PUBLISHER_REFUSED_EXCHANGE], 0);
}

static void reach_queueing(void)
{
    start();
    post(0);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(CHANNEL, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

Test(publisher, needs_no_answer_about_a_queue_that_is_taken_as_given)
{
    config.queue = (struct topology_wish){.queue = {.name = "q", .declare = TOPOLOGY_NONE}};
    reach_queueing();
    (void)broker_heard(SIDE, AMQP_CHANNEL_OPEN_METHOD);
    answer(SIDE, AMQP_CHANNEL_OPEN_OK_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_CLOSE_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
}

Test(publisher, gives_up_when_there_is_no_channel_left_to_declare_its_queue_on)
{
    struct channel *others[2];
    config.queue = (struct topology_wish){.queue = {.name = "q"}};
    start();
    for (int i = 0; i < 2; i++)
        cr_assert_eq(channel_open(&table, NULL, NULL, &others[i]), 0);
    post(0);
    uint16_t number = publisher.publish_channel.channel->number;
    answer(number, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(number, AMQP_EXCHANGE_DECLARE_OK_METHOD);
    fake_front_expect(&front, 0, OUTCOME_DOWN);
    cr_assert_eq(publisher.publish_channel.state, PUBLISH_CHANNEL_CLOSED);
}

Test(publisher, forgets_its_errand_when_the_channel_it_is_for_is_closed)
{
    config.queue = (struct topology_wish){.queue = {.name = "q"}};
    reach_queueing();
    close_channel(CHANNEL, 541, "INTERNAL_ERROR", 0);
    fake_front_expect(&front, 0, OUTCOME_TOPOLOGY);
    answer(SIDE, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(SIDE, AMQP_QUEUE_DECLARE_OK_METHOD);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert_eq(publisher.publish_channel.state, PUBLISH_CHANNEL_REFUSED);
}

Test(publisher, is_refused_when_its_declaration_is_none_in_amqp)
{
    static const char name[] =
        "a name that is a good deal longer than two hundred and fifty-five "
        "bytes, which is all that AMQP's short strings can hold; nobody "
        "would write it by hand, but a template might, and then the answer "
        "must say so and name it, or somebody will look for it in the broker";
    config.exchange.exchange.name = name;
    start();
    post(0);
    fake_front_expect(&front, 0, OUTCOME_TOPOLOGY);
    cr_assert_eq(n_refused[PUBLISHER_REFUSED_EXCHANGE], 1);
}

Test(publisher, is_not_refused_for_want_of_a_channel_number)
{
    struct channel *others[3];
    start();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(channel_open(&table, NULL, NULL, &others[i]), 0);
    post(0);
    fake_front_expect(&front, 0, OUTCOME_DOWN);
    cr_assert_eq(publisher.publish_channel.state, PUBLISH_CHANNEL_CLOSED);
}

Test(publisher, declares_nothing_for_the_default_exchange)
{
    config.exchange = (struct topology_wish){.exchange = {.name = ""}};
    start();
    post(0);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    cr_assert(broker_heard_all());
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
}

/* ---- the message ---- */

Test(publisher, sends_every_field_as_its_property_and_the_body_as_it_is)
{
    config.form.is_persistent = true;
    start();
    const struct message_field fields[] = {
        {MESSAGE_ROUTING_KEY, "", 0, "a.b", 3},
        {MESSAGE_CONTENT_TYPE, "", 0, "application/json", 16},
        {MESSAGE_EXPIRATION, "", 0, "60000", 5},
        {MESSAGE_REPLY_TO, "", 0, "replies", 7},
        {MESSAGE_MESSAGE_ID, "", 0, "id-1", 4},
        {MESSAGE_PRIORITY, "", 0, "200", 3},
        {MESSAGE_HEADER, "X-A", 3, "one", 3},
        {MESSAGE_HEADER, "X-B", 3, "", 0},
    };
    post_with(0, fields, 8, "{\"x\":1}", CLOCK_NEVER);
    open_channel();
    const amqp_basic_publish_t *publish = broker_heard(CHANNEL, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert(is_text(publish->routing_key, "a.b"));
    const uint8_t *header = hears.at + n_read;
    uint32_t n;
    memcpy(&n, header + 3, sizeof(n));
    n = be32toh(n);
    void *decoded;
    recycle_amqp_pool(&hears_pool);
    cr_assert_geq(amqp_decode_properties(AMQP_BASIC_CLASS, &hears_pool,
                      frame_bytes(header + 7 + 12, n - 12), &decoded),
        0);
    const amqp_basic_properties_t *p = decoded;
    cr_assert_eq(p->_flags, AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_EXPIRATION_FLAG |
                                AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                                AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_HEADERS_FLAG |
                                AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG);
    cr_assert(is_text(p->content_type, "application/json"));
    cr_assert(is_text(p->expiration, "60000"));
    cr_assert(is_text(p->reply_to, "replies"));
    cr_assert(is_text(p->message_id, "id-1"));
    cr_assert_eq(p->priority, 200);
    cr_assert_eq(p->delivery_mode, 2);
    cr_assert_leq((uint64_t)time(NULL) - p->timestamp, 10);
    cr_assert_eq(p->headers.num_entries, 2);
    cr_assert(is_text(p->headers.entries[0].key, "X-A"));
    cr_assert_eq(p->headers.entries[0].value.kind, AMQP_FIELD_KIND_UTF8);
    cr_assert(is_text(p->headers.entries[0].value.value.bytes, "one"));
    cr_assert_eq(p->headers.entries[1].value.value.bytes.len, 0);
    n_read += n + FRAME_OVERHEAD_BYTES;
    broker_heard_bytes("\3\0\1\0\0\0\7{\"x\":1}\xce", 15);
}

Test(publisher, makes_arrays_of_header_values_where_the_file_wants_them)
{
    config.form.has_header_arrays = true;
    start();
    const struct message_field fields[] = {
        {MESSAGE_MESSAGE_ID, "", 0, "id-1", 4},
        {MESSAGE_HEADER, "X-A", 3, "one", 3},
        {MESSAGE_HEADER, "X-B", 3, "b", 1},
        {MESSAGE_HEADER, "X-A", 3, "two", 3},
    };
    post_with(0, fields, 4, "body", CLOCK_NEVER);
    open_channel();
    (void)broker_heard(CHANNEL, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert_eq(publication.properties.headers.num_entries, 2);
    const amqp_table_entry_t *a = &publication.properties.headers.entries[0], *b = a + 1;
    cr_assert(is_text(a->key, "X-A"));
    cr_assert_eq(a->value.kind, AMQP_FIELD_KIND_ARRAY);
    cr_assert_eq(a->value.value.array.num_entries, 2);
    cr_assert(is_text(a->value.value.array.entries[0].value.bytes, "one"));
    cr_assert(is_text(a->value.value.array.entries[1].value.bytes, "two"));
    cr_assert(is_text(b->key, "X-B"));
    cr_assert_eq(b->value.value.array.num_entries, 1);
}

Test(publisher, refuses_what_is_no_message_and_sends_the_next_one)
{
    in_flight(0 + 1);
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "x", 1};
    struct slot_request request = fake_front_message(&front, 1, &id, 1, "");
    front.lane.slots[1].inline_bytes[0] = 99; /* no such kind */
    fake_front_submit(&front, 1, &request);
    turn();
    fake_front_expect(&front, 1, OUTCOME_INVALID);
    post_with(2, NULL, 0, "no id", CLOCK_NEVER);
    fake_front_expect(&front, 2, OUTCOME_INVALID);
    cr_assert(broker_heard_all());
    post(3);
    heard_publishes(1);
}

Test(publisher, refuses_headers_that_no_frame_holds)
{
    in_flight(1);
    static char value[3000];
    memset(value, 'v', sizeof(value));
    uint8_t *area = front.lane.base + front.lane.request_area;
    struct message_writer writer = {.bytes = area, .size = front.lane.request_area_bytes};
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "x", 1};
    struct message_field header = {MESSAGE_HEADER, "X-A", 3, value, sizeof(value)};
    cr_assert_eq(message_write(&writer, &id), MESSAGE_OK);
    while (message_write(&writer, &header) == MESSAGE_OK)
        ;
    connection.agreed.frame_max = 4096;
    struct slot_request request = {.deadline_ns = CLOCK_NEVER,
        .fields = {(uint32_t)front.lane.request_area, (uint32_t)writer.used}};
    fake_front_submit(&front, 1, &request);
    turn();
    fake_front_expect(&front, 1, OUTCOME_INVALID);
    cr_assert(broker_heard_all(), "not half of it either");
}

Test(publisher, refuses_more_headers_than_it_has_room_for)
{
    in_flight(1);
    uint8_t *area = front.lane.base + front.lane.request_area;
    struct message_writer writer = {.bytes = area, .size = front.lane.request_area_bytes};
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "x", 1};
    struct message_field header = {MESSAGE_HEADER, "A", 1, "", 0};
    cr_assert_eq(message_write(&writer, &id), MESSAGE_OK);
    for (int i = 0; i <= PUBLICATION_MAX_HEADERS; i++)
        cr_assert_eq(message_write(&writer, &header), MESSAGE_OK);
    struct slot_request request = {.deadline_ns = CLOCK_NEVER,
        .fields = {(uint32_t)front.lane.request_area, (uint32_t)writer.used}};
    fake_front_submit(&front, 1, &request);
    turn();
    fake_front_expect(&front, 1, OUTCOME_INVALID);
}

Test(publisher, refuses_fields_that_only_a_delivery_has)
{
    static const struct message_field fields[] = {{MESSAGE_MESSAGE_ID, "", 0, "x", 1},
        {MESSAGE_PROPERTY, "app-id", 6, "a", 1}, {MESSAGE_N_OMITTED, "", 0, "1", 1}};
    in_flight(1);
    for (uint32_t slot = 1; slot <= 2; slot++) {
        const struct message_field of_slot[] = {fields[0], fields[slot]};
        struct slot_request request = fake_front_message(&front, slot, of_slot, 2, "");
        fake_front_submit(&front, slot, &request);
        turn();
        fake_front_expect(&front, slot, OUTCOME_INVALID);
    }
    cr_assert(broker_heard_all());
}

Test(publisher, a_publish_that_meets_a_closing_connection_was_never_sent)
{
    in_flight(1);
    connection_close(&connection, now_ns);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}

Test(publisher, never_sends_what_the_broker_does_not_do)
{
    config.is_immediate = true;
    start();
    post(0);
    fake_front_expect(&front, 0, OUTCOME_UNSUPPORTED);
    cr_assert(broker_heard_all());
}

/* ---- the broker's word ---- */

Test(publisher, tells_acks_nacks_and_returns_apart_whatever_their_order)
{
    in_flight(5);
    give_back("m3");
    ack(4, false);
    fake_front_expect(&front, 3, OUTCOME_UNROUTABLE);
    expect_words(3, 312, "NO_ROUTE");
    nack(2, true);
    fake_front_expect(&front, 0, OUTCOME_NACKED);
    fake_front_expect(&front, 1, OUTCOME_NACKED);
    ack(0, true);
    fake_front_expect(&front, 2, OUTCOME_CONFIRMED);
    fake_front_expect(&front, 4, OUTCOME_CONFIRMED);
    cr_assert_eq(publisher.n_open, 0);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(publisher, keeps_a_second_message_with_an_id_in_flight_until_the_first_is_settled)
{
    in_flight(1);
    post_id(1, "m0");
    post_id(2, "m0");
    post_id(3, "other");
    heard_publishes(1); /* the other one */
    cr_assert(broker_heard_all());
    give_back("m0");
    ack(1, false);
    fake_front_expect(&front, 0, OUTCOME_UNROUTABLE);
    turn();
    heard_publishes(1);
    cr_assert(broker_heard_all());
    cr_assert_eq(fake_front_state(&front, 2), SLOT_CLAIMED);
    ack(3, true);
    fake_front_expect(&front, 3, OUTCOME_CONFIRMED);
    fake_front_expect(&front, 1, OUTCOME_CONFIRMED);
    turn();
    heard_publishes(1);
}

Test(publisher, keeps_no_more_than_a_bounded_number_waiting_for_one_id)
{
    config.window = 90;
    in_flight(1);
    for (uint32_t slot = 1; slot <= PUBLISHER_MAX_TWINS; slot++)
        post_id(slot, "m0");
    fake_front_expect_nothing(&front);
    post_id(80, "m0");
    fake_front_expect(&front, 80, OUTCOME_BUSY);
}

Test(publisher, sends_what_waited_for_its_id_when_the_channel_that_held_it_is_gone)
{
    in_flight(1);
    post_id(1, "m0");
    close_channel(CHANNEL, 404, "no exchange", AMQP_BASIC_PUBLISH_METHOD);
    fake_front_expect(&front, 0, OUTCOME_REJECTED);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
    turn();
    open_channel();
    heard_publishes(1);
    ack(1, false);
    fake_front_expect(&front, 1, OUTCOME_CONFIRMED);
}

Test(publisher, ends_a_message_that_waits_for_its_id_before_its_deadline)
{
    in_flight(1);
    post_id(1, "m0");
    now_ns += 2 * CLOCK_S - PUBLISHER_MARGIN_NS;
    turn();
    fake_front_expect(&front, 1, OUTCOME_BUSY);
    cr_assert_eq(fake_front_state(&front, 0), SLOT_SENT, "that one may still be confirmed");
}

Test(publisher, ends_the_connection_of_a_broker_that_confirms_what_is_not_in_flight)
{
    in_flight(2);
    ack(3, false);
    expect_violation();
    lose_connection();
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 1, OUTCOME_UNKNOWN);
}

Test(publisher, ends_the_connection_of_a_broker_that_confirms_twice)
{
    in_flight(1);
    ack(1, false);
    ack(1, false);
    expect_violation();
}

Test(publisher, ends_the_connection_of_a_broker_that_confirms_what_was_not_sent_yet)
{
    in_flight(1);
    is_held_back = true;
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "x", 1};
    struct slot_request request = fake_front_message(&front, 1, &id, 1, "");
    fake_front_submit(&front, 1, &request);
    (void)desk_turn(desk); /* queued, not flushed */
    ack(2, true);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    fake_front_expect(&front, 1, OUTCOME_UNKNOWN);
    expect_violation();
}

Test(publisher, ends_the_connection_of_a_broker_that_gives_back_what_is_not_in_flight)
{
    in_flight(1);
    give_back("m7");
    expect_violation();
}

Test(publisher, ends_the_connection_of_a_broker_that_talks_of_something_else)
{
    in_flight(1);
    answer(CHANNEL, AMQP_BASIC_CANCEL_OK_METHOD);
    expect_violation();
}

/* ---- loss ---- */

Test(publisher, tells_what_the_kernel_never_had_from_what_it_may_have_delivered)
{
    in_flight(2);
    is_held_back = true;
    post(2);
    struct iovec iov[8];
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1);
    outbox_note_taken(&connection.outbox, iov[0].iov_len); /* all of slot 2's */
    post(3);
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1);
    outbox_note_taken(&connection.outbox, iov[0].iov_len - 1); /* all but its last byte */
    post(4);
    lose_connection();
    for (uint32_t slot = 0; slot < 3; slot++)
        fake_front_expect(&front, slot, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 3, OUTCOME_DOWN);
    fake_front_expect(&front, 4, OUTCOME_DOWN);
    cr_assert_eq(publisher.n_open, 0);
}

/* It is on no queue, whatever the broker would still have said. */
Test(publisher, a_message_that_came_back_is_unroutable_also_without_its_ack)
{
    in_flight(3);
    give_back("m1");
    close_channel(CHANNEL, 404, "no exchange", AMQP_BASIC_PUBLISH_METHOD);
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 1, OUTCOME_UNROUTABLE);
    expect_words(1, 312, "NO_ROUTE");
    fake_front_expect(&front, 2, OUTCOME_REJECTED);
}

Test(publisher, starts_anew_on_the_next_connection)
{
    in_flight(2);
    lose_connection();
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 1, OUTCOME_UNKNOWN);
    connection_reset(&connection);
    broker_accept();
    publish_link_up(&publish_link);
    post(5);
    open_channel();
    heard_publishes(1);
    ack(1, false);
    fake_front_expect(&front, 5, OUTCOME_CONFIRMED);
}

Test(publisher, a_lone_message_over_which_the_channel_is_closed_was_rejected)
{
    in_flight(1);
    close_channel(CHANNEL, 404, "no exchange 'orders'", AMQP_BASIC_PUBLISH_METHOD);
    fake_front_expect(&front, 0, OUTCOME_REJECTED);
    expect_words(0, 404, "no exchange 'orders'");
    cr_assert_eq(n_refused[PUBLISHER_REFUSED_MESSAGE], 1);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
    post(1);
    open_channel();
    heard_publishes(1);
    ack(1, false);
    fake_front_expect(&front, 1, OUTCOME_CONFIRMED);
}

Test(publisher, of_several_messages_only_the_last_was_rejected_for_certain)
{
    in_flight(3);
    is_held_back = true;
    post(3); /* still in the outbox */
    close_channel(CHANNEL, 404, "no exchange", AMQP_BASIC_PUBLISH_METHOD);
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 1, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 2, OUTCOME_REJECTED);
    fake_front_expect(&front, 3, OUTCOME_DOWN);
}

/* More than is copied, in the front's own area. */
static void post_large(uint32_t slot)
{
    struct message_field field = {MESSAGE_MESSAGE_ID, "", 0, "large", 5};
    struct slot_request request = fake_front_message(&front, slot, &field, 1, "");
    request.body = (struct lane_ref){(uint32_t)front.lane.request_area, WRITER_BORROW_BYTES};
    fake_front_submit(&front, slot, &request);
    turn();
}

static void lose_channel_of_a_large_one(void)
{
    in_flight(1);
    is_held_back = true;
    post_large(1);
    close_channel(CHANNEL, 404, "no exchange", AMQP_BASIC_PUBLISH_METHOD);
    fake_front_expect(&front, 0, OUTCOME_REJECTED);
    cr_assert_eq(publisher.n_open, 0);
    turn();
    fake_front_expect_nothing(&front); /* its bytes are in the front's memory and in the outbox */
}

Test(publisher, a_body_is_its_messages_own_until_the_kernel_has_taken_it)
{
    lose_channel_of_a_large_one();
    broker_hear();
    turn();
    fake_front_expect(&front, 1, OUTCOME_DOWN);
    expect_words(1, 404, "no exchange");
}

Test(publisher, a_body_is_its_messages_own_until_the_connection_is_gone)
{
    lose_channel_of_a_large_one();
    lose_connection();
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}

Test(publisher, nothing_was_rejected_by_a_close_that_speaks_of_no_message)
{
    in_flight(2);
    close_channel(CHANNEL, 541, "INTERNAL_ERROR", 0);
    fake_front_expect(&front, 0, OUTCOME_UNKNOWN);
    fake_front_expect(&front, 1, OUTCOME_UNKNOWN);
}

Test(publisher, pauses_longer_and_longer_before_it_opens_a_channel_that_is_closed_again_and_again)
{
    in_flight(1);
    for (uint32_t round = 0; round < 4; round++) {
        close_channel(CHANNEL, 403, "ACCESS_REFUSED", AMQP_BASIC_PUBLISH_METHOD);
        fake_front_expect(&front, round, OUTCOME_REJECTED);
        (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
        post(round + 1);
        cr_assert_eq(broker_heard_all(), round > 0, "the first time it may be a single message");
        now_ns += round * 50 * CLOCK_MS;
        turn();
        open_channel();
        heard_publishes(1);
    }
    ack(1, false);
    fake_front_expect(&front, 4, OUTCOME_CONFIRMED);
    close_channel(CHANNEL, 403, "ACCESS_REFUSED", 0);
    post(9);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD);
    open_channel(); /* at once: it had worked */
}

Test(publisher, what_waits_for_a_channel_ends_before_its_deadline_as_never_sent)
{
    start();
    post(0); /* the broker does not answer */
    now_ns += 2 * CLOCK_S - PUBLISHER_MARGIN_NS;
    turn();
    fake_front_expect(&front, 0, OUTCOME_DOWN);
}

/* ---- refusals from memory ---- */

Test(publisher, refuses_at_once_when_its_window_is_full)
{
    in_flight(WINDOW);
    post(20);
    fake_front_expect(&front, 20, OUTCOME_BUSY);
    ack(1, false);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    post(21);
    heard_publishes(1);
}

Test(publisher, counts_what_waits_for_the_channel_into_the_window)
{
    start();
    for (uint32_t slot = 0; slot < WINDOW; slot++)
        post(slot);
    post(20);
    fake_front_expect(&front, 20, OUTCOME_BUSY);
}

Test(publisher, refuses_at_once_when_all_on_its_connection_fill_their_common_window)
{
    config.link_window = 3;
    in_flight(1);
    publish_link.n_open += 2; /* of others */
    post(20);
    fake_front_expect(&front, 20, OUTCOME_BUSY);
    publish_link.n_open -= 1;
    post(21);
    heard_publishes(1);
    ack(2, true);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    fake_front_expect(&front, 21, OUTCOME_CONFIRMED);
    cr_assert_eq(publish_link.n_open, 1);
}

static void block(bool is_blocked)
{
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on memory")};
    amqp_connection_unblocked_t unblocked = {0};
    if (is_blocked)
        broker_method(0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    else
        broker_method(0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    broker_speak();
}

Test(publisher, refuses_at_once_while_the_broker_has_blocked_the_connection)
{
    in_flight(1);
    block(true);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_BLOCKED);
    block(false);
    post(2);
    heard_publishes(1);
}

Test(publisher, what_waits_when_the_broker_blocks_the_connection_was_never_sent)
{
    start();
    post(1);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    block(true);
    fake_front_expect(&front, 1, OUTCOME_BLOCKED);
    cr_assert_eq(publisher.n_open, 0);
    block(false);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(CHANNEL, AMQP_EXCHANGE_DECLARE_OK_METHOD);
    (void)broker_heard(CHANNEL, AMQP_CONFIRM_SELECT_METHOD);
    answer(CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD);
    cr_assert(broker_heard_all());
}

static void flow(bool active)
{
    amqp_channel_flow_t method = {.active = active};
    broker_method(CHANNEL, AMQP_CHANNEL_FLOW_METHOD, &method);
    broker_speak();
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_FLOW_OK_METHOD);
}

Test(publisher, refuses_at_once_while_the_broker_has_stopped_its_channel)
{
    in_flight(1);
    flow(false);
    cr_assert_eq(n_stopped, 1);
    post(1);
    fake_front_expect(&front, 1, OUTCOME_BLOCKED);
    ack(1, false);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    flow(true);
    cr_assert_eq(n_stopped, 0);
    post(2);
    heard_publishes(1);
}

Test(publisher, what_waits_when_the_broker_stops_its_channel_was_never_sent)
{
    start();
    post(1);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    flow(false);
    fake_front_expect(&front, 1, OUTCOME_BLOCKED);
    cr_assert_eq(publisher.n_open, 0);
}

/* The one message in flight comes near its deadline: the broker is asked for a word. */
static void keep_silent(void)
{
    in_flight(1);
    now_ns += 2 * CLOCK_S - PUBLISH_LINK_ASK_NS - 1;
    turn();
    cr_assert(broker_heard_all());
    now_ns++;
    turn();
    (void)broker_heard(SIDE, AMQP_CHANNEL_OPEN_METHOD);
    turn();
    cr_assert(broker_heard_all(), "once");
}

Test(publisher, refuses_at_once_while_the_broker_is_silent_past_a_deadline)
{
    keep_silent();
    now_ns += PUBLISH_LINK_ASK_NS - 1;
    post(1);
    heard_publishes(1);
    now_ns += 1;
    post(2);
    fake_front_expect(&front, 2, OUTCOME_STALLED);
    now_ns += CLOCK_S;
    post(3);
    fake_front_expect(&front, 3, OUTCOME_STALLED);
    cr_assert(broker_heard_all());
    ack(1, false);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    post(4);
    heard_publishes(1);
}

Test(publisher, is_not_stalled_by_a_queue_that_is_stuck_while_its_broker_answers)
{
    keep_silent();
    now_ns++;
    answer(SIDE, AMQP_CHANNEL_OPEN_OK_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_CLOSE_METHOD);
    now_ns += 100 * CLOCK_S;
    post(1);
    heard_publishes(1);
    ack(2, false);
    fake_front_expect(&front, 1, OUTCOME_CONFIRMED);
}

Test(publisher, asks_a_broker_again_that_falls_silent_again)
{
    keep_silent();
    now_ns++;
    answer(SIDE, AMQP_CHANNEL_OPEN_OK_METHOD);
    (void)broker_heard(SIDE, AMQP_CHANNEL_CLOSE_METHOD);
    answer(SIDE, AMQP_CHANNEL_CLOSE_OK_METHOD);
    post(1);
    heard_publishes(1);
    now_ns += 2 * CLOCK_S;
    turn();
    (void)broker_heard(SIDE, AMQP_CHANNEL_OPEN_METHOD);
    now_ns += PUBLISH_LINK_ANSWER_NS;
    post(2);
    fake_front_expect(&front, 2, OUTCOME_STALLED);
}

Test(publisher, is_not_stalled_by_a_broker_that_talks_or_that_owes_nothing)
{
    in_flight(1);
    ack(1, false);
    fake_front_expect(&front, 0, OUTCOME_CONFIRMED);
    now_ns += 100 * CLOCK_S;
    post(1);
    heard_publishes(1);
    now_ns += CLOCK_S;
    block(false); /* any byte will do */
    now_ns += 100 * CLOCK_S;
    post(2);
    heard_publishes(1);
}

/* ---- room ---- */

Test(publisher, keeps_what_finds_no_room_until_some_was_taken)
{
    in_flight(1);
    is_held_back = true;
    uint8_t *bulk = malloc(1 << 19);
    memset(bulk, 0, 1 << 19);
    cr_assert_eq(outbox_append(&connection.outbox, bulk, 1 << 19), 0);
    while (outbox_room(&connection.outbox) > WRITER_RESERVE_BYTES)
        cr_assert_eq(outbox_append(&connection.outbox, bulk, 4096), 0);
    free(bulk);
    post(1);
    cr_assert_eq(fake_front_state(&front, 1), SLOT_CLAIMED);
    struct iovec iov[8];
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1); /* the other batch is free now */
    uint64_t queued = connection.outbox.queued;
    turn();
    cr_assert_gt(connection.outbox.queued, queued);
    cr_assert_eq(fake_front_state(&front, 1), SLOT_CLAIMED, "not before the batch ahead has left");
    outbox_note_taken(&connection.outbox, iov[0].iov_len);
    turn();
    cr_assert_eq(fake_front_state(&front, 1), SLOT_SENT);
}

/* ---- without confirms ---- */

static void unconfirmed(uint32_t n)
{
    config.is_confirmed = false;
    start();
    is_held_back = true;
    for (uint32_t slot = 0; slot < n; slot++)
        post(slot);
    (void)broker_heard(CHANNEL, AMQP_CHANNEL_OPEN_METHOD);
    (void)broker_heard(CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD);
    answer(CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD);
    answer(CHANNEL, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

Test(publisher, without_confirms_a_message_is_done_when_the_kernel_has_it)
{
    unconfirmed(2);
    cr_assert_eq(fake_front_state(&front, 0), SLOT_SENT);
    struct iovec iov[8];
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1);
    outbox_note_taken(&connection.outbox, iov[0].iov_len / 2);
    turn();
    fake_front_expect(&front, 0, OUTCOME_UNCONFIRMED);
    fake_front_expect_nothing(&front);
    outbox_note_taken(&connection.outbox, iov[0].iov_len - iov[0].iov_len / 2);
    turn();
    fake_front_expect(&front, 1, OUTCOME_UNCONFIRMED);
    give_back("m1"); /* too late to matter */
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(publisher, without_confirms_what_is_still_queued_when_the_connection_is_lost_was_not_sent)
{
    unconfirmed(1);
    struct iovec iov[8];
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1);
    post(1); /* behind a batch that is on its way */
    cr_assert_eq(fake_front_state(&front, 1), SLOT_CLAIMED);
    outbox_note_taken(&connection.outbox, iov[0].iov_len);
    lose_connection();
    fake_front_expect(&front, 0, OUTCOME_UNCONFIRMED);
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}

Test(publisher, without_confirms_a_lost_connection_tells_what_the_kernel_had)
{
    unconfirmed(2);
    struct iovec iov[8];
    cr_assert_eq(outbox_take(&connection.outbox, iov, 8), 1);
    outbox_note_taken(&connection.outbox, iov[0].iov_len / 2);
    lose_connection();
    fake_front_expect(&front, 0, OUTCOME_UNCONFIRMED);
    fake_front_expect(&front, 1, OUTCOME_DOWN);
}
