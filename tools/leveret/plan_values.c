/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "shm/lane.h"
#include "plan_shape.h"
#include "plan_topology.h"
#include "plan_values.h"

#define BACKEND_WINDOW_MAX 2048 /* more was measured to gain nothing */

static const uint8_t outputs[] = {
    [CONFIG_OUTPUT_JSON] = PLAN_JSON,
    [CONFIG_OUTPUT_JSON_COLLECTION] = PLAN_JSON_COLLECTION,
    [CONFIG_OUTPUT_STRING] = PLAN_STRING,
    [CONFIG_OUTPUT_NO_OP] = PLAN_NO_OP,
    [CONFIG_OUTPUT_NEGOTIATE] = PLAN_NEGOTIATE,
};

static const uint8_t encodings[] = {
    [CONFIG_ENCODING_JSON] = PLAN_JSON,
    [CONFIG_ENCODING_SAFEJSON] = PLAN_SAFEJSON,
    [CONFIG_ENCODING_STRING] = PLAN_STRING,
    [CONFIG_ENCODING_NO_OP] = PLAN_NO_OP,
};

enum plan_verb plan_verb_of(const struct config_backend *backend)
{
    return backend->role == CONFIG_CONSUMER ? PLAN_CONSUME : PLAN_PRODUCE;
}

enum plan_encoding plan_encoding_of(
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    if (endpoint->output == CONFIG_OUTPUT_NO_OP)
        return PLAN_NO_OP;
    if (backend->encoding == CONFIG_ENCODING_JSON && backend->is_collection)
        return PLAN_JSON_COLLECTION;
    return encodings[backend->encoding];
}

enum plan_encoding plan_passed_encoding_of(
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    return plan_is_shaped(endpoint, backend) ? PLAN_JSON : plan_encoding_of(endpoint, backend);
}

enum plan_encoding plan_output_of(const struct config_endpoint *endpoint)
{
    return outputs[endpoint->output];
}

/* The configuration was checked: its memory is enough for its workers. */
static struct lane_size lane_of(const struct config *config)
{
    struct lane_size lane;
    int error =
        lane_size_from_memory((uint64_t)config->memory_bytes, (uint32_t)config->workers, &lane);

    assert(error == 0);
    return lane;
}

bool plan_shows_properties(
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    const struct config_backend *first = endpoint->backends;

    while (first != backend && !first->amqp.has_properties_as_headers)
        first++;
    return first == backend && backend->amqp.has_properties_as_headers;
}

uint64_t plan_max_body_of(const struct config *config, const struct config_endpoint *endpoint)
{
    uint64_t wanted = (uint64_t)endpoint->max_body_bytes, room = lane_of(config).reply_area_bytes;

    return wanted < room ? wanted : room;
}

struct plan_windows plan_windows_of(const struct config *config)
{
    uint32_t n_producers, n_brokers = topology_n_publishing(config->topology, &n_producers);
    uint32_t of_broker = lane_of(config).n_slots / 2 / (n_brokers ? n_brokers : 1);
    uint32_t of_backend;

    if (of_broker < 1)
        of_broker = 1;
    of_backend = n_producers > 1 && of_broker > 1 ? of_broker / 2 : of_broker;
    if (of_backend > BACKEND_WINDOW_MAX)
        of_backend = BACKEND_WINDOW_MAX;
    return (struct plan_windows){.of_backend = of_backend, .of_broker = of_broker};
}
