/* SPDX-License-Identifier: Apache-2.0 */
#include "login.h"

#include <stdio.h>
#include <string.h>

/* "\0user\0password" (RFC 4616). */
#define PLAIN_BYTES 2048

static const char too_long[] = "user, password, vhost or connection name are too long";

/* Is `word` one of the words in a list with spaces between? */
static bool has_word(amqp_bytes_t list, const char *word)
{
    const char *at = list.bytes;
    size_t left = list.len;
    while (left > 0) {
        const char *space = memchr(at, ' ', left);
        size_t n = space ? (size_t)(space - at) : left;
        if (n == strlen(word) && memcmp(at, word, n) == 0)
            return true;
        size_t n_past = space ? n + 1 : n;
        at += n_past;
        left -= n_past;
    }
    return false;
}

static amqp_table_entry_t string_entry(const char *key, const char *value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes(value)}}};
}

static amqp_table_entry_t true_entry(const char *key)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value = {.boolean = 1}}};
}

static amqp_table_entry_t table_entry(const char *key, amqp_table_entry_t *entries, int n_entries)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_TABLE,
            .value = {.table = {.num_entries = n_entries, .entries = entries}}}};
}

static int write_start_ok(struct outbox *outbox, const struct connection_config *config,
    const char *mechanism, amqp_bytes_t response)
{
    amqp_table_entry_t capabilities[] = {
        true_entry("publisher_confirms"),
        true_entry("basic.nack"),
        true_entry("consumer_cancel_notify"),
        true_entry("connection.blocked"),
        true_entry("authentication_failure_close"),
        true_entry("exchange_exchange_bindings"),
    };
    amqp_table_entry_t properties[] = {
        string_entry("product", "Leveret"),
        string_entry("version", config->version),
        string_entry("platform", "Linux"),
        string_entry("connection_name", config->name),
        table_entry("capabilities", capabilities, sizeof capabilities / sizeof *capabilities),
    };
    amqp_connection_start_ok_t start_ok = {
        .client_properties = {.num_entries = sizeof properties / sizeof *properties,
            .entries = properties},
        .mechanism = amqp_cstring_bytes(mechanism),
        .response = response,
        .locale = amqp_cstring_bytes("en_US"),
    };
    return writer_method(outbox, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok);
}

static const char *start_plain(struct outbox *outbox, const struct connection_config *config,
    const struct connection_login *login)
{
    char response[PLAIN_BYTES];
    int n =
        snprintf(response, sizeof response, "%c%s%c%s", '\0', login->user, '\0', login->password);
    bool is_written = n < (int)sizeof response && write_start_ok(outbox, config, "PLAIN",
                                                      frame_bytes(response, (size_t)n)) == 0;
    explicit_bzero(response, sizeof response);
    return is_written ? NULL : too_long;
}

/* With an empty response: in nobody's name but the certificate's (RFC 4422, appendix A.1). */
static const char *start_external(struct outbox *outbox, const struct connection_config *config)
{
    return write_start_ok(outbox, config, "EXTERNAL", amqp_empty_bytes) == 0 ? NULL : too_long;
}

const char *login_start(struct outbox *outbox, const struct connection_config *config,
    const struct connection_login *login, const amqp_connection_start_t *start)
{
    if (start->version_major != 0 || start->version_minor != 9)
        return "the broker does not speak AMQP 0-9-1";
    if (!has_word(start->mechanisms, login->is_external ? "EXTERNAL" : "PLAIN"))
        return login->is_external ? "the broker does not offer the mechanism EXTERNAL"
                                  : "the broker does not offer the mechanism PLAIN";
    return login->is_external ? start_external(outbox, config) : start_plain(outbox, config, login);
}

static uint32_t lower(uint32_t theirs, uint32_t ours)
{
    return theirs > 0 && theirs < ours ? theirs : ours;
}

struct connection_limits login_negotiate(
    const struct connection_config *config, const amqp_connection_tune_t *tune)
{
    bool has_heartbeat = config->heartbeat_s != CONNECTION_NO_HEARTBEAT;
    return (struct connection_limits){
        .frame_max = lower(tune->frame_max, config->frame_max),
        .channel_max = (uint16_t)lower(tune->channel_max, config->channel_max),
        .heartbeat_s = has_heartbeat ? (uint16_t)lower(tune->heartbeat, config->heartbeat_s) : 0,
    };
}

const char *login_open(
    struct outbox *outbox, const struct connection_limits *limits, const char *vhost)
{
    amqp_connection_tune_ok_t tune_ok = {
        .channel_max = limits->channel_max,
        .frame_max = limits->frame_max,
        .heartbeat = limits->heartbeat_s,
    };
    amqp_connection_open_t open = {.virtual_host = amqp_cstring_bytes(vhost)};
    bool is_written = writer_method(outbox, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &tune_ok) == 0 &&
                      writer_method(outbox, 0, AMQP_CONNECTION_OPEN_METHOD, &open) == 0;
    return is_written ? NULL : too_long;
}
