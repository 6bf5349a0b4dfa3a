/* SPDX-License-Identifier: Apache-2.0 */
#include "supplies.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/log.h"

/* How long a queue that is locked may be so; longer when it is another process's, which drains. */
#define LOCKED_NS (UINT64_C(2) * CLOCK_S)

static uint64_t now_ns(const struct supplies *supplies)
{
    return loop_now_ns(supplies->config.loop);
}

static uint32_t n_taps(const struct supplies *supplies)
{
    return supplies->root->taps.count;
}

/* ---- what a channel says ---- */

static void on_refused(void *owner, const struct channel_end *end)
{
    const struct supply *supply = owner;
    log_often(LOG_ERROR, "consume-refused", supply, "queue=\"%s\" code=%u reason=\"%s\"",
        supply->name, end->code, end->text);
}

static void on_spoiled(void *owner, const struct tap_spoiled *spoiled)
{
    const struct supply *supply = owner;
    const struct supplies *all = supply->all;
    log_often(LOG_WARN, spoiled->hold_ns ? "message-held" : "message-discarded", supply,
        "queue=\"%s\" backend=\"%s\" why=%s delivery_tag=%llu redelivered=%s count=%llu "
        "held_ms=%llu",
        supply->name, plan_string(all->config.plan, all->backends[spoiled->backend].name),
        spoiled->outcome == OUTCOME_UNDECODABLE ? "undecodable" : "too-large",
        (unsigned long long)spoiled->delivery_tag, spoiled->is_redelivered ? "true" : "false",
        (unsigned long long)spoiled->n, (unsigned long long)(spoiled->hold_ns / CLOCK_MS));
}

static void on_touched(void *owner)
{
    struct supply *supply = owner;
    if (supply->is_touched)
        return;
    supply->is_touched = true;
    supply->next_touched = supply->all->touched;
    supply->all->touched = supply;
}

/* ---- what the front says ---- */

static struct supply *supply_of(const struct supplies *supplies, const struct desk_slot *slot)
{
    return &supplies->items[supplies->backends[slot->backend].tap];
}

void supplies_get(struct supplies *supplies, struct desk_slot *slot)
{
    struct supply *supply = supply_of(supplies, slot);
    if (!supply->wire) {
        desk_end_get(slot, OUTCOME_INVALID, false);
        return;
    }
    wire_connect(supply->wire);
    consume_channel_get(&supply->consume_channel, slot, now_ns(supplies));
}

void supplies_cancelled(struct supplies *supplies, struct desk_slot *slot)
{
    consume_channel_cancelled(&supply_of(supplies, slot)->consume_channel, slot, now_ns(supplies));
}

void supplies_verdict(struct supplies *supplies, struct desk_slot *slot, bool is_ack)
{
    consume_channel_verdict(&supply_of(supplies, slot)->consume_channel, slot, is_ack);
}

/* ---- a turn ---- */

void supplies_turn(struct supplies *supplies)
{
    while (supplies->touched) {
        struct supply *supply = supplies->touched;
        supplies->touched = supply->next_touched;
        supply->is_touched = false;
        uint64_t next_ns = consume_channel_turn(&supply->consume_channel, now_ns(supplies));
        loop_timer_set(supplies->config.loop, &supply->timer, next_ns);
    }
}

/* ---- all of them ---- */

bool supplies_has_tried(const struct supplies *supplies, uint32_t tap)
{
    const struct supply *supply = &supplies->items[tap];
    if (!supply->wire)
        return true;
    return supplies->config.must_attach ? consume_channel_has_attached(&supply->consume_channel)
                                        : supply->consume_channel.was_tried;
}

void supplies_use_desk(struct supplies *supplies, struct desk *desk)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++)
        if (supplies->items[i].wire)
            consume_channel_use_desk(&supplies->items[i].consume_channel, desk);
}

void supplies_leave(struct supplies *supplies)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++)
        if (supplies->items[i].wire)
            consume_channel_leave(&supplies->items[i].consume_channel);
}

bool supplies_have_attached(const struct supplies *supplies)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++)
        if (supplies->items[i].wire &&
            !consume_channel_has_attached(&supplies->items[i].consume_channel))
            return false;
    return true;
}

