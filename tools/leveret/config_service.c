/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "config_expand.h"
#include "config_foreign.h"
#include "config_listener.h"
#include "config_listener_tls.h"
#include "config_namespace.h"
#include "config_service.h"

#define HEADER_BYTES_MAX 417792 /* what libh2o takes in */

static int set_defaults(const struct config_reading *reading, struct config *config)
{
    int error = config_read_defaults(reading, &config_level_service, config);

    return error ? error : config_read_defaults(reading, &config_level_leveret_service, config);
}

static int ignore_namespace(struct config_reading *reading, const char *written)
{
    struct config_expanded name;
    int error = config_expand(reading->pool, reading->variables, written, &name);

    if (error || name.complaint)
        return error;
    return json_object_set_new_nocheck(
               reading->ignore, config_foreign_alias(name.text), json_true()) < 0
               ? -ENOMEM
               : 0;
}

/*
 * leveret.ignore decides what the rest of the file means, so it is read before the rest; what is
 * wrong with it is found, and reported, when its level is read.
 */
static int read_ignore(struct config_reading *reading, json_t *root)
{
    json_t *own = json_object_get(json_object_get(root, "extra_config"), NAMESPACE_LEVERET);
    json_t *names = json_object_get(own, "ignore");

    reading->ignore = json_object();
    if (!reading->ignore || config_pool_own(reading->pool, reading->ignore) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *written = json_string_value(json_array_get(names, i));
        int error = written ? ignore_namespace(reading, written) : 0;

        if (error)
            return error;
    }
    return 0;
}

static void refuse_agents(const struct config_reading *reading, const json_t *root)
{
    struct config_path document = {0}, path = config_path_member(&document, "async_agent");

    if (json_array_size(json_object_get(root, path.key)) > 0)
        config_report(reading, FINDING_ERROR, &path,
            "async_agent is not served: messages are fetched by requests, none is pushed");
}

static void check(
    const struct config_reading *reading, const struct config_path *document, struct config *config)
{
    struct config_path header = config_path_member(document, "max_header_bytes");

    if (config->max_header_bytes > HEADER_BYTES_MAX) {
        config_report(
            reading, FINDING_WARNING, &header, "more than %d is never taken in", HEADER_BYTES_MAX);
        config->max_header_bytes = HEADER_BYTES_MAX;
    }
}

static void check_delay(const struct config_reading *reading, const struct config_path *own_path,
    const struct config *config)
{
    struct config_path path = config_path_member(own_path, "drain_delay");

    if (config->drain_delay_ns > 0 && config->drain_delay_ns >= config->drain_timeout_ns)
        config_report(reading, FINDING_ERROR, &path,
            "is no part of drain_timeout, which must be longer: nothing would be drained");
}

static void check_confinement(const struct config_reading *reading,
    const struct config_path *own_path, const struct config *config)
{
    struct config_path path = config_path_member(own_path, "confinement");

    if (config->confinement == CONFIG_UNCONFINED)
        config_report(reading, FINDING_WARNING, &path,
            "lets front and workers keep whatever rights they are started with");
}

static int read_file(const struct config_reading *reading, json_t *root,
    const struct config_path *document, struct config_namespace *own, struct config *config)
{
    int error = set_defaults(reading, config);

    if (!error)
        error = config_read_level(reading, &config_level_service, root, document, config);
    if (!error)
        error = config_namespace_read(reading, root, document, own, 1);
    if (!error)
        error = config_read_environment(reading, &config_level_service, config);
    config->tls.is_present = json_object_size(json_object_get(root, "tls")) > 0;
    return error;
}

int config_service_read(struct config_reading *reading, json_t *root,
    const struct overrides *overrides, struct config *config)
{
    struct config_path document = {0}, own_path, listen_path;
    struct config_namespace own = {
        .name = NAMESPACE_LEVERET, .level = &config_level_leveret_service, .fields = config};
    int error = read_ignore(reading, root);

    if (!error)
        error = read_file(reading, root, &document, &own, config);
    if (error)
        return error;
    if (overrides->workers)
        config->workers = overrides->workers;
    refuse_agents(reading, root);
    check(reading, &document, config);
    config->own_path = own.path ? own.path : "$";
    own_path = config_path_again(config->own_path);
    listen_path = config_path_member(&own_path, "listen");
    error = config_listener_resolve(reading, overrides->port, &listen_path, config);
    if (!error)
        error = config_listener_resolve_admin(reading, overrides->admin, &own_path, config);
    if (!error)
        error = config_listener_tls_read(reading, json_object_get(root, "tls"), config);
    check_delay(reading, &own_path, config);
    check_confinement(reading, &own_path, config);
    return error;
}
