/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All series of one name must stand together. So a family, which is one name with its help, has as
 * many steps as there are rows: the first writes the help, each writes what its row has of it.
 */
#include "metrics.h"

#include <string.h>

#include "shm/clock.h"
#include "shm/slot.h"

#include "columns.h"
#include "dock.h"
#include "probe.h"

#define FIRST_BUCKET_NS (125 * CLOCK_MS / 1000)
enum { BUCKETS = 16 };

/* ---- series ---- */

static void put_help(struct page *page, const char *name, const char *type, const char *help)
{
    page_put(page, "# HELP ");
    page_put(page, name);
    page_put(page, " ");
    page_put(page, help);
    page_put(page, "\n# TYPE ");
    page_put(page, name);
    page_put(page, " ");
    page_put(page, type);
    page_put(page, "\n");
}

static void put_label(struct page *page, const char *before, const char *key, struct slice value)
{
    page_put(page, before);
    page_put(page, key);
    page_put(page, "=");
    page_put_label(page, value);
}

static void put_label_number(
    struct page *page, const char *before, const char *key, uint64_t number)
{
    page_put(page, before);
    page_put(page, key);
    page_put(page, "=\"");
    page_put_number(page, number);
    page_put(page, "\"");
}

/* Behind the labels. */
static void put_value(struct page *page, uint64_t number)
{
    page_put(page, "} ");
    page_put_number(page, number);
    page_put(page, "\n");
}

static void put_value_seconds(struct page *page, uint64_t ns)
{
    page_put(page, "} ");
    page_put_seconds(page, ns);
    page_put(page, "\n");
}

/* A series without a label of its own. */
static void put_plain(struct page *page, const char *name, uint64_t number)
{
    page_put(page, name);
    page_put(page, " ");
    page_put_number(page, number);
    page_put(page, "\n");
}

/* ---- labels of rows; each begins with the brace ---- */

static void put_endpoint_labels(struct page *page, const char *name, uint64_t row)
{
    struct overview_endpoint endpoint = overview_endpoint(page->overview, (uint32_t)row);
    page_put(page, name);
    put_label(page, "{", "endpoint", endpoint.pattern);
    put_label(page, ",", "method", endpoint.method);
}

static void put_queue_labels(struct page *page, const char *name, uint64_t row)
{
    const struct plan_front_queue *queue = overview_planned_queue(page->overview, (uint32_t)row);
    page_put(page, name);
    put_label(page, "{", "queue", slice_of_plan(page->overview->plan, queue->name));
    put_label(page, ",", "broker", overview_broker(page->overview, queue->broker));
}

static void put_worker_labels(struct page *page, const char *name, uint64_t row)
{
    page_put(page, name);
    put_label_number(page, "{", "worker", row);
}

static uint32_t n_connections(const struct overview *overview)
{
    return figures_n_connections(&overview->books->shape);
}

static void put_connection_labels(struct page *page, const char *name, uint64_t row)
{
    uint32_t n = n_connections(page->overview);
    struct overview_connection_name its =
        overview_connection_name(page->overview, (uint32_t)(row % n));
    put_worker_labels(page, name, row / n);
    put_label(page, ",", "broker", its.broker);
    put_label(page, ",", "use", its.use);
    put_label(page, ",", "queue", its.queue);
}

static void put_process_labels(struct page *page, const char *name, uint64_t row)
{
    char text[OVERVIEW_NAME_BYTES];
    page_put(page, name);
    put_label(page, "{", "process", overview_process_name((uint32_t)row, text));
}

/* ---- rows of a table ---- */

static uint64_t one(const struct overview *overview)
{
    return 1;
}

static uint64_t n_endpoints(const struct overview *overview)
{
    return overview_n_endpoints(overview);
}

static uint64_t n_queues(const struct overview *overview)
{
    return overview->books->shape.n_queues;
}

static uint64_t n_workers(const struct overview *overview)
{
    return overview->config->n_workers;
}

static uint64_t n_all_connections(const struct overview *overview)
{
    return n_workers(overview) * n_connections(overview);
}

static uint64_t n_processes(const struct overview *overview)
{
    return overview_n_processes(overview);
}

static const void *front_row(const struct overview *overview, uint64_t row)
{
    return overview->books->own.front;
}

static const void *supervisor_row(const struct overview *overview, uint64_t row)
{
    return overview->books->supervisor.supervisor;
}

static const void *endpoint_row(const struct overview *overview, uint64_t row)
{
    return overview_endpoint(overview, (uint32_t)row).figures;
}

static const void *queue_row(const struct overview *overview, uint64_t row)
{
    return overview_queue(overview, (uint32_t)row);
}

static const void *worker_row(const struct overview *overview, uint64_t row)
{
    return overview->books->workers[row].worker;
}

