/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "config_route.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

static const char *const no_segment = "a parameter takes a whole segment and has a name, as in "
                                      "/a/{name}";

static const char *const not_alone = "a parameter takes a whole segment and has a name, as in "
                                     "/a/{name}; with \"disable_rest\" it may "
                                     "end one, as in /a.{name}";

struct row {
    const char *pattern, *shape;
    size_t n_names;
    const char *complaint;
};

static const struct row rows[] = {
    {"/", "/", 0, NULL},
    {"/a/b", "/a/b", 0, NULL},
    {"/a/", "/a/", 0, NULL},
    {"/a//b", "/a//b", 0, NULL},
    {"/{a}", "/{}", 1, NULL},
    {"/produce/{a}/{B-1}/x/{_c}", "/produce/{}/{}/x/{}", 3, NULL},
    {"/__healthy", "/__healthy", 0, NULL},
    {"a", NULL, 0, "must begin with /"},
    {"/__health", NULL, 0, "is reserved"},
    {"/__debug/x", NULL, 0, "is reserved"},
    {"/a/*", NULL, 0, "has a wildcard, which is not served: use one {parameter} for each segment"},
    {"/a?b", NULL, 0, "is a path as it is before escaping, without ?, #, % and \\"},
    {"/a%20b", NULL, 0, "is a path as it is before escaping, without ?, #, % and \\"},
    {"/a b", NULL, 0, "has a space or a control character"},
    {"/{}", NULL, 0, no_segment},
    {"/{", NULL, 0, no_segment},
    {"/}", NULL, 0, no_segment},
    {"/{a", NULL, 0, no_segment},
    {"/a{b}", NULL, 0, not_alone},
    {"/{a}b", NULL, 0, no_segment},
    {"/{a}{b}", NULL, 0, no_segment},
    {"/{a b}", NULL, 0, "has a space or a control character"},
    {"/{a.b}", NULL, 0, no_segment},
    {"/a}{b}", NULL, 0, not_alone},
    {"/a}", NULL, 0, no_segment},
    {"/{a}/{a}", NULL, 0, "has two parameters of one name"},
};

static const struct row without_rest[] = {
    {"/a/{b}", "/a/{}", 1, NULL},
    {"/url.{ending}", "/url.{}", 1, NULL},
    {"/a-{b}/c:{d}/{e}", "/a-{}/c:{}/{}", 3, NULL},
    {"/a{b}c", NULL, 0, no_segment},
    {"/{a}{b}", NULL, 0, no_segment},
    {"/a{b}{c}", NULL, 0, no_segment},
    {"/a{", NULL, 0, no_segment},
    {"/a{}", NULL, 0, no_segment},
    {"/a}{b}", NULL, 0, no_segment},
    {"/a{b}/{b}", NULL, 0, "has two parameters of one name"},
};

static void read_all(const struct row *all, size_t n, bool is_rest_disabled)
{
    struct config_pool *pool = config_pool_new();

    for (size_t i = 0; i < n; i++) {
        struct config_route route;

        cr_assert_eq(config_route_parse(pool, all[i].pattern, is_rest_disabled, &route), 0);
        cr_expect_eq(!!route.complaint, !!all[i].complaint, "%s", all[i].pattern);
        if (route.complaint && all[i].complaint)
            cr_expect_str_eq(route.complaint, all[i].complaint, "%s", all[i].pattern);
        if (route.complaint)
            continue;
        cr_expect_str_eq(route.shape, all[i].shape);
        cr_expect_eq(route.n_names, all[i].n_names, "%s", all[i].pattern);
    }
    config_pool_free(pool);
}

Test(config_route, reads_patterns_or_says_why_not)
{
    read_all(rows, N(rows), false);
}

Test(config_route, lets_a_parameter_follow_text_where_rest_is_disabled)
{
    read_all(without_rest, N(without_rest), true);
}

/* As many "/{aN}" or "/a" as asked for. */
static const char *pattern_of(struct config_pool *pool, size_t n, bool is_parameter)
{
    const char *pattern = "";

    for (size_t i = 0; i < n; i++)
        pattern = config_pool_format(pool, is_parameter ? "%s/{a%zu}" : "%s/a%zu", pattern, i);
    return pattern;
}

Test(config_route, has_a_bound_of_parameters_and_of_segments)
{
    struct config_pool *pool = config_pool_new();
    struct config_route route;

    cr_assert_eq(config_route_parse(pool, pattern_of(pool, 32, true), false, &route), 0);
    cr_assert_null(route.complaint);
    cr_assert_eq(config_route_parse(pool, pattern_of(pool, 33, true), false, &route), 0);
    cr_assert_str_eq(route.complaint, "has more than 32 parameters");
    cr_assert_eq(config_route_parse(pool, pattern_of(pool, 64, false), false, &route), 0);
    cr_assert_null(route.complaint);
    cr_assert_eq(config_route_parse(pool, pattern_of(pool, 65, false), false, &route), 0);
    cr_assert_str_eq(route.complaint, "has more than 64 segments");
    config_pool_free(pool);
}

Test(config_route, finds_parameters_by_their_name_with_a_capital)
{
    struct config_pool *pool = config_pool_new();
    struct config_route route;

    cr_assert_eq(config_route_parse(pool, "/{id}/{Name}/{routeKey}/{_x}", false, &route), 0);
    cr_assert_eq(config_route_parameter(&route, "Id"), 0);
    cr_assert_eq(config_route_parameter(&route, "Name"), 1);
    cr_assert_eq(config_route_parameter(&route, "RouteKey"), 2);
    cr_assert_eq(config_route_parameter(&route, "_x"), 3);
    cr_assert_eq(config_route_parameter(&route, "id"), CONFIG_PARAMETER_NONE);
    cr_assert_eq(config_route_parameter(&route, "ID"), CONFIG_PARAMETER_NONE);
    cr_assert_eq(config_route_parameter(&route, "Routekey"), CONFIG_PARAMETER_NONE);
    cr_assert_eq(config_route_parameter(&route, ""), CONFIG_PARAMETER_NONE);
    config_pool_free(pool);
}
