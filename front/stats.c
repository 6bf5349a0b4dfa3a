/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps, in their order: the head, each process, the front, each worker with its connections
 * one by one, each endpoint with its backends one by one, each queue, the tail. The mark is 0 between
 * two sections; among the endpoints it says where the next step stands: which endpoint in its upper
 * half, which of its backends in its lower one.
 */
#include "stats.h"

#include <assert.h>

#include "shm/slot.h"

#include "columns.h"
#include "dock.h"

/* ---- members ---- */

static void put_key(struct page *page, const char *before, const char *key)
{
    page_put(page, before);
    page_put(page, "\"");
    page_put(page, key);
    page_put(page, "\":");
}

static void put_number(struct page *page, const char *key, uint64_t number)
{
    put_key(page, ",", key);
    page_put_number(page, number);
}

static void put_text(struct page *page, const char *key, struct slice text)
{
    put_key(page, ",", key);
    page_put_json(page, text);
}

static void put_flag(struct page *page, const char *key, bool is_so)
{
    put_key(page, ",", key);
    page_put(page, is_so ? "true" : "false");
}

static void put_figures_text(struct page *page, const char *key, const struct figures_text *text)
{
    char bytes[FIGURES_TEXT_BYTES + 1];
    figures_text_read(text, bytes);
    put_text(page, key, slice_of(bytes));
}

/* The name of a state; one that nobody knows is the first. */
static void put_state(struct page *page, const char *key, const figure *state,
    const char *const *names, uint64_t n_names)
{
    uint64_t number = figure_get(state);
    put_text(page, key, slice_of(names[number < n_names ? number : 0]));
}

/* A moment, as how long ago it is; 0 for one that did not come, or is still to come. */
static void put_since(struct page *page, const char *key, const figure *moment)
{
    uint64_t at_ns = figure_get(moment), now_ns = page->overview->now_ns;
    put_number(page, key, at_ns && at_ns < now_ns ? now_ns - at_ns : 0);
}

/* All that its table says but states and moments, which have names of their own. */
static void put_columns(struct page *page, const struct columns *columns, const void *row)
{
    static const char flag_prefix[] = "is_";
    for (size_t i = 0; i < columns->n; i++) {
        const struct column *column = &columns->items[i];
        if (column->type == FIGURE_FLAG)
            put_flag(page, column->name + sizeof(flag_prefix) - 1, column_get(column, row) != 0);
        else if (column->type != FIGURE_STATE && column->type != FIGURE_AT)
            put_number(page, column->name, column_get(column, row));
    }
}

/* Of what is in the page's tally; the object stays open. */
static void open_durations(struct page *page, const char *key)
{
    const struct figures_tally *tally = page->tally;
    put_key(page, "", key);
    page_put(page, "{\"count\":");
    page_put_number(page, tally->count);
    put_number(page, "sum_ns", tally->sum_ns);
    put_number(page, "p50_ns", figures_tally_quantile(tally, 500));
    put_number(page, "p90_ns", figures_tally_quantile(tally, 900));
    put_number(page, "p99_ns", figures_tally_quantile(tally, 990));
    put_number(page, "p999_ns", figures_tally_quantile(tally, 999));
    put_number(page, "max_ns", tally->max_ns);
}

static void close_durations(struct page *page)
{
    page_put(page, "}");
    figures_tally_clear(page->tally);
}

/* Of what is in the page's tally, which is empty afterwards. */
static void put_durations(struct page *page, const char *key)
{
    open_durations(page, key);
    close_durations(page);
}

/* Which eighth of a doubling a cell belongs to. */
static uint32_t eighth_of(uint32_t cell)
{
    return (cell + FIGURES_SUBCELLS / 8 - 1) / (FIGURES_SUBCELLS / 8);
}

/* How many there are in each, from the first to the last that has some. */
static void put_eighths(struct page *page)
{
    const struct figures_tally *tally = page->tally;
    page_put(page, ",\"eighths\":{\"first\":");
    page_put_number(page, eighth_of(tally->lowest));
    page_put(page, ",\"counts\":[");
    for (uint32_t cell = tally->lowest; cell < tally->past;) {
        uint32_t eighth = eighth_of(cell);
        uint64_t n = 0;
        page_put(page, cell > tally->lowest ? "," : "");
        for (; cell < tally->past && eighth_of(cell) == eighth; cell++)
            n += tally->cells[cell];
        page_put_number(page, n);
    }
    page_put(page, "]}");
}

