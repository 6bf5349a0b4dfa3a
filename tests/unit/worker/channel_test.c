/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "channel.h"

/* What the owner of one channel has been told. */
struct heard {
    int n_open, n_closed, n_methods, n_contents, n_last, n_flows;
    amqp_method_number_t last_method;
    uint64_t body_size;
    bool headers_dropped;
    enum channel_end_reason reason;
    uint16_t code;
    uint32_t about;
    char text[CONNECTION_TEXT_BYTES];
    char body[64];
    size_t n_body;
    struct channel_table *reopens; /* opens a channel from on_closed */
    int reopened;
    bool closes; /* closes the channel from on_method */
};

static struct channel_table table;
static struct heard heard, other;

static void on_open(struct channel *channel)
{
    ((struct heard *)channel->owner)->n_open++;
}

static const struct channel_ops ops;

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct heard *owner = channel->owner;
    owner->n_closed++;
    owner->reason = end->reason;
    owner->code = end->code;
    owner->about = end->method;
    (void)snprintf(owner->text, sizeof owner->text, "%s", end->text);
    if (owner->reopens) {
        struct channel *opened;
        owner->reopened = channel_open(owner->reopens, &ops, &other, &opened);
        if (owner->reopened == 0)
            cr_assert_neq(opened, channel, "its number is not free before on_closed returns");
    }
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct heard *owner = channel->owner;
    owner->n_methods++;
    owner->last_method = method->id;
    if (owner->closes)
        channel_close(channel);
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct heard *owner = channel->owner;
    owner->n_contents++;
    owner->body_size = content->body_size;
    owner->headers_dropped = content->headers_dropped;
}

static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last)
{
    struct heard *owner = channel->owner;
    cr_assert_leq(owner->n_body + n_bytes, sizeof owner->body);
    memcpy(owner->body + owner->n_body, bytes, n_bytes);
    owner->n_body += n_bytes;
    owner->n_last += is_last;
}

static void on_flow(struct channel *channel)
{
    ((struct heard *)channel->owner)->n_flows++;
}

static const struct channel_ops ops = {.on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body,
    .on_flow = on_flow};

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
        .name = "test", .version = "1", .channel_max = 3};
    cr_assert_eq(connection_init(&connection, &config, &connection_ops, NULL), 0);
    cr_assert_eq(channel_table_init(&table, &connection, 3), 0);
    broker_accept();
}

static void tear_down(void)
{
    channel_table_done(&table);
    connection_done(&connection);
    empty_amqp_pool(&hears_pool);
}

TestSuite(channel, .init = set_up, .fini = tear_down);

static struct channel *opening(struct heard *owner)
{
    struct channel *channel;
    cr_assert_eq(channel_open(&table, &ops, owner, &channel), 0);
    (void)broker_heard(channel->number, AMQP_CHANNEL_OPEN_METHOD);
    return channel;
}

static void broker_channel_open_ok(uint16_t number)
{
    amqp_channel_open_ok_t open_ok = {0};
    broker_method(number, AMQP_CHANNEL_OPEN_OK_METHOD, &open_ok);
    broker_speak();
}

static struct channel *opened(struct heard *owner)
{
    struct channel *channel = opening(owner);
    broker_channel_open_ok(channel->number);
    return channel;
}

static void broker_channel_close(uint16_t number, uint16_t code, const char *text)
{
    amqp_channel_close_t close = {.reply_code = code,
        .reply_text = amqp_cstring_bytes(text),
        .class_id = 50,
        .method_id = 10};
    broker_method(number, AMQP_CHANNEL_CLOSE_METHOD, &close);
    broker_speak();
}

static void broker_channel_close_ok(uint16_t number)
{
    amqp_channel_close_ok_t close_ok = {0};
    broker_method(number, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
    broker_speak();
}

static void broker_deliver(uint16_t number)
{
    amqp_basic_deliver_t deliver = {.delivery_tag = 1};
    broker_method(number, AMQP_BASIC_DELIVER_METHOD, &deliver);
}

static void expect_violation(uint16_t code, const char *words)
{
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.reason, CONNECTION_END_VIOLATION);
    cr_assert_eq(connection.end.code, code);
    cr_assert(strstr(connection.end.text, words), "%s", connection.end.text);
}

/* ---- opening -------------------------------------------------------------------------------- */

