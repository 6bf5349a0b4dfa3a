/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <stdio.h>
#include "tests/support/require.h"

enum {
    TIMEOUT_MS = 2000,    /* of the endpoints, in soak.json */
    SLACK_MS = 8000,      /* of a machine that is slow and busy */
    ACK_SLACK_MS = 10000, /* from a delivery to its ack, or from an ack to the broker's disk */
};

static const struct plan {
    const char *name, *path;
    int n_posting, post_pause_ms, n_getting, get_pause_ms; /* connections; paces */
    size_t max_body;
    bool is_volatile;
} plans[TRAFFIC_N] = {
    [TRAFFIC_CLASSIC] = {"classic", "/classic", 8, 10, 8, 8, 65536, false},
    [TRAFFIC_QUORUM] = {"quorum", "/quorum", 8, 10, 8, 8, 16384, false},
    [TRAFFIC_KEPT] = {"kept", "/kept", 8, 10, 0, 0, 4096, false},
    [TRAFFIC_DELETED] = {"deleted", "/deleted", 4, 25, 4, 20, 0, true},
    [TRAFFIC_VISITED] = {"visited", "/visited", 4, 20, 4, 25, 0, false},
};

const char *traffic_name(int line)
{
    return plans[line].name;
}

/* Every request that a front has begun to read is answered in time; who waited for a front may not
 * be answered at all, or late by another one. */
static void on_end(
    void *context, uint64_t from_ns, uint64_t to_ns, const struct http_answer *answer)
{
    struct traffic *traffic = context;
    bool is_late = to_ns - from_ns > (TIMEOUT_MS + SLACK_MS) * CLOCK_MS;
    if ((answer->status != 0 && !is_late) ||
        trouble_was(traffic->trouble, TROUBLE_FRONT, from_ns, to_ns))
        return;
    if (atomic_fetch_add(&traffic->n_overdue, 1) == 0)
        (void)snprintf(traffic->first_overdue, sizeof traffic->first_overdue,
            "%d after %llu ms: %s", answer->status,
            (unsigned long long)((to_ns - from_ns) / CLOCK_MS), answer->failure);
}

static void begin_line(struct traffic *traffic, const struct scene *scene, const struct plan *plan,
    struct traffic_line *line)
{
    ledger_init(&line->ledger, plan->max_body);
    line->ledger.on_end = on_end;
    line->ledger.context = traffic;
    line->posts = ledger_posts(&line->ledger, scene, plan->path, plan->n_posting);
    line->posts.pause_ns = (uint64_t)plan->post_pause_ms * CLOCK_MS;
    line->gets = ledger_gets(&line->ledger, scene, plan->path, plan->n_getting);
    line->gets.pause_ns = (uint64_t)plan->get_pause_ms * CLOCK_MS;
    line->posting = load_begin(&line->posts);
    if (plan->n_getting > 0)
        line->getting = load_begin(&line->gets);
}

void traffic_begin(struct traffic *traffic, const struct scene *scene, struct trouble *trouble)
{
    *traffic = (struct traffic){.trouble = trouble};
    for (int i = 0; i < TRAFFIC_N; i++)
        begin_line(traffic, scene, &plans[i], &traffic->lines[i]);
}

void traffic_end(struct traffic *traffic)
{
    for (int i = 0; i < TRAFFIC_N; i++) {
        load_finish(traffic->lines[i].posting);
        if (traffic->lines[i].getting != NULL)
            load_finish(traffic->lines[i].getting);
    }
    for (int i = 0; i < TRAFFIC_N; i++) {
        load_end(traffic->lines[i].posting);
        if (traffic->lines[i].getting != NULL)
            load_end(traffic->lines[i].getting);
    }
}

void traffic_drain(struct traffic *traffic, struct amqp_client *amqp)
{
    for (int i = 0; i < TRAFFIC_N; i++)
        if (amqp_client_depth(amqp, plans[i].name) >= 0) /* or it was deleted last */
            ledger_drain(&traffic->lines[i].ledger, amqp, plans[i].name);
}

