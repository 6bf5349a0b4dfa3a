/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker waits on: the key `io` of the file, told to the worker when it starts.
 */
#ifndef LEVERET_IO_H
#define LEVERET_IO_H

enum io {
    IO_AUTO,  /* io_uring where it can be set up, epoll where not */
    IO_URING, /* or nothing */
    IO_EPOLL
};

#endif
