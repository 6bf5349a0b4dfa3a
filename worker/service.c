/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/log.h"

#include "blueprint.h"
#include "intake.h"
#include "link.h"
#include "outlet.h"
#include "publisher.h"
#include "resolver.h"

/* A connection of ours, whatever it is used for. */
struct wire {
    struct service *service;
    const char *broker; /* for the log */
    const char *use;
    struct link_config config;
    struct link *link;
    struct outlet outlet;    /* of a wire that publishes */
    struct loop_timer timer; /* the outlet's */
    struct supply *first;    /* of a wire that consumes */
    bool publishes;
};

/* A backend that publishes. */
struct producer {
    struct publisher publisher;
    const char *name;
};

/* A tap and its channel. */
struct supply {
    struct intake intake;
    struct wire *wire; /* NULL: another worker serves it */
    const char *name;
    struct loop_timer timer;
    struct supply *next_on_wire;
    struct supply *next_touched;
    bool is_touched;
};

struct service {
    struct service_config config;
    const struct plan_worker *root;
    const struct plan_backend *backends;
    struct blueprint blueprint;
    struct resolver *resolver;
    struct letter letter;
    struct desk_config desk_config;
    uint8_t *verbs;
    struct wire *wires; /* for each broker one that publishes and one that consumes, then the
                           exclusive taps' own; without a link when there is no use for it */
    uint32_t n_wires;
    struct producer *producers; /* by backend; empty where it consumes */
    struct supply *supplies;    /* by tap */
    struct supply *touched;
    struct loop_hook flush;
};

struct service_mark {
    uint32_t n;
    uint64_t offsets[]; /* by wire */
};

/* ---- what the links say ---- */

static void on_up(void *owner, uint64_t epoch)
{
    struct wire *wire = owner;
    log_line(LOG_INFO, "broker-up", "broker=%s use=%s host=%s epoch=%llu", wire->broker, wire->use,
        link_host(wire->link)->name, (unsigned long long)epoch);
    if (wire->publishes)
        outlet_up(&wire->outlet);
    for (struct supply *supply = wire->first; supply; supply = supply->next_on_wire)
        intake_up(&supply->intake, link_channels(wire->link));
}

static void on_down(void *owner, const struct connection_end *end)
{
    struct wire *wire = owner;
    log_line(end->reason == CONNECTION_END_ASKED ? LOG_INFO : LOG_WARN, "broker-lost",
        "broker=%s use=%s why=%s code=%u reason=\"%s\"", wire->broker, wire->use,
        connection_end_name(end->reason), end->code, end->text);
    if (wire->publishes)
        outlet_down(&wire->outlet);
    for (struct supply *supply = wire->first; supply; supply = supply->next_on_wire)
        intake_down(&supply->intake);
}

static void on_failed(void *owner, const struct connection_end *end, uint64_t retry_ns)
{
    struct wire *wire = owner;
    uint64_t now_ns = loop_now_ns(wire->service->config.loop);
    log_line(LOG_WARN, "broker-unreachable",
        "broker=%s use=%s why=%s code=%u reason=\"%s\" retry_ms=%lld", wire->broker, wire->use,
        connection_end_name(end->reason), end->code, end->text,
        retry_ns == CLOCK_NEVER ? -1LL : (long long)((retry_ns - now_ns) / CLOCK_MS));
    if (retry_ns <= now_ns)
        return; /* another host is tried at once */
    if (wire->publishes)
        outlet_failed(&wire->outlet);
    for (struct supply *supply = wire->first; supply; supply = supply->next_on_wire)
        intake_failed(&supply->intake);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    struct wire *wire = owner;
    log_line(LOG_WARN, is_blocked ? "broker-blocked" : "broker-unblocked",
        "broker=%s use=%s reason=\"%s\"", wire->broker, wire->use, reason ? reason : "");
    if (wire->publishes)
        outlet_blocked(&wire->outlet, is_blocked);
}

static void on_stopped(void *owner)
{
    struct wire *wire = owner;
    log_line(LOG_INFO, "broker-left", "broker=%s use=%s", wire->broker, wire->use);
}

static const struct link_ops link_ops = {
    .on_up = on_up,
    .on_down = on_down,
    .on_failed = on_failed,
    .on_blocked = on_blocked,
    .on_stopped = on_stopped,
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
    log_line(refusal == PUBLISHER_REFUSED_EXCHANGE ? LOG_ERROR : LOG_WARN, events[refusal],
        "backend=\"%s\" code=%u reason=\"%s\"", producer->name, end->code, end->text);
}

