/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <leveret/plan.h>
#include "config_rules_proxy.h"
#include "plan_flatmap.h"

void config_rules_check_depth(
    const struct config_reading *reading, const struct config_path *path, const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == '.';
    if (n > PLAN_PATH_MAX)
        config_report(reading, FINDING_ERROR, path, "has more than %d names", PLAN_PATH_MAX);
}

/* ---- flatmap_filter ---- */

/* How much of a path its last name leaves; 0: it is the only one. */
static size_t parent_length(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? (size_t)(dot - path) : 0;
}

static size_t count_dots(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += *path == '.';
    return n;
}

static bool has_wildcard(const char *path)
{
    for (;; path++) {
        size_t length = strcspn(path, ".");

        if (length == 1 && *path == '*')
            return true;
        path += length;
        if (!*path)
            return false;
    }
}

static void check_move(const struct config_reading *reading, const struct config_path *args,
    const char *from, const char *to)
{
    size_t length = parent_length(from);

    if (count_dots(from) == count_dots(to) &&
        (length != parent_length(to) || strncmp(from, to, length) != 0))
        config_report(reading, FINDING_WARNING, args,
            "gives a new name and no other place: both paths are equally long, so only the last "
            "name of the second counts");
}

static void check_append(
    const struct config_reading *reading, const struct config_path *args, const char *to)
{
    if (has_wildcard(to))
        config_report(reading, FINDING_WARNING, args,
            "has no effect: in the second path * stands for no name");
}

static void check_two(const struct config_reading *reading,
    const struct config_operation *operation, const struct config_path *args)
{
    if (operation->args.n < 2) {
        config_report(reading, FINDING_ERROR, args, "must have two paths, from and to");
        return;
    }
    if (operation->args.n > 2)
        config_report(reading, FINDING_WARNING, args, "has two paths: the others have no effect");
    if (operation->verb == CONFIG_FLATMAP_MOVE)
        check_move(reading, args, operation->args.items[0], operation->args.items[1]);
    else
        check_append(reading, args, operation->args.items[1]);
}

static void check_operation(const struct config_reading *reading,
    const struct config_operation *operation, const struct config_path *path)
{
    struct config_path args = config_path_member(path, "args");

    if (!operation->verb) /* was found already */
        return;
    for (size_t i = 0; i < operation->args.n; i++) {
        struct config_path arg = config_path_element(&args, i);

        config_rules_check_depth(reading, &arg, operation->args.items[i]);
    }
    if (operation->verb != CONFIG_FLATMAP_DEL)
        check_two(reading, operation, &args);
}

static void check_flatmap(const struct config_reading *reading, const struct config_items *flatmap,
    const struct config_path *path)
{
    const struct config_operation *operations = flatmap->items;

    if (plan_count_flatmap(flatmap) > PLAN_FLATMAP_MAX)
        config_report(
            reading, FINDING_ERROR, path, "has more than %d operations", PLAN_FLATMAP_MAX);
    for (size_t i = 0; i < flatmap->n; i++) {
        struct config_path element = config_path_element(path, i);

        check_operation(reading, &operations[i], &element);
    }
}

void config_rules_check_backend_proxy(
    const struct config_reading *reading, const struct config_backend *backend)
{
    struct config_path again = config_path_again(backend->proxy_path);
    struct config_path path = config_path_member(&again, "flatmap_filter");

    check_flatmap(reading, &backend->flatmap, &path);
}

/* ---- the endpoint's ---- */

static void check_static(const struct config_reading *reading,
    const struct config_endpoint *endpoint, const struct config_path *path)
{
    if (endpoint->proxy.fixed.data && endpoint->output == CONFIG_OUTPUT_NO_OP)
        config_report(
            reading, FINDING_WARNING, path, "has no effect: no-op passes the message on as it is");
}

void config_rules_check_endpoint_proxy(
    const struct config_reading *reading, const struct config_endpoint *endpoint)
{
    struct config_path again = config_path_again(endpoint->proxy.path);
    struct config_path fixed = config_path_member(&again, "static");
    struct config_path flatmap = config_path_member(&again, "flatmap_filter");

    check_static(reading, endpoint, &fixed);
    check_flatmap(reading, &endpoint->proxy.flatmap, &flatmap);
    if (endpoint->proxy.flatmap.n && endpoint->n_backends < 2)
        config_report(reading, FINDING_WARNING, &flatmap,
            "has no effect: one backend's message is not merged; its own flatmap_filter shapes it");
}
