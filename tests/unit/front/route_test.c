/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "front_plan.h"
#include "route.h"

struct pair {
    const char *method, *pattern;
};

static struct plan plan;
static struct route_table *table;

static int build(const struct pair *pairs, size_t n, uint32_t *culprit)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint *endpoints = calloc(n + 1, sizeof(*endpoints));
    for (size_t i = 0; i < n; i++) {
        endpoints[i].method = plan_add_string(builder, pairs[i].method);
        endpoints[i].pattern = plan_add_string(builder, pairs[i].pattern);
    }
    front_plan_join(&plan, builder, endpoints, n);
    free(endpoints);
    return route_table_new(&table, &plan, culprit);
}

static void done(void)
{
    route_table_free(table);
    plan_leave(&plan);
    table = NULL;
}

/* The scratch is exactly as large as promised, so that ASan sees a byte too many. */
static enum route_outcome find(
    const char *method, const char *path, struct route_match *match, char **scratch)
{
    *scratch = malloc(strlen(path));
    return route_find(table, slice_of(method), slice_of(path), *scratch, match);
}

static enum route_outcome outcome_of(const char *method, const char *path)
{
    struct route_match match;
    CLEANUP(cleanup_free) char *scratch = NULL;
    return find(method, path, &match, &scratch);
}