static void on_intake_refused(void *owner, const struct channel_end *end)
{
    const struct supply *supply = owner;
    log_line(LOG_ERROR, "consume-refused", "queue=\"%s\" code=%u reason=\"%s\"", supply->name,
        end->code, end->text);
}

static void on_touched(void *owner)
{
    struct supply *supply = owner;
    if (supply->is_touched)
        return;
    supply->is_touched = true;
    supply->next_touched = supply->wire->service->touched;
    supply->wire->service->touched = supply;
}

/* ---- what the desk says ---- */

static uint64_t now_ns(const struct service *service)
{
    return loop_now_ns(service->config.loop);
}

/* A link whose retries had run out tries again for those who ask. */
static void revive(struct wire *wire)
{
    if (link_state(wire->link) == LINK_DOWN)
        link_start(wire->link);
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
    revive(publishing_wire(service, service->backends[slot->backend].broker));
    publisher_publish(&service->producers[slot->backend].publisher, slot, now_ns(service));
}

static struct supply *supply_of(struct service *service, const struct desk_slot *slot)
{
    return &service->supplies[service->backends[slot->backend].tap];
}

static void on_get(void *owner, struct desk_slot *slot)
{
    struct service *service = owner;
    struct supply *supply = supply_of(service, slot);
    if (!supply->wire) {
        desk_end_get(slot, OUTCOME_INVALID, false); /* another worker's: the front is mistaken */
        return;
    }
    revive(supply->wire);
    intake_get(&supply->intake, slot, now_ns(service));
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    struct service *service = owner;
    intake_cancelled(&supply_of(service, slot)->intake, slot, now_ns(service));
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    intake_verdict(&supply_of(owner, slot)->intake, slot, is_ack);
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
    /* outlet_turn() is called in every turn */
}

static void turn_supplies(struct service *service)
{
    while (service->touched) {
        struct supply *supply = service->touched;
        service->touched = supply->next_touched;
        supply->is_touched = false;
        uint64_t next_ns = intake_turn(&supply->intake, now_ns(service));
        loop_timer_set(service->config.loop, &supply->timer, next_ns);
    }
}

/* Before the links flush. */
static bool flush(void *owner)
{
    struct service *service = owner;
    turn_supplies(service);
    for (uint32_t i = 0; i < service->n_wires; i++) {
        struct wire *wire = &service->wires[i];
        if (!wire->link || !wire->publishes)
            continue;
        uint64_t next_ns = outlet_turn(&wire->outlet, now_ns(service));
        loop_timer_set(service->config.loop, &wire->timer, next_ns);
        outlet_flush(&wire->outlet);
    }
    return false;
}

/* ---- a life ---- */

static int wire_make(struct service *service, struct wire *wire, uint32_t broker, const char *use)
{
    const struct plan_broker *brokers = plan_items(service->config.plan, service->root->brokers);
    const struct plan_broker *planned = &brokers[broker];
    if (wire->link)
        return 0;
    wire->service = service;
    wire->broker = plan_string(service->config.plan, planned->name);
    wire->use = use;
    wire->timer = (struct loop_timer){.on_due = nothing_but_a_turn, .owner = wire};
    int error = blueprint_link(&service->blueprint, service->root, planned, &wire->config);
    if (error)
        return error;
    return link_new(
        &wire->link, service->config.loop, service->resolver, &wire->config, &link_ops, wire);
}

static int producer_make(struct service *service, uint32_t backend)
{
    const struct plan_backend *planned = &service->backends[backend];
    struct producer *producer = &service->producers[backend];
    struct wire *wire = publishing_wire(service, planned->broker);
    int error = wire_make(service, wire, planned->broker, "publish");
    if (error)
        return error;
    if (!wire->publishes)
        outlet_init(&wire->outlet, link_channels(wire->link), &service->letter);
    wire->publishes = true;
    producer->name = plan_string(service->config.plan, planned->name);
    struct publisher_config config = {
        .form = {.exchange = plan_string(service->config.plan, planned->target.exchange.name),
            .is_persistent = planned->is_persistent,
            .has_header_arrays = planned->has_header_arrays},
        .is_confirmed = planned->is_confirmed,
        .is_immediate = planned->is_immediate,
        .window = service->root->publish_window,
        .on_refused = on_publisher_refused,
        .owner = producer,
    };
    error = blueprint_producer(&service->blueprint, planned, &config.exchange, &config.queue);
    return error ? error : publisher_init(&producer->publisher, &wire->outlet, &config);
}

