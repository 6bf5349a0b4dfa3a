/* SPDX-License-Identifier: Apache-2.0 */
#include "heritage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define VARIABLE "LEVERET_HERITAGE"

/* ---- the descriptors ---- */

static int flag_set(int fd, bool is_closed_on_exec)
{
    return fd < 0 || fcntl(fd, F_SETFD, is_closed_on_exec ? FD_CLOEXEC : 0) == 0 ? 0 : -errno;
}

static int flags_set(const struct heritage *heritage, bool are_closed_on_exec)
{
    int error = 0;
    for (uint32_t i = 0; !error && i < heritage->n_listeners; i++)
        error = flag_set(heritage->listeners[i].fd, are_closed_on_exec);
    for (uint32_t i = 0; !error && i <= heritage->n_workers; i++) {
        const struct heritage_child *child = &heritage->children[i];
        const int fds[] = {child->pidfd, child->control, child->last_words};
        for (size_t k = 0; !error && child->pid && k < sizeof(fds) / sizeof(fds[0]); k++)
            error = flag_set(fds[k], are_closed_on_exec);
    }
    return error;
}

/* ---- leaving ---- */

void heritage_keep(const struct heritage *heritage)
{
    const char *number = getenv(VARIABLE);
    (void)flags_set(heritage, true); /* as they were at birth: nothing that could fail */
    if (number)
        (void)close(atoi(number)); /* nobody will read it */
    (void)unsetenv(VARIABLE);      /* the name is a name */
}

int heritage_leave(const struct heritage *heritage)
{
    char number[16];
    CLEANUP(cleanup_fd) int fd = memfd_create("leveret-heritage", 0);
    if (fd < 0 || pwrite(fd, heritage, sizeof(*heritage), 0) != (ssize_t)sizeof(*heritage))
        return -errno;
    int error = flags_set(heritage, false);
    (void)snprintf(number, sizeof(number), "%d", fd);
    if (!error && setenv(VARIABLE, number, 1) < 0)
        error = -errno;
    if (error) {
        (void)flags_set(heritage, true); /* as they were at birth */
        return error;
    }
    (void)STEAL_FD(fd);
    return 0;
}

/* ---- taking ---- */

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size);
}

static bool is_listener(const struct heritage_listener *l)
{
    return l->fd > STDERR_FILENO && l->port <= UINT16_MAX && l->wanted_port <= UINT16_MAX &&
           is_text(l->host, sizeof(l->host)) && is_text(l->unix_path, sizeof(l->unix_path)) &&
           is_text(l->address, sizeof(l->address));
}

/* One program wrote it for the other, who trusts it; this finds what was cut or is another's. */
static bool is_whole(const struct heritage *heritage)
{
    if (heritage->version != HERITAGE_VERSION || heritage->n_listeners > HERITAGE_MAX_LISTENERS ||
        !heritage->n_workers || heritage->n_workers >= HERITAGE_MAX_CHILDREN)
        return false;
    for (uint32_t i = 0; i < heritage->n_listeners; i++)
        if (!is_listener(&heritage->listeners[i]))
            return false;
    return true;
}

enum heritage_outcome heritage_take(struct heritage *heritage)
{
    const char *number = getenv(VARIABLE);
    char *end;
    if (!number)
        return HERITAGE_NONE;
    long fd = strtol(number, &end, 10);
    bool is_number = end != number && !*end && fd > STDERR_FILENO && fd <= INT32_MAX;
    bool is_read =
        is_number && pread((int)fd, heritage, sizeof(*heritage), 0) == (ssize_t)sizeof(*heritage);
    (void)unsetenv(VARIABLE); /* the name is a name */
    if (!is_read || !is_whole(heritage) || flags_set(heritage, true))
        return HERITAGE_BAD;
    (void)close((int)fd); /* it is read */
    return HERITAGE_TAKEN;
}
