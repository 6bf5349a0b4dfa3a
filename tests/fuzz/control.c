/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet on the control socket, as a child that has lost its mind could send it. The first byte says
 * how many descriptors come with it. Whole messages of a known kind are taken; whatever comes, no
 * descriptor is left open.
 */
#include <sys/socket.h>

#include "fuzz.h"
#include "shm/cleanup.h"
#include "shm/control.h"
#include "tests/support/require.h"

static void send_packet(int socket, struct fuzz_input packet, int n_fds)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * 8)];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)packet.at, packet.n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
        control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS};
        for (int i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(&control.head) + sizeof(int) * (size_t)i, &socket, sizeof(int));
    }
    require(sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)packet.n, "sendmsg");
}

/* The lowest descriptor that is free: the same before and after when none was left open. */
static int first_free(void)
{
    int fd = dup(STDERR_FILENO);
    require(fd >= 0 && close(fd) == 0, "no descriptor");
    return fd;
}

static void hear(int socket)
{
    struct control_message message;
    struct control_fds fds;
    int first = first_free();
    switch (control_receive(socket, &message, &fds)) {
    case CONTROL_OK:
        fuzz_expect(message.kind > 0 && message.kind < CONTROL_N_KINDS);
        control_fds_close(&fds);
        break;
    case CONTROL_CLOSED: /* an empty packet */
    case CONTROL_MALFORMED:
        break;
    case CONTROL_NOTHING:
        fuzz_expect(false);
    }
    fuzz_expect(first_free() == first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    enum { LARGEST = 4096 };
    struct fuzz_input input = {bytes, n};
    int n_fds = fuzz_byte(&input) % 8, pair[2];
    require(control_pair(pair) == 0, "no socket");
    send_packet(pair[0], fuzz_bytes(&input, LARGEST), n_fds);
    hear(pair[1]);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return 0;
}
