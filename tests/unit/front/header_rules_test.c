/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "front_plan.h"
#include "header_rules.h"

static struct plan plan;
static struct header_line lines[64];
static struct header_lines all = {.items = lines};

/* One endpoint that lists two names, in no particular case, and one that lists everything. */
static void join(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_text names[] = {
        plan_add_string(builder, "X-Foo"), plan_add_string(builder, "proxy-authorization")};
    struct plan_endpoint endpoints[] = {
        {.headers = plan_add_list(builder, names, sizeof(names[0]), 2)},
        {.passes_all_headers = 1},
    };
    front_plan_join(&plan, builder, endpoints, 2);
    all.n = 0;
}

static void leave(void)
{
    plan_leave(&plan);
}

static void add(const char *name, const char *value)
{
    lines[all.n++] = (struct header_line){.name = slice_of(name), .value = slice_of(value)};
}

static struct header_rules rules_of(int endpoint)
{
    const struct plan_front *root = plan.root;
    const struct plan_endpoint *endpoints = plan_items(&plan, root->endpoints);
    struct header_rules rules;
    cr_assert_eq(header_rules_init(&rules, &plan, &endpoints[endpoint], &all), HEADER_OK);
    return rules;
}

Test(header_rules, pass_what_is_listed_or_everything_that_may_pass, .init = join, .fini = leave)
{
    const struct {
        const char *name;
        bool when_listed, when_all;
    } cases[] = {
        {"X-Foo", true, true},
        {"x-foo", true, true},
        {"X-FOO", true, true},
        {"X-Fo", false, true},
        {"X-Foo2", false, true},
        {"X-Bar", false, true},
        {"Content-Type", false, true},
        {"Authorization", false, true},
        {"User-Agent", false, true},
        {"traceparent", false, false},
        {"Tracestate", false, false},
        {"Idempotency-Key", false, true},
        {"Host", false, false},
        {"content-length", false, false},
        {"Connection", false, false},
        {"Keep-Alive", false, false},
        {"TE", false, false},
        {"Trailer", false, false},
        {"Transfer-Encoding", false, false},
        {"Upgrade", false, false},
        {"Proxy-Connection", false, false},
        {"Proxy-Authorization", false, false}, /* though it is listed */
        {"Proxy-", false, false},
        {"Proxy", false, true},
        {"Trailers", false, true},
        {"X-Forwarded-For", false, false},
        {"X-Forwarded-Host", false, false},
        {"X-Forwarded-Proto", false, true},
    };
    struct header_rules listed = rules_of(0), everything = rules_of(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice name = slice_of(cases[i].name);
        cr_expect_eq(header_rules_pass(&listed, name), cases[i].when_listed, "%s", name.at);
        cr_expect_eq(header_rules_pass(&everything, name), cases[i].when_all, "%s", name.at);
    }
}

Test(header_rules, what_connection_names_does_not_pass, .init = join, .fini = leave)
{
    add("CONNECTION", "close , x-foo,,\tX-Baz");
    add("Connection", "X-Bar");
    struct header_rules rules = rules_of(1);
    cr_expect_eq(rules.n_options, 4);
    cr_expect_not(header_rules_pass(&rules, slice_of("X-Foo")));
    cr_expect_not(header_rules_pass(&rules, slice_of("X-Baz")));
    cr_expect_not(header_rules_pass(&rules, slice_of("x-bar")));
    cr_expect(header_rules_pass(&rules, slice_of("X-Qux")));
    cr_expect(header_rules_hop(&rules, slice_of("X-Bar")));
    cr_expect_not(header_rules_hop(&rules, slice_of("X-Forwarded-For")));
}

Test(header_rules, connection_names_a_bounded_number_of_things, .init = join, .fini = leave)
{
    const struct plan_front *root = plan.root;
    struct header_rules rules;
    for (int i = 0; i < HEADER_MAX_OPTIONS; i++)
        add("Connection", "a,");
    rules = rules_of(0);
    cr_expect_eq(rules.n_options, HEADER_MAX_OPTIONS);
    add("Connection", " b");
    cr_expect_eq(header_rules_init(&rules, &plan, plan_items(&plan, root->endpoints), &all),
        HEADER_MANY_OPTIONS);
}

Test(header_rules, values_of_one_name_are_found_and_joined, .init = join, .fini = leave)
{
    char out[64];
    add("X-One", " \t1 \t");
    add("X-Two", "a");
    add("x-two", "");
    add("X-TWO", " b, c");
    add("X-Empty", "  ");
    const struct {
        const char *name, *first, *joined;
    } cases[] = {
        {"x-one", "1", "1"},
        {"X-Two", "a", "a, , b, c"},
        {"X-Empty", "", ""},
        {"X-None", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice joined = header_join(&all, slice_of(cases[i].name), out);
        cr_expect(slice_equals(joined, slice_of(cases[i].joined)), "%s", cases[i].name);
        cr_expect(
            slice_equals(header_find(&all, slice_of(cases[i].name)), slice_of(cases[i].first)),
            "%s", cases[i].name);
    }
    cr_expect_neq(header_join(&all, slice_of("X-One"), out).at, out, "one alone is not copied");
}

Test(header_rules, names_are_spelled_as_usual)
{
    const char *const cases[][2] = {
        {"x-request-id", "X-Request-Id"},
        {"X-REQUEST-ID", "X-Request-Id"},
        {"etag", "Etag"},
        {"a--b-", "A--B-"},
        {"-x", "-X"},
        {"x_y.z1q", "X_y.z1q"},
        {"3d-model", "3d-Model"},
        {"", ""},
        {"Traceparent", "traceparent"},
        {"TRACESTATE", "tracestate"},
        {"traceparents", "Traceparents"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];
        struct slice got = header_canonical(slice_of(cases[i][0]), out);
        cr_expect(slice_equals(got, slice_of(cases[i][1])), "%s", cases[i][0]);
    }
}
