/* SPDX-License-Identifier: Apache-2.0 */
#include "murmur.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "shm/log.h"

enum { READ_BYTES = 4096, MOST_READS = 64 };

void murmur_init(struct murmur *murmur)
{
    *murmur = (struct murmur){.fd = -1};
}

int murmur_open(struct murmur *murmur, int *theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    *murmur = (struct murmur){.fd = ends[0]};
    *theirs = ends[1];
    return 0;
}

static void say(struct murmur *murmur, const char *child)
{
    murmur->line[murmur->n] = '\0';
    if (murmur->n)
        log_often(LOG_WARN, "child-says", child, "child=\"%s\" text=\"%s\"", child, murmur->line);
    murmur->n = 0;
}

/* A NUL would end the text early. */
static void take(struct murmur *murmur, char c, const char *child)
{
    if (c != '\n')
        murmur->line[murmur->n++] = c ? c : '?';
    if (c == '\n' || murmur->n == MURMUR_LINE_BYTES)
        say(murmur, child);
}

static bool hear(struct murmur *murmur, const char *child)
{
    char bytes[READ_BYTES];
    ssize_t n = read(murmur->fd, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < n; i++)
        take(murmur, bytes[i], child);
    return n > 0;
}

void murmur_hear(struct murmur *murmur, const char *child)
{
    if (murmur->fd >= 0 && !hear(murmur, child) && errno != EAGAIN)
        murmur_end(murmur, child);
}

/* Bounded, in case that somebody else has got hold of the pipe. */
void murmur_end(struct murmur *murmur, const char *child)
{
    if (murmur->fd < 0)
        return;
    for (int i = 0; i < MOST_READS && hear(murmur, child); i++)
        ;
    say(murmur, child);
    murmur_done(murmur);
}

void murmur_done(struct murmur *murmur)
{
    cleanup_fd(&murmur->fd);
    murmur->fd = -1;
}
