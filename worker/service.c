/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/json_tree.h"
#include "shm/log.h"

#include "plan_reader.h"
#include "publish_link.h"
#include "publisher.h"
#include "resolver.h"
#include "supplies.h"
#include "wire.h"

/* Of a filter over one message: some 100 ms, in which nobody else is served. */
#define FLATMAP_STEPS (UINT32_C(1) << 22)

/* A backend that publishes. */
struct producer {
    struct publisher publisher;
    const char *name;
};

struct service {
    struct service_config config;
    const struct plan_worker *root;
    const struct plan_backend *backends;
    struct plan_reader plan_reader;
    struct resolver *resolver;
    struct publication publication;
    struct json_tree tree;
    struct desk_config desk_config;
    uint8_t *verbs;
    struct wire *wires; /* for each broker one to publish and one to consume, then the exclusive
                           taps' own; laid where there is a use for it */
    struct loop_timer *wire_timers;
    uint32_t n_wires;
    struct producer *producers; /* by backend; empty where it consumes */
    struct supplies supplies;
    struct loop_hook flush;
    bool is_starting; /* not all taps have tried to declare their queues */
};

struct service_mark {
    uint32_t n;
    uint64_t offsets[]; /* by wire */
};

/* ---- what the machines say ---- */

static void on_publisher_refused(
    void *owner, enum publisher_refusal refusal, const struct channel_end *end)
{
    static const char *const events[] = {
        [PUBLISHER_REFUSED_EXCHANGE] = "exchange-refused",
        [PUBLISHER_REFUSED_QUEUE] = "queue-refused",
        [PUBLISHER_REFUSED_MESSAGE] = "message-refused",
    };
    const struct producer *producer = owner;
    log_often(refusal == PUBLISHER_REFUSED_EXCHANGE ? LOG_ERROR : LOG_WARN, events[refusal],
        producer, "backend=\"%s\" code=%u reason=\"%s\"", producer->name, end->code, end->text);
}

static void on_publisher_stopped(void *owner, bool is_stopped)
{
    const struct producer *producer = owner;
    if (is_stopped)
        log_often(LOG_WARN, "channel-stopped", producer,
            "backend=\"%s\": the broker takes no messages on its channel for now", producer->name);
    else
        log_often(LOG_INFO, "channel-started", producer, "backend=\"%s\"", producer->name);
}

/* ---- what the desk says ---- */

static uint64_t now_ns(const struct service *service)
{
    return loop_now_ns(service->config.loop);
}

static struct wire *publishing_wire(struct service *service, uint32_t broker)
{
    return &service->wires[2 * broker];
}

static struct wire *consuming_wire(struct service *service, uint32_t broker)
{
    return &service->wires[2 * broker + 1];
}

static void on_publish(void *owner, struct desk_slot *slot)
{
    struct service *service = owner;
    wire_connect(publishing_wire(service, service->backends[slot->backend].broker));
    publisher_publish(&service->producers[slot->backend].publisher, slot, now_ns(service));
}

static void on_get(void *owner, struct desk_slot *slot)
{
    struct service *service = owner;
    supplies_get(&service->supplies, slot);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    struct service *service = owner;
    supplies_cancelled(&service->supplies, slot);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    struct service *service = owner;
    supplies_verdict(&service->supplies, slot, is_ack);
}

static uint64_t turn_ns(void *owner)
{
    return now_ns(owner);
}

static const struct desk_ops desk_ops = {
    .on_publish = on_publish,
    .on_get = on_get,
    .on_cancelled = on_cancelled,
    .on_verdict = on_verdict,
};

/* ---- a turn of the loop ---- */

static void nothing_but_a_turn(void *owner)
{
    /* publish_link_turn() is called in every turn */
}

/* At the start a publish waits for the queues of our own taps: a POST just after the start would
 * else find them not yet bound, and come back as unroutable. */
static void hold_publishers(struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        service->wires[i].publish_link.is_held = false;
    service->is_starting = false;
    for (uint32_t i = 0; i < service->root->taps.count; i++) {
        if (supplies_has_tried(&service->supplies, i))
            continue;
        const struct plan_tap *taps = plan_items(service->config.plan, service->root->taps);
        publishing_wire(service, taps[i].broker)->publish_link.is_held = true;
        service->is_starting = true;
    }
}

/* Before the links flush. */
static bool flush(void *owner)
{
    struct service *service = owner;
    supplies_turn(&service->supplies);
    if (service->is_starting)
        hold_publishers(service);
    for (uint32_t i = 0; i < service->n_wires; i++) {
        struct wire *wire = &service->wires[i];
        if (!wire->publishes)
            continue;
        uint64_t next_ns = publish_link_turn(&wire->publish_link, now_ns(service));
        loop_timer_set(service->config.loop, &service->wire_timers[i], next_ns);
        publish_link_flush(&wire->publish_link);
    }
    return false;
}