/* ---- the head ---- */

static void put_endpoint_name(struct page *page, const char *key, struct overview_endpoint endpoint)
{
    put_key(page, ",", key);
    page_put(page, "\"");
    page_put_json_part(page, endpoint.method);
    page_put(page, endpoint.method.len ? " " : "");
    page_put_json_part(page, endpoint.pattern);
    page_put(page, "\"");
}

static void put_reason(
    struct page *page, const struct probe_reason *reason, const struct overview *overview)
{
    put_key(page, "{", "reason");
    page_put_json(page, slice_of(probe_reason_name(reason->kind)));
    put_text(page, "detail", slice_of(probe_reason_detail(reason->kind)));
    if (reason->what.len)
        put_text(page, "what", reason->what);
    if (reason->endpoint != PROBE_NO_ENDPOINT)
        put_endpoint_name(page, "endpoint", overview_endpoint(overview, reason->endpoint));
    page_put(page, "}");
}

void stats_put_reasons(struct page *page, const struct probe *probe)
{
    page_put(page, "[");
    for (uint32_t i = 0; i < probe->n && i < PROBE_MAX_REASONS; i++) {
        page_put(page, i ? "," : "");
        put_reason(page, &probe->reasons[i], page->overview);
    }
    page_put(page, "]");
}

static void put_hash(struct page *page, uint64_t hash)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = digits[hash >> (60 - 4 * i) & 15];
    put_text(page, "configuration", (struct slice){.at = text, .len = sizeof(text)});
}

static void put_generation(struct page *page)
{
    const struct overview *overview = page->overview;
    const struct figures *supervisor = &overview->books->supervisor;
    uint64_t started_ms =
        supervisor->base ? figure_get(&supervisor->supervisor->started_unix_ms) : 0;
    uint64_t now_ms = overview->now_unix_ms;
    put_hash(page, supervisor->base ? figure_get(&supervisor->supervisor->configuration) : 0);
    put_number(
        page, "generation", supervisor->base ? figure_get(&supervisor->supervisor->generation) : 0);
    put_number(page, "started_unix_ms", started_ms);
    put_number(
        page, "uptime_ns", started_ms && started_ms < now_ms ? (now_ms - started_ms) * 1000000 : 0);
}

static void put_health(struct page *page)
{
    const struct overview *overview = page->overview;
    struct probe probe;
    put_flag(page, "draining", overview->is_draining);
    probe_started(overview, &probe);
    put_flag(page, "started", probe.n == 0);
    probe_live(overview, &probe);
    put_flag(page, "live", probe.n == 0);
    probe_ready(overview, &probe);
    put_flag(page, "ready", probe.n == 0);
    put_key(page, ",", "reasons");
    stats_put_reasons(page, &probe);
}

static void head_step(struct page *page, uint64_t step)
{
    const struct overview *overview = page->overview;
    put_key(page, "{", "version");
    page_put(page, "1");
    put_number(page, "now_unix_ms", overview->now_unix_ms);
    put_number(page, "monotonic_ns", overview->now_ns);
    page_put(page, ",\"service\":{\"name\":");
    page_put_json(page, slice_of_plan(overview->plan, overview->config->name));
    put_text(page, "build", slice_of(overview->build));
    put_generation(page);
    put_health(page);
    page_put(page, "},\"processes\":[");
}

/* ---- processes, the front ---- */

static const char *const process_states[FIGURES_N_PROCESS_STATES] = {
    [FIGURES_PROCESS_DOWN] = "down",
    [FIGURES_PROCESS_STARTING] = "starting",
    [FIGURES_PROCESS_SERVING] = "serving",
    [FIGURES_PROCESS_LEAVING] = "leaving",
    [FIGURES_PROCESS_DOOMED] = "doomed",
};

