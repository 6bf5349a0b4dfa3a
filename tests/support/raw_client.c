/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/require.h"

enum { NARROW_BYTES = 4096 };

static bool reach_with(struct raw_client *client, uint16_t port, int receive_bytes)
{
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(client->fd >= 0, "socket");
    if (receive_bytes > 0) /* before connect: it decides the window that is offered */
        require(setsockopt(
                    client->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes) == 0,
            "SO_RCVBUF");
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    raw_client_close(client);
    return false;
}

bool raw_client_reach(struct raw_client *client, uint16_t port)
{
    return reach_with(client, port, 0);
}

bool raw_client_reach_narrow(struct raw_client *client, uint16_t port)
{
    return reach_with(client, port, NARROW_BYTES);
}

void raw_client_connect(struct raw_client *client, uint16_t port)
{
    require(raw_client_reach(client, port), "connect to port %u", port);
}

void raw_client_connect_narrow(struct raw_client *client, uint16_t port)
{
    require(raw_client_reach_narrow(client, port), "connect to port %u", port);
}

bool raw_client_send(struct raw_client *client, const void *bytes, size_t n)
{
    const char *rest = bytes;
    while (n > 0) {
        ssize_t sent = send(client->fd, rest, n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return false;
        require(sent > 0, "send");
        rest += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool raw_client_say(struct raw_client *client, const char *text)
{
    return raw_client_send(client, text, strlen(text));
}

/* Bytes read, 0 at the end or a reset, -1 at the deadline. */
static ssize_t read_some(struct raw_client *client, char *buffer, size_t size, uint64_t deadline_ns)
{
    struct pollfd readable = {.fd = client->fd, .events = POLLIN};
    int n = poll(&readable, 1, clock_wait_ms(clock_now_ns(), deadline_ns, 60000));
    require(n >= 0, "poll");
    if (n == 0)
        return -1;
    ssize_t got = recv(client->fd, buffer, size, 0);
    require(got >= 0 || errno == ECONNRESET, "recv");
    return got < 0 ? 0 : got;
}

bool raw_client_read(
    struct raw_client *client, const char *until, char *buffer, size_t size, uint64_t deadline_ns)
{
    size_t length = 0;
    buffer[0] = '\0';
    while (length < size - 1 && (until == NULL || strstr(buffer, until) == NULL)) {
        ssize_t got = read_some(client, buffer + length, size - 1 - length, deadline_ns);
        if (got < 0)
            return false;
        if (got == 0)
            return until == NULL;
        length += (size_t)got;
        buffer[length] = '\0';
    }
    return true;
}

bool raw_client_is_closed(struct raw_client *client, uint64_t deadline_ns)
{
    char dropped[4096];
    ssize_t got;
    do {
        got = read_some(client, dropped, sizeof dropped, deadline_ns);
    } while (got > 0);
    return got == 0;
}

void raw_client_half_close(struct raw_client *client)
{
    require(shutdown(client->fd, SHUT_WR) == 0, "shutdown");
}

void raw_client_close(struct raw_client *client)
{
    (void)close(client->fd); /* the point is to be gone */
    client->fd = -1;
}

void raw_client_reset(struct raw_client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    require(
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "SO_LINGER");
    raw_client_close(client);
}
