/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker may say while a publish is in flight: none of it makes a 200 of what was not
 * confirmed, or takes back one that was.
 */
#include "tests/fault/hostile.h"

TestSuite(hostile_publish, .timeout = 120);

static struct hostile hostile;

enum { MANY = 100000, PUBLISHED = 1 /* the channel */ };

#define INVALID .code = AMQP_COMMAND_INVALID
#define BROKEN .code = AMQP_SYNTAX_ERROR

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
