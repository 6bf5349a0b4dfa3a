/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/support/require.h"

enum { PORT_FIRST = 15000, PORT_N = 17000 }; /* Linux gives away ports from 32768 */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool is_free(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    int one = 1; /* as servers do: a closed connection of an earlier test is no obstacle */
    require(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "SO_REUSEADDR");
    struct sockaddr_in address = loopback(port);
    bool free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd); /* of a socket: nothing to lose */
    return free;
}

/* Keeps its descriptor on purpose: the name lives as long as the process. */
static bool has_claimed(uint16_t port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length =
        snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "leveret-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(fd, (struct sockaddr *)&name, size) == 0)
        return true;
    (void)close(fd); /* of a socket: nothing to lose */
    return false;
}

uint16_t port_reserve(void)
{
    for (int tries = 0; tries < 1000; tries++) {
        uint16_t random;
        require(getrandom(&random, sizeof random, 0) == sizeof random, "getrandom");
        uint16_t port = (uint16_t)(PORT_FIRST + random % PORT_N);
        if (has_claimed(port) && is_free(port))
            return port;
    }
    require(false, "no free port");
    return 0;
}

int port_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    struct sockaddr_in address = loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd); /* of a socket: nothing to lose */
    return -1;
}
