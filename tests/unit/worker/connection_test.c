/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

static int n_opened, n_frames, n_blocked;
static bool is_blocked;
static char blocked_reason[CONNECTION_TEXT_BYTES];

static void on_open(void *owner)
{
    n_opened++;
}

static void on_frame(void *owner, const struct frame *frame)
{
    n_frames++;
}

static void on_blocked(void *owner, bool blocked, const char *reason)
{
    n_blocked++;
    is_blocked = blocked;
    (void)strncpy(blocked_reason, reason, sizeof blocked_reason - 1);
}

static const struct connection_ops ops = {
    .on_open = on_open, .on_frame = on_frame, .on_blocked = on_blocked};

static struct connection_config config = {.name = "test", .version = "1.2.3"};

static void set_up(void)
{
    cr_assert_eq(connection_init(&connection, &config, &ops, NULL), 0);
}

static void tear_down(void)
{
    connection_done(&connection);
    empty_amqp_pool(&hears_pool);
}

static void set_up_with(const struct connection_config *other)
{
    connection_done(&connection);
    cr_assert_eq(connection_init(&connection, other, &ops, NULL), 0);
}

TestSuite(connection, .init = set_up, .fini = tear_down);

static void expect_end(enum connection_end_reason reason, uint16_t code, const char *words)
{
    cr_assert_eq(connection.state, CONNECTION_ENDED);
    cr_assert_eq(connection.end.reason, reason, "%s (%s)",
        connection_end_name(connection.end.reason), connection.end.text);
    cr_assert_eq(connection.end.code, code);
    cr_assert(strstr(connection.end.text, words), "\"%s\" does not say \"%s\"", connection.end.text,
        words);
}

static const amqp_table_entry_t *entry_of(const amqp_table_t *table, const char *key)
{
    for (int i = 0; i < table->num_entries; i++)
        if (is_text(table->entries[i].key, key))
            return &table->entries[i];
    return NULL;
}

/* ---- the handshake -------------------------------------------------------------------------- */

Test(connection, the_handshake_says_who_and_where_and_ends_open)
{
    connection_start(&connection, &login, now_ns);
    broker_heard_bytes("AMQP\0\0\11\1", 8);
    broker_start("PLAIN AMQPLAIN");
    const amqp_connection_start_ok_t *start_ok = broker_heard(0, AMQP_CONNECTION_START_OK_METHOD);
    cr_assert(is_text(start_ok->mechanism, "PLAIN"));
    cr_assert(is_bytes(start_ok->response, "\0me\0secret", 10));

    broker_tune(2047, 131072, 60);
    const amqp_connection_tune_ok_t *tune_ok = broker_heard(0, AMQP_CONNECTION_TUNE_OK_METHOD);
    cr_assert_eq(tune_ok->channel_max, 2047);
    cr_assert_eq(tune_ok->frame_max, 131072);
    cr_assert_eq(tune_ok->heartbeat, 60);
    const amqp_connection_open_t *open = broker_heard(0, AMQP_CONNECTION_OPEN_METHOD);
    cr_assert(is_text(open->virtual_host, "v1"));
    cr_assert_eq(n_opened, 0);

    broker_open_ok();
    cr_assert_eq(n_opened, 1);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert(broker_heard_all());
}

Test(connection, capabilities_and_name_are_announced)
{
    static const char *const wanted[] = {"publisher_confirms", "basic.nack",
        "consumer_cancel_notify", "connection.blocked", "authentication_failure_close",
        "exchange_exchange_bindings"};
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_heard_bytes("AMQP\0\0\11\1", 8);
    const amqp_connection_start_ok_t *start_ok = broker_heard(0, AMQP_CONNECTION_START_OK_METHOD);
    const amqp_table_entry_t *entry = entry_of(&start_ok->client_properties, "capabilities");
    cr_assert(entry && entry->value.kind == AMQP_FIELD_KIND_TABLE);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const amqp_table_entry_t *one = entry_of(&entry->value.value.table, wanted[i]);
        cr_assert(one && one->value.kind == AMQP_FIELD_KIND_BOOLEAN && one->value.value.boolean,
            "%s", wanted[i]);
    }
    entry = entry_of(&start_ok->client_properties, "connection_name");
    cr_assert(entry && is_text(entry->value.value.bytes, "test"));
}

