/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <leveret/message.h>
#include "shm/plan.h"
#include "config_keys.h"
#include "config_route.h"
#include "plan_flatmap.h"
#include "plan_front.h"
#include "plan_json.h"
#include "plan_names.h"
#include "plan_topology.h"
#include "plan_values.h"

#define SECOND INT64_C(1000000000)
#define LABEL_MAX 400
#define N(rows) (sizeof(rows) / sizeof *(rows))

static const uint8_t strategies[] = {
    [CONFIG_STATIC_ALWAYS] = PLAN_STATIC_ALWAYS,
    [CONFIG_STATIC_SUCCESS] = PLAN_STATIC_SUCCESS,
    [CONFIG_STATIC_COMPLETE] = PLAN_STATIC_COMPLETE,
    [CONFIG_STATIC_ERRORED] = PLAN_STATIC_ERRORED,
    [CONFIG_STATIC_INCOMPLETE] = PLAN_STATIC_INCOMPLETE,
};

static const uint32_t accesses[] = {
    [CONFIG_ACCESS_OFF] = PLAN_ACCESS_OFF,
    [CONFIG_ACCESS_ERRORS] = PLAN_ACCESS_ERRORS,
    [CONFIG_ACCESS_ALL] = PLAN_ACCESS_ALL,
};

struct front {
    const struct config *config;
    struct plan_builder *builder;
    uint32_t n_backends; /* so far: the number of the next one */
};

/* A key whose value names a parameter, and the field that it fills. */
struct source_key {
    const char *name;
    size_t offset;
    enum message_field_kind field;
};

static const struct source_key source_keys[] = {
    {"routing_key", offsetof(struct config_amqp, routing_key), MESSAGE_ROUTING_KEY},
    {"exp_key", offsetof(struct config_amqp, exp_key), MESSAGE_EXPIRATION},
    {"reply_to_key", offsetof(struct config_amqp, reply_to_key), MESSAGE_REPLY_TO},
    {"msg_id_key", offsetof(struct config_amqp, msg_id_key), MESSAGE_MESSAGE_ID},
    {"priority_key", offsetof(struct config_amqp, priority_key), MESSAGE_PRIORITY},
};

static struct plan_source parameter_source(struct plan_builder *builder,
    const struct source_key *key, const struct config_route *route, size_t parameter)
{
    char label[LABEL_MAX];

    (void)snprintf(label, sizeof label, "%s (parameter %s)", key->name, route->names[parameter]);
    return (struct plan_source){
        .field = key->field,
        .parameter = (uint32_t)parameter,
        .label = plan_add_string(builder, label),
    };
}

static struct plan_source fixed_routing_key(
    struct plan_builder *builder, const struct config_amqp *amqp)
{
    return (struct plan_source){
        .field = MESSAGE_ROUTING_KEY,
        .parameter = PLAN_NONE,
        .text = plan_add_string(builder, amqp->routing_key),
        .label = plan_add_string(builder, "routing_key"),
    };
}

/* A parameter that the route does not have leaves its field out: config_rules.h has warned. */
static struct plan_list add_sources(
    struct plan_builder *builder, const struct config_amqp *amqp, const struct config_route *route)
{
    struct plan_source sources[N(source_keys)];
    size_t n = 0, first = 0;

    if (amqp->has_static_routing_key) {
        sources[n++] = fixed_routing_key(builder, amqp);
        first = 1;
    }
    for (size_t i = first; i < N(source_keys); i++) {
        const char *name = *(const char *const *)((const char *)amqp + source_keys[i].offset);
        size_t parameter = config_route_parameter(route, name);

        if (parameter != CONFIG_PARAMETER_NONE)
            sources[n++] = parameter_source(builder, &source_keys[i], route, parameter);
    }
    return plan_add_list(builder, sources, sizeof *sources, n);
}

/* "backend[0] exchange orders" */
static struct plan_text add_part_name(
    struct plan_builder *builder, const struct config_backend *backend, size_t index)
{
    bool is_consumer = backend->role == CONFIG_CONSUMER;
    char name[LABEL_MAX];

