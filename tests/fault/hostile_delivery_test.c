/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker may say while a GET waits for a message, or in the middle of one: the GET gets a
 * whole message, on this connection or on the next, or is told in time that there is none.
 */
#include "tests/fault/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/support/require.h"

TestSuite(hostile_delivery, .timeout = 120);

static struct hostile hostile;

enum { MANY = 100000 };

/* ---- words ---- */

static void put_deliver(struct bytes *says, const struct amqp_heard *at, uint64_t tag)
{
    amqp_basic_deliver_t deliver = {
        .consumer_tag = amqp_cstring_bytes(at->consumer), .delivery_tag = tag};
    put_amqp(says, at->channel, AMQP_BASIC_DELIVER_METHOD, &deliver);
}

static void put_deliver_to(struct bytes *says, const struct amqp_heard *at, const char *consumer)
{
    amqp_basic_deliver_t deliver = {
        .consumer_tag = amqp_cstring_bytes(consumer), .delivery_tag = hostile_next_tag()};
    put_amqp(says, at->channel, AMQP_BASIC_DELIVER_METHOD, &deliver);
}

/* Up to the properties. */
static size_t begin_header(
    struct bytes *says, const struct amqp_heard *at, uint64_t n_body, uint16_t flags)
{
    size_t begun = begin_frame(says, AMQP_FRAME_HEADER, at->channel);
    put_16(says, AMQP_BASIC_CLASS);
    put_16(says, 0);
    put_64(says, n_body);
    put_16(says, flags);
    return begun;
}

static void put_ok(struct bytes *says, const struct amqp_heard *at, amqp_method_number_t id)
{
    static const uint8_t zeroes[16];
    put_method(says, at->channel, id, zeroes, sizeof zeroes);
}

/* ---- deliveries to nobody, or of nothing ---- */

SAYS(a_delivery_to_the_next_consumer)
{
    char next[32];
    (void)snprintf(next, sizeof next, "%d", atoi(at->consumer) + 1);
    put_deliver_to(says, at, next);
}

SAYS(a_delivery_to_no_consumer)
{
    put_deliver_to(says, at, "");
}

SAYS(a_delivery_to_garbage)
{
    put_deliver_to(says, at, "\xff\xfe'; DROP");
}

SAYS(a_delivery_on_another_channel)
{
    struct amqp_heard other = *at;
    other.channel = 99;
    put_deliver(says, &other, hostile_next_tag());
}

SAYS(tag_0)
{
    put_deliver(says, at, 0);
}

SAYS(two_deliveries_at_once)
{
    put_deliver(says, at, hostile_next_tag());
    put_deliver(says, at, hostile_next_tag());
}

SAYS(a_delivery_cut_short)
{
    put_method(says, at->channel, AMQP_BASIC_DELIVER_METHOD, "\5x", 2);
}

SAYS(the_cancel_of_garbage)
{
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes("all"), .nowait = true};
    put_amqp(says, at->channel, AMQP_BASIC_CANCEL_METHOD, &cancel);
}

SAYS(the_start_of_garbage)
{
    amqp_basic_consume_ok_t ok = {.consumer_tag = amqp_cstring_bytes("all")};
    put_amqp(says, at->channel, AMQP_BASIC_CONSUME_OK_METHOD, &ok);
}

SAYS(a_confirm)
{
    put_ok(says, at, AMQP_BASIC_ACK_METHOD);
}

SAYS(a_return)
{
    put_ok(says, at, AMQP_BASIC_RETURN_METHOD);
}

SAYS(a_message_that_nobody_asked_for)
{
    put_ok(says, at, AMQP_BASIC_GET_OK_METHOD);
}

