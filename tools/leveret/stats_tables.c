/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_tables.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "units.h"

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

/* A row in the making. */
struct filling {
    struct table *table;
    struct node page;
    bool is_live;
};

/* ---- parts of a row ------------------------------------------------------------------------- */

static void put_number(
    const struct filling *filling, enum table_tone tone, struct units_text number)
{
    table_cell(filling->table, tone, "%s", number.text);
}

/* How many there were, or how many there are in a second. */
static struct units_text amount(const struct filling *filling, struct node node, const char *name)
{
    return filling->is_live ? units_rate(node_rate(node, name))
                            : units_count(node_figure(node, name));
}

static double amount_of(const struct filling *filling, struct node node, const char *name)
{
    return filling->is_live ? node_rate(node, name) : node_figure(node, name);
}

/* "confirmed 17, returned 1": what there is of everything. */
struct notes {
    char text[512]; /* cut when it is too long */
    size_t n;
};

static void note(struct notes *notes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct notes *notes, const char *format, ...)
{
    va_list args;
    size_t left = sizeof(notes->text) - notes->n;
    if (notes->n > 0)
        notes->n += (size_t)snprintf(notes->text + notes->n, left, ", ");
    left = notes->n < sizeof(notes->text) ? sizeof(notes->text) - notes->n : 0;
    va_start(args, format);
    if (left > 0)
        notes->n += (size_t)vsnprintf(notes->text + notes->n, left, format, args);
    va_end(args);
    if (notes->n >= sizeof(notes->text))
        notes->n = sizeof(notes->text) - 1;
}

/* Unless it is nothing. */
static void note_amount(
    const struct filling *filling, struct notes *notes, struct node node, const char *name)
{
    if (amount_of(filling, node, name) > 0)
        note(notes, "%s %s", name, amount(filling, node, name).text);
}

static void note_figure(struct notes *notes, struct node node, const char *name, const char *words)
{
    double figure = node_figure(node, name);
    if (figure > 0)
        note(notes, "%s %s", words, units_count(figure).text);
}

/* Each member of an object that is something. What is rare, and bad, stands last in the page, and is
 * to be seen first. */
static void note_members(const struct filling *filling, struct notes *notes, struct node object)
{
    enum { MOST = 32 };
    const char *names[MOST], *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)object.now, name, value) if (n < MOST) names[n++] =
        name;
    while (n-- > 0)
        note_amount(filling, notes, object, names[n]);
}

/* ---- reasons -------------------------------------------------------------------------------- */

static const struct table_column reason_columns[] = {
    {.title = "REASON", .least = 16},
    {.title = "ENDPOINT", .least = 16, .may_shrink = true},
    {.title = "WHY", .least = 12, .may_shrink = true},
};

static void fill_reason(const struct filling *filling, struct node reason)
{
    const char *what = node_text(reason, "what"), *detail = node_text(reason, "detail");
    table_row(filling->table, 0);
    table_cell(filling->table, TONE_BAD, "%s", node_text(reason, "reason"));
    table_cell(filling->table, TONE_PLAIN, "%s", node_text(reason, "endpoint"));
    table_cell(filling->table, TONE_PLAIN, "%s%s%s", what, *what && *detail ? ": " : "", detail);
}

static void fill_reasons(const struct filling *filling)
{
    struct node list = node_member(node_member(filling->page, "service"), "reasons");
    for (size_t i = 0; i < node_n_elements(list); i++)
        fill_reason(filling, node_element(list, i, NULL));
}

/* ---- endpoints ------------------------------------------------------------------------------ */

enum { WIDE = 100 };

static const struct table_column endpoint_totals[] = {
    {.title = "ENDPOINT", .least = 16, .may_shrink = true},
    {.title = "REQUESTS", .least = 8, .is_number = true},
    {.title = "OPEN", .least = 4, .is_number = true},
    {.title = "P50", .least = 7, .is_number = true},
    {.title = "P99", .least = 7, .is_number = true},
    {.title = "MAX", .least = 7, .is_number = true, .from_width = WIDE},
    {.title = "BROKER P99", .least = 10, .is_number = true, .from_width = WIDE},
    {.title = "ANSWERS", .least = 12, .may_shrink = true},
};

