/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"

#include <string.h>

#include "shm/clock.h"

#include "tests/support/broker_control.h"
#include "tests/support/require.h"

/* ---- the channel ----------------------------------------------------------------------------- */

static void note(struct caller *caller, char what)
{
    size_t n = strlen(caller->order);
    if (n < sizeof caller->order - 1)
        caller->order[n] = what;
}

static void settle(struct caller *caller, uint64_t tag, bool is_multiple, char how)
{
    require(tag < CALLER_MAX_CONFIRMS, "more confirms than the test has room for");
    for (uint64_t at = is_multiple ? 1 : tag; at <= tag; at++)
        if (!caller->settled[at])
            caller->settled[at] = (uint8_t)how;
    caller->n_multiple += is_multiple;
    note(caller, how);
}

static void on_open(struct channel *channel)
{
    ((struct caller *)channel->owner)->n_channel_open++;
}

static void on_closed(struct channel *channel, const struct channel_end *end)
{
    struct caller *caller = channel->owner;
    caller->n_channel_closed++;
    caller->channel_code = end->code;
    (void)strncpy(caller->channel_text, end->text, sizeof caller->channel_text - 1);
    caller->channel = NULL;
}

static void on_method(struct channel *channel, const amqp_method_t *method)
{
    struct caller *caller = channel->owner;
    enum topology_outcome outcome = topology_on_method(&caller->topology, method);
    if (outcome != TOPOLOGY_NOT_OURS) {
        caller->topology_outcome = outcome;
        return;
    }
    switch (method->id) {
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        caller->has_confirm_select = true;
        break;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        caller->has_consume = true;
        break;
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        caller->n_acks++;
        settle(caller, ack->delivery_tag, ack->multiple, 'a');
        break;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        caller->n_nacks++;
        settle(caller, nack->delivery_tag, nack->multiple, 'n');
        break;
    }
    case AMQP_BASIC_RETURN_METHOD:
        caller->n_returns++;
        note(caller, 'r');
        break;
    case AMQP_BASIC_DELIVER_METHOD:
        caller->n_deliveries++;
        caller->last_delivery_tag = ((const amqp_basic_deliver_t *)method->decoded)->delivery_tag;
        break;
    default:
        require(false, "%s was not expected", amqp_method_name(method->id));
    }
}

