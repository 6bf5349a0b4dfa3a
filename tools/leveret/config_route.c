/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "config_route.h"

static const char *const reserved[] = {"/__health", "/__debug", "/__echo"};

#define PLACE_OF_PARAMETER "a parameter takes a whole segment and has a name, as in /a/{name}"

static bool is_below(const char *pattern, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(pattern, folder, length) == 0 &&
           (pattern[length] == '\0' || pattern[length] == '/');
}

static bool is_reserved(const char *pattern)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (is_below(pattern, reserved[i]))
            return true;
    return false;
}

static bool is_parameter_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return length > 0;
}

static bool has_name(const struct config_route *route, const char *name)
{
    for (size_t i = 0; i < route->n_names; i++)
        if (strcmp(route->names[i], name) == 0)
            return true;
    return false;
}

static int add_parameter(
    struct config_pool *pool, const char *segment, size_t length, struct config_route *route)
{
    char *name;

    if (length < 2 || segment[length - 1] != '}' || !is_parameter_name(segment + 1, length - 2)) {
        route->complaint = PLACE_OF_PARAMETER;
        return 0;
    }
    if (route->n_names == CONFIG_PARAMETERS_MAX) {
        route->complaint = "has more than 32 parameters";
        return 0;
    }
    name = config_pool_copy(pool, segment + 1, length - 2);
    if (!name)
        return -ENOMEM;
    if (has_name(route, name))
        route->complaint = "has two parameters of one name";
    route->names[route->n_names++] = name;
    return 0;
}

/* Adds the segment to the shape, and moves the shape behind it. */
static int add_segment(struct config_pool *pool, const char *segment, size_t length,
    struct config_route *route, char **shape)
{
    size_t n_text = strcspn(segment, "{/");

    if (memchr(segment, '}', n_text))
        route->complaint = PLACE_OF_PARAMETER;
    *shape = mempcpy(*shape, segment, n_text);
    if (n_text == length)
        return 0;
    if (n_text > 0 && !route->may_follow_text)
        route->complaint =
            PLACE_OF_PARAMETER "; with \"disable_rest\" it may end one, as in /a.{name}";
    *shape = stpcpy(*shape, "{}");
    return route->complaint ? 0 : add_parameter(pool, segment + n_text, length - n_text, route);
}

static const char *complaint_about(const char *pattern)
{
    if (*pattern != '/')
        return "must begin with /";
    if (is_reserved(pattern))
        return "is reserved";
    if (strpbrk(pattern, "*"))
        return "has a wildcard, which is not served: use one {parameter} for each segment";
    if (strpbrk(pattern, "?#%\\"))
        return "is a path as it is before escaping, without ?, #, % and \\";
    for (const char *at = pattern; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return "has a space or a control character";
    return NULL;
}

int config_route_parse(struct config_pool *pool, const char *pattern, bool is_rest_disabled,
    struct config_route *route)
{
    char *shape = config_pool_alloc(pool, 2 * strlen(pattern) + 1);

    *route = (struct config_route){
        .shape = shape, .may_follow_text = is_rest_disabled, .complaint = complaint_about(pattern)};
    if (!shape)
        return -ENOMEM;
    for (size_t n = 0; *pattern && !route->complaint; n++) {
        size_t length = strcspn(pattern + 1, "/");
        int error;

        *shape++ = '/';
        error = add_segment(pool, pattern + 1, length, route, &shape);
        if (error)
            return error;
        pattern += 1 + length;
        if (n == CONFIG_SEGMENTS_MAX)
            route->complaint = "has more than 64 segments";
    }
    return 0;
}

size_t config_route_parameter(const struct config_route *route, const char *key)
{
    for (size_t i = 0; i < route->n_names; i++) {
        const char *name = route->names[i];

        if (*key && toupper((unsigned char)*name) == (unsigned char)*key &&
            strcmp(name + 1, key + 1) == 0)
            return i;
    }
    return CONFIG_PARAMETER_NONE;
}
