/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- TCP ---- */

static int tcp_bind(const struct addrinfo *address)
{
    const int on = 1, off = 0;
    CLEANUP(cleanup_fd)
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (address->ai_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return -errno;
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        return -errno;
    return STEAL_FD(fd);
}

static void addresses_free(struct addrinfo **addresses)
{
    if (*addresses)
        freeaddrinfo(*addresses);
}

static int resolve(const char *host, uint16_t port, struct addrinfo **addresses)
{
    /* "::" takes IPv4 as well; a kernel without IPv6 refuses it, and tcp_open() falls back */
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[sizeof("65535")];
    (void)snprintf(service, sizeof(service), "%u", port);
    int error = getaddrinfo(*host ? host : "::", service, &hints, addresses);
    if (error == EAI_SYSTEM)
        return -errno;
    if (error == EAI_MEMORY)
        return -ENOMEM;
    return error ? -EADDRNOTAVAIL : 0;
}

/* The first address that can be bound; else the error of the first that could not. */
static int tcp_bind_any(const char *host, uint16_t port)
{
    CLEANUP(addresses_free) struct addrinfo *addresses = NULL;
    int first_error = resolve(host, port, &addresses);
    for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
        int fd = tcp_bind(a);
        if (fd >= 0)
            return fd;
        first_error = first_error ? first_error : fd;
    }
    return first_error;
}

/* What the kernel made of it: the port may have been any. */
static int tcp_name(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    char host[INET6_ADDRSTRLEN];
    socklen_t length = sizeof(at);
    if (getsockname(listener->fd, &at.any, &length) < 0)
        return -errno;
    bool is_v6 = at.any.sa_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&at.v6.sin6_addr : &at.v4.sin_addr;
    if (!inet_ntop(at.any.sa_family, bytes, host, sizeof(host)))
        return -errno;
    listener->port = ntohs(is_v6 ? at.v6.sin6_port : at.v4.sin_port);
    (void)snprintf(listener->address, sizeof(listener->address), is_v6 ? "[%s]:%u" : "%s:%u", host,
        listener->port);
    return 0;
}

static int tcp_open(struct listener *listener, const struct config_listener *wanted)
{
    listener->fd = tcp_bind_any(wanted->host, wanted->port);
    if (listener->fd == -EAFNOSUPPORT && !*wanted->host)
        listener->fd = tcp_bind_any("0.0.0.0", wanted->port);
    return listener->fd < 0 ? listener->fd : tcp_name(listener);
}

/* ---- unix ---- */

static int unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* With its mode from birth: the kernel makes the file with 0777 less the mask. */
static int unix_bind(int fd, const struct sockaddr_un *address, mode_t mode)
{
    mode_t before = umask(0777 & ~mode);
    int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    (void)umask(before); /* returns the former mask */
    return error;
}

/* Remove what is at the address, if it is a socket on which nobody listens. */
static int stale_remove(const struct sockaddr_un *address)
{
    struct stat stat;
    if (lstat(address->sun_path, &stat) < 0)
        return -errno;
    if (!S_ISSOCK(stat.st_mode))
        return -EEXIST;
    CLEANUP(cleanup_fd) int probe = unix_socket();
    if (probe < 0)
        return probe;
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
        return -EADDRINUSE;
    if (errno != ECONNREFUSED)
        return -errno;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int unix_bind_anew(int fd, const struct sockaddr_un *address, mode_t mode)
{
    int error = unix_bind(fd, address, mode);
    if (error != -EADDRINUSE)
        return error;
    error = stale_remove(address);
    return error ? error : unix_bind(fd, address, mode);
}

static int unix_open(struct listener *listener, const struct config_listener *wanted)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat stat;
    if (strlen(wanted->unix_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, wanted->unix_path);
    listener_describe(wanted, listener->address, sizeof(listener->address));
    listener->fd = unix_socket();
    if (listener->fd < 0)
        return listener->fd;
    int error = unix_bind_anew(listener->fd, &address, (mode_t)wanted->mode);
    if (error)
        return error;
    strcpy(listener->unix_path, address.sun_path);
    if (lstat(address.sun_path, &stat) < 0)
        return -errno;
    listener->device = stat.st_dev;
    listener->inode = stat.st_ino;
    return listen(listener->fd, SOMAXCONN) < 0 ? -errno : 0;
}

/* ---- either ---- */

int listener_open(struct listener *listener, const struct config_listener *wanted)
{
    struct listener opened = {.fd = -1};
    int error = wanted->unix_path ? unix_open(&opened, wanted) : tcp_open(&opened, wanted);
    if (error)
        listener_close(&opened);
    else
        *listener = opened;
    return error;
}

bool listener_is_there(const struct listener *listener)
{
    struct stat stat;
    return !*listener->unix_path ||
           (lstat(listener->unix_path, &stat) == 0 && stat.st_dev == listener->device &&
               stat.st_ino == listener->inode);
}

void listener_close(struct listener *listener)
{
    if (*listener->unix_path && listener_is_there(listener))
        (void)unlink(listener->unix_path); /* gone already: just as well */
    listener->unix_path[0] = '\0';
    cleanup_fd(&listener->fd);
    listener->fd = -1;
}

void listener_describe(const struct config_listener *wanted, char *text, size_t size)
{
    if (wanted->unix_path)
        (void)snprintf(text, size, "unix:%s", wanted->unix_path);
    else
        (void)snprintf(text, size, strchr(wanted->host, ':') ? "[%s]:%u" : "%s:%u",
            *wanted->host ? wanted->host : "*", wanted->port);
}
