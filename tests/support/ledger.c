/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/require.h"

enum {
    GIVE_BACK_MS = 500, /* for messages on their way back to the queue */
    BLOCK = 4096,
    MAX_BLOCKS = 1024,
    SMALL_BODY = 32,
};

void ledger_init(struct ledger *ledger, size_t max_body)
{
    *ledger = (struct ledger){.max_body = max_body, .lock = PTHREAD_MUTEX_INITIALIZER};
    ledger->blocks = calloc(MAX_BLOCKS, sizeof(*ledger->blocks));
    require(ledger->blocks != NULL, "no memory");
}

void ledger_done(struct ledger *ledger)
{
    for (int i = 0; ledger->blocks != NULL && i < MAX_BLOCKS; i++)
        free(ledger->blocks[i]);
    free(ledger->blocks);
    free(ledger->post_url);
    free(ledger->get_url);
    *ledger = (struct ledger){0};
}

/* They stay where they are while others are added. */
static struct ledger_entry *entry_of(const struct ledger *ledger, int i)
{
    return &ledger->blocks[i / BLOCK][i % BLOCK];
}

static struct ledger_entry *entry_new(struct ledger *ledger)
{
    int i = ledger->n++;
    require(i / BLOCK < MAX_BLOCKS, "the ledger is full");
    struct ledger_entry **block = &ledger->blocks[i / BLOCK];
    if (*block == NULL)
        *block = calloc(BLOCK, sizeof(**block));
    require(*block != NULL, "no memory");
    entry_of(ledger, i)->status = LEDGER_UNASKED;
    return entry_of(ledger, i);
}

/* Most are small, some have every size up to the largest. */
static size_t body_bytes(const struct ledger *ledger, int i)
{
    uint32_t mixed = (uint32_t)i * UINT32_C(2654435761);
    if (ledger->max_body <= SMALL_BODY || mixed >> 29 != 0)
        return SMALL_BODY;
    return SMALL_BODY + (mixed >> 3) % (ledger->max_body - SMALL_BODY + 1);
}

static char letter(int i, size_t at)
{
    return (char)('a' + ((size_t)i + at) % 26);
}

static char *body_of(const struct ledger *ledger, int i)
{
    size_t n = body_bytes(ledger, i);
    char *body = malloc(n + 1);
    require(body != NULL, "no memory");
    size_t head = (size_t)snprintf(body, n + 1, "message %d ", i);
    for (size_t at = head; at < n; at++)
        body[at] = letter(i, at);
    return body;
}

/* The number of the message that has this body, -1 when none has. */
static int number_of(const struct ledger *ledger, const char *body, size_t n)
{
    char head[SMALL_BODY] = "";
    int i = -1, head_bytes = 0;
    memcpy(head, body, n < sizeof head ? n : sizeof head - 1);
    if (sscanf(head, "message %d %n", &i, &head_bytes) != 1 || i < 0 || i >= ledger->n ||
        n != body_bytes(ledger, i))
        return -1;
    for (size_t at = (size_t)head_bytes; at < n; at++)
        if (body[at] != letter(i, at))
            return -1;
    return i;
}

static void on_post(void *context, int i, struct http_request *request)
{
    struct ledger *ledger = context;
    (void)pthread_mutex_lock(&ledger->lock); /* of this kind it cannot fail */
    struct ledger_entry *entry = entry_new(ledger);
    (void)pthread_mutex_unlock(&ledger->lock); /* likewise */
    entry->body = body_of(ledger, i);
    *request = (struct http_request){.method = "POST",
        .url = ledger->post_url,
        .body = entry->body,
        .body_bytes = body_bytes(ledger, i)};
}

static void on_get(void *context, int i, struct http_request *request)
{
    const struct ledger *ledger = context;
    *request = (struct http_request){.url = ledger->get_url};
}

static void note_answer(
    struct ledger *ledger, int counts[LEDGER_N_STATUSES], const struct http_answer *answer)
{
    require(answer->status >= 0 && answer->status < LEDGER_N_STATUSES, "%d", answer->status);
    counts[answer->status]++;
    uint64_t now_ns = clock_now_ns();
    if (ledger->on_end != NULL)
        ledger->on_end(ledger->context, now_ns - answer->elapsed_ns, now_ns, answer);
    (void)atomic_fetch_add(&ledger->n_answered, 1);
}

/* A header of a 200, a member of a problem. */
static void note_id(struct ledger_entry *entry, const struct http_answer *answer)
{
    static const char member[] = "\"message_id\":\"";
    const char *at;
    if (http_header(answer, "X-Message-Id", entry->id, sizeof entry->id) != NULL)
        return;
    if ((at = strstr(answer->body, member)) != NULL)
        (void)snprintf(entry->id, sizeof entry->id, "%.*s", (int)strcspn(at + strlen(member), "\""),
            at + strlen(member));
}

static void on_posted(void *context, int i, const struct http_answer *answer)
{
    struct ledger *ledger = context;
    (void)pthread_mutex_lock(&ledger->lock); /* cannot fail */
    struct ledger_entry *entry = entry_of(ledger, i);
    entry->status = answer->status;
    note_id(entry, answer);
    free(entry->body);
    entry->body = NULL;
    note_answer(ledger, ledger->n_posts, answer);
    (void)pthread_mutex_unlock(&ledger->lock); /* likewise */
}

/* libcurl has put what came into the body, also of an answer without an end. */
static void note_delivery(struct ledger *ledger, const struct http_answer *answer)
{
    int i = number_of(ledger, answer->body, answer->body_bytes);
    struct ledger_entry *entry = i < 0 ? NULL : entry_of(ledger, i);
    if (answer->status == 200 && entry == NULL)
        ledger->n_strange++;
    if (entry == NULL)
        return;
    if (entry->n_delivered == 0)
        entry->delivered_ns = clock_now_ns();
    entry->n_delivered += answer->status == 200;
    entry->n_cut += answer->status == 0;
}