/* NULL also where the worker has no use for it. */
static const void *connection_row(const struct overview *overview, uint64_t row)
{
    uint32_t n = n_connections(overview);
    const struct figures_connection *connection =
        overview_connection(overview, (uint32_t)(row / n), (uint32_t)(row % n));
    bool is_used = connection && figure_get(&connection->state) != FIGURES_CONNECTION_NONE;
    return is_used ? connection : NULL;
}

static const void *process_row(const struct overview *overview, uint64_t row)
{
    return overview_process(overview, (uint32_t)row);
}

/* A table of <leveret/figures.h>: each column that is a metric, for each row. */
struct table {
    const struct columns *columns;
    uint64_t (*n_rows)(const struct overview *overview);
    const void *(*row)(const struct overview *overview, uint64_t row); /* NULL: not there */
    void (*put_labels)(
        struct page *page, const char *name, uint64_t row); /* NULL: there are none */
    const char *key; /* of the label that tells columns of one name apart */
};

static const struct table tables[] = {
    {&columns_of_front, one, front_row, NULL, ""},
    {&columns_of_supervisor, one, supervisor_row, NULL, ""},
    {&columns_of_process, n_processes, process_row, put_process_labels, ""},
    {&columns_of_worker, n_workers, worker_row, put_worker_labels, ""},
    {&columns_of_connection, n_all_connections, connection_row, put_connection_labels, ""},
    {&columns_of_endpoint, n_endpoints, endpoint_row, put_endpoint_labels, ""},
    {&columns_of_queue, n_queues, queue_row, put_queue_labels, "outcome"},
};
enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

static void put_column(
    struct page *page, const struct table *table, const struct column *column, uint64_t row)
{
    const void *figures = table->row(page->overview, row);
    if (!figures)
        return;
    uint64_t number = column_get(column, figures);
    if (!table->put_labels) {
        put_plain(page, column->metric, number);
        return;
    }
    table->put_labels(page, column->metric, row);
    if (*column->label)
        put_label(page, ",", table->key, slice_of(column->label));
    if (column->type == FIGURE_COUNTER_NS)
        put_value_seconds(page, number);
    else
        put_value(page, number);
}

static bool is_of_family(const struct columns *columns, size_t i, size_t first)
{
    return i < columns->n && strcmp(columns->items[i].metric, columns->items[first].metric) == 0;
}

/* The columns of one name stand side by side in their table. */
static void table_step(struct page *page, const struct table *table, size_t first, uint64_t row)
{
    const struct columns *columns = table->columns;
    const struct column *column = &columns->items[first];
    bool is_counter = column->type == FIGURE_COUNTER || column->type == FIGURE_COUNTER_NS;
    if (row == 0)
        put_help(page, column->metric, is_counter ? "counter" : "gauge", column->help);
    for (size_t i = first; is_of_family(columns, i, first); i++)
        put_column(page, table, &columns->items[i], row);
}

/* ---- families of their own ---- */

static void requests_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_http_requests_total";
    const struct figures_endpoint *figures = endpoint_row(page->overview, row);
    if (row == 0)
        put_help(page, name, "counter", "Requests that were answered, by status.");
    for (uint32_t i = 0; i < FIGURES_N_CODES; i++) {
        uint64_t n = figure_get(&figures->answered[i]);
        if (!n)
            continue;
        put_endpoint_labels(page, name, row);
        if (figures_status(i))
            put_label_number(page, ",", "code", (uint64_t)figures_status(i));
        else
            put_label(page, ",", "code", slice_of("other"));
        put_value(page, n);
    }
}

static void in_flight_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_http_requests_in_flight";
    if (row == 0)
        put_help(page, name, "gauge", "Requests that were begun and have no answer yet.");
    put_endpoint_labels(page, name, row);
    put_value(page, overview_in_flight(endpoint_row(page->overview, row)));
}

static void put_joined(struct page *page, const char *name, const char *suffix)
{
    page_put(page, name);
    page_put(page, suffix);
}

/* Of what is in the page's tally. */
static void put_histogram(struct page *page, const char *name, uint64_t endpoint)
{
    struct figures_tally *tally = page->tally;
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t bound_ns = FIRST_BUCKET_NS << i;
        put_joined(page, name, "_bucket");
        put_endpoint_labels(page, "", endpoint);
        page_put(page, ",le=\"");
        page_put_seconds(page, bound_ns);
        page_put(page, "\"");
        put_value(page, figures_tally_below(tally, bound_ns));
    }
    put_joined(page, name, "_bucket");
    put_endpoint_labels(page, "", endpoint);
    put_label(page, ",", "le", slice_of("+Inf"));
    put_value(page, tally->count);
    put_joined(page, name, "_sum");
    put_endpoint_labels(page, "", endpoint);
    put_value_seconds(page, tally->sum_ns);
    put_joined(page, name, "_count");
    put_endpoint_labels(page, "", endpoint);
    put_value(page, tally->count);
}

