/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stops the process that gets to the point that a file names, once: whoever removes the file is the
 * one. The environment says which file; while there is none, everybody passes.
 *
 *      before READY CLAIMED kill          after DONE FREE hang
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/cleanup.h"
#include "shm/slot.h"
#include "shm/stop_point.h"

enum { ORDER_BYTES = 64 };

/* Empty when there is none. */
static void order_read(const char *path, char order[ORDER_BYTES])
{
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, order, ORDER_BYTES - 1);
    order[n > 0 ? n : 0] = '\0';
}

void stop_point(enum stop_side side, unsigned from, unsigned to)
{
    const char *path = getenv("LEVERET_STOP_POINT");
    char order[ORDER_BYTES], here[ORDER_BYTES];
    if (!path)
        return;
    order_read(path, order);
    int n = snprintf(here, sizeof(here), "%s %s %s ", side == STOP_BEFORE ? "before" : "after",
        slot_state_name(from), slot_state_name(to));
    if (strncmp(order, here, (size_t)n) != 0 || unlink(path) != 0)
        return;
    (void)raise(strcmp(order + n, "kill") == 0 ? SIGKILL : SIGSTOP); /* both are always taken */
}