    (void)snprintf(name, sizeof name, "backend[%zu] %s %s", index,
        is_consumer ? "queue" : "exchange",
        is_consumer ? backend->amqp.queue : backend->amqp.exchange);
    return plan_add_string(builder, name);
}

/* A consumer is where its tap is; who publishes does not matter. */
static uint32_t worker_of(const struct topology *topology, uint32_t backend)
{
    uint32_t tap = topology->backends[backend].tap;

    return tap == TOPOLOGY_NONE ? PLAN_ANY_WORKER : topology->taps[tap].worker;
}

static struct plan_part make_part(struct front *front, const struct config_endpoint *endpoint,
    const struct config_route *route, size_t index)
{
    const struct config_backend *backend = &endpoint->backends[index];
    struct plan_part part = {
        .backend = front->n_backends,
        .worker = worker_of(front->config->topology, front->n_backends),
        .broker = front->config->topology->backends[front->n_backends].broker,
        .queue = front->config->topology->backends[front->n_backends].tap,
        .verb = (uint8_t)plan_verb_of(backend),
        .encoding = (uint8_t)plan_passed_encoding_of(endpoint, backend),
        .is_mandatory = backend->amqp.is_mandatory,
        .has_header_arrays = backend->amqp.has_header_arrays,
        .shows_properties = plan_shows_properties(endpoint, backend),
        .name = add_part_name(front->builder, backend, index),
        .destination = plan_add_string(front->builder,
            backend->role == CONFIG_CONSUMER ? backend->amqp.queue : backend->amqp.exchange),
    };

    front->n_backends++;
    if (backend->role == CONFIG_PRODUCER)
        part.sources = add_sources(front->builder, &backend->amqp, route);
    return part;
}

static int add_parts(
    struct front *front, const struct config_endpoint *endpoint, struct plan_list *list)
{
    CLEANUP(cleanup_free)
    struct plan_part *parts = calloc(endpoint->n_backends + 1, sizeof *parts);
    struct config_route route;
    int error = parts ? config_route_parse(front->config->pool, endpoint->pattern,
                            front->config->is_rest_disabled, &route)
                      : -ENOMEM;

    if (error)
        return error;
    for (size_t i = 0; i < endpoint->n_backends; i++)
        parts[i] = make_part(front, endpoint, &route, i);
    *list = plan_add_list(front->builder, parts, sizeof *parts, endpoint->n_backends);
    return 0;
}

/* x-request-id is X-Request-Id. */
static struct plan_text add_canonical(struct plan_builder *builder, const char *header)
{
    CLEANUP(cleanup_free) char *name = strdup(header);
    bool is_first = true;

    for (char *at = name; at && *at; at++) {
        *at = (char)(is_first ? toupper((unsigned char)*at) : tolower((unsigned char)*at));
        is_first = *at == '-';
    }
    return plan_add_string(builder, name);
}

static int add_headers(
    struct front *front, const struct config_list *headers, struct plan_endpoint *planned)
{
    CLEANUP(cleanup_free) struct plan_text *names = calloc(headers->n + 1, sizeof *names);

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < headers->n; i++) {
        names[i] = add_canonical(front->builder, headers->items[i]);
        if (strcmp(headers->items[i], "*") == 0)
            planned->passes_all_headers = 1;
    }
    planned->headers = plan_add_list(front->builder, names, sizeof *names, headers->n);
    return 0;
}

/* What the front itself does to an answer that has members. */
static int add_proxy(
    struct front *front, const struct config_endpoint *endpoint, struct plan_endpoint *planned)
{
    const struct config_proxy *proxy = &endpoint->proxy;
    int error = 0;

    if (endpoint->output == CONFIG_OUTPUT_NO_OP)
        return 0;
    if (json_object_size(proxy->fixed.data)) {
        planned->fixed_strategy = strategies[proxy->fixed.strategy];
        error = plan_add_json(front->builder, proxy->fixed.data, &planned->fixed);
    }
    if (!error && endpoint->n_backends > 1)
        error = plan_add_flatmap(front->builder, &proxy->flatmap, &planned->flatmap);
    return error;
}

static int make_endpoint(
    struct front *front, const struct config_endpoint *endpoint, struct plan_endpoint *planned)
{
    int error;