static const struct table_column endpoint_rates[] = {
    {.title = "ENDPOINT", .least = 16, .may_shrink = true},
    {.title = "REQUESTS", .least = 8, .is_number = true},
    {.title = "OPEN", .least = 4, .is_number = true},
    {.title = "MEAN", .least = 7, .is_number = true},
    {.title = "P99", .least = 7, .is_number = true},
    {.title = "MAX", .least = 7, .is_number = true, .from_width = WIDE},
    {.title = "BROKER P99", .least = 10, .is_number = true, .from_width = WIDE},
    {.title = "ANSWERS", .least = 12, .may_shrink = true},
};

/* Live, the mean of what was answered since the page before; otherwise the median of all. */
static struct units_text middle(const struct filling *filling, struct node durations)
{
    if (!filling->is_live)
        return units_time(
            node_figure(durations, "count") > 0 ? node_figure(durations, "p50_ns") : NAN);
    double n = node_rate(durations, "count");
    return units_time(n > 0 ? node_rate(durations, "sum_ns") / n : NAN);
}

/* Of durations of which there are none, nothing is known. */
static struct units_text tail(struct node durations, const char *name)
{
    return units_time(node_figure(durations, "count") > 0 ? node_figure(durations, name) : NAN);
}

static enum table_tone tone_of_answers(const struct filling *filling, struct node answered)
{
    const char *code;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)answered.now, code,
        value) if (*code == '5' && amount_of(filling, answered, code) > 0) return filling->is_live
        ? TONE_BAD
        : TONE_WARNING;
    return TONE_PLAIN;
}

static const char *name_of_endpoint(struct node endpoint)
{
    const char *name = node_text(endpoint, "endpoint");
    return *name ? name : "(matched none)";
}

static void fill_endpoint(const struct filling *filling, struct node endpoint)
{
    struct node answered = node_member(endpoint, "answered");
    struct node latency = node_member(endpoint, "latency");
    struct node broker = node_member(node_member(endpoint, "stages"), "broker");
    struct notes notes = {0};
    note_members(filling, &notes, answered);
    note_amount(filling, &notes, endpoint, "abandoned");
    note_amount(filling, &notes, endpoint, "lost");
    table_row(filling->table, node_figure(endpoint, "accepted"));
    table_cell(filling->table, TONE_PLAIN, "%s", name_of_endpoint(endpoint));
    put_number(filling, TONE_PLAIN, amount(filling, endpoint, "accepted"));
    put_number(filling, TONE_PLAIN, units_count(node_figure(endpoint, "in_flight")));
    put_number(filling, TONE_PLAIN, middle(filling, latency));
    put_number(filling, TONE_PLAIN, tail(latency, "p99_ns"));
    put_number(filling, TONE_PLAIN, tail(latency, "max_ns"));
    put_number(filling, TONE_PLAIN, tail(broker, "p99_ns"));
    table_cell(filling->table, tone_of_answers(filling, answered), "%s", notes.text);
}

/* What is in every sidecar, and not in its file: the requests that matched none, and probes. */
static bool is_extra(struct node endpoint)
{
    const char *name = node_text(endpoint, "endpoint");
    return !*name || strcmp(name, "GET /__health") == 0;
}

static void fill_endpoints(const struct filling *filling)
{
    struct node list = node_member(filling->page, "endpoints");
    for (size_t i = 0; i < node_n_elements(list); i++) {
        struct node endpoint = node_element(list, i, "endpoint");
        if (!is_extra(endpoint) || node_figure(endpoint, "accepted") > 0)
            fill_endpoint(filling, endpoint);
    }
}

/* ---- backends ------------------------------------------------------------------------------- */

static const struct table_column backend_columns[] = {
    {.title = "ENDPOINT", .least = 16, .may_shrink = true, .from_width = WIDE},
    {.title = "BACKEND", .least = 16, .may_shrink = true},
    {.title = "ASKED", .least = 8, .is_number = true},
    {.title = "OPEN", .least = 4, .is_number = true},
    {.title = "CONFIRM P99", .least = 7, .is_number = true},
    {.title = "OUTCOMES", .least = 12, .may_shrink = true},
};

