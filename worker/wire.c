/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdio.h>

#include "shm/clock.h"
#include "shm/log.h"

static struct figures_connection nowhere;

/* ---- counting ---- */

static void count_state(struct wire *wire, enum figures_connection_state state)
{
    if (figure_get(&wire->figures->state) == state)
        return;
    figure_set(&wire->figures->state, state);
    figure_set(&wire->figures->changed_at, clock_now_ns());
}

static void count_end(struct wire *wire, const struct connection_end *end)
{
    char text[2 * FIGURES_TEXT_BYTES], code[sizeof(" 65535")] = "";
    if (end->code)
        (void)snprintf(code, sizeof(code), " %u", (unsigned)end->code);
    (void)snprintf(text, sizeof(text), "%s%s: %s", connection_end_name(end->reason), code,
        end->text); /* fits */
    figures_text_write(&wire->figures->last_error, text);
    figure_set(&wire->figures->is_blocked, 0);
}

/* ---- what the link says ---- */

static void on_up(void *owner, uint64_t epoch)
{
    struct wire *wire = owner;
    log_often(LOG_INFO, "broker-up", wire, "broker=%s use=%s host=%s connection=%llu", wire->broker,
        wire->use, link_host(wire->link)->name, (unsigned long long)epoch);
    wire->was_tried = true;
    count_state(wire, FIGURES_CONNECTION_UP);
    figure_add(&wire->figures->ups, 1);
    if (wire->publishes)
        publish_link_up(&wire->publish_link);
    for (struct consume_channel *each = wire->consume_channels; each; each = each->next)
        consume_channel_up(each, link_channels(wire->link));
}

static void on_down(void *owner, const struct connection_end *end)
{
    struct wire *wire = owner;
    if (end->reason != CONNECTION_END_ASKED) /* else on_stopped says it */
        log_often(LOG_WARN, "broker-lost", wire, "broker=%s use=%s why=%s code=%u reason=\"%s\"",
            wire->broker, wire->use, connection_end_name(end->reason), end->code, end->text);
    count_state(wire, FIGURES_CONNECTION_AWAY);
    count_end(wire, end);
    if (wire->publishes)
        publish_link_down(&wire->publish_link);
    for (struct consume_channel *each = wire->consume_channels; each; each = each->next)
        consume_channel_down(each);
}

static void log_failed(
    const struct wire *wire, const struct connection_end *end, uint64_t now_ns, uint64_t retry_ns)
{
    if (retry_ns == CLOCK_NEVER)
        log_often(LOG_WARN, "broker-unreachable", wire,
            "broker=%s use=%s why=%s code=%u reason=\"%s\": it is not tried again by itself",
            wire->broker, wire->use, connection_end_name(end->reason), end->code, end->text);
    else
        log_often(LOG_WARN, "broker-unreachable", wire,
            "broker=%s use=%s why=%s code=%u reason=\"%s\" retry_ms=%llu", wire->broker, wire->use,
            connection_end_name(end->reason), end->code, end->text,
            (unsigned long long)((retry_ns - now_ns) / CLOCK_MS));
}

static void on_failed(void *owner, const struct connection_end *end, uint64_t retry_ns)
{
    struct wire *wire = owner;
    uint64_t now_ns = loop_now_ns(wire->loop);
    log_failed(wire, end, now_ns, retry_ns);
    figure_add(&wire->figures->failures, 1);
    count_end(wire, end);
    if (retry_ns <= now_ns)
        return; /* another host is tried at once */
    count_state(wire, FIGURES_CONNECTION_AWAY);
    wire->was_tried = true;
    if (wire->publishes)
        publish_link_down(&wire->publish_link);
    for (struct consume_channel *each = wire->consume_channels; each; each = each->next)
        consume_channel_failed(each);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    struct wire *wire = owner;
    if (is_blocked)
        log_often(LOG_WARN, "broker-blocked", wire, "broker=%s use=%s reason=\"%s\"", wire->broker,
            wire->use, reason ? reason : "");
    else
        log_often(LOG_INFO, "broker-unblocked", wire, "broker=%s use=%s", wire->broker, wire->use);
    figure_set(&wire->figures->is_blocked, is_blocked);
    if (wire->publishes)
        publish_link_blocked(&wire->publish_link, is_blocked);
}

static void on_stopped(void *owner)
{
    struct wire *wire = owner;
    log_line(LOG_INFO, "broker-left", "broker=%s use=%s", wire->broker, wire->use);
    count_state(wire, FIGURES_CONNECTION_LEFT);
}

static const struct link_ops link_ops = {
    .on_up = on_up,
    .on_down = on_down,
    .on_failed = on_failed,
    .on_blocked = on_blocked,
    .on_stopped = on_stopped,
};

/* ---- a life ---- */

int wire_lay(struct wire *wire, const struct wire_plan *plan)
{
    wire->broker = plan_string(plan->plan_reader->plan, plan->broker->name);
    wire->use = plan->use;
    wire->loop = plan->loop;
    wire->figures = plan->figures ? plan->figures : &nowhere;
    int error = plan_reader_link(plan->plan_reader, plan->worker, plan->broker, &wire->config);
    if (error)
        return error;
    return link_new(&wire->link, plan->loop, plan->resolver, &wire->config, &link_ops, wire);
}

void wire_done(struct wire *wire)
{
    link_free(wire->link);
    wire->link = NULL;
}

struct publish_link *wire_outlet(struct wire *wire, struct publication *publication)
{
    if (!wire->publishes)
        publish_link_init(&wire->publish_link, link_channels(wire->link), publication);
    wire->publishes = true;
    return &wire->publish_link;
}

void wire_feed(struct wire *wire, struct consume_channel *consume_channel)
{
    consume_channel->next = wire->consume_channels;
    wire->consume_channels = consume_channel;
}

void wire_connect(struct wire *wire)
{
    if (link_state(wire->link) != LINK_DOWN)
        return;
    count_state(wire, FIGURES_CONNECTION_CONNECTING);
    link_start(wire->link);
}
