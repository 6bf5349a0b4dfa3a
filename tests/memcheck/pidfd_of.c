/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfd_of PID: opens a pidfd and passes it over standard input, a socket. Run outside valgrind for
 * a program inside it (past_valgrind.c). Exit status: 0, or the errno of what was refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int pass(int socket, int fd)
{
    char byte = 0;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof fd)];
    } control = {
        .head = {
            .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    struct iovec bytes = {.iov_base = &byte, .iov_len = sizeof byte};
    struct msghdr message = {.msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    return sendmsg(socket, &message, 0) < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return EINVAL;
    int fd = pidfd_open(atoi(argv[1]), 0);
    return fd < 0 ? errno : pass(STDIN_FILENO, fd);
}