static uint64_t largest_body(const struct service *service, uint32_t tap)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < service->root->backends.count; i++)
        if (service->backends[i].tap == tap && service->backends[i].max_body_bytes > largest)
            largest = service->backends[i].max_body_bytes;
    return largest;
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
    const struct plan_tap *planned = &taps[tap];
    struct supply *supply = &service->supplies[tap];
    struct wire *wire = wire_for(service, planned, n_exclusive);
    int error = wire_make(service, wire, planned->broker, "consume");
    if (error)
        return error;
    supply->wire = wire;
    supply->name = plan_string(service->config.plan, planned->name);
    supply->timer = (struct loop_timer){.on_due = on_touched, .owner = supply};
    struct intake_config config = {
        .tap = {.prefetch_count = planned->prefetch_count,
            .idle_release_ns = planned->idle_release_ns,
            .is_auto_delete = planned->queue.is_auto_delete,
            .backends = service->backends},
        .is_no_local = planned->is_no_local,
        .max_body_bytes = largest_body(service, tap),
        .on_touched = on_touched,
        .on_refused = on_intake_refused,
        .owner = supply,
    };
    error = blueprint_tap(&service->blueprint, planned, &config.wishes, &config.n_wishes);
    if (error)
        return error;
    supply->next_on_wire = wire->first;
    wire->first = supply;
    return intake_init(&supply->intake, &config);
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
    service->producers = calloc(root->backends.count + 1, sizeof(*service->producers));
    service->supplies = calloc(root->taps.count + 1, sizeof(*service->supplies));
    service->verbs = calloc(root->backends.count + 1, sizeof(*service->verbs));
    if (!service->wires || !service->producers || !service->supplies || !service->verbs)
        return -ENOMEM;
    for (uint32_t i = 0; i < root->backends.count; i++)
        service->verbs[i] = (uint8_t)service->backends[i].verb;
    service->desk_config = (struct desk_config){.verbs = service->verbs,
        .n_backends = root->backends.count,
        .ops = &desk_ops,
        .owner = service};
    int error = letter_init(&service->letter);
    return error ? error : resolver_new(&service->resolver, service->config.loop);
}

static void start(struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (service->wires[i].link)
            link_start(service->wires[i].link);
}

int service_new(struct service **out, const struct service_config *config)
{
    struct service *service = calloc(1, sizeof(*service));
    if (!service)
        return -ENOMEM;
    service->config = *config;
    service->root = config->plan->root;
    service->backends = plan_items(config->plan, service->root->backends);
    blueprint_init(&service->blueprint, config->plan);
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

void service_free(struct service *service)
{
    if (!service)
        return;
    loop_hook_remove(service->config.loop, LOOP_FLUSH, &service->flush);
    for (uint32_t i = 0; service->supplies && i < service->root->taps.count; i++)
        intake_done(&service->supplies[i].intake);
    for (uint32_t i = 0; service->producers && i < service->root->backends.count; i++)
        publisher_done(&service->producers[i].publisher);
    for (uint32_t i = 0; service->wires && i < service->n_wires; i++)
        link_free(service->wires[i].link);
    resolver_free(service->resolver);
    letter_done(&service->letter);
    blueprint_done(&service->blueprint);
    free(service->wires);
    free(service->producers);
    free(service->supplies);
    free(service->verbs);
    free(service);
}

const struct desk_config *service_desk_config(const struct service *service)
{
    return &service->desk_config;
}

void service_use_desk(struct service *service, struct desk *desk)
{
    for (uint32_t i = 0; i < service->root->taps.count; i++)
        if (service->supplies[i].wire)
            intake_use_desk(&service->supplies[i].intake, desk);
}

void service_leave(struct service *service)
{
    for (uint32_t i = 0; i < service->root->taps.count; i++)
        if (service->supplies[i].wire)
            intake_leave(&service->supplies[i].intake);
}

bool service_is_quiet(const struct service *service)
{
    for (uint32_t i = 0; i < service->root->backends.count; i++)
        if (service->producers[i].publisher.n_open)
            return false;
    for (uint32_t i = 0; i < service->root->taps.count; i++)
        if (service->supplies[i].wire && !tap_is_quiet(&service->supplies[i].intake.tap))
            return false;
    return true;
}

void service_close(struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (service->wires[i].link)
            link_close(service->wires[i].link);
}

bool service_is_closed(const struct service *service)
{
    for (uint32_t i = 0; i < service->n_wires; i++)
        if (service->wires[i].link && link_state(service->wires[i].link) != LINK_DOWN)
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
        if (service->wires[i].link)
            mark->offsets[i] = link_outbox(service->wires[i].link)->queued;
    return mark;
}

bool service_has_passed(const struct service *service, const struct service_mark *mark)
{
    for (uint32_t i = 0; i < mark->n; i++)
        if (service->wires[i].link && link_outbox(service->wires[i].link)->taken < mark->offsets[i])
            return false;
    return true;
}