/* ---- a life ---- */

/* A tap's own connection stands behind those that others share. */
static struct figures_connection *figures_of(const struct service *service, uint32_t connection)
{
    const struct figures *figures = service->config.figures;
    return figures ? &figures->connections[connection] : NULL;
}

static int lay(struct service *service, struct wire *wire, uint32_t broker, const char *use,
    struct figures_connection *figures)
{
    const struct plan_broker *brokers = plan_items(service->config.plan, service->root->brokers);
    if (wire_is_laid(wire))
        return 0;
    struct wire_plan plan = {.loop = service->config.loop,
        .resolver = service->resolver,
        .plan_reader = &service->plan_reader,
        .worker = service->root,
        .broker = &brokers[broker],
        .use = use,
        .figures = figures};
    return wire_lay(wire, &plan);
}

static int producer_make(struct service *service, uint32_t backend)
{
    const struct plan_backend *planned = &service->backends[backend];
    struct producer *producer = &service->producers[backend];
    struct wire *wire = publishing_wire(service, planned->broker);
    const struct figures *figures = service->config.figures;
    int error =
        lay(service, wire, planned->broker, "publish", figures_of(service, 2 * planned->broker));
    if (error)
        return error;
    producer->name = plan_string(service->config.plan, planned->name);
    struct publisher_config config = {
        .form = {.exchange = plan_string(service->config.plan, planned->target.exchange.name),
            .is_persistent = planned->is_persistent,
            .has_header_arrays = planned->has_header_arrays},
        .is_confirmed = planned->is_confirmed,
        .is_immediate = planned->is_immediate,
        .window = service->root->backend_window,
        .link_window = service->root->broker_window,
        .figures = figures ? &figures->backends[backend] : NULL,
        .on_refused = on_publisher_refused,
        .on_stopped = on_publisher_stopped,
        .owner = producer,
    };
    error = plan_reader_producer(&service->plan_reader, planned, &config.exchange, &config.queue);
    struct publish_link *publish_link = wire_outlet(wire, &service->publication);
    return error ? error : publisher_init(&producer->publisher, publish_link, &config);
}

/* Where a tap's messages come from: the broker's common wire, or one of its own, the next free. */
static struct wire *wire_for(
    struct service *service, const struct plan_tap *tap, uint32_t *n_exclusive)
{
    if (!tap->queue.is_exclusive)
        return consuming_wire(service, tap->broker);
    return &service->wires[2 * service->root->brokers.count + (*n_exclusive)++];
}

static int supply_make(struct service *service, uint32_t tap, uint32_t *n_exclusive)
{
    const struct plan_tap *taps = plan_items(service->config.plan, service->root->taps);
    struct wire *wire = wire_for(service, &taps[tap], n_exclusive);
    uint32_t connection = taps[tap].queue.is_exclusive ? 2 * service->root->brokers.count + tap
                                                       : 2 * taps[tap].broker + 1;
    int error = lay(service, wire, taps[tap].broker, "consume", figures_of(service, connection));
    return error ? error : supplies_add(&service->supplies, tap, wire);
}

static int make_all(struct service *service)
{
    const struct plan_tap *taps = plan_items(service->config.plan, service->root->taps);
    uint32_t n_exclusive = 0;
    int error = 0;
    for (uint32_t i = 0; !error && i < service->root->backends.count; i++)
        if (service->backends[i].verb == PLAN_PRODUCE)
            error = producer_make(service, i);
    for (uint32_t i = 0; !error && i < service->root->taps.count; i++)
        if (taps[i].worker == service->config.worker)
            error = supply_make(service, i, &n_exclusive);
    return error;
}

