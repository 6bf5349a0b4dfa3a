/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"

#include "login.h"

#define DEFAULT_CHANNEL_MAX 2047
#define DEFAULT_FRAME_MAX 131072u
#define DEFAULT_HEARTBEAT_S 60
#define DEFAULT_OUTBOX_BYTES (1u << 20)
#define DEFAULT_PATIENCE_NS (10 * CLOCK_S)

/* AMQP reply codes that are about who we are and where we want to, not about what we did. */
#define REPLY_INVALID_PATH 402
#define REPLY_ACCESS_REFUSED 403
#define REPLY_NOT_ALLOWED 530

static const char *const state_names[CONNECTION_N_STATES] = {
    [CONNECTION_IDLE] = "idle",
    [CONNECTION_STARTING] = "starting",
    [CONNECTION_TUNING] = "tuning",
    [CONNECTION_OPENING] = "opening",
    [CONNECTION_OPEN] = "open",
    [CONNECTION_CLOSING] = "closing",
    [CONNECTION_ENDED] = "ended",
};

static const char *const end_names[CONNECTION_END_N_REASONS] = {
    [CONNECTION_END_NONE] = "none",
    [CONNECTION_END_ASKED] = "asked",
    [CONNECTION_END_REFUSED] = "refused",
    [CONNECTION_END_BROKER] = "closed-by-broker",
    [CONNECTION_END_VIOLATION] = "violation",
    [CONNECTION_END_SILENCE] = "silence",
    [CONNECTION_END_LATE] = "late",
    [CONNECTION_END_LOST] = "lost",
    [CONNECTION_END_TLS] = "tls",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << CONNECTION_##state)
static const unsigned arrows[CONNECTION_N_STATES] = {
    [CONNECTION_IDLE] = TO(STARTING),
    [CONNECTION_STARTING] = TO(TUNING) | TO(ENDED),
    [CONNECTION_TUNING] = TO(OPENING) | TO(ENDED),
    [CONNECTION_OPENING] = TO(OPEN) | TO(CLOSING) | TO(ENDED),
    [CONNECTION_OPEN] = TO(CLOSING) | TO(ENDED),
    [CONNECTION_CLOSING] = TO(ENDED),
    [CONNECTION_ENDED] = TO(IDLE),
};
#undef TO

static void enter(struct connection *connection, enum connection_state state)
{
    assert(arrows[connection->state] & (1u << state));
    connection->state = state;
}

static void finish(struct connection *connection, const struct connection_end *end)
{
    enter(connection, CONNECTION_ENDED);
    connection->end = *end;
    connection->deadline_ns = CLOCK_NEVER;
}

__attribute__((format(printf, 3, 4))) static void violated(
    struct connection *connection, uint16_t code, const char *format, ...)
{
    char text[CONNECTION_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut when too long */
    va_end(arguments);
    connection_violation(connection, code, text);
}

static void copy_text(char out[CONNECTION_TEXT_BYTES], amqp_bytes_t text)
{
    size_t n = text.len < CONNECTION_TEXT_BYTES ? text.len : CONNECTION_TEXT_BYTES - 1;
    if (n > 0)
        memcpy(out, text.bytes, n);
    out[n] = '\0';
}

/* No login with what we were given. */
static void refuse(struct connection *connection, const char *text)
{
    struct connection_end end = {.reason = CONNECTION_END_REFUSED};
    (void)snprintf(end.text, sizeof end.text, "%s", text);
    finish(connection, &end);
}

/* ---- the handshake (specification 2.2.4) ---------------------------------------------------- */

static void on_start(struct connection *connection, const void *method)
{
    const amqp_connection_start_t *start = method;
    const char *refusal =
        login_start(&connection->outbox, &connection->config, &connection->login, start);
    if (refusal)
        refuse(connection, refusal);
    else
        enter(connection, CONNECTION_TUNING);
}

static void on_tune(struct connection *connection, const void *method)
{
    const amqp_connection_tune_t *tune = method;
    if (tune->frame_max > 0 && tune->frame_max < FRAME_MIN_BYTES) {
        violated(connection, AMQP_SYNTAX_ERROR, "the broker wants frames of at most %u bytes",
            tune->frame_max);
        return;
    }
    connection->agreed = login_negotiate(&connection->config, tune);
    connection->heartbeat.interval_ns = connection->agreed.heartbeat_s * CLOCK_S;
    frame_reader_limit(&connection->reader, connection->agreed.frame_max);
    const char *refusal =
        login_open(&connection->outbox, &connection->agreed, connection->login.vhost);
    if (refusal)
        refuse(connection, refusal);
    else
        enter(connection, CONNECTION_OPENING);
}

static void on_open_ok(struct connection *connection, const void *method)
{
    enter(connection, CONNECTION_OPEN);
    connection->deadline_ns = CLOCK_NEVER;
    connection->ops->on_open(connection->owner);
}

/* ---- closing, blocking ---------------------------------------------------------------------- */

/* A last word of the connection. It cannot overtake what waits before it, and after the end that
 * had better stay unsent: then the broker sees the transport close, which says the same. */
static void say_last(struct connection *connection, amqp_method_number_t id, const void *method)
{
    if (outbox_is_empty(&connection->outbox))
        connection->has_last_word = writer_method(&connection->outbox, 0, id, method) == 0;
}

static bool is_about_login(uint16_t code)
{
    return code == REPLY_ACCESS_REFUSED || code == REPLY_NOT_ALLOWED || code == REPLY_INVALID_PATH;
}

static void on_close(struct connection *connection, const void *method)
{
    const amqp_connection_close_t *close = method;
    struct connection_end end = {
        .reason = CONNECTION_END_BROKER,
        .code = close->reply_code,
        .method = (uint32_t)close->class_id << 16 | close->method_id,
    };
    copy_text(end.text, close->reply_text);
    if (connection->state == CONNECTION_CLOSING)
        end.reason = CONNECTION_END_ASKED; /* both closed at once */
    else if (connection->state != CONNECTION_OPEN && is_about_login(close->reply_code))
        end.reason = CONNECTION_END_REFUSED;

    amqp_connection_close_ok_t close_ok = {0};
    say_last(connection, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
    finish(connection, &end);
}

static void on_close_ok(struct connection *connection, const void *method)
{
    finish(connection, &(struct connection_end){.reason = CONNECTION_END_ASKED});
}

static void on_blocked(struct connection *connection, const void *method)
{
    const amqp_connection_blocked_t *blocked = method;
    char reason[CONNECTION_TEXT_BYTES];
    copy_text(reason, blocked->reason);
    connection->is_blocked = true;
    connection->ops->on_blocked(connection->owner, true, reason);
}

static void on_unblocked(struct connection *connection, const void *method)
{
    connection->is_blocked = false;
    connection->ops->on_blocked(connection->owner, false, "");
}

/* ---- what arrives --------------------------------------------------------------------------- */

/* The methods of channel 0, each with the states in which it may come. */
#define IN(state) (1u << CONNECTION_##state)
static const struct handler {
    amqp_method_number_t id;
    unsigned states;
    void (*handle)(struct connection *connection, const void *method);
} handlers[] = {
    {AMQP_CONNECTION_START_METHOD, IN(STARTING), on_start},
    {AMQP_CONNECTION_TUNE_METHOD, IN(TUNING), on_tune},
    {AMQP_CONNECTION_OPEN_OK_METHOD, IN(OPENING), on_open_ok},
    {AMQP_CONNECTION_BLOCKED_METHOD, IN(OPEN), on_blocked},
    {AMQP_CONNECTION_UNBLOCKED_METHOD, IN(OPEN), on_unblocked},
    {AMQP_CONNECTION_CLOSE_METHOD, IN(STARTING) | IN(TUNING) | IN(OPENING) | IN(OPEN) | IN(CLOSING),
        on_close},
    {AMQP_CONNECTION_CLOSE_OK_METHOD, IN(CLOSING), on_close_ok},
};
#undef IN

static void on_method(struct connection *connection, const amqp_method_t *method)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        const struct handler *handler = &handlers[i];
        if (handler->id == method->id && (handler->states & (1u << connection->state))) {
            handler->handle(connection, method->decoded);
            return;
        }
    }
    if (connection->state != CONNECTION_CLOSING) /* else sent before the broker read our close */
        violated(connection, AMQP_COMMAND_INVALID, "%s on channel 0 in state %s",
            amqp_method_name(method->id), connection_state_name(connection->state));
}

static void on_own_frame(struct connection *connection, const struct frame *frame)
{
    if (frame->type != AMQP_FRAME_METHOD) {
        violated(connection, AMQP_UNEXPECTED_FRAME, "content on channel 0");
        return;
    }
    amqp_method_t method;
    int r = frame_decode_method(&connection->decoder, frame, &method);
    if (r == -ENOMEM)
        connection_lost(connection, ENOMEM, "no memory to decode a method");
    else if (r < 0)
        violated(connection, AMQP_SYNTAX_ERROR, "a method on channel 0 that cannot be decoded");
    else
        on_method(connection, &method);
}

static void on_frame(struct connection *connection, const struct frame *frame)
{
    if (frame->type == AMQP_FRAME_HEARTBEAT) {
        if (frame->channel != 0 || frame->n_payload != 0)
            violated(connection, AMQP_FRAME_ERROR, "a heartbeat of %zu bytes on channel %u",
                frame->n_payload, frame->channel);
    } else if (frame->channel == 0) {
        on_own_frame(connection, frame);
    } else if (connection->state == CONNECTION_CLOSING) {
        return; /* nobody listens any more (specification, connection.close) */
    } else if (connection->state != CONNECTION_OPEN ||
               frame->channel > connection->agreed.channel_max) {
        violated(connection, AMQP_CHANNEL_ERROR, "a frame on channel %u in state %s",
            frame->channel, connection_state_name(connection->state));
    } else {
        connection->ops->on_frame(connection->owner, frame);
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Bytes that wait for the kernel are as good as a heartbeat, and heartbeats behind a send that does
 * not move would only pile up. */
static uint64_t next_heartbeat_ns(const struct connection *connection)
{
    bool is_idle = outbox_is_empty(&connection->outbox);
    return is_idle ? heartbeat_due_ns(&connection->heartbeat) : CLOCK_NEVER;
}

static void give_up(
    struct connection *connection, enum connection_end_reason reason, const char *waited_for)
{
    struct connection_end end = {.reason = reason};
    (void)snprintf(end.text, sizeof end.text, "no %s from the broker in state %s", waited_for,
        connection_state_name(connection->state));
    finish(connection, &end);
}

/* ---- the public face ------------------------------------------------------------------------ */

const char *connection_state_name(enum connection_state state)
{
    return state_names[state];
}

const char *connection_end_name(enum connection_end_reason reason)
{
    return end_names[reason];
}

static void fill_in_defaults(struct connection_config *config)
{
    if (!config->channel_max)
        config->channel_max = DEFAULT_CHANNEL_MAX;
    if (!config->frame_max)
        config->frame_max = DEFAULT_FRAME_MAX;
    if (!config->heartbeat_s)
        config->heartbeat_s = DEFAULT_HEARTBEAT_S;
    if (!config->outbox_bytes)
        config->outbox_bytes = DEFAULT_OUTBOX_BYTES;
    if (!config->patience_ns)
        config->patience_ns = DEFAULT_PATIENCE_NS;
}

int connection_init(struct connection *connection, const struct connection_config *config,
    const struct connection_ops *ops, void *owner)
{
    *connection = (struct connection){.config = *config, .ops = ops, .owner = owner};
    fill_in_defaults(&connection->config);
    assert(connection->config.frame_max >= FRAME_MIN_BYTES);
    connection->deadline_ns = CLOCK_NEVER;
    frame_decoder_init(&connection->decoder);
    int r = frame_reader_init(&connection->reader, connection->config.frame_max);
    if (r == 0)
        r = outbox_init(&connection->outbox, connection->config.outbox_bytes);
    if (r < 0)
        connection_done(connection);
    return r;
}

void connection_done(struct connection *connection)
{
    frame_decoder_done(&connection->decoder);
    frame_reader_done(&connection->reader);
    outbox_done(&connection->outbox);
}

void connection_start(
    struct connection *connection, const struct connection_login *login, uint64_t now_ns)
{
    enter(connection, CONNECTION_STARTING);
    connection->login = *login;
    connection->heartbeat = (struct heartbeat){.heard_ns = now_ns, .spoke_ns = now_ns};
    connection->deadline_ns = now_ns + connection->config.patience_ns;
    int r = writer_protocol_header(&connection->outbox);
    assert(r == 0); /* an outbox just emptied has room for 8 bytes */
}

void connection_reset(struct connection *connection)
{
    enter(connection, CONNECTION_IDLE);
    outbox_reset(&connection->outbox);
    frame_reader_reset(&connection->reader);
    connection->end = (struct connection_end){0};
    connection->agreed = (struct connection_limits){0};
    connection->is_blocked = false;
    connection->has_last_word = false;
}

void connection_input(
    struct connection *connection, const uint8_t *bytes, size_t n_bytes, uint64_t now_ns)
{
    connection->heartbeat.heard_ns = now_ns;
    while (connection->state != CONNECTION_ENDED) {
        struct frame frame;
        int r = frame_read(&connection->reader, &bytes, &n_bytes, &frame);
        if (r == FRAME_NEED_MORE)
            return;
        if (r == FRAME_READY)
            on_frame(connection, &frame);
        else
            connection_violation(connection, AMQP_FRAME_ERROR, connection->reader.error);
    }
}

void connection_spoke(struct connection *connection, uint64_t now_ns)
{
    connection->heartbeat.spoke_ns = now_ns;
}

void connection_tick(struct connection *connection, uint64_t now_ns)
{
    if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_ENDED)
        return;
    if (now_ns >= connection->deadline_ns)
        give_up(connection, CONNECTION_END_LATE, "answer");
    else if (now_ns >= heartbeat_death_ns(&connection->heartbeat))
        give_up(connection, CONNECTION_END_SILENCE, "byte for two heartbeats");
    else if (now_ns >= next_heartbeat_ns(connection)) {
        int r = writer_heartbeat(&connection->outbox);
        assert(r == 0); /* the outbox is empty */
    }
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

uint64_t connection_next_ns(const struct connection *connection)
{
    if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_ENDED)
        return CLOCK_NEVER;
    uint64_t heartbeat_ns =
        earlier(next_heartbeat_ns(connection), heartbeat_death_ns(&connection->heartbeat));
    return earlier(connection->deadline_ns, heartbeat_ns);
}

static void begin_close(struct connection *connection, uint64_t now_ns)
{
    amqp_connection_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
    if (writer_method(&connection->outbox, 0, AMQP_CONNECTION_CLOSE_METHOD, &close) < 0) {
        connection_lost(connection, ENOBUFS, "the broker reads nothing, not even a close");
        return;
    }
    enter(connection, CONNECTION_CLOSING);
    connection->deadline_ns = now_ns + connection->config.patience_ns;
}

void connection_close(struct connection *connection, uint64_t now_ns)
{
    switch (connection->state) {
    case CONNECTION_OPENING:
    case CONNECTION_OPEN:
        begin_close(connection, now_ns);
        break;
    case CONNECTION_STARTING:
    case CONNECTION_TUNING:
        finish(connection, &(struct connection_end){.reason = CONNECTION_END_ASKED});
        break;
    default:
        break;
    }
}

void connection_violation(struct connection *connection, uint16_t code, const char *text)
{
    if (connection->state == CONNECTION_ENDED)
        return;
    struct connection_end end = {.reason = CONNECTION_END_VIOLATION, .code = code};
    (void)snprintf(end.text, sizeof end.text, "%s", text); /* cut when too long */
    if (connection->state == CONNECTION_OPENING || connection->state == CONNECTION_OPEN) {
        amqp_connection_close_t close = {
            .reply_code = code, .reply_text = amqp_cstring_bytes(end.text)};
        say_last(connection, AMQP_CONNECTION_CLOSE_METHOD, &close);
    }
    finish(connection, &end);
}

void connection_lost(struct connection *connection, int error, const char *text)
{
    struct connection_end end = {.reason = CONNECTION_END_LOST, .error = error};
    (void)snprintf(
        end.text, sizeof end.text, "%s%s%s", text, error ? ": " : "", error ? strerror(error) : "");
    connection_cut_off(connection, &end);
}

void connection_cut_off(struct connection *connection, const struct connection_end *end)
{
    if (connection->state != CONNECTION_IDLE && connection->state != CONNECTION_ENDED)
        finish(connection, end);
}

int connection_method(
    struct connection *connection, uint16_t channel, amqp_method_number_t id, const void *method)
{
    if (connection->state != CONNECTION_OPEN)
        return -ENOTCONN;
    return writer_method(&connection->outbox, channel, id, method);
}
