/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker, or whatever else listens on its port, may say in place of the next word of the
 * handshake. Nothing of it is answered with a word but in the last stage, where a close may be said
 * (specification 2.2.4), and everything is tried again at leisure.
 */
#include "tests/fault/hostile.h"

#include "tests/support/require.h"

TestSuite(hostile_handshake, .timeout = 120);

static struct hostile hostile;

/* ---- words ---- */

enum { CHANNEL_0 = 0, MANY = 200, FRAME_HEAD_BYTES = 7 };

static size_t begin_method(struct bytes *says, uint16_t channel, amqp_method_number_t id)
{
    size_t begun = begin_frame(says, AMQP_FRAME_METHOD, channel);
    put_32(says, id);
    return begun;
}

/* Up to its table. */
static size_t begin_start(struct bytes *says, uint8_t major, uint8_t minor)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_START_METHOD);
    put_8(says, major);
    put_8(says, minor);
    return begun;
}

static void end_start(struct bytes *says, size_t begun, const char *mechanisms)
{
    put_long(says, mechanisms);
    put_long(says, "en_US");
    end_frame(says, begun);
}

static void put_start(struct bytes *says, uint8_t major, uint8_t minor, const char *mechanisms)
{
    size_t begun = begin_start(says, major, minor);
    end_length(says, begin_length(says)); /* no properties */
    end_start(says, begun, mechanisms);
}

static void put_tune(
    struct bytes *says, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat_s)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_TUNE_METHOD);
    put_16(says, channel_max);
    put_32(says, frame_max);
    put_16(says, heartbeat_s);
    end_frame(says, begun);
}

static void put_open_ok(struct bytes *says)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_OPEN_OK_METHOD);
    put_short(says, "");
    end_frame(says, begun);
}

/* ---- no AMQP ---- */

SAYS(an_http_answer)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    put(says, answer, sizeof answer - 1);
}

SAYS(the_greeting_of_a_mail_server)
{
    static const char greeting[] = "220 mail.example ESMTP\r\n";
    put(says, greeting, sizeof greeting - 1);
}

SAYS(a_protocol_header)
{
    put(says, "AMQP\0\0\x09\x01", 8);
}

SAYS(a_protocol_header_of_1_0)
{
    put(says, "AMQP\0\1\0\0", 8);
}

SAYS(zeroes)
{
    static const uint8_t nothing[64];
    put(says, nothing, sizeof nothing);
}

SAYS(type_9)
{
    end_frame(says, begin_frame(says, 9, CHANNEL_0));
}

SAYS(type_255)
{
    end_frame(says, begin_frame(says, 255, CHANNEL_0));
}

SAYS(four_gigabytes)
{
    put(says, "\1\0\0\xff\xff\xff\xff", FRAME_HEAD_BYTES);
}

SAYS(a_wrong_end)
{
    put_start(says, 0, 9, "PLAIN");
    says->at[says->n - 1] = 0;
}

/* ---- a word of another time ---- */

SAYS(secure)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_SECURE_METHOD);
    put_long(says, "who are you?");
    end_frame(says, begun);
}

/* Of AMQP 0-8. */
SAYS(redirect)
{
    size_t begun = begin_method(says, CHANNEL_0, 10 << 16 | 50);
    put_short(says, "another.example");
    put_short(says, "");
    end_frame(says, begun);
}

SAYS(start)
{
    put_start(says, 0, 9, "PLAIN");
}

SAYS(tune)
{
    put_tune(says, 0, 0, 0);
}

SAYS(open_ok)
{
    put_open_ok(says);
}

SAYS(close_ok)
{
    end_frame(says, begin_method(says, CHANNEL_0, AMQP_CONNECTION_CLOSE_OK_METHOD));
}

SAYS(a_close_with_a_line_of_log_in_it)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_CLOSE_METHOD);
    put_16(says, AMQP_CONNECTION_FORCED);
    put_short(says, "gone\n2026-01-01T00:00:00.000Z error forged: \"all is lost\"");
    put_32(says, 0);
    end_frame(says, begun);
}

SAYS(a_channels_word)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CHANNEL_OPEN_OK_METHOD);
    put_long(says, "");
    end_frame(says, begun);
}

SAYS(start_on_channel_1)
{
    put_start(says, 0, 9, "PLAIN");
    says->at[2] = 1;
}

SAYS(content)
{
    put_content_header(says, CHANNEL_0, 5);
}

/* ---- connection.start ---- */

SAYS(version_0_8)
{
    put_start(says, 8, 0, "PLAIN");
}

SAYS(no_mechanisms)
{
    put_start(says, 0, 9, "");
}

SAYS(garbled_mechanisms)
{
    put_start(says, 0, 9, "  PLAINX xPLAIN \xff\xfe   ");
}

SAYS(mechanisms_of_four_gigabytes)
{
    size_t begun = begin_start(says, 0, 9);
    end_length(says, begin_length(says));
    put_32(says, UINT32_MAX);
    put(says, "PLAIN", 5);
    end_frame(says, begun);
}

SAYS(start_without_its_end)
{
    size_t begun = begin_start(says, 0, 9);
    end_length(says, begin_length(says));
    put_long(says, "PLAIN");
    end_frame(says, begun);
}

