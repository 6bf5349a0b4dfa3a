/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AMQP client that owes nothing to the worker: rabbitmq-c's ordinary blocking API on one
 * connection and one channel, in confirm mode. It says what really is on a queue, and puts there
 * what the sidecar is to find. Every call has a time-out; what the broker refuses ends the test.
 */
#ifndef LEVERET_TESTS_AMQP_CLIENT_H
#define LEVERET_TESTS_AMQP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <amqp.h>

enum { AMQP_CLIENT_TIMEOUT_MS = 20000 };

struct amqp_client {
    amqp_connection_state_t connection;
};

void amqp_client_init(struct amqp_client *client, const char *url);
void amqp_client_done(struct amqp_client *client);

void amqp_client_declare_exchange(
    struct amqp_client *client, const char *name, const char *type, bool is_durable);

struct amqp_client_queue {
    const char *name;
    bool is_durable, is_auto_delete;
    amqp_table_t arguments; /* zero: none */
};
void amqp_client_declare_queue(struct amqp_client *client, const struct amqp_client_queue *queue);
void amqp_client_bind(
    struct amqp_client *client, const char *queue, const char *exchange, const char *routing_key);
void amqp_client_delete_queue(struct amqp_client *client, const char *queue);
void amqp_client_purge(struct amqp_client *client, const char *queue);

/* How many messages are ready (not unacked), -1 when there is no such queue. */
int amqp_client_depth(struct amqp_client *client, const char *queue);
/* How many consumers the queue has, -1 when there is no such queue. */
int amqp_client_consumers(struct amqp_client *client, const char *queue);

/* Returns after the broker's confirm. `properties` may be NULL. */
struct amqp_client_message {
    const char *exchange, *routing_key;
    const void *body;
    size_t body_bytes;
    const amqp_basic_properties_t *properties;
};
void amqp_client_publish(struct amqp_client *client, const struct amqp_client_message *message);

/* What was taken off a queue; everything lives until amqp_received_done(). */
struct amqp_received {
    amqp_message_t message; /* properties and body */
    char exchange[256], routing_key[256];
    bool is_redelivered;
};
void amqp_received_done(struct amqp_received *received);

/* basic.get, acked. False when the queue is empty. */
bool amqp_client_get(struct amqp_client *client, const char *queue, struct amqp_received *received);

/* Waits for a message with a consumer of its own and acks it. False at the time-out. */
bool amqp_client_take(
    struct amqp_client *client, const char *queue, long timeout_ms, struct amqp_received *received);

/* The value of an AMQP header; NULL when there is none of that name. */
const amqp_field_value_t *amqp_received_header(
    const struct amqp_received *received, const char *name);

/* True when the header is there, a long string, and equal to `text`. */
bool amqp_received_has_header(
    const struct amqp_received *received, const char *name, const char *text);

static inline bool amqp_is_text(amqp_bytes_t bytes, const char *text)
{
    return bytes.len == __builtin_strlen(text) &&
           (bytes.len == 0 || __builtin_memcmp(bytes.bytes, text, bytes.len) == 0);
}

#endif