static void on_content(struct channel *channel, const struct frame_content *content)
{
    struct caller *caller = channel->owner;
    caller->n_contents++;
    caller->body_size = content->body_size;
    caller->n_body = 0;
    if (content->properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        (void)snprintf(caller->returned_id, sizeof caller->returned_id, "%.*s",
            (int)content->properties->message_id.len,
            (const char *)content->properties->message_id.bytes);
}

static void on_body(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last)
{
    struct caller *caller = channel->owner;
    require(
        caller->n_body + n_bytes <= CALLER_MAX_BODY, "a body larger than the test has room for");
    memcpy(caller->body + caller->n_body, bytes, n_bytes);
    caller->n_body += n_bytes;
    caller->n_bodies += is_last;
}

static const struct channel_ops channel_ops = {.on_open = on_open,
    .on_closed = on_closed,
    .on_method = on_method,
    .on_content = on_content,
    .on_body = on_body};

/* ---- the link -------------------------------------------------------------------------------- */

static void on_up(void *owner, uint64_t epoch)
{
    ((struct caller *)owner)->n_up++;
}

static void on_down(void *owner, const struct connection_end *end)
{
    struct caller *caller = owner;
    caller->n_down++;
    caller->end = *end;
}

static void on_failed(void *owner, const struct connection_end *end, uint64_t retry_ns)
{
    struct caller *caller = owner;
    caller->n_failed++;
    caller->end = *end;
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    struct caller *caller = owner;
    caller->n_blocked++;
    if (is_blocked)
        (void)snprintf(caller->blocked_reason, sizeof caller->blocked_reason, "%s", reason);
}

static void on_stopped(void *owner)
{
    ((struct caller *)owner)->n_stopped++;
}

static const struct link_ops link_ops = {.on_up = on_up,
    .on_down = on_down,
    .on_failed = on_failed,
    .on_blocked = on_blocked,
    .on_stopped = on_stopped};

void caller_turn(struct caller *caller, uint64_t until_ns)
{
    int r = loop_turn(caller->loop, until_ns);
    require(r == 0, "loop_turn: %s", strerror(-r));
}

static void prepare(struct caller *caller, const char *test)
{
    vhost_init(&caller->vhost, test);
    caller->host = (struct link_host){.name = "localhost",
        .port = broker_port(),
        .login = {.user = "guest", .password = "guest", .vhost = caller->vhost.name}};
}

static void start(struct caller *caller)
{
    require(loop_new(&caller->loop, &LOOP_CONFIG_DEFAULT) == 0, "loop_new");
    require(resolver_new(&caller->resolver, caller->loop) == 0, "resolver_new");
    caller->config.hosts = &caller->host;
    caller->config.n_hosts = 1;
    caller->config.connection.name = "live test";
    caller->config.connection.version = "0";
    require(link_new(&caller->link, caller->loop, caller->resolver, &caller->config, &link_ops,
                caller) == 0,
        "link_new");
    link_start(caller->link);
}

void caller_init_as(
    struct caller *caller, const char *test, const char *password, const char *vhost)
{
    memset(caller, 0, sizeof *caller);
    prepare(caller, test);
    if (password)
        caller->host.login.password = password;
    if (vhost)
        caller->host.login.vhost = vhost;
    start(caller);
}

void caller_init(struct caller *caller, const char *test, uint16_t heartbeat_s)
{
    memset(caller, 0, sizeof *caller);
    prepare(caller, test);
    caller->config.connection.heartbeat_s = heartbeat_s;
    start(caller);
    uint64_t end_ns = deadline_in_ms(10000);
    while (caller->n_up == 0) {
        require(clock_now_ns() < end_ns, "the link does not come up: %s", caller->end.text);
        caller_turn(caller, end_ns);
    }
}

void caller_done(struct caller *caller)
{
    uint64_t end_ns = deadline_in_ms(15000);
    link_close(caller->link);
    while (link_state(caller->link) != LINK_DOWN) {
        require(clock_now_ns() < end_ns, "the link does not close");
        caller_turn(caller, end_ns);
    }
    link_free(caller->link);
    resolver_free(caller->resolver);
    loop_free(caller->loop);
    vhost_done(&caller->vhost);
}

/* ---- saying ---------------------------------------------------------------------------------- */

void caller_open(struct caller *caller)
{
    int r = channel_open(link_channels(caller->link), &channel_ops, caller, &caller->channel);
    require(r == 0, "channel_open: %s", strerror(-r));
}

static void say(struct caller *caller, amqp_method_number_t id, const void *method)
{
    int r = channel_method(caller->channel, id, method);
    require(r == 0, "%s: %s", amqp_method_name(id), strerror(-r));
}

void caller_open_confirmed(struct caller *caller)
{
    amqp_confirm_select_t select = {0};
    caller_open(caller);
    say(caller, AMQP_CONFIRM_SELECT_METHOD, &select);
}

void caller_declare(struct caller *caller, const struct topology_wish *wish)
{
    int r = topology_start(&caller->topology, caller->channel, wish);
    require(r == 0, "topology_start: %s", strerror(-r));
}

void caller_publish(struct caller *caller, const struct caller_message *message)
{
    amqp_basic_publish_t publish = {
        .exchange = amqp_cstring_bytes(message->exchange),
        .routing_key = amqp_cstring_bytes(message->key),
        .mandatory = 1,
        .immediate = message->is_immediate,
    };
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .message_id = amqp_cstring_bytes(message->id),
        .delivery_mode = message->is_persistent ? 2 : 1,
    };
    struct iovec body = {.iov_base = (void *)(uintptr_t)message->body, .iov_len = message->n_body};
    struct writer_message written = {
        .publish = &publish, .properties = &properties, .body = &body, .n_body = 1};
    int r = channel_message(caller->channel, &written);
    require(r == 0, "channel_message: %s", strerror(-r));
}

void caller_consume(struct caller *caller, const char *queue)
{
    amqp_basic_consume_t consume = {.queue = amqp_cstring_bytes(queue), .no_ack = 1};
    say(caller, AMQP_BASIC_CONSUME_METHOD, &consume);
}