Test(channel, methods_may_follow_the_open_at_once)
{
    struct channel *channel = opening(&heard);
    amqp_confirm_select_t select = {0};
    cr_assert_eq(channel_method(channel, AMQP_CONFIRM_SELECT_METHOD, &select), 0);
    (void)broker_heard(1, AMQP_CONFIRM_SELECT_METHOD);
    cr_assert_eq(heard.n_open, 0);
    broker_channel_open_ok(1);
    cr_assert_eq(heard.n_open, 1);
    cr_assert_eq(channel->state, CHANNEL_OPEN);
}

Test(channel, numbers_run_out_and_come_back)
{
    struct channel *channel, *third;
    (void)opened(&heard);
    (void)opened(&heard);
    third = opened(&heard);
    cr_assert_eq(channel_open(&table, &ops, &heard, &channel), -ENOBUFS);
    broker_channel_close(third->number, 404, "NOT_FOUND");
    cr_assert_eq(channel_open(&table, &ops, &heard, &channel), 0);
}

Test(channel, a_broker_that_allows_fewer_channels_gets_fewer)
{
    struct channel *channel;
    connection_lost(&connection, 0, "over");
    connection_reset(&connection);
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_tune(1, 131072, 60);
    broker_open_ok();
    cr_assert_eq(channel_open(&table, &ops, &heard, &channel), 0);
    cr_assert_eq(channel->number, 1);
    cr_assert_eq(channel_open(&table, &ops, &heard, &channel), -ENOBUFS);
}

Test(channel, none_is_opened_on_a_connection_that_is_not)
{
    struct channel *channel;
    connection_close(&connection, now_ns);
    cr_assert_eq(channel_open(&table, &ops, &heard, &channel), -ENOTCONN);
}

Test(channel, an_open_ok_that_nobody_waits_for_is_a_violation)
{
    (void)opened(&heard);
    broker_channel_open_ok(1);
    expect_violation(AMQP_COMMAND_INVALID, "open-ok on channel 1 in state open");
}

/* ---- closing -------------------------------------------------------------------------------- */

Test(channel, a_close_from_the_broker_is_answered_and_its_words_passed_on)
{
    struct channel *channel = opened(&heard);
    (void)opened(&other);
    broker_channel_close(channel->number, 406, "PRECONDITION_FAILED - inequivalent arg");
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_OK_METHOD);
    cr_assert_eq(heard.n_closed, 1);
    cr_assert_eq(heard.reason, CHANNEL_END_BROKER);
    cr_assert_eq(heard.code, 406);
    cr_assert_eq(heard.about, AMQP_QUEUE_DECLARE_METHOD);
    cr_assert_str_eq(heard.text, "PRECONDITION_FAILED - inequivalent arg");
    cr_assert_eq(other.n_closed, 0, "an error of one channel touches no other");
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(channel, a_close_before_the_open_ok_is_a_close_too)
{
    (void)opening(&heard);
    broker_channel_close(1, 504, "CHANNEL_ERROR");
    cr_assert_eq(heard.n_closed, 1);
    cr_assert_eq(heard.n_open, 0);
}

Test(channel, its_number_is_another_ones_only_after_close_ok)
{
    struct channel *channel = opened(&heard), *next;
    channel_close(channel);
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_METHOD);
    cr_assert_eq(heard.n_closed, 0);
    cr_assert_eq(channel_open(&table, &ops, &other, &next), 0);
    cr_assert_eq(next->number, 2);
    broker_channel_close_ok(1);
    cr_assert_eq(heard.n_closed, 1);
    cr_assert_eq(heard.reason, CHANNEL_END_ASKED);
    cr_assert_eq(channel_open(&table, &ops, &other, &next), 0);
    cr_assert_eq(next->number, 1);
}

Test(channel, what_comes_while_it_closes_is_dropped)
{
    struct channel *channel = opened(&heard);
    channel_close(channel);
    broker_deliver(1);
    put_content_header(&says, 1, 3);
    put_body(&says, 1, "abc", 3);
    broker_speak();
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert_eq(heard.n_methods + heard.n_contents + (int)heard.n_body, 0);
    broker_channel_close_ok(1);
    cr_assert_eq(heard.n_closed, 1);
}

