/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include "config_rules_amqp.h"

#define SHORT_STRING_MAX 255 /* AMQP 0-9-1, 4.2.5.3 */
#define N(rows) (sizeof(rows) / sizeof *(rows))

/* A backend under examination, and the two places where its keys stand. */
struct examination {
    const struct config_reading *reading;
    const struct config_backend *backend;
    const struct config_route *route;
    struct config_path amqp, own;
};

/* What a key whose value names a parameter is for. */
struct parameter_key {
    const char *key;
    size_t offset;
    const char *absent; /* what comes of a parameter that the route does not have */
};

static const struct parameter_key parameter_keys[] = {
    {"routing_key", offsetof(struct config_amqp, routing_key), "the routing key is empty"},
    {"exp_key", offsetof(struct config_amqp, exp_key), "there is no expiration"},
    {"reply_to_key", offsetof(struct config_amqp, reply_to_key), "there is no reply_to"},
    {"msg_id_key", offsetof(struct config_amqp, msg_id_key), "Leveret makes the message id"},
    {"priority_key", offsetof(struct config_amqp, priority_key), "there is no priority"},
};

static const char *text_of(const struct config_backend *backend, size_t offset)
{
    return *(const char *const *)((const char *)&backend->amqp + offset);
}

/* "route" where {route} is "Route": in the gateway it matched nothing, and messages were lost. */
static bool is_lower_case_of(const struct config_route *route, const char *key)
{
    for (size_t i = 0; i < route->n_names; i++)
        if (islower((unsigned char)*key) && strcmp(route->names[i] + 1, key + 1) == 0 &&
            toupper((unsigned char)*route->names[i]) == toupper((unsigned char)*key))
            return true;
    return false;
}

static void check_parameter(
    const struct examination *examination, const struct parameter_key *parameter)
{
    const char *key = text_of(examination->backend, parameter->offset);
    struct config_path path = config_path_member(&examination->amqp, parameter->key);

    if (!*key || config_route_parameter(examination->route, key) != CONFIG_PARAMETER_NONE)
        return;
    if (is_lower_case_of(examination->route, key))
        config_report(examination->reading, FINDING_ERROR, &path,
            "parameters are named with the first letter in upper case: did you mean \"%c%s\"?",
            toupper((unsigned char)*key), key + 1);
    else
        config_report(examination->reading, FINDING_WARNING, &path,
            "the endpoint has no parameter of this name: %s", parameter->absent);
}

static void check_parameters(const struct examination *examination)
{
    bool is_static = examination->backend->amqp.has_static_routing_key;

    for (size_t i = is_static ? 1 : 0; i < N(parameter_keys); i++)
        check_parameter(examination, &parameter_keys[i]);
}

/* `key` is where the bindings stand. */
static void check_bindings(const struct examination *examination, const struct config_path *key)
{
    const struct config_amqp *amqp = &examination->backend->amqp;

    if (amqp->bindings.n == 0)
        return;
    if (!*amqp->exchange)
        config_report(examination->reading, FINDING_WARNING, key,
            "has no effect without an \"exchange\" to bind to");
    if (amqp->declare != CONFIG_DECLARE_ACTIVE)
        config_report(examination->reading, FINDING_WARNING, key,
            "has no effect: \"declare\" says to change nothing on the broker");
}

static void check_producer(const struct examination *examination)
{
    const struct config_amqp *amqp = &examination->backend->amqp;
    struct config_path immediate = config_path_member(&examination->amqp, "immediate");
    struct config_path mandatory = config_path_member(&examination->amqp, "mandatory");
    struct config_path bind = config_path_member(&examination->own, "bind");

    check_parameters(examination);
    if (amqp->is_immediate)
        config_report(examination->reading, FINDING_WARNING, &immediate,
            "RabbitMQ closes the connection on it: the endpoint answers 501");
    if (amqp->is_mandatory && !amqp->is_confirmed)
        config_report(examination->reading, FINDING_WARNING, &mandatory,
            "has no effect with \"confirm\": false, which answers before the broker does");
    if (amqp->bindings.n > 0 && !*amqp->queue)
        config_report(examination->reading, FINDING_WARNING, &bind,
            "has no effect without a \"name\", the queue to bind");
    check_bindings(examination, &bind);
}

static void check_consumer(const struct examination *examination)
{
    const struct config_amqp *amqp = &examination->backend->amqp;
    struct config_path prefetch_size = config_path_member(&examination->amqp, "prefetch_size");
    struct config_path routing_key = config_path_member(&examination->amqp, "routing_key");
    struct config_path declare = config_path_member(&examination->own, "declare");

    if (amqp->prefetch_size != 0)
        config_report(examination->reading, FINDING_WARNING, &prefetch_size,
            "is taken as 0: RabbitMQ closes the connection on anything else");
    if (!*amqp->queue && amqp->declare != CONFIG_DECLARE_ACTIVE)
        config_report(examination->reading, FINDING_ERROR, &declare,
            "needs a \"name\": a queue that the broker names is there only when it was declared");
    check_bindings(examination, &routing_key);
}

static void check_length(
    const struct examination *examination, const struct config_path *path, const char *text)
{
    if (strlen(text) > SHORT_STRING_MAX)
        config_report(examination->reading, FINDING_ERROR, path,
            "is longer than the 255 bytes that AMQP allows");
}

static void check_lengths(const struct examination *examination)
{
    const struct config_amqp *amqp = &examination->backend->amqp;
    bool is_consumer = examination->backend->role == CONFIG_CONSUMER;
    struct config_path name = config_path_member(&examination->amqp, "name");
    struct config_path exchange = config_path_member(&examination->amqp, "exchange");
    struct config_path routing_key = config_path_member(&examination->amqp, "routing_key");
    struct config_path exchange_type = config_path_member(&examination->own, "exchange_type");
    struct config_path bind = config_path_member(&examination->own, "bind");

    check_length(examination, &name, amqp->queue);
    check_length(examination, &exchange, amqp->exchange);
    check_length(examination, &exchange_type, amqp->exchange_type);
    if (amqp->has_static_routing_key)
        check_length(examination, &routing_key, amqp->routing_key);
    for (size_t i = 0; i < amqp->bindings.n; i++) {
        struct config_path element = config_path_element(is_consumer ? &routing_key : &bind, i);

        check_length(examination, &element, amqp->bindings.items[i]);
    }
}

void config_rules_check_amqp(const struct config_reading *reading,
    const struct config_backend *backend, const struct config_route *route)
{
    struct examination examination = {
        .reading = reading,
        .backend = backend,
        .route = route,
        .amqp = config_path_again(backend->amqp_path),
        .own = config_path_again(backend->own_path),
    };

    check_lengths(&examination);
    if (backend->role == CONFIG_PRODUCER)
        check_producer(&examination);
    else
        check_consumer(&examination);
}
