/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "shm/plan.h"
#include "config_keys.h"
#include "plan_declaration.h"
#include "plan_names.h"
#include "plan_shape.h"
#include "plan_topology.h"
#include "plan_values.h"
#include "plan_worker.h"

#define SECOND INT64_C(1000000000)
#define NAME_MAX_BYTES 600

static const uint8_t backoffs[] = {
    [CONFIG_BACKOFF_CONSTANT] = PLAN_BACKOFF_CONSTANT,
    [CONFIG_BACKOFF_LINEAR] = PLAN_BACKOFF_LINEAR,
    [CONFIG_BACKOFF_LINEAR_JITTER] = PLAN_BACKOFF_LINEAR_JITTER,
    [CONFIG_BACKOFF_EXPONENTIAL] = PLAN_BACKOFF_EXPONENTIAL,
    [CONFIG_BACKOFF_EXPONENTIAL_JITTER] = PLAN_BACKOFF_EXPONENTIAL_JITTER,
};

static const uint8_t declares[] = {
    [CONFIG_DECLARE_ACTIVE] = PLAN_DECLARE_ACTIVE,
    [CONFIG_DECLARE_PASSIVE] = PLAN_DECLARE_PASSIVE,
    [CONFIG_DECLARE_NONE] = PLAN_DECLARE_NONE,
};

struct worker {
    const struct config *config;
    const struct topology *topology;
    struct plan_builder *builder;
};

/* ---- brokers ---- */

static size_t count_tls(const struct config *config)
{
    size_t n = 0;

    for (const struct config_broker_tls *tls = config->broker_tls; tls; tls = tls->next)
        n++;
    return n;
}

static int add_tls(struct worker *worker, struct plan_list *list)
{
    size_t n = count_tls(worker->config);
    CLEANUP(cleanup_free) struct plan_tls *planned = calloc(n + 1, sizeof *planned);

    if (!planned)
        return -ENOMEM;
    for (const struct config_broker_tls *tls = worker->config->broker_tls; tls; tls = tls->next)
        planned[tls->number] = (struct plan_tls){
            .authorities =
                plan_add_string(worker->builder, tls->is_unverified ? "" : tls->authorities),
            .certificate = plan_add_string(worker->builder, tls->certificate),
            .key = plan_add_string(worker->builder, tls->key),
        };
    *list = plan_add_list(worker->builder, planned, sizeof *planned, n);
    return 0;
}

/* The dot that ends an absolute name stands in no certificate, nor in SNI (RFC 6066, 3). */
static struct plan_text add_server_name(
    struct plan_builder *builder, const struct config_host *host)
{
    const char *name = *host->server_name ? host->server_name : host->host;
    size_t length = strlen(name);

    return plan_add_text(builder, name, length - (length > 1 && name[length - 1] == '.'));
}

static struct plan_host make_host(struct worker *worker, const struct config_host *host)
{
    return (struct plan_host){
        .host = plan_add_string(worker->builder, host->host),
        .user = plan_add_string(worker->builder, host->user),
        .password = plan_add_string(worker->builder, host->password),
        .server_name = add_server_name(worker->builder, host),
        .port = host->port,
        .tls = host->tls ? host->tls->number : PLAN_NONE,
        .is_external = host->is_external,
    };
}

static int add_hosts(
    struct worker *worker, const struct config_backend *backend, struct plan_list *list)
{
    CLEANUP(cleanup_free) struct plan_host *hosts = calloc(backend->n_hosts + 1, sizeof *hosts);

    if (!hosts)
        return -ENOMEM;
    for (size_t i = 0; i < backend->n_hosts; i++)
        hosts[i] = make_host(worker, &backend->hosts[i]);
    *list = plan_add_list(worker->builder, hosts, sizeof *hosts, backend->n_hosts);
    return 0;
}

static int make_broker(struct worker *worker, uint32_t index, struct plan_broker *broker)
{
    const struct topology *topology = worker->topology;
    const struct config_backend *backend = topology->backends[topology->brokers[index]].backend;
    const struct config_host *host = &backend->hosts[0];

    *broker = (struct plan_broker){
        .name = plan_add_broker_name(worker->builder, topology, index),
        .vhost = plan_add_string(worker->builder, host->vhost),
        .connection_timeout_ns = (uint64_t)host->connection_timeout_ns,
        .heartbeat_s = (uint32_t)host->heartbeat_s,
        .channel_max = (uint32_t)host->channel_max,
        .max_retries = (uint32_t)backend->amqp.max_retries,
        .backoff = backoffs[backend->amqp.backoff],
    };
    return add_hosts(worker, backend, &broker->hosts);
}

static int add_brokers(struct worker *worker, struct plan_list *list)
{
    const struct topology *topology = worker->topology;
    CLEANUP(cleanup_free)
    struct plan_broker *brokers = calloc(topology->n_brokers + 1, sizeof *brokers);

    if (!brokers)
        return -ENOMEM;
    for (uint32_t i = 0; i < topology->n_brokers; i++) {
        int error = make_broker(worker, i, &brokers[i]);

        if (error)
            return error;
    }
    *list = plan_add_list(worker->builder, brokers, sizeof *brokers, topology->n_brokers);
    return 0;
}

/* ---- backends ---- */

/* "POST /orders/{id} $.endpoints[0].backend[0]" */
static struct plan_text add_backend_name(
    struct worker *worker, const struct topology_backend *backend)
{
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof name, "%s %s %s", config_methods[backend->endpoint->method].name,
        backend->endpoint->pattern, backend->backend->path);
    return plan_add_string(worker->builder, name);
}

