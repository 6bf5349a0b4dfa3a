/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a sidecar with a real broker: each request is counted once and where it belongs,
 * sums hold while everything is under way, and what a process has counted outlives it.
 */
#include "expect.h"

#include <signal.h>

#include "tests/support/ledger.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/stats.h"

enum { SOON_MS = 10000, N_CONNECTIONS = 32 };

TestSuite(figures, .timeout = 120);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "settings.json");
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void ask(const char *path, int status)
{
    struct http_answer answer = scene_get(&scene, path);
    expect_status(&answer, status);
    http_answer_done(&answer);
}

static void post(const char *body)
{
    struct http_answer answer = scene_post(&scene, "/out", body);
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

/* What the accounts owe to each other, whenever one looks. */
static void expect_sums(const json_t *stats)
{
    const json_t *endpoint, *queue, *backend;
    size_t i, k;
    json_array_foreach(json_object_get(stats, "endpoints"), i, endpoint)
    {
        uint64_t ended = stats_sum(endpoint, "answered") + stats_number(endpoint, "abandoned") +
                         stats_number(endpoint, "lost");
        cr_expect_eq(
            stats_number(endpoint, "accepted"), ended + stats_number(endpoint, "in_flight"));
        cr_expect_leq(stats_number(endpoint, "in_flight"), N_CONNECTIONS + 1);
        cr_expect_leq(stats_number(endpoint, "latency.count"), ended);
        json_array_foreach(json_object_get(endpoint, "backends"), k, backend)
            cr_expect_eq(stats_number(backend, "asked"), stats_sum(backend, "outcomes") +
                                                             stats_number(backend, "lost") +
                                                             stats_number(backend, "in_flight"));
    }
    json_array_foreach(json_object_get(stats, "queues"), i, queue)
        cr_expect_eq(stats_number(queue, "delivered"),
            stats_number(queue, "acked") + stats_number(queue, "requeued") +
                stats_number(queue, "discarded") + stats_number(queue, "unacked"));
}

static json_t *backend_of(const json_t *stats, const char *endpoint)
{
    return json_array_get(json_object_get(stats_endpoint(stats, endpoint), "backends"), 0);
}

Test(figures, every_request_is_counted_once_where_it_belongs)
{
    begin("figures_exact");
    for (int i = 0; i < 19; i++)
        post("12345");
    for (int i = 0; i < 3; i++) {
        scene_publish(&scene, "", "one", "1234567");
        ask("/one", 200);
    }
    ask("/nowhere", 404);
    ask("/out", 405);
    ask("/__health", 200);
    json_t *stats = stats_read(&scene.sidecar);
    const json_t *out = stats_endpoint(stats, "POST /out"),
                 *one = stats_endpoint(stats, "GET /one");
    cr_expect_eq(stats_number(out, "answered.200"), 20);
    cr_expect_eq(stats_number(out, "request_bytes"), 1 + 19 * 5);
    cr_expect_eq(stats_number(out, "response_bytes"), 20 * 2);
    cr_expect_eq(stats_number(one, "answered.200"), 3);
    cr_expect_eq(stats_number(one, "response_bytes"), 3 * 7);
    cr_expect_eq(stats_number(one, "in_flight"), 0);
    cr_expect_eq(stats_number(stats_endpoint(stats, ""), "answered.404"), 1);
    cr_expect_eq(stats_number(stats_endpoint(stats, ""), "answered.405"), 1);
    cr_expect_geq(stats_number(stats_endpoint(stats, "GET /__health"), "answered.200"), 1);
    cr_expect_eq(stats_number(backend_of(stats, "POST /out"), "outcomes.confirmed"), 20);
    cr_expect_eq(stats_number(backend_of(stats, "POST /out"), "confirm.count"), 20);
    cr_expect_eq(stats_number(backend_of(stats, "GET /one"), "outcomes.delivered"), 3);
    const json_t *queue = stats_find(stats, "queues", "queue", "one");
    cr_expect_eq(stats_number(queue, "delivered"), 3);
    cr_expect_eq(stats_number(queue, "acked") + stats_number(queue, "unacked"), 3);
    expect_sums(stats);
    json_decref(stats);
    scene_end(&scene);
}

/* The stages are parts of the whole. */
Test(figures, the_time_of_a_request_is_split_into_its_stages)
{
    static const char *const stages[] = {"parse", "ring", "broker", "write"};
    begin("figures_stages");
    post("x");
    ask("/nowhere", 404);
    json_t *stats = stats_read(&scene.sidecar);
    const json_t *out = stats_endpoint(stats, "POST /out");
    uint64_t sum_ns = 0;
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        autofree char *path = format_text("stages.%s.sum_ns", stages[i]);
        sum_ns += stats_number(out, path);
        cr_expect_gt(stats_number(out, path), 0, "%s", path);
    }
    cr_expect_eq(sum_ns, stats_number(out, "latency.sum_ns"));
    cr_expect_eq(stats_number(out, "latency.count"), 2);
    cr_expect_leq(stats_number(out, "latency.p50_ns"), stats_number(out, "latency.max_ns"));
    cr_expect_eq(stats_number(stats_endpoint(stats, ""), "stages.broker.count"), 0);
    json_decref(stats);
    scene_end(&scene);
}