static void add_stage(struct page *page, uint64_t row, enum figures_stage stage)
{
    const struct figures_endpoint *figures = endpoint_row(page->overview, row);
    figures_tally_add(page->tally, &figures->stages[stage],
        figures_stage_cells(&page->overview->books->own, (uint32_t)row, stage));
}

static void duration_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_http_request_duration_seconds";
    if (row == 0)
        put_help(page, name, "histogram",
            "From the end of a request's body to the last byte of its answer.");
    add_stage(page, row, FIGURES_TOTAL);
    if (page->tally->count)
        put_histogram(page, name, row);
    figures_tally_clear(page->tally);
}

static void put_stage(struct page *page, uint64_t row, enum figures_stage stage, const char *label)
{
    static const char name[] = "leveret_http_request_stage_seconds";
    add_stage(page, row, stage);
    if (page->tally->count) {
        put_joined(page, name, "_sum");
        put_endpoint_labels(page, "", row);
        put_label(page, ",", "stage", slice_of(label));
        put_value_seconds(page, page->tally->sum_ns);
        put_joined(page, name, "_count");
        put_endpoint_labels(page, "", row);
        put_label(page, ",", "stage", slice_of(label));
        put_value(page, page->tally->count);
    }
    figures_tally_clear(page->tally);
}

static void stages_step(struct page *page, uint64_t row)
{
    if (row == 0)
        put_help(page, "leveret_http_request_stage_seconds", "summary",
            "Where that time goes: parse, ring (to the worker and back), broker, write.");
    put_stage(page, row, FIGURES_PARSE, "parse");
    put_stage(page, row, FIGURES_RING, "ring");
    put_stage(page, row, FIGURES_BROKER, "broker");
    put_stage(page, row, FIGURES_WRITE, "write");
}

/* Of all parts of an endpoint with this verb. False: it has none. */
static bool add_parts(
    const struct overview *overview, uint64_t row, uint8_t verb, uint64_t outcomes[OUTCOME_N])
{
    struct overview_endpoint endpoint = overview_endpoint(overview, (uint32_t)row);
    bool has_any = false;
    for (uint32_t i = 0; i < endpoint.n_parts; i++) {
        if (endpoint.parts[i].verb != verb)
            continue;
        struct overview_backend backend = overview_backend(overview, endpoint.parts[i].backend);
        for (int k = 0; k < OUTCOME_N; k++)
            outcomes[k] += backend.outcomes[k];
        has_any = true;
    }
    return has_any;
}

static void put_outcomes(struct page *page, const char *name, uint64_t row, uint8_t verb)
{
    uint64_t outcomes[OUTCOME_N] = {0};
    if (!add_parts(page->overview, row, verb, outcomes))
        return;
    for (uint32_t i = 0; i < OUTCOME_N; i++) {
        if (!outcomes[i])
            continue;
        put_endpoint_labels(page, name, row);
        put_label(page, ",", "outcome", slice_of(outcome_name(i)));
        put_value(page, outcomes[i]);
    }
}

static void publish_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_publish_total";
    if (row == 0)
        put_help(page, name, "counter", "Publishes that have ended, by what became of them.");
    put_outcomes(page, name, row, PLAN_PRODUCE);
}

static void gets_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_gets_total";
    if (row == 0)
        put_help(page, name, "counter", "Requests for a message, by what became of them.");
    put_outcomes(page, name, row, PLAN_CONSUME);
}

static void confirm_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_confirm_duration_seconds";
    struct overview_endpoint endpoint = overview_endpoint(page->overview, (uint32_t)row);
    if (row == 0)
        put_help(page, name, "histogram", "From a publish to the broker's word on it.");
    for (uint32_t i = 0; i < endpoint.n_parts; i++)
        if (endpoint.parts[i].verb == PLAN_PRODUCE)
            overview_confirms(page->overview, endpoint.parts[i].backend, page->tally);
    if (page->tally->count)
        put_histogram(page, name, row);
    figures_tally_clear(page->tally); /* also of a worker's sums without a count */
}

static void unacked_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_unacked_messages";
    const struct figures_queue *queue = queue_row(page->overview, row);
    if (row == 0)
        put_help(page, name, "gauge", "Messages that were delivered and have no verdict yet.");
    if (!queue)
        return;
    put_queue_labels(page, name, row);
    put_value(page, overview_unacked(queue));
}