static void process_step(struct page *page, uint64_t place)
{
    const struct figures_process *process = overview_process(page->overview, (uint32_t)place);
    char name[OVERVIEW_NAME_BYTES];
    put_key(page, place ? ",{" : "{", "name");
    page_put_json(page, overview_process_name((uint32_t)place, name));
    if (process) {
        uint64_t starts = figure_get(&process->starts);
        put_state(page, "state", &process->state, process_states, FIGURES_N_PROCESS_STATES);
        put_columns(page, &columns_of_process, process);
        put_number(page, "restarts", starts ? starts - 1 : 0);
        put_since(page, "uptime_ns", &process->started_at);
        put_figures_text(page, "last_words", &process->last_words);
    }
    page_put(page, "}");
}

static void front_step(struct page *page, uint64_t step)
{
    page_put(page, "],\"front\":{\"connections_max\":");
    page_put_number(page, page->overview->max_connections);
    put_columns(page, &columns_of_front, page->overview->books->own.front);
    page_put(page, "},\"workers\":[");
}

/* ---- workers ---- */

static const char *const io_names[FIGURES_N_IOS] = {
    [FIGURES_IO_NONE] = "none", [FIGURES_IO_URING] = "uring", [FIGURES_IO_EPOLL] = "epoll"};

static const char *const connection_states[FIGURES_N_CONNECTION_STATES] = {
    [FIGURES_CONNECTION_NONE] = "none",
    [FIGURES_CONNECTION_CONNECTING] = "connecting",
    [FIGURES_CONNECTION_UP] = "up",
    [FIGURES_CONNECTION_AWAY] = "away",
    [FIGURES_CONNECTION_LEFT] = "left",
};

static void put_lane(struct page *page, uint32_t worker)
{
    struct dock_sight sight;
    put_key(page, ",", "lane");
    if (!lanes_look(page->overview->lanes, worker, &sight)) {
        page_put(page, "null");
        return;
    }
    page_put(page, "{\"slots\":");
    page_put_number(page, sight.n_slots);
    put_number(page, "slots_in_use", sight.n_slots_in_use);
    put_number(page, "slots_in_use_max", sight.n_slots_in_use_max);
    put_number(page, "request_area_bytes", sight.request_area_bytes);
    put_number(page, "request_area_used_bytes", sight.request_area_used_bytes);
    put_number(page, "reply_area_bytes", sight.reply_area_bytes);
    put_number(page, "reply_area_held_bytes", sight.reply_area_held_bytes);
    put_number(page, "ring_entries", sight.n_entries);
    put_number(page, "request_ring_depth", sight.request_depth);
    put_number(page, "request_ring_depth_max", sight.request_depth_max);
    put_number(page, "reply_ring_depth", sight.reply_depth);
    page_put(page, "}");
}

static void put_worker(struct page *page, uint32_t worker)
{
    const struct overview *overview = page->overview;
    const struct figures *figures = &overview->books->workers[worker];
    put_key(page, worker ? ",{" : "{", "worker");
    page_put_number(page, worker);
    put_flag(page, "has_lane", overview->lanes_live >> worker & 1);
    if (figures->base) {
        put_state(page, "io", &figures->worker->io, io_names, FIGURES_N_IOS);
        put_columns(page, &columns_of_worker, figures->worker);
    }
    put_number(page, "in_flight", overview_worker_in_flight(overview, worker));
    put_lane(page, worker);
    page_put(page, ",\"connections\":[");
}

/* False: the worker has no use for it. */
static bool put_connection(
    struct page *page, uint32_t worker, uint32_t connection, const char *before)
{
    const struct figures_connection *figures =
        overview_connection(page->overview, worker, connection);
    if (!figures || figure_get(&figures->state) == FIGURES_CONNECTION_NONE)
        return false;
    struct overview_connection_name name = overview_connection_name(page->overview, connection);
    page_put(page, before);
    put_key(page, "{", "broker");
    page_put_json(page, name.broker);
    put_text(page, "use", name.use);
    put_text(page, "queue", name.queue);
    put_state(page, "state", &figures->state, connection_states, FIGURES_N_CONNECTION_STATES);
    put_columns(page, &columns_of_connection, figures);
    put_since(page, "in_state_ns", &figures->changed_at);
    put_figures_text(page, "last_error", &figures->last_error);
    page_put(page, "}");
    return true;
}