SAYS(exchange_declare_ok)
{
    put_ok(says, at, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

#define INVALID .code = AMQP_COMMAND_INVALID
#define BROKEN .code = AMQP_SYNTAX_ERROR
#define UNEXPECTED .code = AMQP_UNEXPECTED_FRAME
#define NEVER_WAS .reason = "of a consumer that never was"

Test(hostile_delivery, words_to_nobody_end_the_connection_and_the_get_waits_on)
{
    static const struct hostile_row rows[] = {
        ROW(a_delivery_to_the_next_consumer, INVALID, .reason = "to a consumer that never was"),
        ROW(a_delivery_to_no_consumer, INVALID, .reason = "to a consumer that never was"),
        ROW(a_delivery_to_garbage, INVALID, .reason = "to a consumer that never was"),
        ROW(a_delivery_on_another_channel, .code = AMQP_CHANNEL_ERROR,
            .reason = "a frame on a channel that is not open"),
        ROW(tag_0, INVALID, .reason = "a delivery tag that is not larger than the last one"),
        ROW(two_deliveries_at_once, UNEXPECTED, .reason = "a method inside of content"),
        ROW(a_delivery_cut_short, BROKEN, .reason = "a method that cannot be decoded"),
        ROW(the_cancel_of_garbage, INVALID, NEVER_WAS),
        ROW(the_start_of_garbage, INVALID, NEVER_WAS),
        ROW(a_confirm, INVALID, .reason = "BASIC_ACK_METHOD"),
        ROW(a_return, INVALID, .reason = "BASIC_RETURN_METHOD"),
        ROW(a_message_that_nobody_asked_for, INVALID, .reason = "BASIC_GET_OK_METHOD"),
        ROW(exchange_declare_ok, INVALID, .reason = "EXCHANGE_DECLARE_OK_METHOD"),
    };
    hostile_begin(&hostile, "nobody", "hostile_consume.json");
    hostile_gets(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- content ---- */

SAYS(a_header_for_nothing)
{
    put_content_header(says, at->channel, 5);
}

SAYS(a_body_for_nothing)
{
    put_body(says, at->channel, "what?", 5);
}

SAYS(a_body_before_its_header)
{
    put_deliver(says, at, hostile_next_tag());
    put_body(says, at->channel, "what?", 5);
}

SAYS(content_of_another_class)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 5, 0);
    says->at[begun + 1] = 50;
    end_frame(says, begun);
}

SAYS(content_with_a_weight)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 5, 0);
    says->at[begun + 3] = 1;
    end_frame(says, begun);
}

SAYS(a_header_cut_short)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_frame(says, AMQP_FRAME_HEADER, at->channel);
    put_16(says, AMQP_BASIC_CLASS);
    end_frame(says, begun);
}

SAYS(a_property_past_its_frame)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 5, AMQP_BASIC_CONTENT_TYPE_FLAG);
    put_8(says, 255);
    put(says, "text", 4);
    end_frame(says, begun);
}

SAYS(headers_past_their_frame)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 5, AMQP_BASIC_HEADERS_FLAG);
    put_32(says, UINT32_MAX);
    end_frame(says, begun);
}

SAYS(flags_without_end)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 5, 1);
    for (int i = 0; i < 60000; i++)
        put_16(says, 1);
    end_frame(says, begun);
}

static void put_beginning(struct bytes *says, const struct amqp_heard *at)
{
    put_deliver(says, at, hostile_next_tag());
    put_content_header(says, at->channel, 10);
    put_body(says, at->channel, "01234", 5);
}

SAYS(a_body_longer_than_announced)
{
    put_beginning(says, at);
    put_body(says, at->channel, "567890", 6);
}

SAYS(another_delivery_inside)
{
    put_beginning(says, at);
    put_deliver(says, at, hostile_next_tag());
}

SAYS(another_header_inside)
{
    put_beginning(says, at);
    put_content_header(says, at->channel, 10);
}

SAYS(the_channels_close_inside)
{
    put_beginning(says, at);
    put_ok(says, at, AMQP_CHANNEL_CLOSE_METHOD);
}

SAYS(no_frame_inside)
{
    put_beginning(says, at);
    end_frame(says, begin_frame(says, 9, at->channel));
}

/* Both of these were whole before they were spoiled: the GET has its message, and it stays on its
 * queue, since nobody is told what became of it. */
