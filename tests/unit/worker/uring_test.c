/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring itself, whose descriptor nobody else gets to see: hence the source and not its header.
 */
#include "worker/uring.c"

#include <criterion/criterion.h>
#include <fcntl.h>

static struct engine *engine;

static void set_up(void)
{
    if (uring_new(&engine, 4, 4096) != 0)
        cr_skip_test("io_uring cannot be set up here");
}

static void tear_down(void)
{
    if (engine)
        uring_free(engine);
}

TestSuite(uring, .init = set_up, .fini = tear_down, .timeout = 20);

/* The result of one operation by itself. */
static int result_of(void (*prepare_it)(struct io_uring_sqe *sqe))
{
    struct io_uring *ring = &uring_of(engine)->ring;
    struct io_uring_cqe *cqe;
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    cr_assert(sqe);
    prepare_it(sqe);
    cr_assert_eq(io_uring_submit_and_wait(ring, 1), 1);
    cr_assert_eq(io_uring_peek_cqe(ring, &cqe), 0);
    int result = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return result;
}

static void prepare_open(struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
}

static void prepare_accept(struct io_uring_sqe *sqe)
{
    io_uring_prep_accept(sqe, 0, NULL, NULL, 0);
}

static void prepare_socket(struct io_uring_sqe *sqe)
{
    io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM, 0, 0);
}

static void prepare_linked(struct io_uring_sqe *sqe)
{
    io_uring_prep_cancel(sqe, NULL, 0);
    sqe->flags |= IOSQE_ASYNC;
}

static void prepare_cancel(struct io_uring_sqe *sqe)
{
    io_uring_prep_cancel(sqe, NULL, 0);
}

Test(uring, does_no_operation_but_those_in_use)
{
    cr_expect_eq(result_of(prepare_open), -EACCES);
    cr_expect_eq(result_of(prepare_accept), -EACCES);
    cr_expect_eq(result_of(prepare_socket), -EACCES);
    cr_expect_eq(result_of(prepare_linked), -EACCES);
    cr_expect_eq(result_of(prepare_cancel), -ENOENT);
}

Test(uring, takes_no_registration_any_more)
{
    int fd = 0;
    cr_assert_eq(io_uring_register_files(&uring_of(engine)->ring, &fd, 1), -EACCES);
}
