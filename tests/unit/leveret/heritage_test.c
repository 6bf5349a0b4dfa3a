/* SPDX-License-Identifier: Apache-2.0 */
/* What passes from one program to the next, and when it does not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "heritage.h"

static struct heritage left, taken;

static int descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_gt(fd, 2);
    return fd;
}

static void set_up(void)
{
    left = (struct heritage){.version = HERITAGE_VERSION,
        .generation = 7,
        .n_listeners = 1,
        .n_workers = 1,
        .drain_timeout_ns = 5,
        .listeners = {{.fd = descriptor(), .port = 80, .host = "127.0.0.1"}},
        .children = {
            {.pid = 10, .pidfd = descriptor(), .control = descriptor(), .last_words = -1}}};
}

TestSuite(heritage, .init = set_up);

static bool passes_exec(int fd)
{
    return fcntl(fd, F_GETFD) == 0;
}

static void expect_passing(bool expected)
{
    cr_assert_eq(passes_exec(left.listeners[0].fd), expected);
    cr_assert_eq(passes_exec(left.children[0].pidfd), expected);
    cr_assert_eq(passes_exec(left.children[0].control), expected);
}

Test(heritage, is_taken_as_it_was_left_once)
{
    expect_passing(false);
    cr_assert_eq(heritage_leave(&left), 0);
    expect_passing(true);
    cr_assert_eq(heritage_take(&taken), HERITAGE_TAKEN);
    expect_passing(false);
    cr_assert_eq(memcmp(&left, &taken, sizeof(left)), 0);
    cr_assert_eq(heritage_take(&taken), HERITAGE_NONE);
}

Test(heritage, is_kept_when_there_is_no_next_program)
{
    cr_assert_eq(heritage_leave(&left), 0);
    heritage_keep(&left);
    expect_passing(false);
    cr_assert_eq(heritage_take(&taken), HERITAGE_NONE);
}

Test(heritage, cannot_be_left_with_a_descriptor_that_is_not_there)
{
    left.children[0].control = 999999;
    cr_assert_eq(heritage_leave(&left), -EBADF);
    cr_assert(!passes_exec(left.listeners[0].fd));
    cr_assert_eq(heritage_take(&taken), HERITAGE_NONE);
}

Test(heritage, of_another_version_is_not_taken)
{
    left.version++;
    cr_assert_eq(heritage_leave(&left), 0);
    cr_assert_eq(heritage_take(&taken), HERITAGE_BAD);
}

/* Written down unchecked, as by another program. */
static void expect_bad(const struct heritage *heritage)
{
    char number[16];
    CLEANUP(cleanup_fd) int fd = memfd_create("heritage", 0);
    (void)snprintf(number, sizeof(number), "%d", fd);
    cr_assert_eq(write(fd, heritage, sizeof(*heritage)), (ssize_t)sizeof(*heritage));
    cr_assert_eq(setenv("LEVERET_HERITAGE", number, 1), 0);
    cr_assert_eq(heritage_take(&taken), HERITAGE_BAD);
}

Test(heritage, that_makes_no_sense_is_not_taken)
{
    const struct heritage good = left;
    left.n_listeners = HERITAGE_MAX_LISTENERS + 1;
    expect_bad(&left);
    left = good;
    left.n_workers = HERITAGE_MAX_CHILDREN;
    expect_bad(&left);
    left.n_workers = 0;
    expect_bad(&left);
    left = good;
    memset(left.listeners[0].host, 'x', sizeof(left.listeners[0].host));
    expect_bad(&left);
    left = (struct heritage){0};
    expect_bad(&left);
}

Test(heritage, that_is_nowhere_is_not_taken)
{
    static const char *const numbers[] = {"", "x", "4x", "-1", "1", "999999", "99999999999999"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        cr_assert_eq(setenv("LEVERET_HERITAGE", numbers[i], 1), 0);
        cr_assert_eq(heritage_take(&taken), HERITAGE_BAD, "%s", numbers[i]);
    }
}
