/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "shm/plan.h"

static int front_plan(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint endpoints[2] = {
        {.pattern = plan_add_string(builder, "/a/{b}"), .timeout_ns = 7},
        {.pattern = plan_add_text(builder, "with\0nul", 8),
            .method = plan_add_string(builder, NULL)},
    };
    struct plan_front root = {
        .n_workers = 3, .endpoints = plan_add_list(builder, endpoints, sizeof(endpoints[0]), 2)};
    int fd = plan_builder_seal(builder, &root, sizeof(root));
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    return fd;
}

Test(plan, a_child_reads_what_was_built)
{
    CLEANUP(cleanup_fd) int fd = front_plan();
    struct plan plan;
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), 0);
    const struct plan_front *front = plan.root;
    cr_assert_eq(front->n_workers, 3);
    cr_assert_eq(front->endpoints.count, 2);
    const struct plan_endpoint *endpoints = plan_items(&plan, front->endpoints);
    cr_assert_str_eq(plan_string(&plan, endpoints[0].pattern), "/a/{b}");
    cr_assert_eq(endpoints[0].timeout_ns, 7);
    cr_assert_eq(endpoints[1].pattern.length, 8);
    cr_assert_arr_eq(plan_string(&plan, endpoints[1].pattern), "with\0nul", 9);
    cr_assert_str_eq(plan_string(&plan, endpoints[1].method), "");
    cr_assert_str_eq(plan_string(&plan, (struct plan_text){0}), "", "a text that was never set");
    plan_leave(&plan);
    plan_leave(&plan);
}

Test(plan, is_sealed_against_every_change)
{
    CLEANUP(cleanup_fd) int fd = front_plan();
    cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
    cr_assert_eq(ftruncate(fd, 0), -1);
    cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

Test(plan, of_another_kind_is_not_joined)
{
    CLEANUP(cleanup_fd) int fd = front_plan();
    struct plan plan;
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), -EPROTO);
}

Test(plan, that_is_not_sealed_or_no_plan_is_not_joined)
{
    CLEANUP(cleanup_fd) int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct plan plan;
    cr_assert_eq(ftruncate(fd, 4096), 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), -EPROTO);
    cr_assert_eq(
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), -EPROTO);
    cr_assert_eq(plan_join(&plan, -1, PLAN_FRONT), -EBADF);
}

Test(plan, of_many_endpoints_keeps_every_offset)
{
    enum { N = 5000 };
    struct plan_builder *builder = plan_builder_new(PLAN_WORKER);
    struct plan_broker *brokers = calloc(N, sizeof(*brokers));
    for (int i = 0; i < N; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "broker-%d", i);
        brokers[i].name = plan_add_string(builder, name);
    }
    struct plan_worker root = {.brokers = plan_add_list(builder, brokers, sizeof(*brokers), N)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof(root));
    plan_builder_free(builder);
    free(brokers);
    struct plan plan;
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    const struct plan_broker *read =
        plan_items(&plan, ((const struct plan_worker *)plan.root)->brokers);
    cr_assert_str_eq(plan_string(&plan, read[0].name), "broker-0");
    cr_assert_str_eq(plan_string(&plan, read[N - 1].name), "broker-4999");
    plan_leave(&plan);
}
