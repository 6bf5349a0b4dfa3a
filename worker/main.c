/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leveret-worker: the lane of the front on one side, RabbitMQ on the other. The supervisor starts
 * it with one descriptor to speak over, LEVERET_CONTROL_FD, and tells it everything else over that.
 * With `--version` it says its own and ends: the rehearsal of an upgrade sees that it can be
 * executed at all. With `--try-io-uring` it ends with 0 where io_uring can be set up, else with the
 * errno of what refuses it.
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

static int loop_try(enum io io, struct loop **loop)
{
    struct loop_config config = LOOP_CONFIG_DEFAULT;
    config.io = io;
    return loop_new(loop, &config);
}

static int try_io_uring(void)
{
    struct loop *loop = NULL;
    int error = loop_try(IO_URING, &loop);
    loop_free(loop);
    return -error;
}

static struct loop *loop_make(enum io io)
{
    struct loop *loop;
    int error = loop_try(io, &loop);
    if (error)
        log_fatal("io", "reason=\"%s\"", loop_explain(error));
    return loop;
}

/* What the loop waits on stands in the first message, and on the loop it is waited for: so it is
 * looked at before there is one. Zeroes, when there is none: orders.c hears what is wrong. */
static struct control_message look_ahead(void)
{
    struct control_message first;
    if (control_await(LEVERET_CONTROL_FD, &first) != CONTROL_OK)
        return (struct control_message){0};
    return first;
}

int main(int argc, char **argv)
{
    static struct orders orders;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("leveret-worker " LEVERET_VERSION) < 0;
    if (argc == 2 && strcmp(argv[1], "--try-io-uring") == 0)
        return try_io_uring();
    signals_ignore();
    /* executed by descriptor, whose number some kernels take for a name */
    (void)prctl(PR_SET_NAME, "leveret-worker"); /* it is short enough */
    last_words_prepare(LEVERET_LAST_WORDS_FD);
    log_to(LEVERET_LOG_FD);
    const struct control_message first = look_ahead();
    log_open("worker", LOG_INFO, (enum log_format)first.log_format);
    struct loop *loop = loop_make((enum io)first.io);
    if (orders_init(&orders, loop, LEVERET_CONTROL_FD) != 0)
        log_fatal("memory", "there is none even for the control socket");
    for (;;) {
        uint64_t wanted_ns = orders_turn(&orders);
        if (orders_are_done(&orders))
            break;
        uint64_t log_ns = log_turn(loop_now_ns(loop));
        int error = loop_turn(loop, log_ns < wanted_ns ? log_ns : wanted_ns);
        if (error)
            log_fatal("io", "reason=\"%s\": the loop is broken", strerror(-error));
    }
    log_line(LOG_INFO, "leaving", "status=0");
    log_close();
    return 0;
}
