/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/amqp_client.h"

#include <stdlib.h>
#include <string.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include "tests/support/require.h"

enum { CHANNEL = 1, HEARTBEAT_NONE = 0, FRAME_MAX = 131072 };

static const struct timeval TIMEOUT = {.tv_sec = AMQP_CLIENT_TIMEOUT_MS / 1000};

static void require_reply(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        require(false, "%s: %s", what, amqp_error_string2(reply.library_error));
    /* channel.close and connection.close begin with the same two fields */
    const amqp_channel_close_t *close = reply.reply.decoded;
    require(false, "%s: the broker refused: %u %.*s", what, close->reply_code,
        (int)close->reply_text.len, (const char *)close->reply_text.bytes);
}

static void require_done(const struct amqp_client *client, const char *what)
{
    require_reply(amqp_get_rpc_reply(client->connection), what);
}

void amqp_client_init(struct amqp_client *client, const char *url)
{
    autofree char *parts = format_text("%s", url); /* the parser writes into it */
    struct amqp_connection_info info;
    require(amqp_parse_url(parts, &info) == AMQP_STATUS_OK, "no AMQP URL: %s", url);

    client->connection = amqp_new_connection();
    require(client->connection != NULL, "amqp_new_connection");
    amqp_socket_t *socket = amqp_tcp_socket_new(client->connection);
    require(socket != NULL, "amqp_tcp_socket_new");
    require(amqp_set_handshake_timeout(client->connection, &TIMEOUT) == AMQP_STATUS_OK &&
                amqp_set_rpc_timeout(client->connection, &TIMEOUT) == AMQP_STATUS_OK,
        "time-outs");
    require(amqp_socket_open_noblock(socket, info.host, info.port, &TIMEOUT) == AMQP_STATUS_OK,
        "no connection to %s:%d", info.host, info.port);
    require_reply(amqp_login(client->connection, info.vhost, AMQP_DEFAULT_MAX_CHANNELS, FRAME_MAX,
                      HEARTBEAT_NONE, AMQP_SASL_METHOD_PLAIN, info.user, info.password),
        "login");
    (void)amqp_channel_open(client->connection, CHANNEL); /* the outcome is asked for below */
    require_done(client, "channel.open");
    (void)amqp_confirm_select(client->connection, CHANNEL); /* likewise */
    require_done(client, "confirm.select");
}

void amqp_client_done(struct amqp_client *client)
{
    if (client->connection == NULL)
        return;
    (void)amqp_connection_close(client->connection, AMQP_REPLY_SUCCESS); /* may be dead already */
    (void)amqp_destroy_connection(client->connection);
    client->connection = NULL;
}

void amqp_client_declare_exchange(
    struct amqp_client *client, const char *name, const char *type, bool is_durable)
{
    (void)amqp_exchange_declare(client->connection, CHANNEL, amqp_cstring_bytes(name),
        amqp_cstring_bytes(type), false, is_durable, false, false, amqp_empty_table);
    require_done(client, "exchange.declare");
}

void amqp_client_declare_queue(struct amqp_client *client, const struct amqp_client_queue *queue)
{
    (void)amqp_queue_declare(client->connection, CHANNEL, amqp_cstring_bytes(queue->name), false,
        queue->is_durable, false, queue->is_auto_delete, queue->arguments);
    require_done(client, "queue.declare");
}

void amqp_client_bind(
    struct amqp_client *client, const char *queue, const char *exchange, const char *routing_key)
{
    (void)amqp_queue_bind(client->connection, CHANNEL, amqp_cstring_bytes(queue),
        amqp_cstring_bytes(exchange), amqp_cstring_bytes(routing_key), amqp_empty_table);
    require_done(client, "queue.bind");
}

void amqp_client_delete_queue(struct amqp_client *client, const char *queue)
{
    (void)amqp_queue_delete(client->connection, CHANNEL, amqp_cstring_bytes(queue), false, false);
    require_done(client, "queue.delete");
}

void amqp_client_purge(struct amqp_client *client, const char *queue)
{
    (void)amqp_queue_purge(client->connection, CHANNEL, amqp_cstring_bytes(queue));
    require_done(client, "queue.purge");
}

/* A passive declare of what is not there costs the channel: it is opened again. */
static bool look_at_queue(
    struct amqp_client *client, const char *queue, amqp_queue_declare_ok_t *found)
{
    const amqp_queue_declare_ok_t *ok = amqp_queue_declare(client->connection, CHANNEL,
        amqp_cstring_bytes(queue), true, false, false, false, amqp_empty_table);
    if (ok != NULL) {
        *found = *ok;
        amqp_maybe_release_buffers(client->connection);
        return true;
    }
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(client->connection);
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION ||
        reply.reply.id != AMQP_CHANNEL_CLOSE_METHOD)
        require_reply(reply, "queue.declare, passive");
    amqp_channel_close_ok_t closed = {0};
    require(amqp_send_method(client->connection, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &closed) ==
                AMQP_STATUS_OK,
        "channel.close-ok");
    (void)amqp_channel_open(client->connection, CHANNEL); /* the outcome is asked for below */
    require_done(client, "channel.open");
    (void)amqp_confirm_select(client->connection, CHANNEL); /* likewise */
    require_done(client, "confirm.select");
    return false;
}

int amqp_client_depth(struct amqp_client *client, const char *queue)
{
    amqp_queue_declare_ok_t found = {0};
    return look_at_queue(client, queue, &found) ? (int)found.message_count : -1;
}

