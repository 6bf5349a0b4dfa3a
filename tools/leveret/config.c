/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file to a configuration: text, JSON, version, service, endpoints, rules, places.
 */
#include <errno.h>
#include <string.h>
#include "config.h"
#include "config_endpoint.h"
#include "config_file.h"
#include "config_rules.h"
#include "config_service.h"
#include "plan_topology.h"

static const char *version_complaint = "must be 2 or 3: the versions of the format that are read";

/* 0: it is none that can be read. */
static int read_version(const struct config_reading *reading, const json_t *root)
{
    struct config_path document = {0}, path = config_path_member(&document, "version");
    const json_t *version = json_object_get(root, path.key);
    json_int_t number = json_integer_value(version);

    if (number == 2 || number == 3)
        return (int)number;
    if (json_is_integer(version))
        config_report(
            reading, FINDING_ERROR, &path, "%lld is not read: it %s", number, version_complaint);
    else if (version)
        config_report(reading, FINDING_ERROR, &path, "%s", version_complaint);
    else
        config_report(
            reading, FINDING_ERROR, &document, "has no \"version\": it %s", version_complaint);
    return 0;
}

static int read_endpoints(
    const struct config_reading *reading, const json_t *root, struct config *config)
{
    struct config_path document = {0}, path = config_path_member(&document, "endpoints");
    const json_t *array = config_read_member(reading, root, &path, JSON_ARRAY);
    size_t n = json_array_size(array);

    config->endpoints = config_pool_alloc(reading->pool, n * sizeof *config->endpoints);
    if (!config->endpoints)
        return -ENOMEM;
    if (n == 0 && !json_object_get(root, path.key))
        config_report(reading, FINDING_WARNING, &document, "has no endpoints: nothing is served");
    for (size_t i = 0; i < n; i++) {
        struct config_path element = config_path_element(&path, i);
        json_t *object = json_array_get(array, i);
        int error;

        if (!json_is_object(object)) {
            config_report(reading, FINDING_ERROR, &element, "must be an object, not %s",
                config_type_name(json_typeof(object)));
            continue;
        }
        error = config_endpoint_read(
            reading, config, object, &element, &config->endpoints[config->n_endpoints]);
        if (error)
            return error;
        config->n_endpoints++;
    }
    return 0;
}

static int read_root(struct config_reading *reading, json_t *root,
    const struct overrides *overrides, struct config *config)
{
    struct config_path document = {0};
    int error;

    if (!json_is_object(root)) {
        config_report(reading, FINDING_ERROR, &document, "must be an object, not %s",
            config_type_name(json_typeof(root)));
        return 0;
    }
    reading->version = config->version = read_version(reading, root);
    if (!reading->version)
        return 0;
    error = config_service_read(reading, root, overrides, config);
    if (!error)
        error = read_endpoints(reading, root, config);
    if (error)
        return error;
    config->topology = topology_new(config);
    return config->topology ? config_rules_check(reading, config) : -ENOMEM;
}

/* FNV-1a: to tell whether two sidecars read the same, not to keep anything secret. */
static uint64_t hash_of(const struct config_file *file)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < file->length; i++)
        hash = (hash ^ (unsigned char)file->text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Everything into `config`, whose pool is there. */
static int load(const struct overrides *overrides, struct config_file *file, struct config *config,
    struct findings *findings)
{
    struct config_reading reading = {.source = config->file,
        .pool = config->pool,
        .findings = findings,
        .variables = config->variables,
        .broker_tls = &config->broker_tls};
    int error = config_file_read(&reading, file);

    config->hash = hash_of(file);
    if (!error && file->root)
        error = read_root(&reading, file->root, overrides, config);
    findings_locate(findings, config->file, file->text, file->length);
    return error;
}

static struct config *config_new(const char *path)
{
    struct config_pool *pool = config_pool_new();
    struct config *config = pool ? config_pool_alloc(pool, sizeof *config) : NULL;

    if (config) {
        config->pool = pool;
        config->file = config_pool_copy(pool, path, strlen(path));
        config->variables = json_object();
    }
    if (config && config->variables && config_pool_own(pool, config->variables) == 0 &&
        config->file)
        return config;
    config_pool_free(pool);
    return NULL;
}

int config_load_file(const char *path, const struct overrides *overrides, struct config_file *file,
    struct config **config, struct findings *findings)
{
    struct config *loaded = config_new(path);
    int error = loaded ? load(overrides, file, loaded, findings) : -ENOMEM;

    if (error || findings->n_errors > 0) {
        config_free(loaded);
        return error ? error : CONFIG_INVALID;
    }
    *config = loaded;
    return CONFIG_VALID;
}

int config_load(const char *path, const struct overrides *overrides, struct config **config,
    struct findings *findings)
{
    CLEANUP(config_file_done) struct config_file file = {0};

    return config_load_file(path, overrides, &file, config, findings);
}

void config_free(struct config *config)
{
    if (config)
        config_pool_free(config->pool);
}
