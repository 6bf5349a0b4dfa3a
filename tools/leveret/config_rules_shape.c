/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <leveret/plan.h>
#include "config_rules_shape.h"

static bool is_too_deep(const char *path)
{
    size_t n = 1;

    for (; *path; path++)
        n += *path == '.';
    return n > PLAN_PATH_MAX;
}

static void check_depth(
    const struct config_reading *reading, const struct config_path *path, const char *text)
{
    if (is_too_deep(text))
        config_report(reading, FINDING_ERROR, path, "has more than %d names", PLAN_PATH_MAX);
}

static void check_depths(const struct config_reading *reading, const struct config_path *path,
    const struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct config_path element = config_path_element(path, i);

        check_depth(reading, &element, list->items[i]);
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

static void check_effects(const struct config_reading *reading,
    const struct config_endpoint *endpoint, const struct config_backend *backend)
{
    const struct {
        const char *key;
        bool is_said;
    } rules[] = {
        {"target", *backend->target},
        {"allow", backend->allow.n},
        {"deny", backend->deny.n},
        {"mapping", json_object_size(backend->mapping)},
        {"group", *backend->group},
    };
    struct config_path again = config_path_again(backend->path);
    const char *reason = obstacle(endpoint, backend);

    for (size_t i = 0; reason && i < sizeof rules / sizeof *rules; i++) {
        struct config_path path = config_path_member(&again, rules[i].key);

        if (rules[i].is_said)
            config_report(reading, FINDING_WARNING, &path, "%s", reason);
    }
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
    check_depth(reading, &target, backend->target);
    check_depths(reading, &allow, &backend->allow);
    check_depths(reading, &deny, &backend->deny);
    if (backend->allow.n && backend->deny.n)
        config_report(reading, FINDING_WARNING, &deny, "has no effect beside \"allow\"");
    if (json_object_size(backend->mapping) > PLAN_RENAMES_MAX)
        config_report(reading, FINDING_ERROR, &mapping, "has more than %d names", PLAN_RENAMES_MAX);
}
