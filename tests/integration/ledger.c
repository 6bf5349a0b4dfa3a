/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/require.h"

enum { GIVE_BACK_MS = 500 }; /* for messages on their way back to the queue */

void ledger_init(struct ledger *ledger, int n)
{
    *ledger = (struct ledger){.n = n};
    ledger->bodies = calloc((size_t)n, sizeof *ledger->bodies);
    ledger->statuses = calloc((size_t)n, sizeof *ledger->statuses);
    ledger->n_seen = calloc((size_t)n, sizeof *ledger->n_seen);
    require(
        ledger->bodies != NULL && ledger->statuses != NULL && ledger->n_seen != NULL, "no memory");
    for (int i = 0; i < n; i++) {
        (void)snprintf(ledger->bodies[i], sizeof ledger->bodies[i], "message %d", i);
        ledger->statuses[i] = -1;
    }
}

void ledger_done(struct ledger *ledger)
{
    free(ledger->url);
    free(ledger->bodies);
    free(ledger->statuses);
    free(ledger->n_seen);
    *ledger = (struct ledger){0};
}

static void on_post(void *context, int i, struct http_request *request)
{
    const struct ledger *ledger = context;
    *request = (struct http_request){.method = "POST",
        .url = ledger->url,
        .body = ledger->bodies[i],
        .body_bytes = strlen(ledger->bodies[i])};
}

static void on_get(void *context, int i, struct http_request *request)
{
    const struct ledger *ledger = context;
    *request = (struct http_request){.url = ledger->url};
}

static void note_seen(struct ledger *ledger, const char *body, size_t length)
{
    char text[32] = "";
    int i = -1;
    if (length < sizeof text)
        memcpy(text, body, length);
    if (sscanf(text, "message %d", &i) == 1 && i >= 0 && i < ledger->n)
        ledger->n_seen[i]++;
    else
        ledger->n_strange++;
}

static void on_posted(void *context, int i, const struct http_answer *answer)
{
    struct ledger *ledger = context;
    ledger->statuses[i] = answer->status;
    if (answer->status == 0)
        (void)fprintf(stderr, "POST %d: %s\n", i, answer->failure);
    (void)atomic_fetch_add(&ledger->n_answered, 1);
}

static void on_got(void *context, int i, const struct http_answer *answer)
{
    struct ledger *ledger = context;
    ledger->statuses[i] = answer->status;
    if (answer->status == 0)
        (void)fprintf(stderr, "GET %d: %s\n", i, answer->failure);
    if (answer->status == 200)
        note_seen(ledger, answer->body, answer->body_bytes);
    (void)atomic_fetch_add(&ledger->n_answered, 1);
}

static struct load load_of(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections)
{
    free(ledger->url);
    ledger->url = format_text("%s%s", scene->sidecar.url, path);
    atomic_store(&ledger->n_answered, 0);
    return (struct load){
        .n_connections = n_connections, .n_requests = ledger->n, .context = ledger};
}

struct load ledger_posts(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections)
{
    struct load load = load_of(ledger, scene, path, n_connections);
    load.on_request = on_post;
    load.on_answer = on_posted;
    return load;
}

struct load ledger_gets(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections)
{
    struct load load = load_of(ledger, scene, path, n_connections);
    load.on_request = on_get;
    load.on_answer = on_got;
    return load;
}

void ledger_drain(struct ledger *ledger, struct amqp_client *amqp, const char *queue)
{
    struct amqp_received received;
    while (amqp_client_get(amqp, queue, &received) ||
           amqp_client_take(amqp, queue, GIVE_BACK_MS, &received)) {
        note_seen(ledger, received.message.body.bytes, received.message.body.len);
        amqp_received_done(&received);
    }
}

int ledger_count(const struct ledger *ledger, int status)
{
    int n = 0;
    for (int i = 0; i < ledger->n; i++)
        n += ledger->statuses[i] == status;
    return n;
}
