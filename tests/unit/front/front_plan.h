/* SPDX-License-Identifier: Apache-2.0 */
/* A plan of the front's for a test, joined as the front joins its own. */
#ifndef LEVERET_TESTS_FRONT_PLAN_H
#define LEVERET_TESTS_FRONT_PLAN_H

#include <criterion/criterion.h>

#include "shm/plan.h"

/* Takes the builder. The caller leaves the plan. */
static inline void front_plan_join(struct plan *plan, struct plan_builder *builder,
    const struct plan_endpoint *endpoints, size_t n)
{
    struct plan_front root = {
        .n_workers = 1, .endpoints = plan_add_list(builder, endpoints, sizeof(*endpoints), n)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof(root));
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    cr_assert_eq(plan_join(plan, fd, PLAN_FRONT), 0);
}

#endif