Test(connection, limits_are_the_lower_of_both_sides_and_zero_is_none)
{
    static const struct {
        struct connection_limits theirs, ours, agreed;
    } cases[] = {
        /* frame_max, channel_max, heartbeat_s */
        {{131072, 2047, 60}, {131072, 2047, 60}, {131072, 2047, 60}},
        {{4096, 10, 5}, {131072, 2047, 60}, {4096, 10, 5}},
        {{1 << 30, 65535, 600}, {8192, 100, 10}, {8192, 100, 10}},
        {{0, 0, 0}, {131072, 2047, 60}, {131072, 2047, 60}},
        {{131072, 2047, 60}, {131072, 2047, CONNECTION_NO_HEARTBEAT}, {131072, 2047, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct connection_config own = config;
        own.frame_max = cases[i].ours.frame_max;
        own.channel_max = cases[i].ours.channel_max;
        own.heartbeat_s = cases[i].ours.heartbeat_s;
        set_up_with(&own);
        hears.n = n_read = 0;
        connection_start(&connection, &login, now_ns);
        broker_start("PLAIN");
        broker_tune(
            cases[i].theirs.channel_max, cases[i].theirs.frame_max, cases[i].theirs.heartbeat_s);
        broker_heard_bytes("AMQP\0\0\11\1", 8);
        (void)broker_heard(0, AMQP_CONNECTION_START_OK_METHOD);
        const amqp_connection_tune_ok_t *said = broker_heard(0, AMQP_CONNECTION_TUNE_OK_METHOD);
        cr_assert_eq(said->frame_max, cases[i].agreed.frame_max, "case %zu", i);
        cr_assert_eq(said->channel_max, cases[i].agreed.channel_max, "case %zu", i);
        cr_assert_eq(said->heartbeat, cases[i].agreed.heartbeat_s, "case %zu", i);
        cr_assert_eq(connection.agreed.frame_max, cases[i].agreed.frame_max);
    }
}

/* rabbitmq-c checks this only in a login of its own. */
Test(connection, a_frame_max_below_4096_is_a_violation)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_tune(2047, 4095, 60);
    expect_end(CONNECTION_END_VIOLATION, AMQP_SYNTAX_ERROR, "frames of at most 4095 bytes");
}

/* amqp_tune_connection() would abort when bytes of the next frame are there already. */
Test(connection, a_tune_with_the_beginning_of_the_next_frame_behind_it_is_taken)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    amqp_connection_tune_t tune = {.channel_max = 1, .frame_max = 4096, .heartbeat = 10};
    amqp_connection_open_ok_t open_ok = {0};
    broker_method(0, AMQP_CONNECTION_TUNE_METHOD, &tune);
    broker_method(0, AMQP_CONNECTION_OPEN_OK_METHOD, &open_ok);
    connection_input(&connection, says.at, says.n - 3, now_ns);
    cr_assert_eq(connection.state, CONNECTION_OPENING);
    connection_input(&connection, says.at + says.n - 3, 3, now_ns);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(connection, after_the_tuning_a_larger_frame_is_a_violation)
{
    static uint8_t body[5000];
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_tune(2047, 4096, 60);
    broker_open_ok();
    put_body(&says, 1, body, sizeof body);
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_FRAME_ERROR, "at most 4096");
}