Test(channel, closes_that_cross_end_it_once)
{
    struct channel *channel = opened(&heard);
    channel_close(channel);
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_METHOD);
    broker_channel_close(1, 406, "PRECONDITION_FAILED");
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_OK_METHOD);
    cr_assert_eq(heard.n_closed, 0, "our close-ok is still to come");
    broker_channel_close_ok(1);
    cr_assert_eq(heard.n_closed, 1);
    cr_assert_eq(heard.reason, CHANNEL_END_ASKED);
}

Test(channel, nothing_is_sent_on_it_once_it_closes)
{
    struct channel *channel = opened(&heard);
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    channel_close(channel);
    channel_close(channel);
    cr_assert_eq(channel_method(channel, AMQP_BASIC_ACK_METHOD, &ack), -ENOTCONN);
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_METHOD);
    cr_assert(broker_heard_all());
}

Test(channel, its_owner_may_open_another_one_while_it_is_told)
{
    struct channel *channel = opened(&heard);
    heard.reopens = &table;
    broker_channel_close(channel->number, 404, "NOT_FOUND");
    cr_assert_eq(heard.reopened, 0);
    broker_channel_open_ok(2);
    cr_assert_eq(other.n_open, 1);
}

Test(channel, its_owner_may_close_it_from_a_callback)
{
    (void)opened(&heard);
    heard.closes = true;
    broker_deliver(1);
    put_content_header(&says, 1, 0);
    broker_speak();
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_METHOD);
    broker_channel_close_ok(1);
    cr_assert_eq(heard.n_closed, 1);
    cr_assert_eq(heard.n_contents, 0);
}

Test(channel, a_close_ok_that_nobody_asked_for_is_a_violation)
{
    (void)opened(&heard);
    broker_channel_close_ok(1);
    expect_violation(AMQP_COMMAND_INVALID, "CLOSE_OK");
}

/* ---- loss and epochs ------------------------------------------------------------------------ */

Test(channel, all_channels_hear_of_a_lost_connection_once)
{
    struct channel *channel;
    (void)opened(&heard);
    (void)opening(&other);
    channel = opened(&heard);
    channel_close(channel);
    heard.reopens = &table;
    broker_close(320, "CONNECTION_FORCED - shutdown");
    channel_table_lost(&table, &connection.end);
    cr_assert_eq(heard.n_closed, 2);
    cr_assert_eq(other.n_closed, 1);
    cr_assert_eq(heard.reason, CHANNEL_END_LOST);
    cr_assert_eq(heard.code, 320);
    cr_assert_str_eq(heard.text, "CONNECTION_FORCED - shutdown");
    cr_assert_eq(heard.reopened, -ENOTCONN);
}

/* Delivery tag 1 of a new channel is another message. */
Test(channel, no_two_channels_have_the_same_epoch)
{
    uint64_t first = opened(&heard)->epoch;
    broker_channel_close(1, 404, "NOT_FOUND");
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_OK_METHOD);
    struct channel *second = opened(&heard);
    cr_assert_eq(second->number, 1);
    cr_assert_gt(second->epoch, first);
    uint64_t before = second->epoch;

    connection_lost(&connection, 104, "receiving");
    channel_table_lost(&table, &connection.end);
    connection_reset(&connection);
    broker_accept();
    struct channel *third = opened(&heard);
    cr_assert_eq(third->number, 1);
    cr_assert_gt(third->epoch, before);
}

/* ---- content -------------------------------------------------------------------------------- */

Test(channel, a_message_comes_as_method_header_and_body)
{
    (void)opened(&heard);
    broker_deliver(1);
    put_content_header(&says, 1, 11);
    put_body(&says, 1, "hello ", 6);
    put_body(&says, 1, "world", 5);
    broker_speak();
    cr_assert_eq(heard.last_method, AMQP_BASIC_DELIVER_METHOD);
    cr_assert_eq(heard.body_size, 11);
    cr_assert_eq(heard.n_last, 1);
    cr_assert_arr_eq(heard.body, "hello world", 11);
}