static const struct pair pairs[] = {
    {"GET", "/consumer"},
    {"POST", "/producer"},
    {"POST", "/producer/{a}/{b}/{id}/{prio}/{route}"},
    {"GET", "/a/{x}"},
    {"POST", "/a/static"},
    {"PUT", "/a/{x}"},
    {"GET", "/b/{x}/end"},
    {"GET", "/b/static/{y}"},
    {"GET", "/b/static/z"},
    {"GET", "/"},
    {"GET", "/with/slash/"},
    {"GET", "/{one}/{two}/{three}/four"},
    {"GET", "/caf\xc3\xa9"},
    {"GET", "/{top}"},
};
enum { N_PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

static void build_pairs(void)
{
    uint32_t culprit;
    cr_assert_eq(build(pairs, N_PAIRS, &culprit), 0);
}

Test(route, finds_the_endpoint_and_its_parameters, .init = build_pairs, .fini = done)
{
    const struct {
        const char *method, *path;
        uint32_t endpoint;
        const char *parameters[6];
    } cases[] = {
        {"GET", "/consumer", 0, {NULL}},
        {"POST", "/producer", 1, {NULL}},
        {"POST", "/producer/60000/reply.q/id-1/5/kd-obs", 2,
            {"60000", "reply.q", "id-1", "5", "kd-obs"}},
        {"POST", "/producer/60000//id/5/kd-obs", 2, {"60000", "", "id", "5", "kd-obs"}},
        {"POST", "/producer///id/5/k", 2, {"", "", "id", "5", "k"}},
        {"POST", "/producer/a%2Fb/%C3%A9/a+b/%20/..", 2, {"a/b", "\xc3\xa9", "a+b", " ", ".."}},
        {"POST", "/%70roducer", 1, {NULL}},
        {"GET", "/a/static", 3, {"static"}},
        {"POST", "/a/static", 4, {NULL}},
        {"PUT", "/a/static", 5, {"static"}},
        {"GET", "/a/other", 3, {"other"}},
        {"GET", "/b/static/z", 8, {NULL}},
        {"GET", "/b/static/other", 7, {"other"}},
        {"GET", "/b/other/end", 6, {"other"}},
        {"GET", "/b/static/end", 7, {"end"}},
        {"GET", "/", 9, {NULL}},
        {"GET", "/with/slash/", 10, {NULL}},
        {"GET", "/b/static/z/four", 11, {"b", "static", "z"}},
        {"GET", "/b/x/y/four", 11, {"b", "x", "y"}},
        {"GET", "///y/four", 11, {"", "", "y"}},
        {"GET", "/caf\xc3\xa9", 12, {NULL}},
        {"GET", "/caf%c3%a9", 12, {NULL}},
        {"GET", "/%2F", 13, {"/"}},
        {"GET", "/Consumer", 13, {"Consumer"}},
        {"GET", "/{top}", 13, {"{top}"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route_match match;
        CLEANUP(cleanup_free) char *scratch = NULL;
        cr_assert_eq(find(cases[i].method, cases[i].path, &match, &scratch), ROUTE_FOUND, "%s",
            cases[i].path);
        cr_expect_eq(
            match.endpoint, cases[i].endpoint, "%s: endpoint %u", cases[i].path, match.endpoint);
        uint32_t n = 0;
        for (; n < 6 && cases[i].parameters[n]; n++) {
            cr_assert_lt(n, match.n_parameters, "%s", cases[i].path);
            cr_expect(slice_equals(match.parameters[n], slice_of(cases[i].parameters[n])),
                "%s: parameter %u", cases[i].path, n);
        }
        cr_expect_eq(match.n_parameters, n, "%s", cases[i].path);
    }
}

static const struct pair behind_text[] = {
    {"GET", "/url.{ending}"},
    {"GET", "/url.json"},
    {"GET", "/u{rest}"},
    {"GET", "/url.{ending}/more"},
    {"GET", "/{any}"},
    {"GET", "/{any}/x{y}/z{z}"},
    {"POST", "/url.j{son}"},
};

Test(route, a_parameter_may_follow_text_in_its_segment, .fini = done)
{
    const struct {
        const char *path;
        enum route_outcome outcome;
        uint32_t endpoint;
        const char *parameters[4];
    } cases[] = {
        {"/url.xml", ROUTE_FOUND, 0, {"xml"}},
        {"/url.%C3%A9%2F", ROUTE_FOUND, 0, {"\xc3\xa9/"}},
        {"/%75rl.x", ROUTE_FOUND, 0, {"x"}},
        {"/url.json", ROUTE_FOUND, 1, {NULL}},
        {"/url.jsonp", ROUTE_FOUND, 0, {"jsonp"}},
        {"/url.", ROUTE_FOUND, 2, {"rl."}},
        {"/u", ROUTE_FOUND, 4, {"u"}},
        {"/Url.xml", ROUTE_FOUND, 4, {"Url.xml"}},
        {"/url.xml/more", ROUTE_FOUND, 3, {"xml"}},
        {"/url.xml/xa/zbc", ROUTE_FOUND, 5, {"url.xml", "a", "bc"}},
        {"//xa/zbc", ROUTE_FOUND, 5, {"", "a", "bc"}},
        {"/url./more", ROUTE_NOT_FOUND, 0, {NULL}},
        {"/a/x/zb", ROUTE_NOT_FOUND, 0, {NULL}},
        {"/url.xml/", ROUTE_REDIRECT, 0, {NULL}},
    };
    uint32_t culprit;
    cr_assert_eq(build(behind_text, sizeof(behind_text) / sizeof(behind_text[0]), &culprit), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route_match match;
        CLEANUP(cleanup_free) char *scratch = NULL;
        cr_assert_eq(
            find("GET", cases[i].path, &match, &scratch), cases[i].outcome, "%s", cases[i].path);
        if (cases[i].outcome != ROUTE_FOUND)
            continue;
        cr_expect_eq(match.endpoint, cases[i].endpoint, "%s: %u", cases[i].path, match.endpoint);
        uint32_t n = 0;
        for (; n < 4 && cases[i].parameters[n]; n++)
            cr_expect(slice_equals(match.parameters[n], slice_of(cases[i].parameters[n])), "%s",
                cases[i].path);
        cr_expect_eq(match.n_parameters, n, "%s", cases[i].path);
    }
    cr_expect_eq(outcome_of("POST", "/url.json"), ROUTE_FOUND, "behind a plain one without POST");
}

Test(route, says_what_else_a_path_means, .init = build_pairs, .fini = done)
{
    const struct {
        const char *method, *path;
        enum route_outcome outcome;
    } cases[] = {
        {"POST", "/unknown/path", ROUTE_NOT_FOUND},
        {"POST", "/producer/1/2/3/4/5/6", ROUTE_NOT_FOUND},
        {"POST", "/producer/1/2/3/4/5/6/7/8/9/a/b", ROUTE_NOT_FOUND},
        {"POST", "/Producer/1/2/3/4/5", ROUTE_REDIRECT},
        {"POST", "/Producer/1/2/3/4/", ROUTE_NOT_FOUND},
        {"PUT", "/Producer", ROUTE_WRONG_METHOD},
        {"PUT", "/Producer/1", ROUTE_NOT_FOUND},
        {"GET", "/consumer/", ROUTE_REDIRECT},
        {"GET", "/consumer//", ROUTE_NOT_FOUND},
        {"POST", "/producer/1/2/3/4/5/", ROUTE_REDIRECT},
        {"POST", "/producer/1/2/3/4/", ROUTE_NOT_FOUND},
        {"GET", "/a/", ROUTE_REDIRECT}, /* to /{top} */
        {"PUT", "/a/", ROUTE_WRONG_METHOD},
        {"POST", "/consumer/", ROUTE_WRONG_METHOD},
        {"GET", "/with/slash", ROUTE_NOT_FOUND},
        {"GET", "//", ROUTE_NOT_FOUND},
        {"HEAD", "/consumer", ROUTE_WRONG_METHOD},
        {"OPTIONS", "/consumer", ROUTE_WRONG_METHOD},
        {"get", "/consumer", ROUTE_WRONG_METHOD},
        {"", "/consumer", ROUTE_WRONG_METHOD},
        {"GET", "/consumer%", ROUTE_BAD_ESCAPE},
        {"GET", "/nowhere/%zz", ROUTE_BAD_ESCAPE},
        {"GET", "/a/%00", ROUTE_BAD_ESCAPE},
        {"GET", "/a/b/c/d/e/f/g/h/i/j/k/%4", ROUTE_BAD_ESCAPE},
        {"HEAD", "/consumer/%4/", ROUTE_BAD_ESCAPE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(outcome_of(cases[i].method, cases[i].path), cases[i].outcome, "%s %s",
            cases[i].method, cases[i].path);
}

Test(route, another_spelling_is_sent_to_the_registered_one, .init = build_pairs, .fini = done)
{
    const struct {
        const char *method, *path, *location;
    } cases[] = {
        {"GET", "/consumer/", "/consumer"},
        {"POST", "/Producer/a/B/%63/%44/e", "/producer/a/B/%63/%44/e"},
        {"POST", "/PRODUCER/1/2/3/4/5/", "/producer/1/2/3/4/5"},
        {"GET", "/b/STATIC/y", "/b/static/y"},
        {"GET", "/b/STATIC", NULL},
        {"GET", "/B/x/End", "/b/x/end"},
        {"GET", "/B/Static/Z", "/b/static/z"},
        {"GET", "/B/Static/Y", "/b/static/Y"},
        {"GET", "/With/Slash/", "/with/slash/"},
        {"GET", "/x/y/z/%46our", "/x/y/z/%66our"},
        {"GET", "/x/y/z/f%6Fur/", "/x/y/z/f%6Fur"},
        {"POST", "/A/Stati%63", "/a/stati%63"},
        {"POST", "/A/x", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route_match match;
        CLEANUP(cleanup_free) char *scratch = NULL;
        enum route_outcome outcome = find(cases[i].method, cases[i].path, &match, &scratch);
        if (!cases[i].location) {
            cr_expect_eq(outcome, ROUTE_NOT_FOUND, "%s", cases[i].path);
            continue;
        }
        cr_assert_eq(outcome, ROUTE_REDIRECT, "%s", cases[i].path);
        cr_expect(slice_equals(match.location, slice_of(cases[i].location)), "%s: %.*s",
            cases[i].path, (int)match.location.len, match.location.at);
    }
}

Test(route, a_wrong_method_comes_with_those_that_would_do, .init = build_pairs, .fini = done)
{
    const struct {
        const char *method, *path, *allow;
    } cases[] = {
        {"HEAD", "/producer/1/2/3/4/5", "POST"},
        {"DELETE", "/producer", "GET, POST"}, /* the GET is /{top} */
        {"DELETE", "/a/static", "GET, POST, PUT"},
        {"DELETE", "/a/other", "GET, PUT"},
        {"DELETE", "/a/other/", "GET, PUT"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route_match match;
        CLEANUP(cleanup_free) char *scratch = NULL;
        cr_assert_eq(find(cases[i].method, cases[i].path, &match, &scratch), ROUTE_WRONG_METHOD);
        cr_expect_str_eq(match.allow, cases[i].allow, "%s", cases[i].path);
    }
}

Test(route, a_redirect_never_names_another_host, .fini = done)
{
    const struct pair open[] = {{"GET", "/{a}"}, {"GET", "/{a}/{b}"}, {"GET", "/{a}/{b}/{c}"}};
    uint32_t culprit;
    cr_assert_eq(build(open, 3, &culprit), 0);
    cr_expect_eq(outcome_of("GET", "/evil.example/"), ROUTE_REDIRECT);
    cr_expect_eq(outcome_of("GET", "/%2Fevil.example/"), ROUTE_REDIRECT);
    cr_expect_eq(outcome_of("GET", "//evil.example/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "//evil.example/x/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "/\\evil.example/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "/\\evil.example/x/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "//evil.example/x"), ROUTE_FOUND);
    done();
    const struct pair plain[] = {{"GET", "//evil"}};
    cr_assert_eq(build(plain, 1, &culprit), 0);
    cr_expect_eq(outcome_of("GET", "//Evil"), ROUTE_NOT_FOUND);
}

Test(route, a_table_without_endpoints_finds_nothing, .fini = done)
{
    uint32_t culprit;
    cr_assert_eq(build(NULL, 0, &culprit), 0);
    cr_expect_eq(outcome_of("GET", "/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "/a"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "/a/b/"), ROUTE_NOT_FOUND);
    cr_expect_eq(outcome_of("GET", "/a/b/%"), ROUTE_BAD_ESCAPE);
}

Test(route, a_bad_pattern_is_an_error_that_names_it)
{
    static char deep[2 * (ROUTE_MAX_SEGMENTS + 1) + 1], wide[3 * (ROUTE_MAX_PARAMETERS + 1) + 1];
    for (size_t i = 0; i < ROUTE_MAX_SEGMENTS + 1; i++)
        memcpy(deep + 2 * i, "/s", 3);
    for (size_t i = 0; i < ROUTE_MAX_PARAMETERS + 1; i++)
        memcpy(wide + 3 * i, "/{}", 4);
    const struct {
        struct pair second;
        int error;
    } cases[] = {
        {{"GET", ""}, -EINVAL},
        {{"GET", "a"}, -EINVAL},
        {{"GET", "/a}{b}"}, -EINVAL},
        {{"GET", "/a{b}c"}, -EINVAL},
        {{"GET", "/a{b}}"}, -EINVAL},
        {{"GET", "/{b}.json"}, -EINVAL},
        {{"GET", "/{a}{b}"}, -EINVAL},
        {{"GET", "/{a"}, -EINVAL},
        {{"GET", "/a}"}, -EINVAL},
        {{"GET", "/{"}, -EINVAL},
        {{"GET", deep}, -E2BIG},
        {{"GET", wide}, -E2BIG},
        {{"GET", "/first"}, -EEXIST},
        {{"POST", "/first"}, 0},
        {{"GET", "/{first}"}, 0},
        {{"GET", deep + 2}, 0},
        {{"GET", wide + 3}, 0},
        {{"GET", "/first/"}, 0},
        {{"GET", "/first{b}"}, 0},
        {{"GET", "/fir{b}"}, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pair two[] = {{"GET", "/first"}, cases[i].second};
        uint32_t culprit = 7;
        cr_expect_eq(build(two, 2, &culprit), cases[i].error, "%s", two[1].pattern);
        cr_expect_eq(culprit, cases[i].error ? 1 : 7, "%s", two[1].pattern);
        done();
    }
}

Test(route, same_parameters_under_other_names_are_the_same_pattern, .fini = done)
{
    const struct pair two[] = {{"GET", "/a/{x}"}, {"GET", "/a/{y}"}};
    uint32_t culprit;
    cr_expect_eq(build(two, 2, &culprit), -EEXIST);
}

Test(route, methods_are_bounded)
{
    static char names[ROUTE_MAX_METHODS + 1][8], long_name[ROUTE_ALLOW_BYTES];
    struct pair many[ROUTE_MAX_METHODS + 1];
    uint32_t culprit;
    for (size_t i = 0; i < ROUTE_MAX_METHODS + 1; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "M%zu", i);
        many[i] = (struct pair){names[i], "/"};
    }
    cr_expect_eq(build(many, ROUTE_MAX_METHODS + 1, &culprit), -E2BIG);
    done();
    cr_expect_eq(build(many, ROUTE_MAX_METHODS, &culprit), 0);
    done();
    memset(long_name, 'M', ROUTE_ALLOW_BYTES - 1);
    many[0].method = long_name;
    cr_expect_eq(build(many, 1, &culprit), -E2BIG);
    done();
    many[0].method = long_name + 1; /* with its NUL it just fits */
    cr_assert_eq(build(many, 1, &culprit), 0);
    struct route_match match;
    char scratch[1];
    cr_expect_eq(
        route_find(table, slice_of("GET"), slice_of("/"), scratch, &match), ROUTE_WRONG_METHOD);
    cr_expect_str_eq(match.allow, long_name + 1);
    done();
}

Test(route, a_path_of_the_deepest_pattern_fills_every_bound, .fini = done)
{
    static char pattern[4 * ROUTE_MAX_SEGMENTS], path[2 * ROUTE_MAX_SEGMENTS + 3];
    for (size_t i = 0; i < ROUTE_MAX_SEGMENTS; i++) {
        strcat(pattern, i < ROUTE_MAX_PARAMETERS ? "/{}" : "/s");
        strcat(path, "/s");
    }
    const struct pair one[] = {{"GET", pattern}};
    uint32_t culprit;
    cr_assert_eq(build(one, 1, &culprit), 0);
    cr_expect_eq(outcome_of("GET", path), ROUTE_FOUND);
    strcat(path, "/");
    cr_expect_eq(outcome_of("GET", path), ROUTE_REDIRECT);
    strcat(path, "/");
    cr_expect_eq(outcome_of("GET", path), ROUTE_NOT_FOUND);
}

/* Each of many endpoints is found, with plain and parameter segments sharing their beginnings. */
Test(route, two_thousand_endpoints_are_each_found, .fini = done)
{
    enum { N = 2000 };
    static char patterns[N][64];
    static struct pair many[N];
    uint32_t culprit;
    for (int i = 0; i < N; i++) {
        (void)snprintf(patterns[i], sizeof(patterns[i]), "/v%d/{tenant}/%s%d/{id}", i % 7,
            i % 2 ? "orders" : "bills", i);
        many[i] = (struct pair){i % 3 ? "POST" : "GET", patterns[i]};
    }
    cr_assert_eq(build(many, N, &culprit), 0);
    for (int i = 0; i < N; i++) {
        char path[64], scratch[64], last[16];
        struct route_match match;
        (void)snprintf(
            path, sizeof(path), "/v%d/t%d/%s%d/%d", i % 7, i, i % 2 ? "orders" : "bills", i, i);
        cr_assert_eq(route_find(table, slice_of(many[i].method), slice_of(path), scratch, &match),
            ROUTE_FOUND, "%s", path);
        cr_assert_eq(match.endpoint, (uint32_t)i);
        cr_assert_eq(match.n_parameters, 2);
        (void)snprintf(last, sizeof(last), "%d", i);
        cr_assert(slice_equals(match.parameters[1], slice_of(last)));
    }
}