static bool may_come_again(void *context, uint64_t delivered_ns)
{
    struct trouble *trouble = context;
    return trouble_was(trouble, TROUBLE_ACKS, delivered_ns - ACK_SLACK_MS * CLOCK_MS,
        delivered_ns + ACK_SLACK_MS * CLOCK_MS);
}

/* Every answer has one of these codes, and 422 only where there was no queue for a while. 502 is
 * rare: a queue that comes up may refuse what it is not ready for. */
static int n_odd(const struct ledger *ledger, const struct plan *plan)
{
    int n = 0;
    for (int status = 0; status < LEDGER_N_STATUSES; status++) {
        bool is_fault = status == 0 || status == 503;
        bool is_known_post = is_fault || status == 200 || status == 502 || status == 504 ||
                             (status == 422 && plan->is_volatile);
        bool is_known_get = is_fault || status == 200 || status == 204;
        n += is_known_post ? 0 : ledger->n_posts[status];
        n += is_known_get ? 0 : ledger->n_gets[status];
    }
    return n;
}

static bool close_line(struct traffic_line *line, const struct plan *plan)
{
    const struct ledger *ledger = &line->ledger;
    const struct ledger_verdict *v = &line->verdict;
    int n_strangers = n_odd(ledger, plan);
    (void)printf("  %-8s %7d %7d %6d %5d %5d %5d │ %7d %6d %5d %5d │ %6d %5d %5d │ %d\n",
        plan->name, ledger->n, ledger->n_posts[200], ledger->n_posts[503], ledger->n_posts[422],
        ledger->n_posts[504], ledger->n_posts[0], ledger->n_gets[200], ledger->n_gets[204],
        ledger->n_gets[503], ledger->n_gets[0], v->n_again, v->n_cut, v->n_taken,
        v->n_lost + v->n_untrue + v->n_doubled + v->n_misnamed + v->n_strange);
    if (!ledger_is_true(v))
        (void)printf("  UNTRUE: lost %d, refused and there %d, doubled %d, misnamed %d, strange %d;"
                     " first: %s\n",
            v->n_lost, v->n_untrue, v->n_doubled, v->n_misnamed, v->n_strange, v->first);
    if (n_strangers > 0)
        (void)printf("  UNTRUE: %d answers with another status than these\n", n_strangers);
    return ledger_is_true(v) && n_strangers == 0;
}

bool traffic_close(struct traffic *traffic, int n_vanished)
{
    bool is_true = true;
    (void)printf("\n  %-8s %7s %7s %6s %5s %5s %5s │ %7s %6s %5s %5s │ %6s %5s %5s │ untrue\n",
        "queue", "POSTs", "200", "503", "422", "504", "none", "GETs: 200", "204", "503", "none",
        "again", "cut", "taken");
    for (int i = 0; i < TRAFFIC_N; i++) {
        struct traffic_line *line = &traffic->lines[i];
        ledger_close(&line->ledger,
            &(struct ledger_rules){.is_volatile = plans[i].is_volatile,
                .n_vanished = i == TRAFFIC_VISITED ? n_vanished : 0,
                .may_come_again = may_come_again,
                .context = traffic->trouble},
            &line->verdict);
        is_true = close_line(line, &plans[i]) && is_true;
    }
    int n_overdue = atomic_load(&traffic->n_overdue);
    if (n_overdue > 0)
        (void)printf("  OVERDUE: %d requests without an answer in time, and the front was there;"
                     " first %s\n",
            n_overdue, traffic->first_overdue);
    return is_true && n_overdue == 0;
}

void traffic_done(struct traffic *traffic)
{
    for (int i = 0; i < TRAFFIC_N; i++)
        ledger_done(&traffic->lines[i].ledger);
}

static int count_line(struct ledger *ledger, int status)
{
    if (status != TRAFFIC_ALL)
        return ledger_n_posts(ledger, status) + ledger_n_gets(ledger, status);
    return atomic_load(&ledger->n_answered);
}

int traffic_count(struct traffic *traffic, int status)
{
    int n = 0;
    for (int i = 0; i < TRAFFIC_N; i++)
        n += count_line(&traffic->lines[i].ledger, status);
    return n;
}