Test(connection, the_whole_handshake_may_come_byte_by_byte)
{
    connection_start(&connection, &login, now_ns);
    amqp_connection_start_t start = {.version_minor = 9,
        .mechanisms = amqp_cstring_bytes("AMQPLAIN PLAIN"),
        .locales = amqp_cstring_bytes("en_US")};
    amqp_connection_tune_t tune = {.channel_max = 100, .frame_max = 8192, .heartbeat = 10};
    amqp_connection_open_ok_t open_ok = {0};
    broker_method(0, AMQP_CONNECTION_START_METHOD, &start);
    broker_method(0, AMQP_CONNECTION_TUNE_METHOD, &tune);
    broker_method(0, AMQP_CONNECTION_OPEN_OK_METHOD, &open_ok);
    put_heartbeat(&says);
    for (size_t i = 0; i < says.n; i++)
        connection_input(&connection, says.at + i, 1, now_ns);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(connection, without_the_mechanism_plain_it_is_refused)
{
    connection_start(&connection, &login, now_ns);
    broker_start("AMQPLAIN EXTERNAL PLAINTEXT");
    expect_end(CONNECTION_END_REFUSED, 0, "PLAIN");
}

Test(connection, external_leaves_it_to_the_certificate_who_we_are)
{
    struct connection_login external = login;
    external.is_external = true;
    connection_start(&connection, &external, now_ns);
    broker_start("PLAIN EXTERNAL");
    broker_heard_bytes("AMQP\0\0\11\1", 8);
    const amqp_connection_start_ok_t *start_ok = broker_heard(0, AMQP_CONNECTION_START_OK_METHOD);
    cr_assert(is_text(start_ok->mechanism, "EXTERNAL"));
    cr_assert_eq(start_ok->response.len, 0, "neither user nor password are sent");
}

Test(connection, without_the_mechanism_external_it_is_refused)
{
    struct connection_login external = login;
    external.is_external = true;
    connection_start(&connection, &external, now_ns);
    broker_start("PLAIN AMQPLAIN");
    expect_end(CONNECTION_END_REFUSED, 0, "EXTERNAL");
}

Test(connection, a_broker_that_answers_in_tls_is_named)
{
    connection_start(&connection, &login, now_ns);
    connection_input(&connection, (const uint8_t *)"\x15\3\3\0\2\2\12", 7, now_ns);
    expect_end(CONNECTION_END_VIOLATION, AMQP_FRAME_ERROR, "its URI begins with amqps://");
}

Test(connection, the_end_of_its_transport_is_told_in_the_transports_words)
{
    static const struct connection_end end = {
        .reason = CONNECTION_END_TLS, .text = "TLS with rabbit: it breaks off"};
    connection_start(&connection, &login, now_ns);
    connection_cut_off(&connection, &end);
    expect_end(CONNECTION_END_TLS, 0, "TLS with rabbit: it breaks off");
    connection_cut_off(&connection, &(struct connection_end){.reason = CONNECTION_END_LOST});
    cr_assert_eq(connection.end.reason, CONNECTION_END_TLS, "the first word counts");
}

Test(connection, a_broker_of_another_version_is_named)
{
    connection_start(&connection, &login, now_ns);
    connection_input(&connection, (const uint8_t *)"AMQP\0\0\11\1", 8, now_ns);
    expect_end(CONNECTION_END_VIOLATION, AMQP_FRAME_ERROR, "does not speak AMQP 0-9-1");
}

Test(connection, a_wrong_password_is_a_refusal_and_the_text_is_the_brokers)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_close(403, "ACCESS_REFUSED - Login was refused");
    expect_end(CONNECTION_END_REFUSED, 403, "ACCESS_REFUSED - Login was refused");
    cr_assert_not(strstr(connection.end.text, "secret"));
}

Test(connection, an_unknown_vhost_is_a_refusal)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_tune(0, 0, 0);
    broker_close(530, "NOT_ALLOWED - vhost v1 not found");
    expect_end(CONNECTION_END_REFUSED, 530, "vhost v1 not found");
}

Test(connection, a_broker_that_shuts_down_during_the_login_is_no_refusal)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_close(320, "CONNECTION_FORCED - broker forced connection closure");
    expect_end(CONNECTION_END_BROKER, 320, "CONNECTION_FORCED");
}

Test(connection, a_socket_closed_during_the_login_is_a_loss)
{
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    connection_lost(&connection, 0, "the broker closed the connection");
    expect_end(CONNECTION_END_LOST, 0, "the broker closed the connection");
}

Test(connection, strings_too_long_for_the_login_are_refused_without_being_sent)
{
    static char password[5000], vhost[300];
    memset(password, 'p', sizeof password - 1);
    memset(vhost, 'v', sizeof vhost - 1);
    struct connection_login is_long = {.user = "u", .password = password, .vhost = "/"};
    connection_start(&connection, &is_long, now_ns);
    broker_start("PLAIN");
    expect_end(CONNECTION_END_REFUSED, 0, "too long");

    connection_reset(&connection);
    is_long = (struct connection_login){.user = "u", .password = "p", .vhost = vhost};
    connection_start(&connection, &is_long, now_ns);
    broker_start("PLAIN");
    broker_tune(0, 0, 0);
    expect_end(CONNECTION_END_REFUSED, 0, "too long");
}

Test(connection, a_handshake_that_hangs_is_given_up)
{
    connection_start(&connection, &login, now_ns);
    uint64_t deadline_ns = connection_next_ns(&connection);
    cr_assert_eq(deadline_ns, now_ns + 10 * CLOCK_S);
    connection_tick(&connection, deadline_ns - 1);
    cr_assert_eq(connection.state, CONNECTION_STARTING);
    connection_tick(&connection, deadline_ns);
    expect_end(CONNECTION_END_LATE, 0, "state starting");
}