Test(figures, a_client_that_leaves_is_counted_as_such)
{
    struct raw_client client;
    begin("figures_left");
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"));
    await(amqp_client_consumers(&scene.amqp, "one") == 1, SOON_MS, "it does not wait");
    json_t *stats = stats_read(&scene.sidecar);
    cr_expect_eq(stats_number(stats_endpoint(stats, "GET /one"), "in_flight"), 1);
    cr_expect_eq(stats_number(stats_find(stats, "queues", "queue", "one"), "waiting_gets"), 1);
    json_decref(stats);
    raw_client_reset(&client);
    uint64_t n = 0;
    await((stats = stats_read(&scene.sidecar),
              n = stats_number(stats_endpoint(stats, "GET /one"), "abandoned"), json_decref(stats),
              n == 1),
        SOON_MS, "it was not counted");
    scene_end(&scene);
}

/* No counter falls from one look to the next, whatever dies meanwhile. */
struct seen {
    uint64_t accepted, asked, confirmed, delivered;
};

static void look(struct seen *seen)
{
    json_t *stats = stats_read(&scene.sidecar);
    const json_t *backend = backend_of(stats, "POST /out");
    struct seen now = {.accepted = stats_number(stats_endpoint(stats, "POST /out"), "accepted"),
        .asked = stats_number(backend, "asked"),
        .confirmed = stats_number(backend, "outcomes.confirmed")};
    cr_expect_geq(now.accepted, seen->accepted);
    cr_expect_geq(now.asked, seen->asked);
    cr_expect_geq(now.confirmed, seen->confirmed);
    expect_sums(stats);
    json_decref(stats);
    *seen = now;
}

Test(figures, sums_hold_under_load_and_over_the_death_of_a_worker)
{
    struct ledger ledger;
    struct seen seen = {0};
    begin("figures_load");
    ledger_init(&ledger, 0);
    struct load load = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    load.n_requests = 4000;
    struct load_run *run = load_begin(&load);
    for (int next = 200; next < load.n_requests; next += 200) {
        await(atomic_load(&ledger.n_answered) >= next, SOON_MS, "the load stands still");
        if (next == 1000)
            cr_assert_eq(kill(sidecar_worker(&scene.sidecar), SIGKILL), 0);
        look(&seen);
    }
    load_end(run);
    json_t *stats = stats_read(&scene.sidecar);
    const json_t *out = stats_endpoint(stats, "POST /out");
    cr_expect_eq(stats_number(out, "accepted"), 4001);
    cr_expect_eq(stats_number(out, "in_flight"), 0);
    cr_expect_eq(stats_number(out, "answered.200"), 1 + (uint64_t)ledger.n_posts[200]);
    cr_expect_eq(stats_number(out, "answered.503"), (uint64_t)ledger.n_posts[503]);
    cr_expect_eq(stats_number(out, "answered.504"), (uint64_t)ledger.n_posts[504]);
    /* a worker's confirm that the front never saw was counted before the answer */
    cr_expect_geq(stats_number(backend_of(stats, "POST /out"), "outcomes.confirmed"),
        stats_number(out, "answered.200"));
    cr_expect_eq(stats_number(backend_of(stats, "POST /out"), "in_flight"), 0);
    uint64_t restarts =
        stats_number(stats_find(stats, "processes", "name", "worker 0"), "restarts") +
        stats_number(stats_find(stats, "processes", "name", "worker 1"), "restarts");
    cr_expect_eq(restarts, 1);
    json_decref(stats);
    ledger_done(&ledger);
    scene_end(&scene);
}