static int reserve(struct service *service)
{
    const struct plan_worker *root = service->root;
    service->n_wires = 2 * root->brokers.count + root->taps.count;
    service->wires = calloc(service->n_wires + 1, sizeof(*service->wires));
    service->wire_timers = calloc(service->n_wires + 1, sizeof(*service->wire_timers));
    service->producers = calloc(root->backends.count + 1, sizeof(*service->producers));
    service->verbs = calloc(root->backends.count + 1, sizeof(*service->verbs));
    if (!service->wires || !service->wire_timers || !service->producers || !service->verbs)
        return -ENOMEM;
    for (uint32_t i = 0; i < service->n_wires; i++)
        service->wire_timers[i].on_due = nothing_but_a_turn;
    for (uint32_t i = 0; i < root->backends.count; i++)
        service->verbs[i] = (uint8_t)service->backends[i].verb;
    service->desk_config = (struct desk_config){.verbs = service->verbs,
        .n_backends = root->backends.count,
        .ops = &desk_ops,
        .now_ns = turn_ns,
        .figures = service->config.figures,
        .owner = service};
    int error = publication_init(&service->publication);
    if (!error)
        error = json_tree_init(&service->tree, FLATMAP_STEPS);
    if (!error)
        error = supplies_init(
            &service->supplies, &(struct supplies_config){.plan = service->config.plan,
                                    .plan_reader = &service->plan_reader,
                                    .tree = &service->tree,
                                    .loop = service->config.loop,
                                    .figures = service->config.figures,
                                    .must_attach = service->config.must_attach});
    return error ? error : resolver_new(&service->resolver, service->config.loop);
}

static void start(struct service *service)
{
    service->is_starting = true;
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (wire_is_laid(&service->wires[i]))
            wire_connect(&service->wires[i]);
}

int service_new(struct service **out, const struct service_config *config)
{
    struct service *service = calloc(1, sizeof(*service));
    if (!service)
        return -ENOMEM;
    service->config = *config;
    service->root = config->plan->root;
    service->backends = plan_items(config->plan, service->root->backends);
    plan_reader_init(&service->plan_reader, config->plan);
    service->flush = (struct loop_hook){.run = flush, .owner = service};
    loop_hook_add(config->loop, LOOP_FLUSH, &service->flush); /* before those of the links */
    int error = reserve(service);
    if (!error)
        error = make_all(service);
    if (error) {
        service_free(service);
        return error;
    }
    start(service);
    *out = service;
    return 0;
}

bool service_has_attached(const struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (wire_is_laid(&service->wires[i]) && !service->wires[i].was_tried)
            return false;
    return supplies_have_attached(&service->supplies);
}

bool service_keeps_queues(const struct service *service)
{
    return supplies_keep_queues(&service->supplies);
}

void service_free(struct service *service)
{
    if (!service)
        return;
    loop_hook_remove(service->config.loop, LOOP_FLUSH, &service->flush);
    supplies_done(&service->supplies);
    for (uint32_t i = 0; service->producers && i < service->root->backends.count; i++)
        publisher_done(&service->producers[i].publisher);
    for (uint32_t i = 0; service->wires && i < service->n_wires; i++)
        wire_done(&service->wires[i]);
    resolver_free(service->resolver);
    publication_done(&service->publication);
    json_tree_done(&service->tree);
    plan_reader_done(&service->plan_reader);
    free(service->wires);
    free(service->wire_timers);
    free(service->producers);
    free(service->verbs);
    free(service);
}

const struct desk_config *service_desk_config(const struct service *service)
{
    return &service->desk_config;
}

void service_use_desk(struct service *service, struct desk *desk)
{
    supplies_use_desk(&service->supplies, desk);
}

void service_leave(struct service *service)
{
    supplies_leave(&service->supplies);
}

bool service_is_quiet(const struct service *service)
{
    for (uint32_t i = 0; i < service->root->backends.count; i++)
        if (service->producers[i].publisher.n_open)
            return false;
    return supplies_are_quiet(&service->supplies);
}

bool service_owes_nothing(const struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++) {
        const struct wire *wire = &service->wires[i];
        if (wire_is_laid(wire) && link_is_up(wire->link) &&
            link_outbox(wire->link)->taken < link_outbox(wire->link)->queued)
            return false;
    }
    return !supplies_have_unsettled(&service->supplies);
}

void service_close(struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (wire_is_laid(&service->wires[i]))
            link_close(service->wires[i].link);
}

bool service_is_closed(const struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (wire_is_laid(&service->wires[i]) && link_state(service->wires[i].link) != LINK_DOWN)
            return false;
    return true;
}

/* ---- marks ---- */

struct service_mark *service_mark_new(const struct service *service)
{
    struct service_mark *mark =
        calloc(1, sizeof(*mark) + service->n_wires * sizeof(mark->offsets[0]));
    if (!mark)
        return NULL;
    mark->n = service->n_wires;
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (wire_is_laid(&service->wires[i]))
            mark->offsets[i] = link_outbox(service->wires[i].link)->queued;
    return mark;
}

bool service_has_passed(const struct service *service, const struct service_mark *mark)
{
    for (uint32_t i = 0; i < mark->n; i++)
        if (wire_is_laid(&service->wires[i]) &&
            link_outbox(service->wires[i].link)->taken < mark->offsets[i])
            return false;
    return true;
}
