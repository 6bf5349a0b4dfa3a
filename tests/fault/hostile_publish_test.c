/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker may say while a publish is in flight: none of it makes a 200 of what was not
 * confirmed, or takes back one that was.
 */
#include "tests/fault/hostile.h"

TestSuite(hostile_publish, .timeout = 120);

static struct hostile hostile;

enum { FRAME_HEAD_BYTES = 7, MANY = 100000, PUBLISHED = 1 /* the channel */ };

/* A method whose arguments are zeroes, more than enough of them: no -ok of ours reads further. */
static void put_ok(struct bytes *says, uint16_t channel, amqp_method_number_t id)
{
    static const uint8_t zeroes[16];
    put_method(says, channel, id, zeroes, sizeof zeroes);
}

/* ---- frames ---- */

SAYS(type_0)
{
    end_frame(says, begin_frame(says, 0, PUBLISHED));
}

SAYS(type_9)
{
    end_frame(says, begin_frame(says, 9, PUBLISHED));
}

SAYS(type_255)
{
    end_frame(says, begin_frame(says, 255, PUBLISHED));
}

SAYS(a_protocol_header)
{
    put(says, "AMQP\0\0\x09\x01", 8);
}

SAYS(a_frame_larger_than_agreed)
{
    size_t begun = begin_frame(says, AMQP_FRAME_BODY, PUBLISHED);
    says->n += 131072 - FRAME_HEAD_BYTES;
    end_frame(says, begun);
}

SAYS(a_wrong_end)
{
    put_ok(says, PUBLISHED, AMQP_CONFIRM_SELECT_OK_METHOD);
    says->at[says->n - 1] = 0xcd;
}

SAYS(channel_65535)
{
    put_ok(says, 65535, AMQP_BASIC_QOS_OK_METHOD);
}

SAYS(a_channel_that_is_not_open)
{
    put_ok(says, 2, AMQP_CHANNEL_OPEN_OK_METHOD);
}

SAYS(a_confirm_on_channel_0)
{
    amqp_basic_ack_t ack = {.delivery_tag = at->tag};
    put_amqp(says, 0, AMQP_BASIC_ACK_METHOD, &ack);
}

SAYS(content_on_channel_0)
{
    put_body(says, 0, "x", 1);
}

SAYS(a_heartbeat_on_a_channel)
{
    end_frame(says, begin_frame(says, AMQP_FRAME_HEARTBEAT, PUBLISHED));
}

SAYS(a_heartbeat_with_a_payload)
{
    size_t begun = begin_frame(says, AMQP_FRAME_HEARTBEAT, 0);
    put(says, "tick", 4);
    end_frame(says, begun);
}

SAYS(a_method_of_no_bytes)
{
    end_frame(says, begin_frame(says, AMQP_FRAME_METHOD, PUBLISHED));
}

