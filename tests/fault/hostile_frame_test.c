/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that may not be and words that nobody asked for, while a publish is in flight: the
 * connection is closed with the reason, and what is in flight is unknown.
 */
#include "tests/fault/hostile.h"

TestSuite(hostile_frame, .timeout = 120);

static struct hostile hostile;

enum { FRAME_HEAD_BYTES = 7, PUBLISHED = 1 /* the channel */ };

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

Test(hostile_frame, frames_that_may_not_be_end_the_connection_and_what_is_in_flight_is_unknown)
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

Test(hostile_frame, words_that_nobody_asked_for_end_the_connection)
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