static void on_got(void *context, int i, const struct http_answer *answer)
{
    struct ledger *ledger = context;
    (void)pthread_mutex_lock(&ledger->lock); /* cannot fail */
    if (answer->status == 200 || answer->status == 0)
        note_delivery(ledger, answer);
    note_answer(ledger, ledger->n_gets, answer);
    (void)pthread_mutex_unlock(&ledger->lock); /* likewise */
}

static void aim(char **url, const struct scene *scene, const char *path)
{
    free(*url);
    *url = format_text("%s%s", scene->sidecar.url, path);
}

struct load ledger_posts(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections)
{
    require(ledger->n == 0, "a second load of POSTs in one ledger");
    aim(&ledger->post_url, scene, path);
    return (struct load){.n_connections = n_connections,
        .on_request = on_post,
        .on_answer = on_posted,
        .context = ledger};
}

struct load ledger_gets(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections)
{
    aim(&ledger->get_url, scene, path);
    atomic_store(&ledger->n_answered, 0);
    return (struct load){.n_connections = n_connections,
        .on_request = on_get,
        .on_answer = on_got,
        .context = ledger};
}

static bool has_id(const struct amqp_received *received, const char *id)
{
    const amqp_basic_properties_t *properties = &received->message.properties;
    return (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0 &&
           amqp_is_text(properties->message_id, id);
}

static void note_queued(struct ledger *ledger, const struct amqp_received *received)
{
    int i = number_of(ledger, received->message.body.bytes, received->message.body.len);
    if (i < 0) {
        ledger->n_strange++;
        return;
    }
    struct ledger_entry *entry = entry_of(ledger, i);
    entry->n_queued++;
    entry->is_misnamed |= entry->id[0] != '\0' && !has_id(received, entry->id);
}

void ledger_drain(struct ledger *ledger, struct amqp_client *amqp, const char *queue)
{
    struct amqp_received received;
    while (amqp_client_get(amqp, queue, &received) ||
           amqp_client_take(amqp, queue, GIVE_BACK_MS, &received)) {
        note_queued(ledger, &received);
        amqp_received_done(&received);
    }
}

static int read_count(struct ledger *ledger, const int *count)
{
    (void)pthread_mutex_lock(&ledger->lock); /* cannot fail */
    int n = *count;
    (void)pthread_mutex_unlock(&ledger->lock); /* likewise */
    return n;
}

int ledger_n_posts(struct ledger *ledger, int status)
{
    return read_count(ledger, &ledger->n_posts[status]);
}

int ledger_n_gets(struct ledger *ledger, int status)
{
    return read_count(ledger, &ledger->n_gets[status]);
}

int ledger_n_seen(const struct ledger *ledger, int i)
{
    const struct ledger_entry *entry = entry_of(ledger, i);
    return entry->n_delivered + entry->n_queued;
}

int ledger_status(const struct ledger *ledger, int i)
{
    return entry_of(ledger, i)->status;
}

__attribute__((format(printf, 3, 4))) static void blame(
    struct ledger_verdict *verdict, int *count, const char *format, ...)
{
    ++*count;
    if (verdict->first[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->first, sizeof verdict->first, format, arguments);
    va_end(arguments);
}

static bool may_come_again(const struct ledger_rules *rules, const struct ledger_entry *entry)
{
    return entry->n_delivered > 0 && rules->may_come_again != NULL &&
           rules->may_come_again(rules->context, entry->delivered_ns);
}

static void judge(int i, const struct ledger_entry *entry, const struct ledger_rules *rules,
    struct ledger_verdict *verdict)
{
    int status = entry->status, n = entry->n_delivered + entry->n_queued;
    bool is_stored = status >= 200 && status < 300;
    bool is_refused = status == 503 || (status >= 400 && status < 500);
    if (is_stored && n == 0 && entry->n_cut > 0)
        verdict->n_cut++;
    else if (is_stored && n == 0 && verdict->n_taken < rules->n_vanished)
        verdict->n_taken++;
    else if (is_stored && n == 0 && !rules->is_volatile)
        blame(verdict, &verdict->n_lost, "message %d (%s): %d, and nowhere", i, entry->id, status);
    if (is_refused && n + entry->n_cut > 0)
        blame(verdict, &verdict->n_untrue, "message %d: %d, and seen %d times", i, status, n);
    if (n > 1 && may_come_again(rules, entry))
        verdict->n_again++;
    else if (n > 1)
        blame(verdict, &verdict->n_doubled, "message %d: %d, delivered %d times, queued %d times",
            i, status, entry->n_delivered, entry->n_queued);
    if (entry->is_misnamed)
        blame(verdict, &verdict->n_misnamed, "message %d is not %s", i, entry->id);
    verdict->n_unknown += !is_stored && !is_refused;
}

void ledger_close(
    struct ledger *ledger, const struct ledger_rules *rules, struct ledger_verdict *verdict)
{
    *verdict = (struct ledger_verdict){0};
    for (int i = 0; i < ledger->n; i++)
        judge(i, entry_of(ledger, i), rules, verdict);
    while (verdict->n_strange < ledger->n_strange)
        blame(verdict, &verdict->n_strange, "%d messages that nobody sent", ledger->n_strange);
}

bool ledger_is_true(const struct ledger_verdict *verdict)
{
    return verdict->n_lost + verdict->n_untrue + verdict->n_doubled + verdict->n_misnamed +
               verdict->n_strange ==
           0;
}