Test(hostile_publish, frames_that_may_not_be_end_the_connection_and_what_is_in_flight_is_unknown)
{
    static const struct hostile_row rows[] = {
        ROW(type_0, .code = AMQP_FRAME_ERROR, .reason = "0 is not a type of frame"),
        ROW(type_9, .code = AMQP_FRAME_ERROR, .reason = "9 is not a type of frame"),
        ROW(type_255, .code = AMQP_FRAME_ERROR, .reason = "255 is not a type of frame"),
        ROW(a_protocol_header, .code = AMQP_FRAME_ERROR, .reason = "with a protocol header"),
        ROW(a_frame_larger_than_agreed, .code = AMQP_FRAME_ERROR,
            .reason = "a frame with 131065 bytes of payload where frames have at most 131072"),
        ROW(a_wrong_end, .code = AMQP_FRAME_ERROR, .reason = "ends with 0xcd instead of 0xce"),
        ROW(channel_65535, .code = AMQP_CHANNEL_ERROR, .reason = "a frame on channel 65535"),
        ROW(a_channel_that_is_not_open, .code = AMQP_CHANNEL_ERROR,
            .reason = "a frame on a channel that is not open"),
        ROW(a_confirm_on_channel_0, .code = AMQP_COMMAND_INVALID,
            .reason = "BASIC_ACK_METHOD on channel 0"),
        ROW(content_on_channel_0, .code = AMQP_UNEXPECTED_FRAME, .reason = "content on channel 0"),
        ROW(a_heartbeat_on_a_channel, .code = AMQP_FRAME_ERROR,
            .reason = "a heartbeat of 0 bytes on channel 1"),
        ROW(a_heartbeat_with_a_payload, .code = AMQP_FRAME_ERROR,
            .reason = "a heartbeat of 4 bytes on channel 0"),
        ROW(a_method_of_no_bytes, .code = AMQP_SYNTAX_ERROR,
            .reason = "a method that cannot be decoded"),
    };
    hostile_begin(&hostile, "frames", "hostile_publish.json");
    hostile_publishes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- methods ---- */

SAYS(open_ok_again)
{
    put_ok(says, 0, AMQP_CONNECTION_OPEN_OK_METHOD);
}

SAYS(tune_again)
{
    put_ok(says, 0, AMQP_CONNECTION_TUNE_METHOD);
}

SAYS(secure)
{
    put_ok(says, 0, AMQP_CONNECTION_SECURE_METHOD);
}

SAYS(a_close_ok_that_nobody_asked_for)
{
    put_ok(says, 0, AMQP_CONNECTION_CLOSE_OK_METHOD);
}

SAYS(a_method_that_is_not)
{
    put_ok(says, PUBLISHED, 60 << 16 | 200);
}

SAYS(a_method_of_ours)
{
    put_ok(says, PUBLISHED, AMQP_BASIC_PUBLISH_METHOD);
}

SAYS(a_confirm_cut_short)
{
    put_method(says, PUBLISHED, AMQP_BASIC_ACK_METHOD, "\0\0\0", 3);
}

SAYS(a_channel_opened_twice)
{
    put_ok(says, PUBLISHED, AMQP_CHANNEL_OPEN_OK_METHOD);
}

SAYS(a_channel_closed_unasked)
{
    put_ok(says, PUBLISHED, AMQP_CHANNEL_CLOSE_OK_METHOD);
}

SAYS(blocked_on_a_channel)
{
    put_ok(says, PUBLISHED, AMQP_CONNECTION_BLOCKED_METHOD);
}

SAYS(exchange_declare_ok)
{
    put_ok(says, PUBLISHED, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

SAYS(queue_declare_ok)
{
    put_ok(says, PUBLISHED, AMQP_QUEUE_DECLARE_OK_METHOD);
}

SAYS(select_ok_again)
{
    put_ok(says, PUBLISHED, AMQP_CONFIRM_SELECT_OK_METHOD);
}

SAYS(deliver)
{
    put_ok(says, PUBLISHED, AMQP_BASIC_DELIVER_METHOD);
}

SAYS(cancel)
{
    put_ok(says, PUBLISHED, AMQP_BASIC_CANCEL_METHOD);
}

SAYS(get_empty)
{
    put_ok(says, PUBLISHED, AMQP_BASIC_GET_EMPTY_METHOD);
}

#define INVALID .code = AMQP_COMMAND_INVALID
#define BROKEN .code = AMQP_SYNTAX_ERROR

Test(hostile_publish, words_that_nobody_asked_for_end_the_connection)
{
    static const struct hostile_row rows[] = {
        ROW(open_ok_again, INVALID, .reason = "OPEN_OK_METHOD on channel 0 in state open"),
        ROW(tune_again, INVALID, .reason = "TUNE_METHOD on channel 0 in state open"),
        ROW(secure, INVALID, .reason = "SECURE_METHOD on channel 0 in state open"),
        ROW(a_close_ok_that_nobody_asked_for, INVALID, .reason = "CLOSE_OK_METHOD on channel 0"),
        ROW(a_method_that_is_not, BROKEN, .reason = "a method that cannot be decoded"),
        ROW(a_method_of_ours, BROKEN, .reason = "a method that cannot be decoded"),
        ROW(a_confirm_cut_short, BROKEN, .reason = "a method that cannot be decoded"),
        ROW(a_channel_opened_twice, INVALID, .reason = "channel.open-ok on channel 1"),
        ROW(a_channel_closed_unasked, INVALID, .reason = "CHANNEL_CLOSE_OK_METHOD on channel 1"),
        ROW(blocked_on_a_channel, INVALID, .reason = "CONNECTION_BLOCKED_METHOD on channel 1"),
        ROW(exchange_declare_ok, INVALID, .reason = "EXCHANGE_DECLARE_OK_METHOD"),
        ROW(queue_declare_ok, INVALID, .reason = "QUEUE_DECLARE_OK_METHOD"),
        ROW(select_ok_again, INVALID, .reason = "CONFIRM_SELECT_OK_METHOD"),
        ROW(deliver, INVALID, .reason = "BASIC_DELIVER_METHOD"),
        ROW(cancel, INVALID, .reason = "BASIC_CANCEL_METHOD"),
        ROW(get_empty, INVALID, .reason = "BASIC_GET_EMPTY_METHOD"),
    };
    hostile_begin(&hostile, "unasked", "hostile_publish.json");
    hostile_publishes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- confirms and returns ---- */

static void put_ack(struct bytes *says, uint64_t tag, bool is_multiple)
{
    amqp_basic_ack_t ack = {.delivery_tag = tag, .multiple = is_multiple};
    put_amqp(says, PUBLISHED, AMQP_BASIC_ACK_METHOD, &ack);
}

static void put_nack(struct bytes *says, uint64_t tag, bool is_multiple)
{
    amqp_basic_nack_t nack = {.delivery_tag = tag, .multiple = is_multiple};
    put_amqp(says, PUBLISHED, AMQP_BASIC_NACK_METHOD, &nack);
}

SAYS(ack_of_0)
{
    put_ack(says, 0, false);
}

SAYS(ack_of_the_next_one)
{
    put_ack(says, at->tag + 1, false);
}

SAYS(ack_up_to_the_next_one)
{
    put_ack(says, at->tag + 1, true);
}

SAYS(ack_up_to_the_last_of_all)
{
    put_ack(says, UINT64_MAX, true);
}

SAYS(nack_of_the_last_of_all)
{
    put_nack(says, UINT64_MAX, false);
}

SAYS(ack_twice)
{
    put_ack(says, at->tag, false);
    put_ack(says, at->tag, false);
}

SAYS(nack_then_ack)
{
    put_nack(says, at->tag, false);
    put_ack(says, at->tag, false);
}

static void put_return(struct bytes *says)
{
    amqp_basic_return_t back = {
        .reply_code = AMQP_NO_ROUTE, .reply_text = amqp_cstring_bytes("NO_ROUTE")};
    put_amqp(says, PUBLISHED, AMQP_BASIC_RETURN_METHOD, &back);
}

/* Up to the properties, which are the message id alone unless `flags` say something else. */
static size_t begin_header(struct bytes *says, uint64_t n_body, uint16_t flags)
{
    size_t begun = begin_frame(says, AMQP_FRAME_HEADER, PUBLISHED);
    put_16(says, AMQP_BASIC_CLASS);
    put_16(says, 0);
    put_64(says, n_body);
    put_16(says, flags);
    return begun;
}

static void put_header(struct bytes *says, const char *id, uint64_t n_body)
{
    size_t begun = begin_header(says, n_body, AMQP_BASIC_MESSAGE_ID_FLAG);
    put_short(says, id);
    end_frame(says, begun);
}

SAYS(a_return_of_another_message)
{
    put_return(says);
    put_header(says, "another", 0);
}

SAYS(a_return_of_no_message)
{
    put_return(says);
    put_content_header(says, PUBLISHED, 0);
}

SAYS(a_return_without_content_then_ack)
{
    put_return(says);
    put_ack(says, at->tag, false);
}

SAYS(a_return_without_its_body_then_ack)
{
    put_return(says);
    put_header(says, at->message_id, 6);
    put_ack(says, at->tag, false);
}

SAYS(a_return_with_two_headers)
{
    put_return(says);
    put_header(says, at->message_id, 6);
    put_header(says, at->message_id, 6);
}

SAYS(a_return_with_a_body_too_long)
{
    put_return(says);
    put_header(says, at->message_id, 6);
    put_body(says, PUBLISHED, "a body.", 7);
}

SAYS(a_return_with_a_property_past_its_frame)
{
    put_return(says);
    size_t begun = begin_header(says, 0, AMQP_BASIC_MESSAGE_ID_FLAG);
    put_8(says, 200);
    put(says, at->message_id, strlen(at->message_id));
    end_frame(says, begun);
}

SAYS(a_header_for_nothing)
{
    put_header(says, at->message_id, 0);
}

#define UNEXPECTED .code = AMQP_UNEXPECTED_FRAME
#define NOT_IN_FLIGHT .reason = "a confirm of a message that is not in flight"

/* What came back is on no queue, whatever else the broker says: 422 stands. */
#define CAME_BACK .status = 422, .kind = "unroutable"

Test(hostile_publish, confirms_and_returns_of_what_is_not_in_flight_change_no_answer)
{
    static const struct hostile_row rows[] = {
        ROW(ack_of_0, INVALID, NOT_IN_FLIGHT),
        ROW(ack_of_the_next_one, INVALID, NOT_IN_FLIGHT),
        ROW(ack_up_to_the_next_one, INVALID, NOT_IN_FLIGHT),
        ROW(ack_up_to_the_last_of_all, INVALID, NOT_IN_FLIGHT),
        ROW(nack_of_the_last_of_all, INVALID, NOT_IN_FLIGHT),
        ROW(ack_twice, INVALID, NOT_IN_FLIGHT, .status = 200),
        ROW(nack_then_ack, INVALID, NOT_IN_FLIGHT, .status = 502, .kind = "rejected"),
        ROW(a_return_of_another_message, INVALID, .reason = "came back that is not in flight"),
        ROW(a_return_of_no_message, INVALID, .reason = "came back that is not in flight"),
        ROW(a_return_without_content_then_ack, UNEXPECTED, .reason = "a method inside of content"),
        ROW(a_return_without_its_body_then_ack, UNEXPECTED, CAME_BACK,
            .reason = "a method inside of content"),
        ROW(a_return_with_two_headers, UNEXPECTED, CAME_BACK,
            .reason = "a content header that no method announced"),
        ROW(a_return_with_a_body_too_long, UNEXPECTED, CAME_BACK,
            .reason = "a body larger than its header announced"),
        ROW(a_return_with_a_property_past_its_frame, BROKEN,
            .reason = "a content header that cannot be decoded"),
        ROW(a_header_for_nothing, UNEXPECTED, .reason = "a content header that no method"),
    };
    hostile_begin(&hostile, "confirms", "hostile_publish.json");
    hostile_publishes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- what is odd, and allowed ---- */

SAYS(heartbeats_without_end)
{
    for (int i = 0; i < MANY; i++)
        put_heartbeat(says);
}

SAYS(blocked_again_and_again)
{
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on \"memory\"\n")};
    amqp_connection_unblocked_t unblocked = {0};
    for (int i = 0; i < MANY / 100; i++) {
        put_amqp(says, 0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
        put_amqp(says, 0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
        put_amqp(says, 0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    }
}

SAYS(unblocked_without_being_blocked)
{
    amqp_connection_unblocked_t unblocked = {0};
    put_amqp(says, 0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
}

SAYS(flow_again_and_again)
{
    amqp_channel_flow_t stop = {.active = 0}, start = {.active = 1};
    for (int i = 0; i < MANY / 100; i++) {
        put_amqp(says, PUBLISHED, AMQP_CHANNEL_FLOW_METHOD, &start);
        put_amqp(says, PUBLISHED, AMQP_CHANNEL_FLOW_METHOD, &stop);
        put_amqp(says, PUBLISHED, AMQP_CHANNEL_FLOW_METHOD, &start);
    }
}

SAYS(ack_of_all)
{
    put_ack(says, 0, true);
}

SAYS(nack_of_all)
{
    put_nack(says, 0, true);
}

/* The properties behind those that there are have no names in AMQP 0-9-1. */
SAYS(a_return_with_flags_that_go_on)
{
    put_return(says);
    size_t begun = begin_header(says, 0, AMQP_BASIC_MESSAGE_ID_FLAG | 1);
    put_16(says, 0);
    put_short(says, at->message_id);
    end_frame(says, begun);
    put_ack(says, at->tag, false);
}

SAYS(a_return_with_headers_of_no_kind)
{
    put_return(says);
    size_t begun = begin_header(says, 0, AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG);
    size_t table = begin_length(says);
    put_short(says, "key");
    put_8(says, '?');
    end_length(says, table);
    put_short(says, at->message_id);
    end_frame(says, begun);
    put_ack(says, at->tag, false);
}

SAYS(a_return_twice)
{
    for (int i = 0; i < 2; i++) {
        put_return(says);
        put_header(says, at->message_id, 6);
        put_body(says, PUBLISHED, "", 0);
        put_body(says, PUBLISHED, "a body", 6);
    }
    put_ack(says, at->tag, true);
}

Test(hostile_publish, what_is_odd_and_allowed_is_borne)
{
    static const struct hostile_row rows[] = {
        ROW(heartbeats_without_end),
        ROW(blocked_again_and_again),
        ROW(unblocked_without_being_blocked),
        ROW(flow_again_and_again),
        ROW(ack_of_all, .status = 200),
        ROW(nack_of_all, .status = 502, .kind = "rejected"),
        ROW(a_return_with_flags_that_go_on, CAME_BACK),
        ROW(a_return_with_headers_of_no_kind, CAME_BACK),
        ROW(a_return_twice, CAME_BACK),
    };
    hostile_begin(&hostile, "borne", "hostile_publish.json");
    hostile_publishes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- channel.flow ---- */

static void say_flow(bool active)
{
    amqp_channel_flow_t flow = {.active = active};
    amqp_peer_say(&hostile.play.peer, PUBLISHED, AMQP_CHANNEL_FLOW_METHOD, &flow);
}

Test(hostile_publish, a_channel_that_is_stopped_is_503_at_once_and_works_when_it_is_started)
{
    struct amqp_heard at;
    hostile_begin(&hostile, "flow", "hostile_publish.json");
    struct play_request in_flight = play_publish(&hostile.play, "/out/in-flight", &at);
    say_flow(false);
    sidecar_await_log(&hostile.play.scene.sidecar, "channel-stopped");
    struct play_request stopped = play_post(&hostile.play, "/out/stopped");
    play_expect(&stopped, 503, "broker-blocked");
    amqp_peer_ack(&hostile.play.peer, &at, false);
    play_expect(&in_flight, 200, NULL);
    say_flow(true);
    sidecar_await_log(&hostile.play.scene.sidecar, "channel-started");
    play_expect_works(&hostile.play, "/out/started");
    hostile_end(&hostile);
}