SAYS(a_body_for_an_empty_message)
{
    put_deliver(says, at, hostile_next_tag());
    put_content_header(says, at->channel, 0);
    put_body(says, at->channel, "what?", 5);
}

SAYS(a_tag_twice)
{
    uint64_t tag = hostile_next_tag();
    for (int i = 0; i < 2; i++) {
        put_deliver(says, at, tag);
        put_content_header(says, at->channel, 7);
        put_body(says, at->channel, "message", 7);
    }
}

Test(hostile_delivery, content_that_is_none_ends_the_connection_and_the_get_gets_the_next_message)
{
    static const struct hostile_row rows[] = {
        ROW(a_header_for_nothing, UNEXPECTED, .reason = "a content header that no method"),
        ROW(a_body_for_nothing, UNEXPECTED, .reason = "a body that no header announced"),
        ROW(a_body_before_its_header, UNEXPECTED, .reason = "a body that no header announced"),
        ROW(content_of_another_class, BROKEN, .reason = "header that cannot be decoded"),
        ROW(content_with_a_weight, BROKEN, .reason = "header that cannot be decoded"),
        ROW(a_header_cut_short, BROKEN, .reason = "header that cannot be decoded"),
        ROW(a_property_past_its_frame, BROKEN, .reason = "header that cannot be decoded"),
        ROW(headers_past_their_frame, BROKEN, .reason = "header that cannot be decoded"),
        ROW(flags_without_end, BROKEN, .reason = "header that cannot be decoded"),
        ROW(a_body_longer_than_announced, UNEXPECTED, .reason = "a body larger than its header"),
        ROW(another_delivery_inside, UNEXPECTED, .reason = "a method inside of content"),
        ROW(another_header_inside, UNEXPECTED, .reason = "a content header that no method"),
        ROW(the_channels_close_inside, UNEXPECTED, .reason = "a method inside of content"),
        ROW(a_body_for_an_empty_message, UNEXPECTED, .reason = "a body that no header announced",
            .status = 200, .body = ""),
        ROW(a_tag_twice, INVALID, .reason = "a delivery tag that is not larger than the last one",
            .status = 200, .body = "message"),
        ROW(no_frame_inside, .code = AMQP_FRAME_ERROR, .reason = "9 is not a type of frame"),
    };
    hostile_begin(&hostile, "content", "hostile_consume.json");
    hostile_gets(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- what is odd, and allowed ---- */

static void put_field(struct bytes *says, char kind, const void *value, size_t n)
{
    put_short(says, "key");
    put_8(says, (uint8_t)kind);
    put(says, value, n);
}

/* Of every kind that rabbitmq-c and the broker know. */
static void put_every_kind(struct bytes *says)
{
    static const struct {
        char kind;
        size_t n_bytes;
    } kinds[] = {{'t', 1}, {'b', 1}, {'B', 1}, {'s', 2}, {'u', 2}, {'I', 4}, {'i', 4}, {'l', 8},
        {'L', 8}, {'f', 4}, {'d', 8}, {'D', 5}, {'T', 8}, {'V', 0}, {'S', 4}, {'x', 4}, {'A', 4},
        {'F', 4}};
    static const uint8_t zeroes[8];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        put_field(says, kinds[i].kind, zeroes, kinds[i].n_bytes);
}

static void put_message(struct bytes *says, const struct amqp_heard *at, bool is_known_kind)
{
    put_deliver(says, at, hostile_next_tag());
    size_t begun = begin_header(says, at, 7, AMQP_BASIC_HEADERS_FLAG | 1);
    put_16(says, 0);
    size_t table = begin_length(says);
    put_every_kind(says);
    if (!is_known_kind)
        put_field(says, '?', "", 0);
    end_length(says, table);
    end_frame(says, begun);
    put_body(says, at->channel, "", 0);
    for (const char *c = "message"; *c != '\0'; c++)
        put_body(says, at->channel, c, 1);
}

SAYS(headers_of_every_kind)
{
    put_message(says, at, true);
}

SAYS(headers_of_no_kind)
{
    put_message(says, at, false);
}

/* One bit of the octet is used (specification 4.2.5.2). */
SAYS(redelivered_with_all_bits)
{
    size_t begun = begin_frame(says, AMQP_FRAME_METHOD, at->channel);
    put_32(says, AMQP_BASIC_DELIVER_METHOD);
    put_short(says, at->consumer);
    put_64(says, hostile_next_tag());
    put_8(says, 0xff);
    put_short(says, "");
    put_short(says, "");
    end_frame(says, begun);
    put_content_header(says, at->channel, 7);
    put_body(says, at->channel, "message", 7);
}

SAYS(answers_that_nobody_waits_for)
{
    amqp_basic_consume_ok_t ok = {.consumer_tag = amqp_cstring_bytes(at->consumer)};
    put_ok(says, at, AMQP_BASIC_QOS_OK_METHOD);
    put_amqp(says, at->channel, AMQP_BASIC_CONSUME_OK_METHOD, &ok);
    put_ok(says, at, AMQP_BASIC_CANCEL_OK_METHOD);
}

SAYS(flow)
{
    amqp_channel_flow_t stop = {.active = 0};
    put_amqp(says, at->channel, AMQP_CHANNEL_FLOW_METHOD, &stop);
}

SAYS(heartbeats_without_end)
{
    for (int i = 0; i < MANY; i++)
        put_heartbeat(says);
}

Test(hostile_delivery, what_is_odd_and_allowed_is_answered)
{
    static const struct hostile_row rows[] = {
        ROW(headers_of_every_kind, .status = 200, .body = "message"),
        ROW(headers_of_no_kind, .status = 200, .body = "message"),
        ROW(redelivered_with_all_bits, .status = 200, .body = "message"),
        ROW(answers_that_nobody_waits_for),
        ROW(flow),
        ROW(heartbeats_without_end),
    };
    hostile_begin(&hostile, "odd_delivery", "hostile_consume.json");
    hostile_gets(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- too much ---- */

enum { FRAME_BODY_BYTES = 131072 - 8, N_BODY_FRAMES = 256 /* 32 MiB */ };

Test(hostile_delivery, a_body_without_end_takes_no_memory_and_its_get_is_answered_in_time)
{
    static struct bytes frame;
    static const uint8_t body[FRAME_BODY_BYTES];
    hostile_begin(&hostile, "endless", "hostile_consume.json");
    struct play_request request = play_get(&hostile.play, "/in/brief");
    struct amqp_heard at = amqp_peer_expect(&hostile.play.peer, AMQP_BASIC_CONSUME_METHOD);
    amqp_peer_deliver_head(&hostile.play.peer, &at, hostile_next_tag(), SIZE_MAX / 2 + 1);
    put_body(&frame, at.channel, body, sizeof body);
    for (int i = 0; i < N_BODY_FRAMES; i++)
        amqp_peer_send(&hostile.play.peer, frame.at, frame.n);
    play_expect(&request, 204, NULL);
    hostile_end(&hostile);
}

enum { N_BATCHES = 1000, BATCH = 1000 };

Test(hostile_delivery, a_broker_that_delivers_without_end_and_reads_nothing_is_left)
{
    static struct bytes batch;
    hostile_begin(&hostile, "flood", "hostile_consume.json");
    struct play_request request = play_get(&hostile.play, "/in");
    struct amqp_heard at = amqp_peer_expect(&hostile.play.peer, AMQP_BASIC_CONSUME_METHOD);
    for (int i = 0; i < N_BATCHES; i++) {
        batch.n = 0;
        for (int j = 0; j < BATCH; j++) {
            put_deliver(&batch, &at, hostile_next_tag());
            put_content_header(&batch, at.channel, 0);
        }
        amqp_peer_send(&hostile.play.peer, batch.at, batch.n);
    }
    play_expect(&request, 200, NULL);
    hostile_await_end(&hostile, "the broker reads nothing, not even an ack");
    amqp_peer_hang_up(&hostile.play.peer);
    hostile_accept(&hostile);
    hostile_end(&hostile);
}
