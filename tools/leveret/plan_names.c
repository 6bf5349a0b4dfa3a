/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 600, SUFFIX_BYTES = 16 };

static const struct config_backend *backend_at(const struct topology *topology, uint32_t index)
{
    return topology->backends[index].backend;
}

static void write_broker_name(
    const struct topology *topology, uint32_t broker, char name[NAME_BYTES])
{
    const struct config_host *host = &backend_at(topology, topology->brokers[broker])->hosts[0];
    bool is_address = strchr(host->host, ':');

    (void)snprintf(name, NAME_BYTES, "%s%s%s:%u/%s", is_address ? "[" : "", host->host,
        is_address ? "]" : "", host->port, strcmp(host->vhost, "/") == 0 ? "" : host->vhost);
}

struct plan_text plan_add_broker_name(
    struct plan_builder *builder, const struct topology *topology, uint32_t broker)
{
    char name[NAME_BYTES];

    write_broker_name(topology, broker, name);
    return plan_add_string(builder, name);
}

/* Has one before it the same name? */
static bool is_repeated(const struct topology *topology, uint32_t broker, const char *name)
{
    char other[NAME_BYTES];

    for (uint32_t i = 0; i < broker; i++) {
        write_broker_name(topology, i, other);
        if (strcmp(name, other) == 0)
            return true;
    }
    return false;
}

int plan_add_brokers(
    struct plan_builder *builder, const struct topology *topology, struct plan_list *list)
{
    CLEANUP(cleanup_free)
    struct plan_text *names = calloc(topology->n_brokers + 1, sizeof *names);
    char name[NAME_BYTES + SUFFIX_BYTES];

    if (!names)
        return -ENOMEM;
    for (uint32_t i = 0; i < topology->n_brokers; i++) {
        write_broker_name(topology, i, name);
        if (is_repeated(topology, i, name))
            (void)snprintf(name + strlen(name), SUFFIX_BYTES, "#%u", i);
        names[i] = plan_add_string(builder, name);
    }
    *list = plan_add_list(builder, names, sizeof *names, topology->n_brokers);
    return 0;
}

static struct plan_front_queue make_queue(
    struct plan_builder *builder, const struct topology *topology, uint32_t tap)
{
    const struct topology_tap *planned = &topology->taps[tap];
    const struct config_amqp *amqp = &backend_at(topology, planned->first)->amqp;
    char number[SUFFIX_BYTES];

    (void)snprintf(number, sizeof number, "#%u", tap);
    return (struct plan_front_queue){
        .name = plan_add_string(builder, *amqp->queue ? amqp->queue : number),
        .broker = planned->broker,
        .worker = planned->worker,
        .is_exclusive = amqp->is_exclusive,
    };
}

int plan_add_queues(
    struct plan_builder *builder, const struct topology *topology, struct plan_list *list)
{
    CLEANUP(cleanup_free)
    struct plan_front_queue *queues = calloc(topology->n_taps + 1, sizeof *queues);

    if (!queues)
        return -ENOMEM;
    for (uint32_t i = 0; i < topology->n_taps; i++)
        queues[i] = make_queue(builder, topology, i);
    *list = plan_add_list(builder, queues, sizeof *queues, topology->n_taps);
    return 0;
}