bool supplies_keep_queues(const struct supplies *supplies)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++) {
        const struct supply *supply = &supplies->items[i];
        if (supply->wire && supply->consume_channel.tap.config.is_auto_delete &&
            !consume_channel_has_attached(&supply->consume_channel))
            return false;
    }
    return true;
}

bool supplies_are_quiet(const struct supplies *supplies)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++)
        if (supplies->items[i].wire && !tap_is_quiet(&supplies->items[i].consume_channel.tap))
            return false;
    return true;
}

bool supplies_have_unsettled(const struct supplies *supplies)
{
    for (uint32_t i = 0; i < n_taps(supplies); i++)
        if (supplies->items[i].wire && tap_has_unsettled(&supplies->items[i].consume_channel.tap))
            return true;
    return false;
}

/* ---- a life ---- */

static uint64_t largest_body(const struct supplies *supplies, uint32_t tap)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < supplies->root->backends.count; i++)
        if (supplies->backends[i].tap == tap && supplies->backends[i].max_body_bytes > largest)
            largest = supplies->backends[i].max_body_bytes;
    return largest;
}

static struct tap_config tap_config(const struct supplies *supplies, uint32_t tap)
{
    const struct plan_tap *taps = plan_items(supplies->config.plan, supplies->root->taps);
    const struct plan_tap *planned = &taps[tap];
    const struct figures *figures = supplies->config.figures;
    return (struct tap_config){.prefetch_count = planned->prefetch_count,
        .idle_release_ns = planned->idle_release_ns,
        .is_auto_delete = planned->queue.is_auto_delete,
        .is_single_active = planned->queue.is_single_active,
        .backends = supplies->backends,
        .plan = supplies->config.plan,
        .tree = supplies->config.tree,
        .figures = figures ? &figures->queues[tap] : NULL};
}

static uint64_t locked_ns(const struct supplies *supplies)
{
    return LOCKED_NS +
           (supplies->config.must_attach ? supplies->root->drain_timeout_ns + LOCKED_NS : 0);
}

int supplies_add(struct supplies *supplies, uint32_t tap, struct wire *wire)
{
    const struct plan_tap *taps = plan_items(supplies->config.plan, supplies->root->taps);
    const struct plan_tap *planned = &taps[tap];
    struct supply *supply = &supplies->items[tap];
    supply->all = supplies;
    supply->wire = wire;
    supply->name = plan_string(supplies->config.plan, planned->name);
    supply->timer = (struct loop_timer){.on_due = on_touched, .owner = supply};
    struct consume_channel_config config = {
        .tap = tap_config(supplies, tap),
        .is_no_local = planned->is_no_local,
        .wish = {.max_body_bytes = largest_body(supplies, tap),
            .wants_properties = planned->passes_properties},
        .locked_ns = locked_ns(supplies),
        .on_touched = on_touched,
        .on_refused = on_refused,
        .on_spoiled = on_spoiled,
        .owner = supply,
    };
    int error =
        plan_reader_tap(supplies->config.plan_reader, planned, &config.wishes, &config.n_wishes);
    if (!error)
        error = consume_channel_init(&supply->consume_channel, &config);
    if (error)
        return error;
    wire_feed(wire, &supply->consume_channel);
    if (supplies->config.must_attach)
        consume_channel_attach(&supply->consume_channel);
    return 0;
}

int supplies_init(struct supplies *supplies, const struct supplies_config *config)
{
    const struct plan_worker *root = config->plan->root;
    *supplies = (struct supplies){.config = *config,
        .root = root,
        .backends = plan_items(config->plan, root->backends),
        .items = calloc(root->taps.count + 1, sizeof(*supplies->items))};
    return supplies->items ? 0 : -ENOMEM;
}

void supplies_done(struct supplies *supplies)
{
    for (uint32_t i = 0; supplies->items && i < n_taps(supplies); i++)
        consume_channel_done(&supplies->items[i].consume_channel);
    free(supplies->items);
    *supplies = (struct supplies){0};
}