static void fill_backend(const struct filling *filling, struct node endpoint, struct node backend)
{
    bool is_refused = node_flag(backend, "refused");
    struct notes notes = {0};
    if (is_refused)
        note(&notes, "refused by the broker");
    note_members(filling, &notes, node_member(backend, "outcomes"));
    note_amount(filling, &notes, backend, "lost");
    table_row(filling->table, node_figure(backend, "asked"));
    table_cell(filling->table, TONE_QUIET, "%s", node_text(endpoint, "endpoint"));
    table_cell(filling->table, TONE_PLAIN, "%s", node_text(backend, "backend"));
    put_number(filling, TONE_PLAIN, amount(filling, backend, "asked"));
    put_number(filling, TONE_PLAIN, units_count(node_figure(backend, "in_flight")));
    put_number(filling, TONE_PLAIN, tail(node_member(backend, "confirm"), "p99_ns"));
    table_cell(filling->table, is_refused ? TONE_BAD : TONE_PLAIN, "%s", notes.text);
}

static void fill_backends(const struct filling *filling)
{
    struct node endpoints = node_member(filling->page, "endpoints");
    for (size_t i = 0; i < node_n_elements(endpoints); i++) {
        struct node endpoint = node_element(endpoints, i, "endpoint");
        struct node list = node_member(endpoint, "backends");
        for (size_t j = 0; j < node_n_elements(list); j++)
            fill_backend(filling, endpoint, node_element(list, j, "backend"));
    }
}

/* ---- connections ---------------------------------------------------------------------------- */

static const struct table_column connection_columns[] = {
    {.title = "BROKER", .least = 16, .may_shrink = true},
    {.title = "WORKER", .least = 6, .is_number = true},
    {.title = "USE", .least = 7, .may_shrink = true},
    {.title = "STATE", .least = 10},
    {.title = "FOR", .least = 7, .is_number = true},
    {.title = "UPS", .least = 3, .is_number = true, .from_width = WIDE},
    {.title = "FAILED", .least = 6, .is_number = true, .from_width = WIDE},
    {.title = "LAST ERROR", .least = 12, .may_shrink = true},
};

/* The good state of a thing, and one that is neither good nor bad; any other is bad. */
static enum table_tone tone_of_state(const char *state, const char *good, const char *neutral)
{
    if (strcmp(state, good) == 0)
        return TONE_GOOD;
    return strcmp(state, neutral) == 0 ? TONE_QUIET : TONE_BAD;
}

static void fill_connection(
    const struct filling *filling, struct node worker, struct node connection)
{
    const char *state = node_text(connection, "state"), *queue = node_text(connection, "queue");
    bool is_blocked = node_flag(connection, "blocked");
    enum table_tone tone = is_blocked ? TONE_WARNING : tone_of_state(state, "up", "left");
    table_row(filling->table, tone == TONE_GOOD ? 0 : 1);
    table_cell(filling->table, TONE_PLAIN, "%s", node_text(connection, "broker"));
    put_number(filling, TONE_QUIET, units_count(node_figure(worker, "worker")));
    table_cell(filling->table, TONE_PLAIN, "%s%s%s", node_text(connection, "use"),
        *queue ? " " : "", queue);
    table_cell(filling->table, tone, "%s", is_blocked ? "blocked" : state);
    put_number(filling, TONE_PLAIN, units_age(node_figure(connection, "in_state_ns")));
    put_number(filling, TONE_PLAIN, units_count(node_figure(connection, "ups")));
    put_number(filling, TONE_PLAIN, units_count(node_figure(connection, "failures")));
    table_cell(filling->table, tone == TONE_GOOD ? TONE_QUIET : tone, "%s",
        node_text(connection, "last_error"));
}

static void fill_connections(const struct filling *filling)
{
    struct node workers = node_member(filling->page, "workers");
    for (size_t i = 0; i < node_n_elements(workers); i++) {
        struct node worker = node_element(workers, i, "worker");
        struct node list = node_member(worker, "connections");
        for (size_t j = 0; j < node_n_elements(list); j++)
            fill_connection(filling, worker, node_element(list, j, "broker"));
    }
}

/* ---- queues --------------------------------------------------------------------------------- */

static const struct table_column queue_columns[] = {
    {.title = "QUEUE", .least = 16, .may_shrink = true},
    {.title = "STATE", .least = 9},
    {.title = "DELIVERED", .least = 9, .is_number = true},
    {.title = "UNACKED", .least = 7, .is_number = true},
    {.title = "GETS", .least = 4, .is_number = true},
    {.title = "PREFETCH", .least = 8, .is_number = true, .from_width = WIDE},
    {.title = "BROKER", .least = 16, .may_shrink = true, .from_width = WIDE},
    {.title = "MESSAGES", .least = 12, .may_shrink = true},
};

