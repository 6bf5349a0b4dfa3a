/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stops the process that gets to the point that an order names, once: whoever takes the order is
 * the one. The environment names the file of it, which is mapped before main(): a process that is
 * confined opens none.
 *
 *      before READY CLAIMED kill          after DONE FREE hang          after DONE FREE forbid
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/cleanup.h"
#include "shm/slot.h"
#include "shm/stop_point.h"

#include "stop_order.h"

static struct stop_order *order; /* NULL: everybody passes */

__attribute__((constructor)) static void order_map(void)
{
    const char *path = getenv("LEVERET_STOP_POINT");
    CLEANUP(cleanup_fd) int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    order = memory == MAP_FAILED ? NULL : memory;
}

static void obey(const char *what)
{
    if (strcmp(what, "forbid") == 0)
        (void)socket(AF_PACKET, SOCK_RAW, 0); /* nobody's filter lets it through */
    else
        (void)raise(strcmp(what, "kill") == 0 ? SIGKILL : SIGSTOP); /* both are always taken */
}

void stop_point(enum stop_side side, unsigned from, unsigned to)
{
    char here[sizeof(order->text)];
    if (!order || !atomic_load(&order->is_given))
        return;
    int n = snprintf(here, sizeof(here), "%s %s %s ", side == STOP_BEFORE ? "before" : "after",
        slot_state_name(from), slot_state_name(to));
    if (strncmp(order->text, here, (size_t)n) == 0 && atomic_exchange(&order->is_given, false))
        obey(order->text + n);
}
