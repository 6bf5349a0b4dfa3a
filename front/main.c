/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leveret-front: HTTP on one side, the lanes of the workers on the other. The supervisor starts it
 * with one descriptor to speak over, LEVERET_CONTROL_FD, and tells it everything else over that.
 * With `--version` it says its own and ends: the rehearsal of an upgrade sees that it can be
 * executed at all.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "shm/control.h"
#include "shm/last_words.h"
#include "shm/log.h"

#include "front.h"
#include "heap.h"

/* A terminal sends its signals to the supervisor's whole group; the supervisor alone decides. */
static void signals_ignore(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_IGN); /* known signals: cannot fail */
}

static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_line(LOG_WARN, "descriptors", "reason=\"%s\": the limit stays low, accepting may pause",
            strerror(errno));
}

int main(int argc, char **argv)
{
    static struct front front;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("leveret-front " LEVERET_VERSION) < 0;
    heap_settle();
    signals_ignore();
    /* executed by descriptor, whose number some kernels take for a name */
    (void)prctl(PR_SET_NAME, "leveret-front"); /* it is short enough */
    last_words_prepare(LEVERET_LAST_WORDS_FD);
    log_to(LEVERET_LOG_FD);
    log_open("front", LOG_INFO, LOG_TEXT);
    descriptors_raise();
    if (loop_init(&front.loop, 1) != 0)
        log_fatal("memory", "there is none even for a loop");
    orders_init(&front.orders, &front, LEVERET_CONTROL_FD);
    while (!orders_are_done(&front.orders))
        loop_turn(&front.loop);
    log_line(LOG_INFO, "leaving", "connections=%u", front.connections.n_open);
    log_close();
    return 0;
}
