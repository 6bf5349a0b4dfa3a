/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a match costs, in comparisons, which no busy machine stretches: the table's code is part of
 * this program, with a comparison that counts.
 */
#include <criterion/criterion.h>

#include "front_plan.h"
#include "slice.h"

static unsigned n_compared;

static bool counted_equals(struct slice a, struct slice b)
{
    n_compared++;
    return slice_equals(a, b);
}

#define slice_equals counted_equals
#include "route.c"

enum { ALL = 2000, FEW = 2, ROUNDS = 2000 };

/* Of `n` endpoints each is asked for in turn, ROUNDS times in all. */
static unsigned comparisons_among(int n)
{
    static char patterns[ALL][64];
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    static struct plan_endpoint endpoints[ALL];
    CLEANUP(table_cleanup) struct route_table *table = NULL;
    struct plan plan;
    uint32_t culprit;
    for (int i = 0; i < n; i++) {
        (void)snprintf(patterns[i], sizeof(patterns[i]), "/v%d/{tenant}/orders%d/f.{id}", i % 7, i);
        endpoints[i] = (struct plan_endpoint){.method = plan_add_string(builder, "POST"),
            .pattern = plan_add_string(builder, patterns[i])};
    }
    front_plan_join(&plan, builder, endpoints, (size_t)n);
    cr_assert_eq(route_table_new(&table, &plan, &culprit), 0);
    n_compared = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char path[64], scratch[64];
        struct route_match match;
        (void)snprintf(path, sizeof(path), "/v%d/t/orders%d/f.x", i % n % 7, i % n);
        cr_assert_eq(route_find(table, slice_of("POST"), slice_of(path), scratch, &match),
            ROUTE_FOUND, "%s", path);
        cr_assert_eq(match.endpoint, (uint32_t)(i % n));
    }
    unsigned n_found = n_compared;
    plan_leave(&plan);
    return n_found;
}

Test(route_cost, two_thousand_endpoints_take_as_many_comparisons_as_two)
{
    unsigned few = comparisons_among(FEW), all = comparisons_among(ALL);
    cr_expect_geq(few, (unsigned)ROUNDS, "it counts");
    cr_expect_lt(all, few + few / 2, "%u among %d, %u among %d", few, FEW, all, ALL);
}