Test(connection, methods_of_another_state_are_violations)
{
    connection_start(&connection, &login, now_ns);
    broker_open_ok();
    expect_end(CONNECTION_END_VIOLATION, AMQP_COMMAND_INVALID, "starting");

    connection_reset(&connection);
    connection_start(&connection, &login, now_ns);
    broker_start("PLAIN");
    broker_start("PLAIN");
    expect_end(CONNECTION_END_VIOLATION, AMQP_COMMAND_INVALID, "tuning");
}

Test(connection, a_server_table_nested_without_end_is_a_violation)
{
    size_t begun = begin_frame(&says, 1, 0);
    static size_t tables[5000];
    put_32(&says, AMQP_CONNECTION_START_METHOD);
    put_8(&says, 0);
    put_8(&says, 9);
    for (int i = 0; i < 5000; i++) {
        if (i > 0) {
            put_short(&says, "");
            put_8(&says, 'F');
        }
        tables[i] = begin_length(&says);
    }
    for (int i = 4999; i >= 0; i--)
        end_length(&says, tables[i]);
    put_long(&says, "PLAIN");
    put_long(&says, "en_US");
    end_frame(&says, begun);
    connection_start(&connection, &login, now_ns);
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_SYNTAX_ERROR, "cannot be decoded");
}

/* ---- open ----------------------------------------------------------------------------------- */

Test(connection, frames_of_channels_go_to_the_owner)
{
    broker_accept();
    put_body(&says, 1, "x", 1);
    put_body(&says, 2047, "x", 1);
    broker_speak();
    cr_assert_eq(n_frames, 2);
}

Test(connection, a_channel_beyond_the_agreed_number_is_a_violation)
{
    broker_accept();
    put_body(&says, 2048, "x", 1);
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_CHANNEL_ERROR, "channel 2048");
    const amqp_connection_close_t *close = broker_heard(0, AMQP_CONNECTION_CLOSE_METHOD);
    cr_assert_eq(close->reply_code, AMQP_CHANNEL_ERROR, "the broker is told");
}

Test(connection, a_frame_of_a_channel_before_the_connection_is_open_is_a_violation)
{
    connection_start(&connection, &login, now_ns);
    put_body(&says, 1, "x", 1);
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_CHANNEL_ERROR, "channel 1 in state starting");
}

Test(connection, content_on_channel_0_is_a_violation)
{
    broker_accept();
    put_content_header(&says, 0, 10);
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_UNEXPECTED_FRAME, "content on channel 0");
}

Test(connection, a_heartbeat_on_a_channel_is_a_violation)
{
    broker_accept();
    end_frame(&says, begin_frame(&says, 8, 3));
    broker_speak();
    expect_end(CONNECTION_END_VIOLATION, AMQP_FRAME_ERROR, "heartbeat");
}

Test(connection, nothing_is_read_after_the_end)
{
    broker_accept();
    put_body(&says, 2048, "x", 1);
    put_body(&says, 1, "x", 1);
    broker_speak();
    put_body(&says, 1, "x", 1);
    broker_speak();
    cr_assert_eq(n_frames, 0);
}