/* A worker, then each of its connections. The mark: one of them was written. */
static void worker_step(struct page *page, uint64_t step)
{
    uint32_t n_steps = 1 + figures_n_connections(&page->overview->books->shape);
    uint32_t worker = (uint32_t)(step / n_steps), nth = (uint32_t)(step % n_steps);
    if (nth == 0) {
        put_worker(page, worker);
        page->mark = 0;
    } else {
        page->mark |= put_connection(page, worker, nth - 1, page->mark ? "," : "");
    }
    if (nth == n_steps - 1)
        page_put(page, "]}");
    if (nth == n_steps - 1 && worker == page->overview->config->n_workers - 1) {
        page_put(page, "],\"endpoints\":[");
        page->mark = 0;
    }
}

/* ---- endpoints ---- */

static const char *const stage_names[FIGURES_N_STAGES] = {
    [FIGURES_PARSE] = "parse",
    [FIGURES_RING] = "ring",
    [FIGURES_BROKER] = "broker",
    [FIGURES_WRITE] = "write",
};

static void add_stage(
    struct page *page, uint32_t endpoint, const struct figures_endpoint *figures, int stage)
{
    figures_tally_add(page->tally, &figures->stages[stage],
        figures_stage_cells(&page->overview->books->own, endpoint, (enum figures_stage)stage));
}

static void put_latency(
    struct page *page, uint32_t endpoint, const struct figures_endpoint *figures)
{
    add_stage(page, endpoint, figures, FIGURES_TOTAL);
    open_durations(page, "latency");
    put_eighths(page);
    close_durations(page);
}

static void put_stage(
    struct page *page, uint32_t endpoint, const struct figures_endpoint *figures, int stage)
{
    add_stage(page, endpoint, figures, stage);
    put_durations(page, stage_names[stage]);
}

static void put_answered(struct page *page, const struct figures_endpoint *figures)
{
    bool is_first = true;
    page_put(page, ",\"answered\":{");
    for (uint32_t i = 0; i < FIGURES_N_CODES; i++) {
        uint64_t n = figure_get(&figures->answered[i]);
        if (!n)
            continue;
        page_put(page, is_first ? "\"" : ",\"");
        if (figures_status(i))
            page_put_number(page, (uint64_t)figures_status(i));
        else
            page_put(page, "other");
        page_put(page, "\":");
        page_put_number(page, n);
        is_first = false;
    }
    page_put(page, "}");
}

static void put_endpoint(struct page *page, uint32_t index)
{
    struct overview_endpoint endpoint = overview_endpoint(page->overview, index);
    put_key(page, index ? ",{" : "{", "method");
    page_put_json(page, endpoint.method);
    put_text(page, "pattern", endpoint.pattern);
    put_endpoint_name(page, "endpoint", endpoint);
    put_columns(page, &columns_of_endpoint, endpoint.figures);
    put_number(page, "in_flight", overview_in_flight(endpoint.figures));
    put_answered(page, endpoint.figures);
    page_put(page, ",");
    put_latency(page, index, endpoint.figures);
    page_put(page, ",\"stages\":{");
    for (int i = FIGURES_PARSE; i < FIGURES_N_STAGES; i++) {
        page_put(page, i > FIGURES_PARSE ? "," : "");
        put_stage(page, index, endpoint.figures, i);
    }
    page_put(page, "},\"backends\":[");
}

static void put_outcomes(struct page *page, const struct overview_backend *backend)
{
    bool is_first = true;
    page_put(page, ",\"outcomes\":{");
    for (uint32_t i = 0; i < OUTCOME_N; i++) {
        if (!backend->outcomes[i])
            continue;
        put_key(page, is_first ? "" : ",", outcome_name(i));
        page_put_number(page, backend->outcomes[i]);
        is_first = false;
    }
    page_put(page, "}");
}

static void put_producer(
    struct page *page, const struct plan_part *part, const struct overview_backend *backend)
{
    put_number(page, "published", backend->published);
    put_flag(page, "refused", backend->is_refused);
    page_put(page, ",");
    overview_confirms(page->overview, part->backend, page->tally);
    put_durations(page, "confirm");
}