static void fill_queue(const struct filling *filling, struct node queue)
{
    static const char *const fates[] = {"acked", "requeued", "discarded", "undecodable"};
    const char *state = node_text(queue, "state");
    bool is_bad = strcmp(state, "refused") == 0 || strcmp(state, "shut") == 0;
    struct notes notes = {0};
    for (size_t i = 0; i < N_OF(fates); i++)
        note_amount(filling, &notes, queue, fates[i]);
    if (amount_of(filling, queue, "too_large") > 0)
        note(&notes, "too large %s", amount(filling, queue, "too_large").text);
    note_figure(&notes, queue, "held", "held");
    table_row(filling->table, node_figure(queue, "delivered") + node_figure(queue, "waiting_gets"));
    table_cell(filling->table, TONE_PLAIN, "%s", node_text(queue, "queue"));
    table_cell(
        filling->table, is_bad ? TONE_BAD : tone_of_state(state, "listening", state), "%s", state);
    put_number(filling, TONE_PLAIN, amount(filling, queue, "delivered"));
    put_number(filling, TONE_PLAIN, units_count(node_figure(queue, "unacked")));
    put_number(filling, TONE_PLAIN, units_count(node_figure(queue, "waiting_gets")));
    put_number(filling, TONE_PLAIN, units_count(node_figure(queue, "prefetch")));
    table_cell(filling->table, TONE_QUIET, "%s", node_text(queue, "broker"));
    table_cell(filling->table, TONE_PLAIN, "%s", notes.text);
}

static void fill_queues(const struct filling *filling)
{
    struct node list = node_member(filling->page, "queues");
    for (size_t i = 0; i < node_n_elements(list); i++)
        fill_queue(filling, node_element(list, i, "queue"));
}

/* ---- workers -------------------------------------------------------------------------------- */

static const struct table_column worker_columns[] = {
    {.title = "WORKER", .least = 6},
    {.title = "LOOP", .least = 7},
    {.title = "OPEN", .least = 4, .is_number = true},
    {.title = "SLOTS", .least = 19, .is_number = true},
    {.title = "RING", .least = 10, .is_number = true},
    {.title = "REQ AREA", .least = 8, .is_number = true},
    {.title = "REPLY AREA", .least = 10, .is_number = true},
    {.title = "BATCH", .least = 5, .is_number = true, .from_width = WIDE},
};

/* What one turn in which anything was heard has heard, on the average. */
static void put_batch(const struct filling *filling, struct node worker)
{
    double batches = amount_of(filling, worker, "batches");
    double heard = amount_of(filling, worker, "heard");
    if (batches > 0)
        table_cell(filling->table, TONE_PLAIN, "%.3g", heard / batches);
    else
        table_cell(filling->table, TONE_PLAIN, "-");
}

/* How much there is, and the most that there was. */
static void put_peak(
    const struct filling *filling, struct units_text number, const char *of, double most)
{
    if (most >= 0)
        table_cell(
            filling->table, TONE_PLAIN, "%s%s, most %s", number.text, of, units_count(most).text);
    else
        table_cell(filling->table, TONE_PLAIN, "-"); /* there is no lane */
}

static void put_slots(const struct filling *filling, struct node lane)
{
    char of[UNITS_BYTES + 8];
    (void)snprintf(of, sizeof(of), " of %s", units_count(node_figure(lane, "slots")).text);
    put_peak(filling, units_count(node_figure(lane, "slots_in_use")), of,
        node_figure(lane, "slots_in_use_max"));
}

static void put_ring(const struct filling *filling, struct node lane)
{
    put_peak(filling, units_count(node_figure(lane, "request_ring_depth")), "",
        node_figure(lane, "request_ring_depth_max"));
}

static void put_share(
    const struct filling *filling, struct node lane, const char *used, const char *size)
{
    put_number(
        filling, TONE_PLAIN, units_percent(node_figure(lane, used) / node_figure(lane, size)));
}

static void fill_worker(const struct filling *filling, struct node worker)
{
    struct node lane = node_member(worker, "lane");
    bool has_lane = node_flag(worker, "has_lane");
    table_row(filling->table, node_figure(worker, "in_flight"));
    table_cell(filling->table, TONE_PLAIN, "%s", units_count(node_figure(worker, "worker")).text);
    table_cell(filling->table, has_lane ? TONE_PLAIN : TONE_BAD, "%s",
        has_lane ? node_text(worker, "io") : "no lane");
    put_number(filling, TONE_PLAIN, units_count(node_figure(worker, "in_flight")));
    put_slots(filling, lane);
    put_ring(filling, lane);
    put_share(filling, lane, "request_area_used_bytes", "request_area_bytes");
    put_share(filling, lane, "reply_area_held_bytes", "reply_area_bytes");
    put_batch(filling, worker);
}