Test(channel, an_empty_body_has_no_frame)
{
    (void)opened(&heard);
    amqp_basic_return_t returned = {.reply_code = 312};
    for (int i = 0; i < 2; i++) {
        broker_method(1, AMQP_BASIC_RETURN_METHOD, &returned);
        put_content_header(&says, 1, 0);
    }
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    broker_method(1, AMQP_BASIC_ACK_METHOD, &ack);
    broker_speak();
    cr_assert_eq(heard.n_contents, 2);
    cr_assert_eq(heard.n_methods, 3);
    cr_assert_eq(heard.n_last, 0);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(channel, messages_of_several_channels_may_be_interleaved)
{
    (void)opened(&heard);
    (void)opened(&other);
    broker_deliver(1);
    broker_deliver(2);
    put_content_header(&says, 1, 2);
    put_content_header(&says, 2, 2);
    put_body(&says, 2, "b", 1);
    put_body(&says, 1, "aa", 2);
    put_body(&says, 2, "b", 1);
    broker_speak();
    cr_assert_arr_eq(heard.body, "aa", 2);
    cr_assert_arr_eq(other.body, "bb", 2);
    cr_assert_eq(heard.n_last + other.n_last, 2);
}

Test(channel, a_header_that_no_method_announced_is_a_violation)
{
    (void)opened(&heard);
    put_content_header(&says, 1, 2);
    broker_speak();
    expect_violation(AMQP_UNEXPECTED_FRAME, "header that no method announced on channel 1");
}

Test(channel, a_body_that_no_header_announced_is_a_violation)
{
    (void)opened(&heard);
    broker_deliver(1);
    put_body(&says, 1, "x", 1);
    broker_speak();
    expect_violation(AMQP_UNEXPECTED_FRAME, "body that no header announced");
    cr_assert_eq(heard.n_body, 0);
}

Test(channel, a_body_larger_than_announced_is_a_violation)
{
    (void)opened(&heard);
    broker_deliver(1);
    put_content_header(&says, 1, 3);
    put_body(&says, 1, "ab", 2);
    put_body(&says, 1, "cd", 2);
    broker_speak();
    expect_violation(AMQP_UNEXPECTED_FRAME, "larger than its header announced");
    cr_assert_eq(heard.n_body, 2);
}

Test(channel, a_method_inside_of_content_is_a_violation)
{
    (void)opened(&heard);
    broker_deliver(1);
    put_content_header(&says, 1, 3);
    broker_deliver(1);
    broker_speak();
    expect_violation(AMQP_UNEXPECTED_FRAME, "a method inside of content");
    cr_assert_eq(heard.n_methods, 1);
}

Test(channel, two_deliveries_without_content_between_are_a_violation)
{
    (void)opened(&heard);
    broker_deliver(1);
    broker_deliver(1);
    broker_speak();
    expect_violation(AMQP_UNEXPECTED_FRAME, "a method inside of content");
}

Test(channel, empty_body_frames_before_the_end_are_no_end)
{
    (void)opened(&heard);
    broker_deliver(1);
    put_content_header(&says, 1, 1);
    put_body(&says, 1, "", 0);
    put_body(&says, 1, "x", 1);
    broker_speak();
    cr_assert_eq(heard.n_last, 1);
    cr_assert_eq(heard.n_body, 1);
}

Test(channel, a_header_that_cannot_be_decoded_is_a_violation)
{
    (void)opened(&heard);
    broker_deliver(1);
    size_t begun = begin_frame(&says, 2, 1);
    put_64(&says, 0);
    end_frame(&says, begun);
    broker_speak();
    expect_violation(AMQP_SYNTAX_ERROR, "content header that cannot be decoded");
}

/* ---- what does not belong ------------------------------------------------------------------- */

Test(channel, a_frame_on_a_channel_that_is_not_open_is_a_violation)
{
    broker_deliver(2);
    broker_speak();
    expect_violation(AMQP_CHANNEL_ERROR, "channel that is not open");
}

Test(channel, a_method_before_the_open_ok_is_a_violation)
{
    (void)opening(&heard);
    broker_deliver(1);
    broker_speak();
    expect_violation(AMQP_COMMAND_INVALID, "in state opening");
}

Test(channel, a_method_of_the_connection_on_a_channel_is_a_violation)
{
    (void)opened(&heard);
    amqp_connection_unblocked_t unblocked = {0};
    broker_method(1, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    broker_speak();
    expect_violation(AMQP_COMMAND_INVALID, "on channel 1");
}

static void broker_flow(bool active)
{
    amqp_channel_flow_t flow = {.active = active};
    broker_method(1, AMQP_CHANNEL_FLOW_METHOD, &flow);
    broker_speak();
}

static void expect_flow_ok(bool active)
{
    const amqp_channel_flow_ok_t *ok = broker_heard(1, AMQP_CHANNEL_FLOW_OK_METHOD);
    cr_assert_eq(ok->active, active);
}

Test(channel, a_flow_is_answered_and_its_owner_told_when_it_changes)
{
    struct channel *channel = opened(&heard);
    broker_flow(true);
    expect_flow_ok(true);
    cr_assert_eq(heard.n_flows, 0, "it flowed before");
    broker_flow(false);
    expect_flow_ok(false);
    cr_assert(channel->is_stopped);
    broker_flow(true);
    expect_flow_ok(true);
    cr_assert_not(channel->is_stopped);
    cr_assert_eq(heard.n_flows, 2);
}

Test(channel, a_channel_that_was_stopped_flows_when_it_is_opened_again)
{
    struct channel *channel = opened(&heard);
    broker_flow(false);
    expect_flow_ok(false);
    broker_channel_close(1, 404, "gone");
    (void)broker_heard(1, AMQP_CHANNEL_CLOSE_OK_METHOD);
    cr_assert_eq(opened(&other), channel);
    cr_assert_not(channel->is_stopped);
}

Test(channel, a_flow_before_the_open_ok_is_a_violation)
{
    (void)opening(&heard);
    broker_flow(false);
    expect_violation(AMQP_COMMAND_INVALID, "in state opening");
}

Test(channel, a_broker_that_reads_nothing_ends_the_connection_when_even_close_has_no_room)
{
    struct channel *channel = opened(&heard);
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    int r;
    do
        r = channel_method(channel, AMQP_BASIC_ACK_METHOD, &ack);
    while (r == 0);
    cr_assert_eq(r, -ENOBUFS);
    channel_close(channel);
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.reason, CONNECTION_END_LOST);
}

Test(channel, offsets_tell_which_message_went_to_the_kernel)
{
    struct channel *channel = opened(&heard);
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes("x")};
    amqp_basic_properties_t properties = {0};
    struct writer_message message = {.publish = &publish, .properties = &properties};
    struct iovec iov[4];
    uint64_t first = channel_offset(channel);
    cr_assert_eq(channel_message(channel, &message), 0);
    uint64_t second = channel_offset(channel);
    cr_assert_eq(channel_message(channel, &message), 0);
    cr_assert_eq(outbox_take(&connection.outbox, iov, 4), 1);
    outbox_note_taken(&connection.outbox, (size_t)(second - first));
    cr_assert_lt(first, channel_taken(channel));
    cr_assert_geq(second, channel_taken(channel));
}

