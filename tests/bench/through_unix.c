/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into wrk, which speaks TCP alone: what connects anywhere connects to the unix socket at
 * LEVERET_BENCH_UNIX, on the same descriptor with the same flags.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* While it blocks, so that it waits for room in a full backlog; returns 0 or -1 and errno. */
static int connect_unix(int fd, int flags)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    const char *name = getenv("LEVERET_BENCH_UNIX");
    int n = snprintf(path.sun_path, sizeof path.sun_path, "%s", name != NULL ? name : "");
    if (n <= 0 || (size_t)n >= sizeof path.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (syscall(SYS_connect, fd, &path, sizeof path) != 0)
        return -1;
    return fcntl(fd, F_SETFL, flags);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    int flags = fcntl(fd, F_GETFL);
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = flags < 0 || other < 0 ? -1 : connect_unix(other, flags);
    if (r == 0 && dup2(other, fd) < 0)
        r = -1;
    int cause = errno;
    (void)close(other); /* nothing was written to it, or `fd` is its other name */
    errno = cause;
    return r;
}