int amqp_client_consumers(struct amqp_client *client, const char *queue)
{
    amqp_queue_declare_ok_t found = {0};
    return look_at_queue(client, queue, &found) ? (int)found.consumer_count : -1;
}

void amqp_client_publish(struct amqp_client *client, const struct amqp_client_message *message)
{
    amqp_bytes_t body = {.len = message->body_bytes};
    autofree char *copy = malloc(message->body_bytes + 1); /* the library's type knows no const */
    require(copy != NULL, "no memory");
    if (message->body_bytes > 0)
        memcpy(copy, message->body, message->body_bytes);
    body.bytes = copy;
    int status =
        amqp_basic_publish(client->connection, CHANNEL, amqp_cstring_bytes(message->exchange),
            amqp_cstring_bytes(message->routing_key), true, false, message->properties, body);
    require(status == AMQP_STATUS_OK, "basic.publish: %s", amqp_error_string2(status));

    amqp_frame_t frame;
    status = amqp_simple_wait_frame_noblock(client->connection, &frame, &TIMEOUT);
    require(status == AMQP_STATUS_OK, "no confirm: %s", amqp_error_string2(status));
    require(
        frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
        "published to \"%s\" with key \"%s\", and the broker answered %s", message->exchange,
        message->routing_key, amqp_method_name(frame.payload.method.id));
    amqp_maybe_release_buffers(client->connection);
}

static void copy_name(char name[256], amqp_bytes_t bytes)
{
    memcpy(name, bytes.bytes, bytes.len); /* a short string: 255 bytes at most */
    name[bytes.len] = '\0';
}

static void read_content(struct amqp_client *client, struct amqp_received *received)
{
    require_reply(amqp_read_message(client->connection, CHANNEL, &received->message, 0), "content");
    amqp_maybe_release_buffers(client->connection);
}

static void acknowledge(struct amqp_client *client, uint64_t tag)
{
    int status = amqp_basic_ack(client->connection, CHANNEL, tag, false);
    require(status == AMQP_STATUS_OK, "basic.ack: %s", amqp_error_string2(status));
}

bool amqp_client_get(struct amqp_client *client, const char *queue, struct amqp_received *received)
{
    amqp_rpc_reply_t reply =
        amqp_basic_get(client->connection, CHANNEL, amqp_cstring_bytes(queue), false);
    require_reply(reply, "basic.get");
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) {
        amqp_maybe_release_buffers(client->connection);
        return false;
    }
    const amqp_basic_get_ok_t *ok = reply.reply.decoded;
    *received = (struct amqp_received){.is_redelivered = ok->redelivered};
    copy_name(received->exchange, ok->exchange);
    copy_name(received->routing_key, ok->routing_key);
    uint64_t tag = ok->delivery_tag;
    read_content(client, received);
    acknowledge(client, tag);
    return true;
}

/* Waits for the deliver of the one consumer there is. */
static bool receive(
    struct amqp_client *client, long timeout_ms, struct amqp_received *received, uint64_t *tag)
{
    struct timeval left = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(client->connection, &frame, &left);
    if (status == AMQP_STATUS_TIMEOUT)
        return false;
    require(status == AMQP_STATUS_OK, "basic.deliver: %s", amqp_error_string2(status));
    require(frame.frame_type == AMQP_FRAME_METHOD &&
                frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD,
        "expected basic.deliver, got %s", amqp_method_name(frame.payload.method.id));
    const amqp_basic_deliver_t *deliver = frame.payload.method.decoded;
    *received = (struct amqp_received){.is_redelivered = deliver->redelivered};
    copy_name(received->exchange, deliver->exchange);
    copy_name(received->routing_key, deliver->routing_key);
    *tag = deliver->delivery_tag;
    read_content(client, received);
    return true;
}

bool amqp_client_take(
    struct amqp_client *client, const char *queue, long timeout_ms, struct amqp_received *received)
{
    (void)amqp_basic_qos(client->connection, CHANNEL, 0, 1, false); /* the outcome is asked for */
    require_done(client, "basic.qos");
    amqp_bytes_t name = amqp_cstring_bytes("take");
    (void)amqp_basic_consume(client->connection, CHANNEL, amqp_cstring_bytes(queue), name, false,
        false, false, amqp_empty_table); /* likewise */
    require_done(client, "basic.consume");
    uint64_t tag = 0;
    bool has_come = receive(client, timeout_ms, received, &tag);
    (void)amqp_basic_cancel(client->connection, CHANNEL, name); /* likewise */
    require_done(client, "basic.cancel");
    if (!has_come) /* one may have crossed the cancel */
        has_come = receive(client, 0, received, &tag);
    if (has_come)
        acknowledge(client, tag);
    return has_come;
}

void amqp_received_done(struct amqp_received *received)
{
    amqp_destroy_message(&received->message);
}

const amqp_field_value_t *amqp_received_header(
    const struct amqp_received *received, const char *name)
{
    const amqp_basic_properties_t *properties = &received->message.properties;
    if ((properties->_flags & AMQP_BASIC_HEADERS_FLAG) == 0)
        return NULL;
    for (int i = 0; i < properties->headers.num_entries; i++)
        if (amqp_is_text(properties->headers.entries[i].key, name))
            return &properties->headers.entries[i].value;
    return NULL;
}

bool amqp_received_has_header(
    const struct amqp_received *received, const char *name, const char *text)
{
    const amqp_field_value_t *value = amqp_received_header(received, name);
    return value != NULL && value->kind == AMQP_FIELD_KIND_UTF8 &&
           amqp_is_text(value->value.bytes, text);
}