Test(connection, blocked_and_unblocked_are_told_with_the_reason)
{
    broker_accept();
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on memory")};
    broker_method(0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    broker_speak();
    cr_assert(is_blocked);
    cr_assert(connection.is_blocked);
    cr_assert_str_eq(blocked_reason, "low on memory");
    amqp_connection_unblocked_t unblocked = {0};
    broker_method(0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    broker_speak();
    cr_assert_not(is_blocked);
    cr_assert_not(connection.is_blocked);
    cr_assert_eq(n_blocked, 2);
}

Test(connection, a_new_connection_is_not_blocked_because_the_last_one_was)
{
    broker_accept();
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on disk")};
    broker_method(0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    broker_speak();
    connection_lost(&connection, 104, "receiving");
    connection_reset(&connection);
    broker_accept();
    cr_assert_not(connection.is_blocked);
}

Test(connection, methods_are_only_queued_while_it_is_open)
{
    amqp_channel_open_t open = {0};
    cr_assert_eq(connection_method(&connection, 1, AMQP_CHANNEL_OPEN_METHOD, &open), -ENOTCONN);
    broker_accept();
    cr_assert_eq(connection_method(&connection, 1, AMQP_CHANNEL_OPEN_METHOD, &open), 0);
    connection_close(&connection, now_ns);
    cr_assert_eq(connection_method(&connection, 1, AMQP_CHANNEL_OPEN_METHOD, &open), -ENOTCONN);
}

/* ---- closing -------------------------------------------------------------------------------- */

Test(connection, a_close_from_the_broker_is_answered_and_its_words_kept)
{
    broker_accept();
    amqp_connection_close_t close = {.reply_code = 540,
        .reply_text = amqp_cstring_bytes("NOT_IMPLEMENTED - immediate=true"),
        .class_id = 60,
        .method_id = 40};
    broker_method(0, AMQP_CONNECTION_CLOSE_METHOD, &close);
    broker_speak();
    expect_end(CONNECTION_END_BROKER, 540, "NOT_IMPLEMENTED - immediate=true");
    cr_assert_eq(connection.end.method, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert(connection.has_last_word);
    (void)broker_heard(0, AMQP_CONNECTION_CLOSE_OK_METHOD);
    cr_assert(broker_heard_all());
}

/* Sent, they would be an unknown outcome; unsent, they are known never to have been. */
Test(connection, a_last_word_does_not_drag_unsent_messages_along)
{
    amqp_channel_open_t open = {0};
    broker_accept();
    cr_assert_eq(connection_method(&connection, 1, AMQP_CHANNEL_OPEN_METHOD, &open), 0);
    uint64_t queued = connection.outbox.queued;
    broker_close(320, "CONNECTION_FORCED");
    expect_end(CONNECTION_END_BROKER, 320, "CONNECTION_FORCED");
    cr_assert_not(connection.has_last_word);
    cr_assert_eq(connection.outbox.queued, queued);
}

Test(connection, a_403_of_an_open_connection_is_no_refused_login)
{
    broker_accept();
    broker_close(403, "ACCESS_REFUSED - user was deleted");
    expect_end(CONNECTION_END_BROKER, 403, "user was deleted");
}

Test(connection, our_close_waits_for_close_ok_and_ignores_what_was_on_its_way)
{
    broker_accept();
    connection_close(&connection, now_ns);
    cr_assert_eq(connection.state, CONNECTION_CLOSING);
    (void)broker_heard(0, AMQP_CONNECTION_CLOSE_METHOD);
    amqp_connection_blocked_t blocked = {.reason = amqp_cstring_bytes("low on memory")};
    broker_method(0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    put_body(&says, 1, "late", 4);
    broker_close_ok();
    expect_end(CONNECTION_END_ASKED, 0, "");
    cr_assert_eq(n_frames, 0);
    cr_assert_eq(n_blocked, 0);
}

Test(connection, closes_that_cross_are_both_done)
{
    broker_accept();
    connection_close(&connection, now_ns);
    (void)broker_heard(0, AMQP_CONNECTION_CLOSE_METHOD);
    broker_close(320, "CONNECTION_FORCED");
    expect_end(CONNECTION_END_ASKED, 320, "");
    (void)broker_heard(0, AMQP_CONNECTION_CLOSE_OK_METHOD);
}

Test(connection, a_close_that_is_not_answered_is_given_up)
{
    broker_accept();
    connection_close(&connection, now_ns);
    connection_tick(&connection, now_ns + 10 * CLOCK_S);
    expect_end(CONNECTION_END_LATE, 0, "closing");
}

Test(connection, a_close_before_there_is_anything_to_close_ends_at_once)
{
    connection_start(&connection, &login, now_ns);
    connection_close(&connection, now_ns);
    expect_end(CONNECTION_END_ASKED, 0, "");
}

Test(connection, a_close_ok_that_nobody_asked_for_is_a_violation)
{
    broker_accept();
    broker_close_ok();
    expect_end(CONNECTION_END_VIOLATION, AMQP_COMMAND_INVALID, "CLOSE_OK");
}

Test(connection, after_a_reset_it_starts_from_the_beginning)
{
    broker_accept();
    put_body(&says, 1, "half a frame", 12);
    connection_input(&connection, says.at, 10, now_ns);
    says.n = 0;
    connection_lost(&connection, 104, "receiving");
    uint64_t queued = connection.outbox.queued;
    connection_reset(&connection);
    cr_assert_eq(connection.outbox.taken, queued);
    hears.n = n_read = 0;
    connection_start(&connection, &login, now_ns);
    broker_heard_bytes("AMQP\0\0\11\1", 8);
    broker_start("PLAIN");
    broker_tune(0, 0, 0);
    broker_open_ok();
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert_eq(n_opened, 2);
}

Test(connection, the_words_of_a_loss_name_the_error)
{
    broker_accept();
    connection_lost(&connection, ECONNRESET, "receiving");
    expect_end(CONNECTION_END_LOST, 0, "receiving: Connection reset by peer");
    cr_assert_eq(connection.end.error, ECONNRESET);
    cr_assert_eq(connection_next_ns(&connection), CLOCK_NEVER);
}

/* ---- heartbeats ----------------------------------------------------------------------------- */

Test(connection, a_heartbeat_goes_out_after_half_the_time_without_a_byte)
{
    broker_accept();
    now_ns += 30 * CLOCK_S;
    connection_tick(&connection, now_ns - 1);
    cr_assert(broker_heard_all());
    cr_assert_eq(connection_next_ns(&connection), now_ns);
    connection_tick(&connection, now_ns);
    broker_heard_bytes("\10\0\0\0\0\0\0\316", 8);
    connection_tick(&connection, now_ns);
    cr_assert(broker_heard_all(), "one is enough");
}

Test(connection, what_is_sent_puts_the_heartbeat_off)
{
    broker_accept();
    now_ns += 20 * CLOCK_S;
    connection_spoke(&connection, now_ns);
    now_ns += 20 * CLOCK_S;
    connection_tick(&connection, now_ns);
    cr_assert(broker_heard_all());
}

Test(connection, heartbeats_do_not_pile_up_behind_a_send_that_does_not_move)
{
    struct iovec iov[4];
    amqp_channel_open_t open = {0};
    broker_accept();
    cr_assert_eq(connection_method(&connection, 1, AMQP_CHANNEL_OPEN_METHOD, &open), 0);
    cr_assert_eq(outbox_take(&connection.outbox, iov, 4), 1); /* and the kernel holds on to it */
    uint64_t queued = connection.outbox.queued;
    for (int i = 0; i < 3; i++) {
        now_ns += 30 * CLOCK_S;
        put_heartbeat(&says);
        broker_speak();
        connection_tick(&connection, now_ns);
    }
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert_eq(connection.outbox.queued, queued);
    outbox_note_taken(&connection.outbox, iov[0].iov_len);
    connection_tick(&connection, now_ns);
    cr_assert_eq(connection.outbox.queued, queued + 8, "one as soon as it moved");
}

Test(connection, a_broker_silent_for_two_heartbeats_is_given_up)
{
    broker_accept();
    connection_tick(&connection, now_ns + 120 * CLOCK_S - 1);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    connection_tick(&connection, now_ns + 120 * CLOCK_S);
    expect_end(CONNECTION_END_SILENCE, 0, "two heartbeats");
}

Test(connection, any_byte_is_a_sign_of_life)
{
    broker_accept();
    now_ns += 119 * CLOCK_S;
    put_8(&says, 8);
    broker_speak();
    connection_tick(&connection, now_ns + 119 * CLOCK_S);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
}

Test(connection, without_heartbeats_silence_is_no_reason)
{
    struct connection_config own = config;
    own.heartbeat_s = CONNECTION_NO_HEARTBEAT;
    set_up_with(&own);
    broker_accept();
    connection_tick(&connection, now_ns + 100000 * CLOCK_S);
    cr_assert_eq(connection.state, CONNECTION_OPEN);
    cr_assert(broker_heard_all());
    cr_assert_eq(connection_next_ns(&connection), CLOCK_NEVER);
}

/* ---- noise ---------------------------------------------------------------------------------- */

/* Whatever a broker says after whatever honest beginning: the machine is in a state and goes on. */
Test(connection, random_frames_end_it_or_do_not)
{
    srand(4);
    for (int round = 0; round < 3000; round++) {
        connection_start(&connection, &login, now_ns);
        if (rand() % 4)
            broker_start("PLAIN");
        if (rand() % 4 && connection.state == CONNECTION_TUNING)
            broker_tune((uint16_t)rand(), (uint32_t)rand(), (uint16_t)rand());
        for (int i = 0; i < 20 && connection.state != CONNECTION_ENDED; i++) {
            static const uint16_t methods[] = {10, 11, 20, 30, 31, 40, 41, 50, 51, 60, 61};
            uint8_t arguments[40];
            for (size_t j = 0; j < sizeof arguments; j++)
                arguments[j] = (uint8_t)(rand() % 2 ? 0 : rand());
            uint32_t class = rand() % 3 ? 10 : 20;
            put_method(&says, (uint16_t)(rand() % 3), class << 16 | methods[rand() % 11], arguments,
                (size_t)rand() % sizeof arguments);
            broker_speak();
        }
        if (connection.state != CONNECTION_ENDED)
            connection_lost(&connection, 0, "over");
        connection_reset(&connection);
    }
}
