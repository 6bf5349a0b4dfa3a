/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "config_backend.h"
#include "config_broker_tls.h"
#include "config_host.h"
#include "config_namespace.h"

enum config_backend_kind config_backend_kind(const json_t *backend)
{
    bool consumes = config_namespace_is_there(backend, NAMESPACE_CONSUMER);
    bool produces = config_namespace_is_there(backend, NAMESPACE_PRODUCER);

    if (consumes && produces)
        return BACKEND_BOTH;
    if (consumes)
        return BACKEND_CONSUMER;
    return produces ? BACKEND_PRODUCER : BACKEND_FOREIGN;
}

/* The role's table in the gateway's namespaces, and in ours. */
static const struct config_level *amqp_level(enum config_role role)
{
    return role == CONFIG_CONSUMER ? &config_level_consumer : &config_level_producer;
}

static const struct config_level *own_level(enum config_role role)
{
    return role == CONFIG_CONSUMER ? &config_level_leveret_consumer
                                   : &config_level_leveret_producer;
}

static int set_defaults(const struct config_reading *reading, struct config_backend *backend)
{
    int error = config_read_defaults(reading, &config_level_backend, backend);

    if (!error)
        error = config_read_defaults(reading, amqp_level(backend->role), &backend->amqp);
    if (!error)
        error = config_read_defaults(reading, own_level(backend->role), &backend->amqp);
    return error;
}

static int read_namespaces(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, struct config_backend *backend)
{
    const char *name = backend->role == CONFIG_CONSUMER ? NAMESPACE_CONSUMER : NAMESPACE_PRODUCER;
    struct config_namespace ours[] = {
        {.name = name, .level = amqp_level(backend->role), .fields = &backend->amqp},
        {.name = NAMESPACE_LEVERET, .level = own_level(backend->role), .fields = &backend->amqp},
        {.name = NAMESPACE_PROXY, .level = &config_level_backend_proxy, .fields = backend},
    };
    int error = config_namespace_read(reading, object, path, ours, sizeof ours / sizeof *ours);

    backend->amqp_path = ours[0].path ? ours[0].path : backend->path;
    backend->own_path = ours[1].path ? ours[1].path : backend->path;
    backend->proxy_path = ours[2].path ? ours[2].path : backend->path;
    return error;
}

/* All hosts are doors to the same place: one vhost, and one way to talk to it. Where one of them
 * has TLS all have it, or who can hold that one shut hears the password at another. */
static bool is_same_place(const struct config_host *a, const struct config_host *b)
{
    return strcmp(a->vhost, b->vhost) == 0 && a->heartbeat_s == b->heartbeat_s &&
           a->connection_timeout_ns == b->connection_timeout_ns &&
           a->channel_max == b->channel_max && a->is_secure == b->is_secure;
}

static int parse_host(const struct config_reading *reading, const char *uri,
    const struct config_path *path, struct config_host *host, bool *is_usable)
{
    int error = config_host_parse(reading, uri, path, host, is_usable);

    if (error || !*is_usable || !host->is_secure)
        return error;
    return config_broker_tls_read(reading, path, host, is_usable);
}

/* Parses a list of hosts; none when there was an error in it. */
static int parse_hosts(const struct config_reading *reading, const struct config_list *list,
    const struct config_path *path, struct config_host **hosts, size_t *n_hosts)
{
    struct config_host *parsed = config_pool_alloc(reading->pool, list->n * sizeof *parsed);
    bool is_usable, are_all_usable = true;

    if (!parsed)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        struct config_path element = config_path_element(path, i);
        int error = parse_host(reading, list->items[i], &element, &parsed[i], &is_usable);

        if (error)
            return error;
        are_all_usable = are_all_usable && is_usable;
        if (are_all_usable && !is_same_place(&parsed[0], &parsed[i])) {
            config_report(reading, FINDING_ERROR, &element,
                "leads elsewhere than the first host: vhost, heartbeat, connection_timeout, "
                "channel_max and whether it is amqps:// must be the same");
            are_all_usable = false;
        }
    }
    if (are_all_usable) {
        *hosts = parsed;
        *n_hosts = list->n;
    }
    return 0;
}

/* The service's hosts may be HTTP, so they are parsed only when an AMQP backend relies on them. */
static int inherit_hosts(const struct config_reading *reading, struct config *config,
    const struct config_path *path, struct config_backend *backend)
{
    struct config_path document = {0}, service = config_path_member(&document, "host");

    if (config->host.n == 0) {
        config_report(reading, FINDING_ERROR, path, "has no host, and neither has the service");
        return 0;
    }
    if (!config->is_host_parsed) {
        int error = parse_hosts(reading, &config->host, &service, &config->hosts, &config->n_hosts);

        if (error)
            return error;
        config->is_host_parsed = true;
    }
    backend->hosts = config->hosts;
    backend->n_hosts = config->n_hosts;
    return 0;
}

static int read_hosts(const struct config_reading *reading, struct config *config,
    const json_t *object, const struct config_path *path, struct config_backend *backend)
{
    struct config_path host_path = config_path_member(path, "host");

    if (json_array_size(json_object_get(object, "host")) == 0)
        return inherit_hosts(reading, config, path, backend);
    return parse_hosts(reading, &backend->host, &host_path, &backend->hosts, &backend->n_hosts);
}

int config_backend_read(const struct config_reading *reading, struct config *config, json_t *object,
    const struct config_path *path, struct config_backend *backend)
{
    struct config_path_text where;
    int error;

    config_path_write(path, &where);
    backend->path = config_pool_copy(reading->pool, where.text, where.length);
    if (!backend->path)
        return -ENOMEM;
    backend->role =
        config_backend_kind(object) == BACKEND_CONSUMER ? CONFIG_CONSUMER : CONFIG_PRODUCER;
    error = set_defaults(reading, backend);
    if (!error)
        error = config_read_level(reading, &config_level_backend, object, path, backend);
    if (!error)
        error = read_namespaces(reading, object, path, backend);
    if (!error)
        error = read_hosts(reading, config, object, path, backend);
    return error;
}