SAYS(properties_nested_200_deep)
{
    size_t begun = begin_start(says, 0, 9), tables[MANY];
    for (int i = 0; i < MANY; i++) {
        tables[i] = begin_length(says);
        put_short(says, "k");
        put_8(says, 'F');
    }
    put_32(says, 0);
    for (int i = MANY - 1; i >= 0; i--)
        end_length(says, tables[i]);
    end_start(says, begun, "PLAIN");
}

SAYS(properties_that_reach_past_their_frame)
{
    size_t begun = begin_start(says, 0, 9);
    put_32(says, 1000);
    put_short(says, "product");
    put_8(says, 'S');
    put_long(says, "X");
    end_start(says, begun, "PLAIN");
}

SAYS(properties_that_end_in_a_key)
{
    size_t begun = begin_start(says, 0, 9), table = begin_length(says);
    put_short(says, "product");
    end_length(says, table);
    end_start(says, begun, "PLAIN");
}

SAYS(properties_of_no_kind)
{
    size_t begun = begin_start(says, 0, 9), table = begin_length(says);
    put_short(says, "product");
    put_8(says, '?');
    put_long(says, "X");
    end_length(says, table);
    end_start(says, begun, "PLAIN");
}

Test(hostile_handshake, whatever_comes_in_place_of_a_frame_is_named_and_tried_again_at_leisure)
{
    static const struct hostile_row rows[] = {
        ROW(an_http_answer, .reason = "speaks HTTP"),
        ROW(the_greeting_of_a_mail_server, .reason = "50 is not a type of frame"),
        ROW(a_protocol_header, .reason = "answers with a protocol header"),
        ROW(a_protocol_header_of_1_0, .reason = "does not speak AMQP 0-9-1"),
        ROW(zeroes, .reason = "0 is not a type of frame"),
        ROW(type_9, .reason = "9 is not a type of frame"),
        ROW(type_255, .reason = "255 is not a type of frame"),
        ROW(four_gigabytes, .reason = "a frame with 4294967295 bytes of payload"),
        ROW(a_wrong_end, .reason = "ends with 0x00 instead of 0xce"),
        ROW(start_on_channel_1, .reason = "a frame on channel 1 in state starting"),
        ROW(content, .reason = "content on channel 0"),
    };
    hostile_begin(&hostile, "no_frame", "hostile_publish.json");
    hostile_handshakes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

Test(hostile_handshake, no_start_that_is_none_is_answered)
{
    static const struct hostile_row rows[] = {
        ROW(secure, .reason = "SECURE_METHOD on channel 0 in state starting"),
        ROW(redirect, .reason = "a method on channel 0 that cannot be decoded"),
        ROW(a_channels_word, .reason = "OPEN_OK_METHOD on channel 0 in state starting"),
        ROW(a_close_with_a_line_of_log_in_it, .reason = "gone"),
        ROW(version_0_8, .reason = "the broker does not speak AMQP 0-9-1"),
        ROW(no_mechanisms, .reason = "does not offer the mechanism PLAIN"),
        ROW(garbled_mechanisms, .reason = "does not offer the mechanism PLAIN"),
        ROW(mechanisms_of_four_gigabytes, .reason = "a method on channel 0 that cannot be"),
        ROW(start_without_its_end, .reason = "a method on channel 0 that cannot be decoded"),
        ROW(properties_nested_200_deep, .reason = "a method on channel 0 that cannot be decoded"),
        ROW(properties_that_reach_past_their_frame, .reason = "a method on channel 0 that cannot"),
        ROW(properties_that_end_in_a_key, .reason = "a method on channel 0 that cannot be decoded"),
        ROW(properties_of_no_kind, .reason = "a method on channel 0 that cannot be decoded"),
    };
    hostile_begin(&hostile, "no_start", "hostile_publish.json");
    hostile_handshakes(&hostile, HOSTILE_ROWS(rows));
    autofree char *log = sidecar_log(&hostile.play.scene.sidecar);
    cr_assert_null(strstr(log, "\n2026-01-01T00:00:00.000Z"), "a broker has written into the log");
    hostile_end(&hostile);
}

/* ---- connection.tune, connection.open-ok ---- */

SAYS(frame_max_1)
{
    put_tune(says, 0, 1, 0);
}

SAYS(frame_max_4095)
{
    put_tune(says, 0, 4095, 0);
}

SAYS(tune_cut_short)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_TUNE_METHOD);
    put_16(says, 0);
    end_frame(says, begun);
}

/* Larger than what has just been agreed on. */
SAYS(tune_with_a_larger_frame_behind_it)
{
    put_tune(says, 0, 4096, 0);
    put(says, "\1\0\0\0\0\x10\1", FRAME_HEAD_BYTES);
}

SAYS(a_channel_too_early)
{
    end_frame(says, begin_method(says, 1, AMQP_CONFIRM_SELECT_OK_METHOD));
}

SAYS(open_ok_without_its_end)
{
    size_t begun = begin_method(says, CHANNEL_0, AMQP_CONNECTION_OPEN_OK_METHOD);
    put_8(says, 200);
    end_frame(says, begun);
}

