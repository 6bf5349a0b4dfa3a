/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "config_backend.h"
#include "config_endpoint.h"
#include "config_namespace.h"

struct tally {
    size_t n, n_foreign, n_both;
};

static int set_defaults(const struct config_reading *reading, const struct config *config,
    struct config_endpoint *endpoint)
{
    int error = config_read_defaults(reading, &config_level_endpoint, endpoint);

    if (!error)
        error = config_read_defaults(reading, &config_level_leveret_endpoint, endpoint);
    if (!error)
        error = config_read_defaults(reading, &config_level_endpoint_proxy, &endpoint->proxy);
    endpoint->timeout_ns = config->timeout_ns;
    endpoint->cache_ttl_ns = config->cache_ttl_ns;
    endpoint->output = config->output;
    endpoint->compatibility = config->compatibility;
    endpoint->shows_timing = config->shows_timing;
    return error;
}

/* The gateway serves "a/b" as "/a/b". */
static int complete_pattern(const struct config_reading *reading, struct config_endpoint *endpoint)
{
    if (*endpoint->pattern == '/' || *endpoint->pattern == '\0')
        return 0;
    endpoint->pattern = config_pool_format(reading->pool, "/%s", endpoint->pattern);
    return endpoint->pattern ? 0 : -ENOMEM;
}

static int read_namespaces(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, struct config_endpoint *endpoint)
{
    struct config_namespace ours[] = {
        {.name = NAMESPACE_LEVERET, .level = &config_level_leveret_endpoint, .fields = endpoint},
        {.name = NAMESPACE_PROXY,
            .level = &config_level_endpoint_proxy,
            .fields = &endpoint->proxy},
    };
    int error = config_namespace_read(reading, object, path, ours, sizeof ours / sizeof *ours);

    endpoint->proxy.path = ours[1].path ? ours[1].path : endpoint->path;
    return error;
}

static int read_backends(const struct config_reading *reading, struct config *config,
    const json_t *array, const struct config_path *path, struct config_endpoint *endpoint)
{
    size_t n = json_array_size(array);

    endpoint->backends = config_pool_alloc(reading->pool, n * sizeof *endpoint->backends);
    if (!endpoint->backends)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct config_path element = config_path_element(path, i);
        int error = config_backend_read(
            reading, config, json_array_get(array, i), &element, &endpoint->backends[i]);

        if (error)
            return error;
    }
    endpoint->n_backends = n;
    return 0;
}

/* What kinds of backends there are; a finding for each that is no backend, or two in one. */
static struct tally check_backends(
    const struct config_reading *reading, const json_t *array, const struct config_path *path)
{
    struct tally tally = {.n = json_array_size(array)};

    for (size_t i = 0; i < tally.n; i++) {
        const json_t *backend = json_array_get(array, i);
        struct config_path element = config_path_element(path, i);
        enum config_backend_kind kind = config_backend_kind(backend);

        if (!json_is_object(backend))
            config_report(reading, FINDING_ERROR, &element, "must be an object, not %s",
                config_type_name(json_typeof(backend)));
        if (kind == BACKEND_BOTH)
            config_report(reading, FINDING_ERROR, &element,
                "is a consumer and a producer at once: make it two backends");
        tally.n_foreign += kind == BACKEND_FOREIGN;
        tally.n_both += kind == BACKEND_BOTH;
    }
    return tally;
}

/* Only what a route needs; nothing else of the endpoint is done here, or can be. */
static int read_route(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, struct config_endpoint *endpoint)
{
    static const char *const names[] = {"endpoint", "method"};
    json_t *few = json_object();
    int error = few ? config_pool_own(reading->pool, few) : -ENOMEM;

    for (size_t i = 0; !error && i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(object, names[i]);

        if (value && json_object_set(few, names[i], value) < 0)
            error = -ENOMEM;
    }
    return error ? error : config_read_level(reading, &config_level_endpoint, few, path, endpoint);
}

static int read_ours(const struct config_reading *reading, struct config *config, json_t *object,
    const struct config_path *path, struct config_endpoint *endpoint)
{
    struct config_path backend_path = config_path_member(path, "backend");
    int error = config_read_level(reading, &config_level_endpoint, object, path, endpoint);

    if (!error)
        error = read_namespaces(reading, object, path, endpoint);
    if (!error)
        error = read_backends(
            reading, config, json_object_get(object, "backend"), &backend_path, endpoint);
    return error;
}

int config_endpoint_read(const struct config_reading *reading, struct config *config,
    json_t *object, const struct config_path *path, struct config_endpoint *endpoint)
{
    struct config_path backend_path = config_path_member(path, "backend");
    json_t *backends = config_read_member(reading, object, &backend_path, JSON_ARRAY);
    struct tally tally = check_backends(reading, backends, &backend_path);
    struct config_path_text where;
    int error;

    config_path_write(path, &where);
    endpoint->path = config_pool_copy(reading->pool, where.text, where.length);
    if (!endpoint->path)
        return -ENOMEM;
    error = set_defaults(reading, config, endpoint);
    if (error)
        return error;
    if (tally.n_foreign == tally.n)
        config_report(
            reading, FINDING_WARNING, path, "has no AMQP backend: it answers 501 not-amqp");
    else if (tally.n_foreign > 0)
        config_report(reading, FINDING_ERROR, &backend_path, "mixes AMQP backends with others");
    if (tally.n_foreign + tally.n_both == 0 && tally.n > 0)
        error = read_ours(reading, config, object, path, endpoint);
    else
        error = read_route(reading, object, path, endpoint);
    return error ? error : complete_pattern(reading, endpoint);
}
