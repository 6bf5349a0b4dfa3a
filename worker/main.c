/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leveret-worker: the lane of the front on one side, RabbitMQ on the other. The supervisor starts
 * it with one descriptor to speak over, LEVERET_CONTROL_FD, and tells it everything else over that.
 * With `--version` it says its own and ends: the rehearsal of an upgrade sees that it can be
 * executed at all.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "shm/control.h"
#include "shm/last_words.h"
#include "shm/log.h"

#include "loop.h"
#include "orders.h"

/* A terminal sends its signals to the supervisor's whole group; the supervisor alone decides. */
static void signals_ignore(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_IGN); /* known signals: cannot fail */
}

static struct loop *loop_make(void)
{
    struct loop *loop;
    int error = loop_new(&loop, &LOOP_CONFIG_DEFAULT);
    if (error)
        log_fatal("io", "%s", loop_explain(error));
    return loop;
}

int main(int argc, char **argv)
{
    static struct orders orders;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("leveret-worker " LEVERET_VERSION) < 0;
    signals_ignore();
    /* executed by descriptor, whose number some kernels take for a name */
    (void)prctl(PR_SET_NAME, "leveret-worker"); /* it is short enough */
    last_words_prepare(LEVERET_LAST_WORDS_FD);
    log_open("worker", LOG_INFO, LOG_TEXT);
    struct loop *loop = loop_make();
    if (orders_init(&orders, loop, LEVERET_CONTROL_FD) != 0)
        log_fatal("memory", "not even for the control socket");
    for (;;) {
        uint64_t wanted_ns = orders_turn(&orders);
        if (orders_are_done(&orders))
            break;
        int error = loop_turn(loop, wanted_ns);
        if (error)
            log_fatal("io", "the loop is broken: %s", strerror(-error));
    }
    log_line(LOG_INFO, "leaving", "status=0");
    return 0;
}