static bool is_front_back(pid_t before)
{
    pid_t front = sidecar_front(&scene.sidecar);
    return front > 0 && front != before && stats_probe_says(&scene.sidecar, "/__ready", NULL);
}

Test(figures, a_front_that_dies_leaves_its_counts_and_what_it_had_in_flight_is_lost)
{
    struct raw_client client;
    begin("figures_front");
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"));
    await(amqp_client_consumers(&scene.amqp, "one") == 1, SOON_MS, "it does not wait");
    pid_t front = sidecar_front(&scene.sidecar);
    cr_assert_eq(kill(front, SIGKILL), 0);
    await(is_front_back(front), SOON_MS, "it does not come back");
    json_t *stats = stats_read(&scene.sidecar);
    cr_expect_eq(stats_number(stats_endpoint(stats, "POST /out"), "answered.200"), 1);
    cr_expect_eq(stats_number(stats_endpoint(stats, "GET /one"), "lost"), 1);
    cr_expect_eq(stats_number(stats_endpoint(stats, "GET /one"), "in_flight"), 0);
    const json_t *process = stats_find(stats, "processes", "name", "front");
    cr_expect_eq(stats_number(process, "restarts"), 1);
    cr_expect_not_null(
        strstr(json_string_value(json_object_get(process, "last_words")), "signal 9"));
    expect_sums(stats);
    json_decref(stats);
    raw_client_close(&client);
    scene_end(&scene);
}

static uint64_t generation(void)
{
    json_t *stats = stats_read(&scene.sidecar);
    uint64_t number = stats_number(stats, "service.generation");
    json_decref(stats);
    return number;
}

Test(figures, begin_anew_with_a_reload_at_the_same_address)
{
    begin("figures_reload");
    autofree char *text = scene_configuration("settings.json", scene.vhost.url);
    cr_expect_eq(generation(), 1);
    sidecar_reload(&scene.sidecar, text);
    await(generation() == 2, SOON_MS, "the second generation does not tell");
    json_t *stats = stats_read(&scene.sidecar);
    cr_expect_eq(stats_number(stats_endpoint(stats, "POST /out"), "accepted"), 0);
    cr_expect(!json_is_true(json_object_get(json_object_get(stats, "service"), "draining")));
    json_decref(stats);
    scene_end(&scene);
}

Test(figures, show_the_processes_as_the_system_knows_them)
{
    begin("figures_processes");
    json_t *stats = NULL;
    uint64_t rss_bytes = 0;
    await((stats = stats_read(&scene.sidecar),
              rss_bytes =
                  stats_number(stats_find(stats, "processes", "name", "worker 1"), "rss_bytes"),
              rss_bytes || (json_decref(stats), false)),
        SOON_MS, "nobody has looked at the second worker");
    cr_expect_eq(stats_number(stats_find(stats, "processes", "name", "front"), "pid"),
        (uint64_t)sidecar_front(&scene.sidecar));
    cr_expect_eq(stats_number(stats_find(stats, "processes", "name", "supervisor"), "pid"),
        (uint64_t)scene.sidecar.supervisor.pid);
    const json_t *worker = json_array_get(json_object_get(stats, "workers"), 0);
    const json_t *connection = json_array_get(json_object_get(worker, "connections"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(connection, "state")), "up");
    cr_expect_eq(stats_number(connection, "ups"), 1);
    cr_expect_gt(stats_number(worker, "lane.slots"), 0);
    cr_expect_eq(stats_number(worker, "lane.slots_in_use"), 0);
    json_decref(stats);
    scene_end(&scene);
}
