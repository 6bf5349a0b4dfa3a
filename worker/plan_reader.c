/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_reader.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"

#include "frame.h"

#define POOL_PAGE_BYTES 65536
#define PATIENCE_NS                                                                                \
    (UINT64_C(10) *                                                                                \
        CLOCK_S) /* for the handshake, where the plan has no time-out                  \
                              */

static const enum topology_declare declares[] = {
    [PLAN_DECLARE_ACTIVE] = TOPOLOGY_ACTIVE,
    [PLAN_DECLARE_PASSIVE] = TOPOLOGY_PASSIVE,
    [PLAN_DECLARE_NONE] = TOPOLOGY_NONE,
};

static const enum backoff_strategy strategies[] = {
    [PLAN_BACKOFF_CONSTANT] = BACKOFF_CONSTANT,
    [PLAN_BACKOFF_LINEAR] = BACKOFF_LINEAR,
    [PLAN_BACKOFF_LINEAR_JITTER] = BACKOFF_LINEAR_JITTER,
    [PLAN_BACKOFF_EXPONENTIAL] = BACKOFF_EXPONENTIAL,
    [PLAN_BACKOFF_EXPONENTIAL_JITTER] = BACKOFF_EXPONENTIAL_JITTER,
};

void plan_reader_init(struct plan_reader *plan_reader, const struct plan *plan)
{
    *plan_reader = (struct plan_reader){.plan = plan};
    init_amqp_pool(&plan_reader->pool, POOL_PAGE_BYTES);
}

void plan_reader_done(struct plan_reader *plan_reader)
{
    for (uint32_t i = 0; i < plan_reader->n_contexts; i++)
        SSL_CTX_free(plan_reader->contexts[i]);
    free(plan_reader->contexts);
    empty_amqp_pool(&plan_reader->pool);
}

static void *take(struct plan_reader *plan_reader, size_t n_bytes)
{
    return amqp_pool_alloc(&plan_reader->pool, n_bytes ? n_bytes : 1);
}

static const char *text(const struct plan_reader *plan_reader, struct plan_text text)
{
    return plan_string(plan_reader->plan, text);
}

/* ---- declarations ---- */

static amqp_field_value_t value_of(
    const struct plan_reader *plan_reader, const struct plan_argument *argument)
{
    switch (argument->kind) {
    case PLAN_ARGUMENT_BOOL:
        return (amqp_field_value_t){
            .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = argument->integer != 0};
    case PLAN_ARGUMENT_INT:
        return (amqp_field_value_t){.kind = AMQP_FIELD_KIND_I64, .value.i64 = argument->integer};
    case PLAN_ARGUMENT_DOUBLE:
        return (amqp_field_value_t){.kind = AMQP_FIELD_KIND_F64, .value.f64 = argument->number};
    default:
        return (amqp_field_value_t){.kind = AMQP_FIELD_KIND_UTF8,
            .value.bytes = frame_bytes(text(plan_reader, argument->text), argument->text.length)};
    }
}

/* NULL with `error` 0: there are none. */
static const amqp_table_t *table_of(
    struct plan_reader *plan_reader, struct plan_list list, int *error)
{
    const struct plan_argument *arguments = plan_items(plan_reader->plan, list);
    if (!list.count)
        return NULL;
    amqp_table_t *table = take(plan_reader, sizeof(*table));
    amqp_table_entry_t *entries = take(plan_reader, list.count * sizeof(*entries));
    if (!table || !entries) {
        *error = -ENOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i < list.count; i++)
        entries[i] = (amqp_table_entry_t){
            .key = frame_bytes(text(plan_reader, arguments[i].name), arguments[i].name.length),
            .value = value_of(plan_reader, &arguments[i])};
    *table = (amqp_table_t){.num_entries = (int)list.count, .entries = entries};
    return table;
}

static struct topology_exchange exchange_of(struct plan_reader *plan_reader,
    const struct plan_exchange *exchange, enum topology_declare declare, int *error)
{
    return (struct topology_exchange){
        .name = text(plan_reader, exchange->name),
        .type = text(plan_reader, exchange->type),
        .arguments = table_of(plan_reader, exchange->arguments, error),
        .declare = declare,
        .is_durable = exchange->is_durable,
        .is_auto_delete = exchange->is_auto_delete,
    };
}

static struct topology_queue queue_of(struct plan_reader *plan_reader,
    const struct plan_queue *queue, enum topology_declare declare, int *error)
{
    return (struct topology_queue){
        .name = text(plan_reader, queue->name),
        .arguments = table_of(plan_reader, queue->arguments, error),
        .declare = declare,
        .is_durable = queue->is_durable,
        .is_auto_delete = queue->is_auto_delete,
        .is_exclusive = queue->is_exclusive,
    };
}

static void set_keys(
    struct plan_reader *plan_reader, struct plan_list list, struct topology_wish *wish, int *error)
{
    const struct plan_text *keys = plan_items(plan_reader->plan, list);
    const char **strings = take(plan_reader, list.count * sizeof(*strings));
    if (!strings) {
        *error = -ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < list.count; i++)
        strings[i] = text(plan_reader, keys[i]);
    wish->keys = strings;
    wish->n_keys = list.count;
}