/* ---- noise ---------------------------------------------------------------------------------- */

Test(channel, random_frames_keep_the_books_in_order)
{
    srand(5);
    for (int round = 0; round < 2000; round++) {
        struct channel *channel;
        heard = (struct heard){0};
        other = (struct heard){0};
        int n_opened = 0;
        for (int i = 0; i < 30; i++) {
            if (rand() % 5 == 0 && channel_open(&table, &ops, &heard, &channel) == 0)
                n_opened++;
            uint16_t number = (uint16_t)(1 + rand() % 3);
            switch (rand() % 6) {
            case 0: {
                amqp_channel_open_ok_t open_ok = {0};
                broker_method(number, AMQP_CHANNEL_OPEN_OK_METHOD, &open_ok);
                break;
            }
            case 1:
                broker_deliver(number);
                break;
            case 2:
                put_content_header(&says, number, (uint64_t)rand() % 3);
                break;
            case 3:
                put_body(&says, number, "xy", (size_t)rand() % 3);
                break;
            case 4: {
                amqp_channel_close_t close = {.reply_code = 404};
                broker_method(number, AMQP_CHANNEL_CLOSE_METHOD, &close);
                break;
            }
            default:
                put_heartbeat(&says);
                break;
            }
            heard.n_body = 0;
            broker_speak();
        }
        if (connection.state != CONNECTION_ENDED)
            connection_lost(&connection, 0, "over");
        channel_table_lost(&table, &connection.end);
        cr_assert_eq(heard.n_closed, n_opened);
        connection_reset(&connection);
        hears.n = n_read = 0;
        broker_accept();
    }
}
