/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "shm/lane.h"
#include "config_route.h"
#include "config_rules.h"
#include "config_rules_amqp.h"
#include "config_rules_proxy.h"
#include "config_rules_queue.h"
#include "config_rules_shape.h"
#include "plan_topology.h"

/* Path and method of each route that is taken, and the endpoint that took it. */
static int claim_route(const struct config_reading *reading, const struct config_endpoint *endpoint,
    const struct config_route *route, json_t *taken)
{
    const char *method = config_methods[endpoint->method].name;
    const char *key = config_pool_format(reading->pool, "%s %s", method, route->shape);
    struct config_path again = config_path_again(endpoint->path);
    struct config_path path = config_path_member(&again, "endpoint");
    json_t *other;

    if (!key)
        return -ENOMEM;
    other = json_object_get(taken, key);
    if (other)
        config_report(reading, FINDING_ERROR, &path, "%s %s is what %s serves already", method,
            endpoint->pattern, json_string_value(other));
    else if (json_object_set_new_nocheck(taken, key, json_string_nocheck(endpoint->path)) < 0)
        return -ENOMEM;
    return 0;
}

static int check_route(const struct config_reading *reading, const struct config *config,
    const struct config_endpoint *endpoint, struct config_route *route, json_t *taken)
{
    struct config_path again = config_path_again(endpoint->path);
    struct config_path path = config_path_member(&again, "endpoint");
    int error =
        config_route_parse(reading->pool, endpoint->pattern, config->is_rest_disabled, route);

    if (error)
        return error;
    if (!*endpoint->pattern) {
        config_report(reading, FINDING_ERROR, &again, "has no \"endpoint\", the path to serve");
        return 0;
    }
    if (route->complaint) {
        config_report(reading, FINDING_ERROR, &path, "%s", route->complaint);
        return 0;
    }
    return claim_route(reading, endpoint, route, taken);
}

static void check_settings(
    const struct config_reading *reading, const struct config_endpoint *endpoint)
{
    struct config_path again = config_path_again(endpoint->path);
    struct config_path calls = config_path_member(&again, "concurrent_calls");
    struct config_path output = config_path_member(&again, "output_encoding");

    if (endpoint->n_backends > 0 && endpoint->concurrent_calls > 1)
        config_report(reading, FINDING_WARNING, &calls,
            "is taken as 1: asking twice would take or publish two messages");
    if (endpoint->n_backends > 1 && endpoint->output == CONFIG_OUTPUT_NO_OP)
        config_report(reading, FINDING_ERROR, &output,
            "no-op passes one message on as it is, and there are %zu backends",
            endpoint->n_backends);
}

/* plan_values.h takes the first one. */
static void check_properties(
    const struct config_reading *reading, const struct config_endpoint *endpoint)
{
    const char *first = NULL;

    for (size_t i = 0; i < endpoint->n_backends; i++) {
        const struct config_backend *backend = &endpoint->backends[i];

        if (!backend->amqp.has_properties_as_headers)
            continue;
        if (first) {
            struct config_path again = config_path_again(backend->own_path);
            struct config_path path = config_path_member(&again, "properties_to_headers");

            config_report(reading, FINDING_WARNING, &path,
                "has no effect: the answer shows the properties of one message, that of %s", first);
        } else {
            first = backend->path;
        }
    }
}

static int check_endpoints(
    const struct config_reading *reading, const struct config *config, json_t *taken)
{
    for (size_t i = 0; i < config->n_endpoints; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        struct config_route route;
        int error = check_route(reading, config, endpoint, &route, taken);

        if (error)
            return error;
        check_settings(reading, endpoint);
        check_properties(reading, endpoint);
        config_rules_check_endpoint_proxy(reading, endpoint);
        for (size_t j = 0; !route.complaint && j < endpoint->n_backends; j++) {
            config_rules_check_amqp(reading, &endpoint->backends[j], &route);
            config_rules_check_shape(reading, endpoint, &endpoint->backends[j]);
        }
    }
    return 0;
}

/* A stalled broker keeps the slots of its window, which is never smaller than one publish; GETs that
 * wait keep half of the slots. What goes beyond that is taken from the other endpoints. */
static void check_windows(const struct config_reading *reading, const struct config *config,
    const struct config_path *path, const struct lane_size *lane)
{
    uint32_t n_producers, n_brokers = topology_n_publishing(config->topology, &n_producers);

    if (n_brokers > lane->n_slots / 2)
        config_report(reading, FINDING_WARNING, path,
            "gives each worker %u slots, and half of them are too few for the windows of %u "
            "brokers: stalled ones can keep the others from being served",
            lane->n_slots, n_brokers);
}

/* Bodies live in the lanes; config.h tells that what does not fit is cut. */
static void check_memory(const struct config_reading *reading, const struct config *config)
{
    struct config_path own = config_path_again(config->own_path);
    struct config_path path = config_path_member(&own, "memory");
    struct lane_size lane;
    int64_t largest = 0;

    if (lane_size_from_memory((uint64_t)config->memory_bytes, (uint32_t)config->workers, &lane) <
        0) {
        config_report(
            reading, FINDING_ERROR, &path, "is too little for %d workers", (int)config->workers);
        return;
    }
    for (size_t i = 0; i < config->n_endpoints; i++)
        if (config->endpoints[i].max_body_bytes > largest)
            largest = config->endpoints[i].max_body_bytes;
    if ((uint64_t)largest > lane.reply_area_bytes)
        config_report(reading, FINDING_WARNING, &path,
            "holds no body of over %d KiB: a larger max_body has no effect",
            (int)(lane.reply_area_bytes >> 10));
    check_windows(reading, config, &path, &lane);
}

int config_rules_check(const struct config_reading *reading, const struct config *config)
{
    json_t *taken = json_object();
    int error = taken ? check_endpoints(reading, config, taken) : -ENOMEM;

    json_decref(taken);
    check_memory(reading, config);
    return error ? error : config_rules_check_queues(reading, config);
}