static void connection_up_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_connection_up";
    const struct figures_connection *connection = connection_row(page->overview, row);
    if (row == 0)
        put_help(page, name, "gauge", "1 while there is a connection to the broker.");
    if (!connection)
        return;
    put_connection_labels(page, name, row);
    put_value(page, figure_get(&connection->state) == FIGURES_CONNECTION_UP);
}

static void restarts_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_worker_restarts_total";
    const struct figures_process *process =
        overview_process(page->overview, FIGURES_PROCESS_FIRST_WORKER + (uint32_t)row);
    if (row == 0)
        put_help(page, name, "counter", "Times that the worker was started again.");
    if (!process)
        return;
    uint64_t starts = figure_get(&process->starts);
    put_worker_labels(page, name, row);
    put_value(page, starts ? starts - 1 : 0);
}

static void put_lane(struct page *page, uint64_t row, const char *name, uint64_t number)
{
    put_worker_labels(page, name, row);
    put_value(page, number);
}

static void slots_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_slots_in_use";
    struct dock_sight sight;
    if (row == 0)
        put_help(page, name, "gauge", "Slots of the worker's lane that are taken.");
    if (lanes_look(page->overview->lanes, (uint32_t)row, &sight))
        put_lane(page, row, name, sight.n_slots_in_use);
}

static void all_slots_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_slots";
    struct dock_sight sight;
    if (row == 0)
        put_help(page, name, "gauge", "Slots that the worker's lane has.");
    if (lanes_look(page->overview->lanes, (uint32_t)row, &sight))
        put_lane(page, row, name, sight.n_slots);
}

static void depth_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_ring_depth";
    struct dock_sight sight;
    if (row == 0)
        put_help(page, name, "gauge", "Entries of the worker's ring that it has not heard yet.");
    if (lanes_look(page->overview->lanes, (uint32_t)row, &sight))
        put_lane(page, row, name, sight.request_depth);
}

static void build_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_build_info";
    put_help(page, name, "gauge", "Always 1; the labels say which program this is.");
    page_put(page, name);
    put_label(page, "{", "version", slice_of(page->overview->build));
    put_value(page, 1);
}

static void ready_step(struct page *page, uint64_t row)
{
    static const char name[] = "leveret_ready";
    struct probe probe;
    probe_ready(page->overview, &probe);
    put_help(page, name, "gauge", "1 while every endpoint can be served: what /__ready says.");
    put_plain(page, name, probe.n == 0);
}

static const struct family {
    uint64_t (*n_rows)(const struct overview *overview);
    void (*step)(struct page *page, uint64_t row);
} families[] = {
    {one, build_step},
    {one, ready_step},
    {n_endpoints, requests_step},
    {n_endpoints, in_flight_step},
    {n_endpoints, duration_step},
    {n_endpoints, stages_step},
    {n_endpoints, publish_step},
    {n_endpoints, gets_step},
    {n_endpoints, confirm_step},
    {n_queues, unacked_step},
    {n_all_connections, connection_up_step},
    {n_workers, restarts_step},
    {n_workers, slots_step},
    {n_workers, all_slots_step},
    {n_workers, depth_step},
};
enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

/* ---- all of them: the families of their own, then those of the tables ---- */

/* Does a new family begin in this column? */
static bool is_first(const struct columns *columns, size_t i)
{
    return *columns->items[i].metric && (i == 0 || !is_of_family(columns, i, i - 1));
}

static uint64_t n_steps(const struct overview *overview)
{
    uint64_t n = 0;
    for (size_t i = 0; i < N_FAMILIES; i++)
        n += families[i].n_rows(overview);
    for (size_t t = 0; t < N_TABLES; t++)
        for (size_t i = 0; i < tables[t].columns->n; i++)
            n += is_first(tables[t].columns, i) ? tables[t].n_rows(overview) : 0;
    return n;
}

/* Is the step among the next `n`? If not, they are taken off it. */
static bool is_among(uint64_t *step, uint64_t n)
{
    if (*step < n)
        return true;
    *step -= n;
    return false;
}

static void tables_step(struct page *page, uint64_t step)
{
    for (size_t t = 0; t < N_TABLES; t++) {
        uint64_t n_rows = tables[t].n_rows(page->overview);
        for (size_t i = 0; i < tables[t].columns->n; i++) {
            if (!is_first(tables[t].columns, i) || !is_among(&step, n_rows))
                continue;
            table_step(page, &tables[t], i, step);
            return;
        }
    }
}

static void step(struct page *page, uint64_t step)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (!is_among(&step, families[i].n_rows(page->overview)))
            continue;
        families[i].step(page, step);
        return;
    }
    tables_step(page, step);
}

const struct page_kind metrics_page = {
    .content_type = "text/plain; version=0.0.4; charset=utf-8", .n_steps = n_steps, .step = step};
