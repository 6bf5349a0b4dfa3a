/* SPDX-License-Identifier: Apache-2.0 */
#include "visitors.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "dice.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"

enum { N_STALLED = 4, PAUSE_MS = 80, WAIT_MS = 60, PIECE = 32768 };

struct visitors {
    uint16_t port;
    struct dice dice;
    pthread_t thread;
    atomic_bool is_over;
    atomic_int n, n_vanished;
    struct raw_client stalled[N_STALLED]; /* fd 0: none */
};

static void leave(struct visitors *visitors, struct raw_client *client)
{
    if (dice_between(&visitors->dice, 0, 1) == 0)
        raw_client_close(client);
    else
        raw_client_reset(client);
}

static void break_off(struct visitors *visitors, const char *text)
{
    struct raw_client client;
    if (!raw_client_reach(&client, visitors->port))
        return;
    (void)raw_client_say(&client, text); /* if it is closed already, so much the better */
    leave(visitors, &client);
}

static void break_off_in_head(struct visitors *visitors)
{
    break_off(visitors, "POST /kept HTTP/1.1\r\nHost: a\r\nContent-Le");
}

/* Were it published, the books of the queue would find a message that nobody sent. */
static void break_off_in_body(struct visitors *visitors)
{
    break_off(visitors, "POST /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf a mess");
}

/* Waits less long than it takes, mostly. */
static void leave_while_waiting(struct visitors *visitors)
{
    struct raw_client client;
    if (!raw_client_reach(&client, visitors->port))
        return;
    if (raw_client_say(&client, "GET /visited HTTP/1.1\r\nHost: a\r\n\r\n")) {
        struct pollfd come = {.fd = client.fd, .events = POLLIN};
        (void)poll(&come, 1, (int)dice_between(&visitors->dice, 0, WAIT_MS)); /* or not */
        (void)atomic_fetch_add(&visitors->n_vanished, 1);
    }
    leave(visitors, &client);
}

/* Reads the beginning of a large answer. False when there was none. */
static bool begin_large(struct visitors *visitors, struct raw_client *client)
{
    static char piece[PIECE];
    if (!raw_client_reach_narrow(client, visitors->port))
        return false;
    if (raw_client_say(client, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n") &&
        raw_client_read(client, "\r\n\r\n", piece, sizeof piece, deadline_in_ms(WAIT_MS)) &&
        strncmp(piece, "HTTP/1.1 200", 12) == 0)
        return true;
    raw_client_close(client);
    return false;
}

static void leave_in_the_middle(struct visitors *visitors)
{
    struct raw_client client;
    if (begin_large(visitors, &client))
        leave(visitors, &client);
}

static void stop_reading(struct visitors *visitors)
{
    struct raw_client *place = &visitors->stalled[dice_between(&visitors->dice, 0, N_STALLED - 1)];
    if (place->fd != 0)
        leave(visitors, place);
    *place = (struct raw_client){0};
    struct raw_client client;
    if (begin_large(visitors, &client))
        *place = client;
}

static void *visit(void *context)
{
    static void (*const ways[])(struct visitors *) = {
        break_off_in_head,
        break_off_in_body,
        leave_while_waiting,
        leave_while_waiting,
        leave_in_the_middle,
        stop_reading,
    };
    struct visitors *visitors = context;
    while (!atomic_load(&visitors->is_over)) {
        ways[dice_between(&visitors->dice, 0, sizeof ways / sizeof ways[0] - 1)](visitors);
        (void)atomic_fetch_add(&visitors->n, 1);
        (void)poll(NULL, 0, PAUSE_MS); /* between two visits; nothing to learn from it */
    }
    for (int i = 0; i < N_STALLED; i++)
        if (visitors->stalled[i].fd != 0)
            leave(visitors, &visitors->stalled[i]);
    return NULL;
}

struct visitors *visitors_begin(uint16_t port, uint64_t seed)
{
    struct visitors *visitors = calloc(1, sizeof *visitors);
    require(visitors != NULL, "no memory");
    visitors->port = port;
    visitors->dice.state = seed;
    require(pthread_create(&visitors->thread, NULL, visit, visitors) == 0, "pthread_create");
    return visitors;
}

void visitors_end(struct visitors *visitors)
{
    atomic_store(&visitors->is_over, true);
    require(pthread_join(visitors->thread, NULL) == 0, "pthread_join");
}

void visitors_count(const struct visitors *visitors, struct visitors_count *count)
{
    count->n = atomic_load(&visitors->n);
    count->n_vanished = atomic_load(&visitors->n_vanished);
}

void visitors_free(struct visitors *visitors)
{
    free(visitors);
}
