/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null_broker BODY_BYTES: serves as null_broker.h says, with messages of that size for consumers, on
 * a free port of 127.0.0.1 that is the one line on stdout. It ends at the end of its stdin, so that it
 * cannot outlive who started it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "null_broker.h"
#include "tests/support/require.h"

enum { MAX_EVENTS = 16 };

/* Compared by address: stdin and the door have no connection. */
static struct amqp_door door;
static char end_of_input;

static void watch(int poll_fd, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    require(epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

/* False: it is time to go. */
static bool serve(int poll_fd, void *what, size_t n_body)
{
    if (what == &end_of_input)
        return false;
    if (what == &door) {
        struct null_connection *connection = null_accept(&door, n_body);
        watch(poll_fd, connection->peer.fd, connection);
    } else if (!null_hear(what)) {
        null_hang_up(what);
    }
    return true;
}

int main(int argc, char **argv)
{
    require(argc == 2, "usage: null_broker BODY_BYTES");
    size_t n_body = strtoul(argv[1], NULL, 10);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    require(poll_fd >= 0, "epoll_create1");
    amqp_door_open(&door, NULL);
    watch(poll_fd, door.fd, &door);
    watch(poll_fd, STDIN_FILENO, &end_of_input);
    require(printf("%u\n", door.port) > 0 && fflush(stdout) == 0, "stdout");
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int n = epoll_wait(poll_fd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (!serve(poll_fd, events[i].data.ptr, n_body))
                return 0; /* the system takes back the rest */
        }
    }
}
