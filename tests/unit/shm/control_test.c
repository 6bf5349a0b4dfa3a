/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "shm/control.h"
#include "shm/doorbell.h"

static int pair[2];

static void open_pair(void)
{
    cr_assert_eq(control_pair(pair), 0);
}

TestSuite(control, .init = open_pair);

Test(control, a_lane_arrives_with_its_four_descriptors)
{
    struct control_fds sent = {.n = CONTROL_LANE_N_FDS}, got;
    struct control_message message = {.kind = CONTROL_LANE, .worker = 2}, received;
    for (unsigned i = 0; i < sent.n; i++)
        sent.fd[i] = doorbell_rope_new();
    cr_assert_eq(control_send(pair[0], &message, &sent), 0);
    cr_assert_eq(control_receive(pair[1], &received, &got), CONTROL_OK);
    cr_assert_eq(received.kind, CONTROL_LANE);
    cr_assert_eq(received.worker, 2);
    cr_assert_eq(got.n, CONTROL_LANE_N_FDS);
    for (unsigned i = 0; i < got.n; i++) {
        cr_assert_neq(got.fd[i], sent.fd[i]);
        cr_assert(fcntl(got.fd[i], F_GETFD) & FD_CLOEXEC);
    }
    control_fds_close(&got);
    cr_assert_eq(got.n, 0);
    cr_assert_eq(got.fd[0], -1);
    control_fds_close(&sent);
}

Test(control, there_is_nothing_until_something_is_sent)
{
    struct control_message message;
    struct control_fds fds;
    cr_assert_eq(control_receive(pair[1], &message, &fds), CONTROL_NOTHING);
}

Test(control, a_peer_that_left_is_told_by_both_calls)
{
    struct control_message message = {.kind = CONTROL_READY};
    struct control_fds fds;
    close(pair[0]);
    cr_assert_eq(control_receive(pair[1], &message, &fds), CONTROL_CLOSED);
    message.kind = CONTROL_READY;
    cr_assert_eq(control_send(pair[1], &message, NULL), -EPIPE);
}

Test(control, a_peer_that_never_reads_is_told_apart_from_one_that_left)
{
    struct control_message message = {.kind = CONTROL_READY};
    int error;
    while (!(error = control_send(pair[0], &message, NULL)))
        ;
    cr_assert_eq(error, -EAGAIN);
}

Test(control, a_message_that_is_looked_at_stays_with_its_descriptors)
{
    struct control_fds sent = {.n = 1}, got;
    struct control_message message = {.kind = CONTROL_SURVEY, .io = IO_EPOLL}, received;
    sent.fd[0] = doorbell_rope_new();
    cr_assert_eq(control_send(pair[0], &message, &sent), 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(control_await(pair[1], &received), CONTROL_OK);
        cr_assert_eq(received.kind, CONTROL_SURVEY);
        cr_assert_eq(received.io, IO_EPOLL);
    }
    cr_assert_eq(control_receive(pair[1], &received, &got), CONTROL_OK);
    cr_assert_eq(got.n, 1);
    control_fds_close(&got);
    control_fds_close(&sent);
}

static void *say_ready(void *unused)
{
    struct control_message message = {.kind = CONTROL_READY};
    cr_assert_eq(control_send(pair[0], &message, NULL), 0);
    return unused;
}

Test(control, a_message_is_waited_for)
{
    struct control_message received;
    pthread_t peer;
    cr_assert_eq(pthread_create(&peer, NULL, say_ready, NULL), 0);
    cr_assert_eq(control_await(pair[1], &received), CONTROL_OK);
    cr_assert_eq(received.kind, CONTROL_READY);
    cr_assert_eq(pthread_join(peer, NULL), 0);
}

Test(control, who_waits_is_told_of_nonsense_and_of_the_end)
{
    struct control_message received;
    cr_assert_eq(send(pair[0], "x", 1, 0), 1);
    cr_assert_eq(control_await(pair[1], &received), CONTROL_MALFORMED);
    cr_assert_eq(recv(pair[1], &received, sizeof received, 0), 1);
    close(pair[0]);
    cr_assert_eq(control_await(pair[1], &received), CONTROL_CLOSED);
}

static enum control_outcome gossip(const void *bytes, size_t n)
{
    struct control_message message;
    struct control_fds fds;
    cr_assert_eq(send(pair[0], bytes, n, 0), (ssize_t)n);
    return control_receive(pair[1], &message, &fds);
}

Test(control, messages_of_the_wrong_size_kind_or_descriptors_are_malformed)
{
    struct control_message message = {.kind = CONTROL_READY};
    char large[sizeof(message) + 1] = {CONTROL_READY};
    cr_assert_eq(gossip(&message, sizeof(message)), CONTROL_OK);
    cr_assert_eq(gossip(&message, sizeof(message) - 1), CONTROL_MALFORMED);
    cr_assert_eq(gossip(large, sizeof(large)), CONTROL_MALFORMED);
    message.kind = 0;
    cr_assert_eq(gossip(&message, sizeof(message)), CONTROL_MALFORMED);
    message.kind = CONTROL_N_KINDS;
    cr_assert_eq(gossip(&message, sizeof(message)), CONTROL_MALFORMED);
    message.kind = CONTROL_LANE;
    cr_assert_eq(
        gossip(&message, sizeof(message)), CONTROL_MALFORMED, "a lane without descriptors");
}

static int n_open(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

Test(control, descriptors_of_a_malformed_message_are_not_leaked)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * 2)];
    } ancillary = {0};
    struct control_message message = {.kind = CONTROL_READY}, received;
    struct control_fds fds;
    struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = ancillary.bytes,
        .msg_controllen = sizeof(ancillary.bytes)};
    int smuggled[2] = {0, 1};
    ancillary.header.cmsg_level = SOL_SOCKET;
    ancillary.header.cmsg_type = SCM_RIGHTS;
    ancillary.header.cmsg_len = CMSG_LEN(sizeof(smuggled));
    memcpy(CMSG_DATA(&ancillary.header), smuggled, sizeof(smuggled));
    int before = n_open();
    cr_assert_gt(sendmsg(pair[0], &header, 0), 0);
    cr_assert_eq(control_receive(pair[1], &received, &fds), CONTROL_MALFORMED);
    cr_assert_eq(n_open(), before);
}

Test(control, descriptors_of_an_empty_packet_are_closed)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } ancillary = {
        .header = {
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct control_message received;
    struct control_fds fds;
    struct msghdr header = {
        .msg_control = ancillary.bytes, .msg_controllen = sizeof(ancillary.bytes)};
    int before = n_open();
    cr_assert_eq(sendmsg(pair[0], &header, 0), 0);
    cr_assert_eq(control_receive(pair[1], &received, &fds), CONTROL_CLOSED);
    cr_assert_eq(n_open(), before);
}

Test(control, a_reason_always_ends)
{
    struct control_message message = {.kind = CONTROL_COMPLAINT}, received;
    struct control_fds fds;
    memset(message.reason, 'x', sizeof(message.reason));
    cr_assert_eq(control_send(pair[0], &message, NULL), 0);
    cr_assert_eq(control_receive(pair[1], &received, &fds), CONTROL_OK);
    cr_assert_eq(strlen(received.reason), sizeof(received.reason) - 1);
}
