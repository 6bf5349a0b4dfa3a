/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "config_pool.h"
#include "plan_topology.h"

#define PREFETCH_DEFAULT 128

/* What has been seen: JSON objects from a key to a number. */
struct registries {
    json_t *brokers, *taps;
};

static void registries_done(struct registries *registries)
{
    json_decref(registries->brokers);
    json_decref(registries->taps);
}

/* The number of key; a new one gets `next`. -ENOMEM. */
static int register_key(json_t *registry, const char *key, uint32_t next, uint32_t *number)
{
    json_t *known = json_object_get(registry, key);

    if (!known && json_object_set_new_nocheck(registry, key, json_integer(next)) < 0)
        return -ENOMEM;
    *number = known ? (uint32_t)json_integer_value(known) : next;
    return 0;
}

/* With its length, so that two rows of texts are never the same by chance. */
static void write_text(FILE *out, const char *text)
{
    fprintf(out, "%zu:%s,", strlen(text), text);
}

/* What makes two lists of hosts one broker. Hosts that could not be read are like no others. */
static void write_broker_key(const struct config_backend *backend, FILE *out)
{
    if (backend->n_hosts == 0)
        write_text(out, backend->path);
    for (size_t i = 0; i < backend->n_hosts; i++) {
        const struct config_host *host = &backend->hosts[i];

        write_text(out, host->host);
        write_text(out, host->user);
        write_text(out, host->password);
        write_text(out, host->vhost);
        write_text(out, host->server_name);
        fprintf(out, "%u %" PRId64 " %" PRId64 " %" PRId64 " %d %lld,", host->port,
            host->heartbeat_s, host->connection_timeout_ns, host->channel_max, host->is_external,
            host->tls ? (long long)host->tls->number : -1);
    }
}

static void write_tap_key(const struct topology_backend *backend, FILE *out)
{
    fprintf(out, "%u,", backend->broker);
    write_text(out, backend->backend->amqp.queue);
}

static int find_broker(struct topology *topology, uint32_t index, json_t *registry)
{
    struct topology_backend *backend = &topology->backends[index];
    CLEANUP(cleanup_free) char *key = NULL;
    size_t length;
    FILE *out = open_memstream(&key, &length);

    if (!out)
        return -ENOMEM;
    write_broker_key(backend->backend, out);
    if (fclose(out) != 0 || register_key(registry, key, topology->n_brokers, &backend->broker) < 0)
        return -ENOMEM;
    if (backend->broker == topology->n_brokers)
        topology->brokers[topology->n_brokers++] = index;
    explicit_bzero(key, length);
    return 0;
}

static void add_tap(struct topology *topology, uint32_t index, uint32_t n_workers)
{
    topology->taps[topology->n_taps] = (struct topology_tap){
        .broker = topology->backends[index].broker,
        .worker = topology->n_taps % n_workers,
        .first = index,
        .last = index,
    };
    topology->n_taps++;
}

/* Which tap a consumer is at. A queue without a name is its own. */
static int find_tap(struct topology *topology, uint32_t index, json_t *registry, uint32_t n_workers)
{
    struct topology_backend *backend = &topology->backends[index];
    CLEANUP(cleanup_free) char *key = NULL;
    size_t length;
    FILE *out;

    backend->tap = topology->n_taps;
    if (*backend->backend->amqp.queue) {
        out = open_memstream(&key, &length);
        if (!out)
            return -ENOMEM;
        write_tap_key(backend, out);
        if (fclose(out) != 0 || register_key(registry, key, topology->n_taps, &backend->tap) < 0)
            return -ENOMEM;
    }
    if (backend->tap == topology->n_taps)
        add_tap(topology, index, n_workers);
    return 0;
}

/* Puts a consumer at the end of its tap's row. */
static void join_tap(struct topology *topology, uint32_t index)
{
    struct topology_tap *tap = &topology->taps[topology->backends[index].tap];
    uint32_t wanted = (uint32_t)topology->backends[index].backend->amqp.prefetch_count;

    if (tap->last != index)
        topology->backends[tap->last].next = index;
    tap->last = index;
    if (wanted > tap->prefetch_count)
        tap->prefetch_count = wanted;
}

static int place_backends(
    struct topology *topology, uint32_t n_workers, const struct registries *registries)
{
    for (uint32_t i = 0; i < topology->n_backends; i++) {
        struct topology_backend *backend = &topology->backends[i];
        int error = find_broker(topology, i, registries->brokers);

        backend->tap = backend->next = TOPOLOGY_NONE;
        if (!error && backend->backend->role == CONFIG_CONSUMER) {
            error = find_tap(topology, i, registries->taps, n_workers);
            if (!error)
                join_tap(topology, i);
        }
        if (error)
            return error;
    }
    for (uint32_t i = 0; i < topology->n_taps; i++)
        if (topology->taps[i].prefetch_count == 0)
            topology->taps[i].prefetch_count = PREFETCH_DEFAULT;
    return 0;
}

static size_t count_backends(const struct config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < config->n_endpoints; i++)
        n += config->endpoints[i].n_backends;
    return n;
}

static void list_backends(const struct config *config, struct topology *topology)
{
    for (size_t i = 0; i < config->n_endpoints; i++)
        for (size_t j = 0; j < config->endpoints[i].n_backends; j++)
            topology->backends[topology->n_backends++] = (struct topology_backend){
                .endpoint = &config->endpoints[i],
                .backend = &config->endpoints[i].backends[j],
            };
}

const struct topology *topology_new(const struct config *config)
{
    size_t n = count_backends(config);
    CLEANUP(registries_done)
    struct registries registries = {.brokers = json_object(), .taps = json_object()};
    struct topology *topology = config_pool_alloc(config->pool, sizeof *topology);

    if (!topology || !registries.brokers || !registries.taps)
        return NULL;
    topology->backends = config_pool_alloc(config->pool, n * sizeof *topology->backends);
    topology->brokers = config_pool_alloc(config->pool, n * sizeof *topology->brokers);
    topology->taps = config_pool_alloc(config->pool, n * sizeof *topology->taps);
    if (!topology->backends || !topology->brokers || !topology->taps)
        return NULL;
    list_backends(config, topology);
    if (place_backends(topology, (uint32_t)config->workers, &registries) < 0)
        return NULL;
    return topology;
}

uint32_t topology_n_publishing(const struct topology *topology, uint32_t *n_producers)
{
    uint32_t n_brokers = 0;

    *n_producers = 0;
    for (uint32_t broker = 0; broker < topology->n_brokers; broker++) {
        uint32_t n = 0;

        for (uint32_t i = topology->brokers[broker]; i < topology->n_backends; i++)
            n += topology->backends[i].broker == broker &&
                 topology->backends[i].backend->role == CONFIG_PRODUCER;
        n_brokers += n > 0;
        *n_producers += n;
    }
    return n_brokers;
}
