/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <leveret/plan.h>
#include "config_rules_proxy.h"
#include "config_rules_shape.h"

static void check_depths(const struct config_reading *reading, const struct config_path *path,
    const struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct config_path element = config_path_element(path, i);

        config_rules_check_depth(reading, &element, list->items[i]);
    }
}

/* Why nothing comes of rules in this place; NULL: they have their effect. */
static const char *obstacle(
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    if (backend->role == CONFIG_PRODUCER)
        return "has no effect: a producer gets no messages";
    if (endpoint->output == CONFIG_OUTPUT_NO_OP)
        return "has no effect: no-op passes the message on as it is";
    return NULL;
}

/* A key, and whether it is there. */
struct rule {
    const char *owner, *key;
    bool is_said;
};

static void warn_if_said(
    const struct config_reading *reading, const struct rule *rule, const char *reason)
{
    struct config_path again = config_path_again(rule->owner);
    struct config_path path = config_path_member(&again, rule->key);

    if (rule->is_said)
        config_report(reading, FINDING_WARNING, &path, "%s", reason);
}

static void check_effects(const struct config_reading *reading,
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    const struct rule rules[] = {
        {backend->path, "target", *backend->target},
        {backend->path, "allow", backend->allow.n},
        {backend->path, "deny", backend->deny.n},
        {backend->path, "mapping", json_object_size(backend->mapping)},
        {backend->path, "group", *backend->group},
        {backend->proxy_path, "flatmap_filter", backend->flatmap.n},
    };
    const char *reason = obstacle(endpoint, backend);

    for (size_t i = 0; reason && i < sizeof rules / sizeof *rules; i++)
        warn_if_said(reading, &rules[i], reason);
}

/* What flatmap_filter takes the place of. */
static void check_rivals(const struct config_reading *reading, const struct config_backend *backend)
{
    const struct rule rules[] = {
        {backend->path, "allow", backend->allow.n},
        {backend->path, "deny", backend->deny.n},
        {backend->path, "mapping", json_object_size(backend->mapping)},
    };

    for (size_t i = 0; backend->flatmap.n && i < sizeof rules / sizeof *rules; i++)
        warn_if_said(reading, &rules[i], "has no effect beside \"flatmap_filter\"");
}

void config_rules_check_shape(const struct config_reading *reading,
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    struct config_path again = config_path_again(backend->path);
    struct config_path target = config_path_member(&again, "target");
    struct config_path allow = config_path_member(&again, "allow");
    struct config_path deny = config_path_member(&again, "deny");
    struct config_path mapping = config_path_member(&again, "mapping");

    check_effects(reading, endpoint, backend);
    check_rivals(reading, backend);
    config_rules_check_backend_proxy(reading, backend);
    config_rules_check_depth(reading, &target, backend->target);
    check_depths(reading, &allow, &backend->allow);
    check_depths(reading, &deny, &backend->deny);
    if (backend->allow.n && backend->deny.n)
        config_report(reading, FINDING_WARNING, &deny, "has no effect beside \"allow\"");
    if (json_object_size(backend->mapping) > PLAN_RENAMES_MAX)
        config_report(reading, FINDING_ERROR, &mapping, "has more than %d names", PLAN_RENAMES_MAX);
}