SAYS(half_a_word)
{
    put(says, "\1\0\0\0\0\0\x09\0", FRAME_HEAD_BYTES + 1);
}

#define AFTER_START .stage = AMQP_PEER_STARTED
#define AFTER_TUNE .stage = AMQP_PEER_TUNED

Test(hostile_handshake, no_tuning_or_opening_that_is_none_lets_it_in)
{
    static const struct hostile_row rows[] = {
        ROW(frame_max_1, AFTER_START, .reason = "wants frames of at most 1 bytes"),
        ROW(frame_max_4095, AFTER_START, .reason = "wants frames of at most 4095 bytes"),
        ROW(tune_cut_short, AFTER_START, .reason = "a method on channel 0 that cannot be decoded"),
        ROW(secure, AFTER_START, .reason = "SECURE_METHOD on channel 0 in state tuning"),
        ROW(start, AFTER_START, .reason = "START_METHOD on channel 0 in state tuning"),
        ROW(open_ok, AFTER_START, .reason = "OPEN_OK_METHOD on channel 0 in state tuning"),
        ROW(tune_with_a_larger_frame_behind_it, AFTER_START,
            .reason = "a frame with 4097 bytes of payload where frames have at most 4096"),
        ROW(tune, AFTER_TUNE, .code = AMQP_COMMAND_INVALID,
            .reason = "TUNE_METHOD on channel 0 in state opening"),
        ROW(close_ok, AFTER_TUNE, .code = AMQP_COMMAND_INVALID,
            .reason = "CLOSE_OK_METHOD on channel 0 in state opening"),
        ROW(a_channel_too_early, AFTER_TUNE, .code = AMQP_CHANNEL_ERROR,
            .reason = "a frame on channel 1 in state opening"),
        ROW(open_ok_without_its_end, AFTER_TUNE, .code = AMQP_SYNTAX_ERROR,
            .reason = "a method on channel 0 that cannot be decoded"),
    };
    hostile_begin(&hostile, "no_tune", "hostile_publish.json");
    hostile_handshakes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

Test(hostile_handshake, silence_is_left_at_every_stage_after_the_connection_timeout)
{
    static const struct hostile_row rows[] = {
        {.name = "silence before start", .reason = "no answer from the broker in state starting"},
        {.name = "silence before tune",
            AFTER_START,
            .reason = "no answer from the broker in state tuning"},
        {.name = "silence before open-ok",
            AFTER_TUNE,
            .reason = "no answer from the broker in state opening"},
        ROW(half_a_word, .reason = "no answer from the broker in state starting"),
    };
    hostile_begin(&hostile, "silence", "hostile_publish.json");
    hostile_handshakes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}

/* ---- what is odd, and allowed ---- */

/* The rest in one piece: it is read before the answers to it are written. */
static void put_rest(struct bytes *says)
{
    put_tune(says, 0, 0, 0);
    put_open_ok(says);
}

SAYS(all_at_once)
{
    put_start(says, 0, 9, "PLAIN");
    put_rest(says);
}

SAYS(properties_that_fill_a_frame)
{
    size_t begun = begin_start(says, 0, 9), table = begin_length(says);
    for (int i = 0; i < 60000; i++) {
        put_8(says, 0); /* an empty key */
        put_8(says, 'V');
    }
    end_length(says, table);
    end_start(says, begun, "PLAIN");
    put_rest(says);
}

SAYS(thousands_of_mechanisms)
{
    static char mechanisms[100001];
    memset(mechanisms, ' ', sizeof mechanisms - 1);
    for (size_t i = 0; i < sizeof mechanisms - 10; i += 2)
        mechanisms[i] = 'X';
    memcpy(mechanisms + sizeof mechanisms - 6, "PLAIN", 5);
    put_start(says, 0, 9, mechanisms);
    put_rest(says);
}

SAYS(no_limits)
{
    put_tune(says, 0, 0, 0);
    put_open_ok(says);
}

SAYS(the_largest_limits)
{
    put_tune(says, UINT16_MAX, UINT32_MAX, UINT16_MAX);
    put_open_ok(says);
}

SAYS(the_least_limits)
{
    put_tune(says, 1, 4096, 0);
    put_open_ok(says);
}

SAYS(heartbeats_before_anything_is_agreed)
{
    for (int i = 0; i < MANY; i++)
        put_heartbeat(says);
    put_start(says, 0, 9, "PLAIN");
    put_rest(says);
}

Test(hostile_handshake, what_is_odd_and_allowed_lets_it_in)
{
    static const struct hostile_row rows[] = {
        ROW(all_at_once),
        ROW(properties_that_fill_a_frame),
        ROW(thousands_of_mechanisms),
        ROW(heartbeats_before_anything_is_agreed),
        ROW(no_limits, AFTER_START),
        ROW(the_largest_limits, AFTER_START),
        ROW(the_least_limits, AFTER_START),
    };
    hostile_begin(&hostile, "odd", "hostile_publish.json");
    hostile_handshakes(&hostile, HOSTILE_ROWS(rows));
    hostile_end(&hostile);
}