int plan_reader_producer(struct plan_reader *plan_reader, const struct plan_backend *backend,
    struct topology_wish *exchange, struct topology_wish *queue)
{
    int error = 0;
    const struct plan_exchange *target = &backend->target.exchange;
    enum topology_declare declare = declares[backend->declare];
    *exchange =
        (struct topology_wish){.exchange = exchange_of(plan_reader, target, declare, &error)};
    *queue = (struct topology_wish){0};
    if (!backend->queue.name.length)
        return error;
    queue->exchange = exchange->exchange;
    queue->exchange.declare = TOPOLOGY_NONE; /* it is there already */
    queue->queue = queue_of(plan_reader, &backend->queue, declare, &error);
    set_keys(plan_reader, backend->target.routing_keys, queue, &error);
    return error;
}

int plan_reader_tap(struct plan_reader *plan_reader, const struct plan_tap *tap,
    const struct topology_wish **wishes, size_t *n_wishes)
{
    int error = 0;
    const struct plan_binding *bindings = plan_items(plan_reader->plan, tap->bindings);
    enum topology_declare declare = declares[tap->declare];
    size_t n = tap->bindings.count ? tap->bindings.count : 1;
    struct topology_wish *made = take(plan_reader, n * sizeof(*made));
    if (!made)
        return -ENOMEM;
    made[0] = (struct topology_wish){.queue = queue_of(plan_reader, &tap->queue, declare, &error)};
    for (uint32_t i = 0; i < tap->bindings.count; i++) {
        made[i].queue = made[0].queue;
        if (i > 0) /* an empty name is then the queue that was declared last: still this one */
            made[i].queue.declare = TOPOLOGY_NONE;
        made[i].exchange = exchange_of(plan_reader, &bindings[i].exchange, declare, &error);
        set_keys(plan_reader, bindings[i].routing_keys, &made[i], &error);
    }
    *wishes = made;
    *n_wishes = n;
    return error;
}

/* ---- links ---- */

static SSL_CTX *context_new(const struct plan_reader *plan_reader, const struct plan_tls *tls)
{
    struct tls_config config = {
        .authorities = text(plan_reader, tls->authorities),
        .n_authorities = tls->authorities.length,
        .certificate = text(plan_reader, tls->certificate),
        .n_certificate = tls->certificate.length,
        .key = text(plan_reader, tls->key),
        .n_key = tls->key.length,
    };
    return tls_context_new(&config);
}

/* Sets *context to what hosts with this TLS share; NULL: they have none. */
static int context_of(struct plan_reader *plan_reader, const struct plan_worker *worker,
    uint32_t index, SSL_CTX **context)
{
    const struct plan_tls *planned = plan_items(plan_reader->plan, worker->tls);
    *context = NULL;
    if (index == PLAN_NONE)
        return 0;
    if (!plan_reader->contexts)
        plan_reader->contexts = calloc(worker->tls.count, sizeof(*plan_reader->contexts));
    if (!plan_reader->contexts)
        return -ENOMEM;
    plan_reader->n_contexts = worker->tls.count;
    SSL_CTX **made = &plan_reader->contexts[index];
    if (!*made)
        *made = context_new(plan_reader, &planned[index]);
    *context = *made;
    return *made ? 0 : -EPROTO;
}

static int host_of(struct plan_reader *plan_reader, const struct plan_worker *worker,
    const struct plan_host *planned, struct link_host *host)
{
    *host = (struct link_host){
        .name = text(plan_reader, planned->host),
        .port = (uint16_t)planned->port,
        .login = {.user = text(plan_reader, planned->user),
            .password = text(plan_reader, planned->password),
            .is_external = planned->is_external},
        .peer.name = text(plan_reader, planned->server_name),
    };
    return context_of(plan_reader, worker, planned->tls, &host->peer.context);
}

int plan_reader_link(struct plan_reader *plan_reader, const struct plan_worker *worker,
    const struct plan_broker *broker, struct link_config *config)
{
    const struct plan_host *planned = plan_items(plan_reader->plan, broker->hosts);
    struct link_host *hosts = take(plan_reader, broker->hosts.count * sizeof(*hosts));
    if (!hosts)
        return -ENOMEM;
    for (uint32_t i = 0; i < broker->hosts.count; i++) {
        int error = host_of(plan_reader, worker, &planned[i], &hosts[i]);
        if (error)
            return error;
        hosts[i].login.vhost = text(plan_reader, broker->vhost);
    }
    uint16_t heartbeat_s =
        broker->heartbeat_s ? (uint16_t)broker->heartbeat_s : CONNECTION_NO_HEARTBEAT;
    *config = (struct link_config){
        .hosts = hosts,
        .n_hosts = broker->hosts.count,
        .connection = {.name = text(plan_reader, worker->connection_name),
            .version = LEVERET_VERSION,
            .channel_max = (uint16_t)broker->channel_max,
            .heartbeat_s = heartbeat_s,
            .patience_ns =
                broker->connection_timeout_ns ? broker->connection_timeout_ns : PATIENCE_NS},
        .backoff = {.strategy = strategies[broker->backoff], .max_retries = broker->max_retries},
        .connect_ns = broker->connection_timeout_ns,
    };
    return 0;
}
