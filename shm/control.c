/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/control.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* How many descriptors come with each kind. */
static const unsigned n_fds_of[] = {
    [CONTROL_START] = CONTROL_START_N_FDS,
    [CONTROL_LISTENER] = 1,
    [CONTROL_LANE] = CONTROL_LANE_N_FDS,
    [CONTROL_DRAIN] = 0,
    [CONTROL_READY] = 0,
    [CONTROL_COMPLAINT] = 0,
    [CONTROL_SURVEY] = 1,
    [CONTROL_FINDING] = 0,
    [CONTROL_FIGURES] = 1,
};

union ancillary {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int) * CONTROL_MAX_FDS)];
};

int control_pair(int fd[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0 ? -errno
                                                                                         : 0;
}

int control_send(int socket, const struct control_message *message, const struct control_fds *fds)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    union ancillary ancillary = {0};
    unsigned n = fds ? fds->n : 0;
    assert(message->kind && message->kind < CONTROL_N_KINDS && n == n_fds_of[message->kind]);
    if (n) {
        header.msg_control = ancillary.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * n);
        memcpy(CMSG_DATA(rights), fds->fd, sizeof(int) * n);
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static void fds_take(struct msghdr *header, struct control_fds *fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(fds->n + n <= CONTROL_MAX_FDS); /* the buffer has no room for more */
        memcpy(fds->fd + fds->n, CMSG_DATA(c), n * sizeof(int));
        fds->n += (unsigned)n;
    }
}

static bool is_whole(const struct control_message *message, ssize_t size)
{
    return size == (ssize_t)sizeof(*message) && message->kind >= CONTROL_START &&
           message->kind < CONTROL_N_KINDS;
}

static bool is_sound(const struct control_message *message, ssize_t size, int flags, unsigned n_fds)
{
    return is_whole(message, size) && !(flags & (MSG_TRUNC | MSG_CTRUNC)) &&
           n_fds == n_fds_of[message->kind];
}

/* Its texts end, whoever wrote them. */
static void message_copy(struct control_message *to, struct control_message *received)
{
    received->reason[sizeof(received->reason) - 1] = '\0';
    received->finding.text[sizeof(received->finding.text) - 1] = '\0';
    *to = *received;
}

enum control_outcome control_receive(
    int socket, struct control_message *message, struct control_fds *fds)
{
    struct control_message received = {0};
    struct control_fds received_fds = {.fd = {-1, -1, -1, -1}};
    struct iovec iov = {.iov_base = &received, .iov_len = sizeof(received)};
    union ancillary ancillary = {0};
    struct msghdr header = {.msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = ancillary.bytes,
        .msg_controllen = sizeof(ancillary.bytes)};
    ssize_t size;
    do
        size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == EAGAIN ? CONTROL_NOTHING : CONTROL_CLOSED;
    fds_take(&header, &received_fds);
    if (!is_sound(&received, size, header.msg_flags, received_fds.n)) {
        control_fds_close(
            &received_fds); /* an empty packet looks like the end and may bring some */
        return size == 0 ? CONTROL_CLOSED : CONTROL_MALFORMED;
    }
    message_copy(message, &received);
    *fds = received_fds;
    return CONTROL_OK;
}

enum control_outcome control_await(int socket, struct control_message *message)
{
    struct control_message received;
    struct pollfd polled = {.fd = socket, .events = POLLIN};
    ssize_t size;
    do {
        (void)poll(&polled, 1, -1); /* it fails for a signal alone: recv() tells */
        size = recv(socket, &received, sizeof(received), MSG_PEEK | MSG_TRUNC);
    } while (size < 0 && (errno == EINTR || errno == EAGAIN));
    if (size <= 0)
        return CONTROL_CLOSED;
    if (!is_whole(&received, size))
        return CONTROL_MALFORMED;
    message_copy(message, &received);
    return CONTROL_OK;
}

void control_fds_close(struct control_fds *fds)
{
    for (unsigned i = 0; i < CONTROL_MAX_FDS; i++) {
        if (i < fds->n && fds->fd[i] >= 0)
            (void)close(fds->fd[i]); /* Linux has freed the descriptor whatever close returns */
        fds->fd[i] = -1;
    }
    fds->n = 0;
}