static bool is_persistent(const struct config_amqp *amqp)
{
    return amqp->delivery == CONFIG_DELIVERY_PERSISTENT ||
           (amqp->delivery == CONFIG_DELIVERY_AUTO && amqp->is_durable);
}

static int make_backend(
    struct worker *worker, const struct topology_backend *backend, struct plan_backend *planned)
{
    const struct config_amqp *amqp = &backend->backend->amqp;
    bool is_producer = backend->backend->role == CONFIG_PRODUCER;
    int error;

    *planned = (struct plan_backend){
        .verb = plan_verb_of(backend->backend),
        .broker = backend->broker,
        .tap = is_producer ? PLAN_NONE : backend->tap,
        .declare = declares[amqp->declare],
        .encoding = (uint8_t)plan_encoding_of(backend->endpoint, backend->backend),
        .is_confirmed = is_producer && amqp->is_confirmed,
        .is_persistent = is_producer && is_persistent(amqp),
        .is_immediate = amqp->is_immediate,
        .has_header_arrays = amqp->has_header_arrays,
        .is_auto_acked = amqp->is_auto_ack,
        .discards_malformed = amqp->discards_malformed,
        .max_body_bytes = plan_max_body_of(worker->config, backend->endpoint),
        .name = add_backend_name(worker, backend),
    };
    if (plan_is_shaped(backend->endpoint, backend->backend))
        return plan_add_shape(worker->builder, backend->backend, &planned->shape);
    if (!is_producer)
        return 0;
    error = plan_add_queue(worker->builder, amqp, false, &planned->queue);
    return error ? error : plan_add_binding(worker->builder, amqp, &planned->target);
}

static int add_backends(struct worker *worker, struct plan_list *list)
{
    const struct topology *topology = worker->topology;
    CLEANUP(cleanup_free)
    struct plan_backend *backends = calloc(topology->n_backends + 1, sizeof *backends);

    if (!backends)
        return -ENOMEM;
    for (uint32_t i = 0; i < topology->n_backends; i++) {
        int error = make_backend(worker, &topology->backends[i], &backends[i]);

        if (error)
            return error;
    }
    *list = plan_add_list(worker->builder, backends, sizeof *backends, topology->n_backends);
    return 0;
}

/* ---- taps ---- */

static bool passes_properties(const struct topology *topology, uint32_t tap)
{
    for (uint32_t i = topology->taps[tap].first; i != TOPOLOGY_NONE; i = topology->backends[i].next)
        if (plan_shows_properties(topology->backends[i].endpoint, topology->backends[i].backend))
            return true;
    return false;
}

static int make_tap(struct worker *worker, uint32_t index, struct plan_tap *planned)
{
    const struct topology_tap *tap = &worker->topology->taps[index];
    const struct config_amqp *amqp = &worker->topology->backends[tap->first].backend->amqp;
    const char *name = *amqp->queue ? amqp->queue : "(named by the broker)";
    int error;

    *planned = (struct plan_tap){
        .broker = tap->broker,
        .worker = tap->worker,
        .prefetch_count = tap->prefetch_count,
        .declare = declares[amqp->declare],
        .is_no_local = amqp->is_no_local,
        .passes_properties = passes_properties(worker->topology, index),
        .idle_release_ns = (uint64_t)amqp->idle_release_ns,
        .name = plan_add_string(worker->builder, name),
    };
    error = plan_add_queue(worker->builder, amqp, amqp->is_exclusive, &planned->queue);
    if (error)
        return error;
    return plan_add_tap_bindings(worker->builder, worker->topology, index, &planned->bindings);
}

static int add_taps(struct worker *worker, struct plan_list *list)
{
    const struct topology *topology = worker->topology;
    CLEANUP(cleanup_free) struct plan_tap *taps = calloc(topology->n_taps + 1, sizeof *taps);

    if (!taps)
        return -ENOMEM;
    for (uint32_t i = 0; i < topology->n_taps; i++) {
        int error = make_tap(worker, i, &taps[i]);

        if (error)
            return error;
    }
    *list = plan_add_list(worker->builder, taps, sizeof *taps, topology->n_taps);
    return 0;
}

static const char *connection_name(const struct config *config)
{
    if (*config->connection_name)
        return config->connection_name;
    return *config->name ? config->name : "leveret";
}

static int seal(struct worker *worker)
{
    struct plan_windows windows = plan_windows_of(worker->config);
    struct plan_worker root = {
        .n_workers = (uint32_t)worker->config->workers,
        .backend_window = windows.of_backend,
        .broker_window = windows.of_broker,
        .drain_timeout_ns = (uint64_t)worker->config->drain_timeout_ns,
        .connection_name = plan_add_string(worker->builder, connection_name(worker->config)),
    };
    int error = add_tls(worker, &root.tls);

    if (!error)
        error = add_brokers(worker, &root.brokers);
    if (!error)
        error = add_backends(worker, &root.backends);
    if (!error)
        error = add_taps(worker, &root.taps);
    return error ? error : plan_builder_seal(worker->builder, &root, sizeof root);
}

int plan_worker_new(const struct config *config)
{
    struct worker worker = {
        .config = config,
        .topology = config->topology,
        .builder = plan_builder_new(PLAN_WORKER),
    };
    int fd = worker.builder ? seal(&worker) : -ENOMEM;

    plan_builder_free(worker.builder);
    return fd;
}
