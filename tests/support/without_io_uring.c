/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes a program as under the default seccomp profile of container engines: io_uring_setup(2)
 * fails with EPERM, for it and for all that it starts.
 *
 * Usage: without_io_uring PROGRAM [ARGUMENT]...
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/refuse.h"

enum { EXIT_NOT_EXECUTED = 127 };

int main(int argc, char **argv)
{
    int error = argc < 2 ? EINVAL : refuse(SYS_io_uring_setup, EPERM);
    if (!error) {
        (void)execvp(argv[1], argv + 1);
        error = errno;
    }
    (void)fprintf(
        stderr, "without_io_uring: %s: %s\n", argc < 2 ? "no program" : argv[1], strerror(error));
    return EXIT_NOT_EXECUTED;
}