    *planned = (struct plan_endpoint){
        .pattern = plan_add_string(front->builder, endpoint->pattern),
        .method = plan_add_string(front->builder, config_methods[endpoint->method].name),
        .timeout_ns = (uint64_t)endpoint->timeout_ns,
        .cache_ttl_s = (uint64_t)(endpoint->cache_ttl_ns / SECOND),
        .max_body_bytes = plan_max_body_of(front->config, endpoint),
        .max_in_flight = (uint32_t)endpoint->max_in_flight,
        .output_encoding = (uint8_t)plan_output_of(endpoint),
        .is_krakend = endpoint->compatibility == CONFIG_KRAKEND,
        .shows_timing = endpoint->shows_timing,
        .is_sequential = endpoint->proxy.is_sequential,
    };
    error = add_headers(front, &endpoint->headers, planned);
    if (!error)
        error = add_proxy(front, endpoint, planned);
    return error ? error : add_parts(front, endpoint, &planned->parts);
}

static int add_endpoints(struct front *front, struct plan_list *list)
{
    const struct config *config = front->config;
    CLEANUP(cleanup_free)
    struct plan_endpoint *endpoints = calloc(config->n_endpoints + 1, sizeof *endpoints);

    if (!endpoints)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_endpoints; i++) {
        int error = make_endpoint(front, &config->endpoints[i], &endpoints[i]);

        if (error)
            return error;
    }
    *list = plan_add_list(front->builder, endpoints, sizeof *endpoints, config->n_endpoints);
    return 0;
}

static_assert(TOPOLOGY_NONE == PLAN_NONE, "a producer has no queue in either's words");

static struct plan_list add_tls(struct plan_builder *builder, const struct config_tls *tls)
{
    if (!tls->is_present || tls->is_disabled)
        return (struct plan_list){0};
    const struct plan_server_tls planned = {
        .certificate = plan_add_string(builder, tls->certificate),
        .key = plan_add_string(builder, tls->key),
        .authorities = plan_add_string(builder, tls->authorities),
        .ciphers = plan_add_string(builder, tls->ciphers),
        .suites = plan_add_string(builder, tls->suites),
        .speaks_1_2 = tls->min_version == CONFIG_TLS_1_2,
        .speaks_1_3 = tls->max_version == CONFIG_TLS_1_3,
    };

    return plan_add_list(builder, &planned, sizeof planned, 1);
}

static int seal(struct front *front)
{
    const struct config *config = front->config;
    struct plan_front root = {
        .n_workers = (uint32_t)config->workers,
        .max_connections = (uint32_t)config->max_connections,
        .max_header_bytes = (uint32_t)config->max_header_bytes,
        .is_krakend = config->compatibility == CONFIG_KRAKEND,
        .read_header_timeout_ns = (uint64_t)config->read_header_timeout_ns,
        .read_timeout_ns = (uint64_t)config->read_timeout_ns,
        .write_timeout_ns = (uint64_t)config->write_timeout_ns,
        .idle_timeout_ns = (uint64_t)config->idle_timeout_ns,
        .drain_timeout_ns = (uint64_t)config->drain_timeout_ns,
        .name = plan_add_string(front->builder, config->name),
        .admin_token = plan_add_string(front->builder, config->admin_token),
        .access_log = accesses[config->access_log],
        .makes_traces = config->tracing == CONFIG_TRACING_CREATE,
        .traces_percent = (uint32_t)config->tracing_percent,
    };
    int error = add_endpoints(front, &root.endpoints);

    if (!error)
        error = plan_add_brokers(front->builder, config->topology, &root.brokers);
    if (!error)
        error = plan_add_queues(front->builder, config->topology, &root.queues);
    root.tls = add_tls(front->builder, &config->tls);
    return error ? error : plan_builder_seal(front->builder, &root, sizeof root);
}

int plan_front_new(const struct config *config)
{
    struct front front = {.config = config, .builder = plan_builder_new(PLAN_FRONT)};
    int fd = front.builder ? seal(&front) : -ENOMEM;

    plan_builder_free(front.builder);
    return fd;
}
