/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "config_rules_queue.h"
#include "plan_topology.h"

/* Two backends that share something, and where the second one says so. */
struct pair {
    const struct config_reading *reading;
    const struct config_backend *first, *second;
};

static bool is_equal_table(json_t *a, json_t *b)
{
    bool is_empty = json_object_size(a) == 0 && json_object_size(b) == 0;

    return is_empty || json_equal(a, b);
}

/* Whether a key stands in extra_config.leveret. */
static bool is_own(const char *key)
{
    for (const struct config_level *level = &config_level_leveret_consumer; level;
         level = level->base)
        for (size_t i = 0; i < level->n_keys; i++)
            if (strcmp(level->keys[i].name, key) == 0)
                return true;
    return false;
}

static void complain(const struct pair *pair, enum finding_severity severity, const char *key,
    const char *consequence)
{
    const char *path = is_own(key) ? pair->second->own_path : pair->second->amqp_path;
    struct config_path again = config_path_again(path);
    struct config_path member = config_path_member(&again, key);

    config_report(pair->reading, severity, &member, "differs from what %s says of the same %s",
        pair->first->path, consequence);
}

/* The key in which two descriptions of a queue differ; NULL: in none. */
static const char *queue_difference(const struct config_amqp *a, const struct config_amqp *b)
{
    if (a->is_durable != b->is_durable)
        return "durable";
    if (a->is_auto_delete != b->is_auto_delete)
        return "delete";
    if (!is_equal_table(a->queue_arguments, b->queue_arguments))
        return "queue_arguments";
    return NULL;
}

static const char *exchange_difference(const struct config_amqp *a, const struct config_amqp *b)
{
    if (strcmp(a->exchange_type, b->exchange_type) != 0)
        return "exchange_type";
    if (a->is_durable != b->is_durable)
        return "durable";
    if (a->is_auto_delete != b->is_auto_delete)
        return "delete";
    if (!is_equal_table(a->exchange_arguments, b->exchange_arguments))
        return "exchange_arguments";
    return NULL;
}

/* One consumer serves both, so what it is like can be said only once. */
static void check_tap(const struct pair *pair)
{
    const struct config_amqp *a = &pair->first->amqp, *b = &pair->second->amqp;
    const char *key = queue_difference(a, b);

    if (!key && a->is_exclusive != b->is_exclusive)
        key = "exclusive";
    if (key)
        complain(pair, FINDING_ERROR, key, "queue: one consumer serves both");
    if (a->is_no_local != b->is_no_local)
        complain(
            pair, FINDING_WARNING, "no_local", "queue, which counts: one consumer serves both");
    if (a->idle_release_ns != b->idle_release_ns)
        complain(
            pair, FINDING_WARNING, "idle_release", "queue, which counts: one consumer serves both");
    if (a->declare != b->declare)
        complain(pair, FINDING_WARNING, "declare", "queue, which counts: it is declared once");
}

static void check_broker(const struct pair *pair)
{
    const struct config_amqp *a = &pair->first->amqp, *b = &pair->second->amqp;

    if (a->backoff != b->backoff)
        complain(pair, FINDING_WARNING, "backoff_strategy",
            "broker, which counts: it is connected to once");
    if (a->max_retries != b->max_retries)
        complain(
            pair, FINDING_WARNING, "max_retries", "broker, which counts: it is connected to once");
}

static bool declares(const struct config_backend *backend)
{
    return backend->amqp.declare == CONFIG_DECLARE_ACTIVE;
}

static void check_exchange(const struct pair *pair)
{
    const char *key = exchange_difference(&pair->first->amqp, &pair->second->amqp);

    if (key)
        complain(pair, FINDING_WARNING, key, "exchange: the broker will refuse one of the two");
}

/* A producer declares its queue as well, but goes on publishing when that is refused. */
static void check_queue(const struct pair *pair)
{
    const char *key = queue_difference(&pair->first->amqp, &pair->second->amqp);

    if (key)
        complain(pair, FINDING_WARNING, key, "queue: the broker will refuse one of the two");
}

/* The backend that was first to declare this name on this broker; NULL: it is this one. */
static int first_to_declare(const struct topology *topology, json_t *registry, uint32_t index,
    const char *key, const struct config_backend **first)
{
    json_t *known = json_object_get(registry, key);

    *first = NULL;
    if (known)
        *first = topology->backends[json_integer_value(known)].backend;
    else if (json_object_set_new_nocheck(registry, key, json_integer(index)) < 0)
        return -ENOMEM;
    return 0;
}

static int check_name(const struct config_reading *reading, const struct topology *topology,
    json_t *registry, uint32_t index, bool is_exchange)
{
    const struct topology_backend *backend = &topology->backends[index];
    const char *name = is_exchange ? backend->backend->amqp.exchange : backend->backend->amqp.queue;
    struct pair pair = {.reading = reading, .second = backend->backend};
    char *key;

    if (!*name || !declares(backend->backend))
        return 0;
    key = config_pool_format(
        reading->pool, "%u %c %s", backend->broker, is_exchange ? 'e' : 'q', name);
    if (!key || first_to_declare(topology, registry, index, key, &pair.first) < 0)
        return -ENOMEM;
    if (pair.first && is_exchange)
        check_exchange(&pair);
    else if (pair.first && pair.first->role + pair.second->role != 2 * CONFIG_CONSUMER)
        check_queue(&pair);
    return 0;
}

static int check_all(
    const struct config_reading *reading, const struct topology *topology, json_t *registry)
{
    for (uint32_t i = 0; i < topology->n_backends; i++) {
        const struct topology_backend *backend = &topology->backends[i];
        struct pair pair = {.reading = reading, .second = backend->backend};
        int error = check_name(reading, topology, registry, i, true);

        if (!error)
            error = check_name(reading, topology, registry, i, false);
        if (error)
            return error;
        pair.first = topology->backends[topology->brokers[backend->broker]].backend;
        check_broker(&pair);
        if (backend->tap == TOPOLOGY_NONE)
            continue;
        pair.first = topology->backends[topology->taps[backend->tap].first].backend;
        check_tap(&pair);
    }
    return 0;
}

int config_rules_check_queues(const struct config_reading *reading, const struct config *config)
{
    json_t *registry = json_object();
    int error = registry ? check_all(reading, config->topology, registry) : -ENOMEM;

    json_decref(registry);
    return error;
}