static void fill_workers(const struct filling *filling)
{
    struct node list = node_member(filling->page, "workers");
    for (size_t i = 0; i < node_n_elements(list); i++)
        fill_worker(filling, node_element(list, i, "worker"));
}

/* ---- processes ------------------------------------------------------------------------------ */

static const struct table_column process_columns[] = {
    {.title = "PROCESS", .least = 10},
    {.title = "PID", .least = 7, .is_number = true},
    {.title = "STATE", .least = 8},
    {.title = "UP", .least = 7, .is_number = true},
    {.title = "RESTARTS", .least = 8, .is_number = true},
    {.title = "CPU", .least = 7, .is_number = true},
    {.title = "MEMORY", .least = 8, .is_number = true},
    {.title = "SHARED", .least = 8, .is_number = true, .from_width = WIDE},
    {.title = "LAST WORDS", .least = 12, .may_shrink = true},
};

/* Live, the share of one core that it has; otherwise all the time that it had. */
static struct units_text cpu_of(const struct filling *filling, struct node process)
{
    return filling->is_live ? units_percent(node_rate(process, "cpu_ns") / 1e9)
                            : units_time(node_figure(process, "cpu_ns"));
}

static void fill_process(const struct filling *filling, struct node process)
{
    const char *state = node_text(process, "state"), *words = node_text(process, "last_words");
    double restarts = node_figure(process, "restarts");
    struct notes notes = {0};
    note_figure(&notes, process, "missed_beats", "missed beats");
    if (*words)
        note(&notes, "%s", words);
    table_row(filling->table, restarts);
    table_cell(filling->table, TONE_PLAIN, "%s", node_text(process, "name"));
    if (node_figure(process, "pid") > 0)
        table_cell(filling->table, TONE_QUIET, "%.0f", node_figure(process, "pid"));
    else
        table_cell(filling->table, TONE_QUIET, "-");
    table_cell(filling->table, tone_of_state(state, "serving", "leaving"), "%s", state);
    put_number(filling, TONE_PLAIN, units_age(node_figure(process, "uptime_ns")));
    put_number(filling, restarts > 0 ? TONE_WARNING : TONE_PLAIN, units_count(restarts));
    put_number(filling, TONE_PLAIN, cpu_of(filling, process));
    put_number(filling, TONE_PLAIN, units_bytes(node_figure(process, "rss_bytes")));
    put_number(filling, TONE_PLAIN, units_bytes(node_figure(process, "shared_bytes")));
    table_cell(filling->table, TONE_WARNING, "%s", notes.text);
}

static void fill_processes(const struct filling *filling)
{
    struct node list = node_member(filling->page, "processes");
    for (size_t i = 0; i < node_n_elements(list); i++)
        fill_process(filling, node_element(list, i, "name"));
}

/* ---- all of them ---------------------------------------------------------------------------- */

#define COLUMNS(list) list, N_OF(list)

static const struct {
    const struct table_column *columns;
    size_t n_columns;
    void (*fill)(const struct filling *filling);
} tables[] = {
    [STATS_REASONS] = {COLUMNS(reason_columns), fill_reasons},
    [STATS_ENDPOINTS] = {COLUMNS(endpoint_totals), fill_endpoints},
    [STATS_BACKENDS] = {COLUMNS(backend_columns), fill_backends},
    [STATS_CONNECTIONS] = {COLUMNS(connection_columns), fill_connections},
    [STATS_QUEUES] = {COLUMNS(queue_columns), fill_queues},
    [STATS_WORKERS] = {COLUMNS(worker_columns), fill_workers},
    [STATS_PROCESSES] = {COLUMNS(process_columns), fill_processes},
};

void stats_table_fill(struct table *table, enum stats_table which, struct node page, bool is_live)
{
    const struct filling filling = {.table = table, .page = page, .is_live = is_live};
    bool has_rates = which == STATS_ENDPOINTS && is_live;
    table_begin(table, has_rates ? endpoint_rates : tables[which].columns, tables[which].n_columns);
    tables[which].fill(&filling);
}