static void put_backend(struct page *page, const struct plan_part *part, bool is_first)
{
    const struct overview *overview = page->overview;
    struct overview_backend backend = overview_backend(overview, part->backend);
    bool is_producer = part->verb == PLAN_PRODUCE;
    put_key(page, is_first ? "{" : ",{", "backend");
    page_put_json(page, slice_of_plan(overview->plan, part->name));
    put_text(page, "verb", slice_of(is_producer ? "produce" : "consume"));
    put_text(page, "broker", overview_broker(overview, part->broker));
    if (!is_producer)
        put_text(page, "queue",
            slice_of_plan(overview->plan, overview_planned_queue(overview, part->queue)->name));
    put_number(page, "asked", backend.asked);
    put_number(page, "in_flight", backend.in_flight);
    put_number(page, "lost", backend.lost);
    put_outcomes(page, &backend);
    if (is_producer)
        put_producer(page, part, &backend);
    page_put(page, "}");
}

static void endpoint_step(struct page *page, uint64_t step)
{
    uint32_t index = (uint32_t)(page->mark >> 32), nth = (uint32_t)page->mark;
    struct overview_endpoint endpoint = overview_endpoint(page->overview, index);
    if (nth == 0)
        put_endpoint(page, index);
    else
        put_backend(page, &endpoint.parts[nth - 1], nth == 1);
    if (nth < endpoint.n_parts) {
        page->mark++;
        return;
    }
    page_put(page, "]}");
    page->mark = (uint64_t)(index + 1) << 32;
    if (index + 1 == overview_n_endpoints(page->overview))
        page_put(page, "],\"queues\":[");
}

/* ---- queues ---- */

static const char *const queue_states[FIGURES_N_QUEUE_STATES] = {
    [FIGURES_QUEUE_SHUT] = "shut",
    [FIGURES_QUEUE_REFUSED] = "refused",
    [FIGURES_QUEUE_IDLE] = "idle",
    [FIGURES_QUEUE_STARTING] = "starting",
    [FIGURES_QUEUE_LISTENING] = "listening",
};

static void queue_step(struct page *page, uint64_t step)
{
    const struct overview *overview = page->overview;
    const struct plan_front_queue *planned = overview_planned_queue(overview, (uint32_t)step);
    const struct figures_queue *queue = overview_queue(overview, (uint32_t)step);
    put_key(page, step ? ",{" : "{", "queue");
    page_put_json(page, slice_of_plan(overview->plan, planned->name));
    put_text(page, "broker", overview_broker(overview, planned->broker));
    put_number(page, "worker", planned->worker);
    if (queue) {
        put_state(page, "state", &queue->state, queue_states, FIGURES_N_QUEUE_STATES);
        put_number(page, "unacked", overview_unacked(queue));
        put_columns(page, &columns_of_queue, queue);
    }
    page_put(page, "}");
}

static void tail_step(struct page *page, uint64_t step)
{
    page_put(page, "]}\n");
}

/* ---- all of them ---- */

enum { SECTION_HEAD, PROCESSES, FRONT, WORKERS, ENDPOINTS, QUEUES, TAIL, N_SECTIONS };

static uint64_t n_steps_of(const struct overview *overview, int section)
{
    const struct figures_shape *shape = &overview->books->shape;
    switch (section) {
    case PROCESSES:
        return overview_n_processes(overview);
    case WORKERS:
        return (uint64_t)overview->config->n_workers * (1 + figures_n_connections(shape));
    case ENDPOINTS:
        return (uint64_t)overview_n_endpoints(overview) + shape->n_backends;
    case QUEUES:
        return shape->n_queues;
    default:
        return 1;
    }
}

static uint64_t n_steps(const struct overview *overview)
{
    uint64_t n = 0;
    for (int i = 0; i < N_SECTIONS; i++)
        n += n_steps_of(overview, i);
    return n;
}

static void step(struct page *page, uint64_t step)
{
    static void (*const sections[N_SECTIONS])(struct page *, uint64_t) = {
        [SECTION_HEAD] = head_step,
        [PROCESSES] = process_step,
        [FRONT] = front_step,
        [WORKERS] = worker_step,
        [ENDPOINTS] = endpoint_step,
        [QUEUES] = queue_step,
        [TAIL] = tail_step,
    };
    int section = 0;
    for (uint64_t n; step >= (n = n_steps_of(page->overview, section)); section++)
        step -= n;
    assert(section < N_SECTIONS);
    sections[section](page, step);
}

const struct page_kind stats_page = {
    .content_type = "application/json; charset=utf-8", .n_steps = n_steps, .step = step};
