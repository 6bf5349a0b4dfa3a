/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everybody at once asks for four times what there is: slots for GETs, windows for POSTs, space for
 * bodies, connections; and for headers and bodies that are too large. Each is answered, nobody's
 * memory grows, and when it is over everything is served again. Against a real broker.
 *
 * LEVERET_BOUNDS_SECONDS says how long; then the figures are shown, too.
 */
#include "tests/integration/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include "shm/clock.h"
#include "tests/support/load.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(bounds, .timeout = 300);

enum {
    N_WORKERS = 2,
    N_SLOTS = 128,        /* of a worker: "memory" below is the least that may be said */
    N_GETS = N_SLOTS / 2, /* that may wait, for one queue is one worker's */
    N_WINDOW = N_SLOTS / 2 / 3 * N_WORKERS, /* there are three producers */
    LARGE_BYTES = 256 << 10,
    N_LARGE = (2 << 20) / LARGE_BYTES * N_WORKERS, /* that have space in the request areas */
    TIGHT_BYTES = 1 << 10,
    HEADER_BYTES = 24 << 10,
    TIMES = 4,
    MAX_GROWTH_KIB = 32 << 10, /* what a front takes once, and may not have taken yet */
    N_AFTER = 400,
};

#define PRODUCER                                                                                   \
    "\"backend\":[{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"out\","             \
    "\"routing_key\":\"k\",\"static_routing_key\":true}}}]"
#define CONSUMER                                                                                   \
    "\"output_encoding\":\"no-op\",\"backend\":[{\"encoding\":\"no-op\",\"extra_config\":{"        \
    "\"backend/amqp/consumer\":{\"name\":\"in\",\"exchange\":\"in\",\"routing_key\":[\"k\"],"      \
    "\"prefetch_count\":64}}}]"

static const char configuration[] =
    "{\"version\":3,\"timeout\":\"20s\",\"max_header_bytes\":16384,\"host\":[\"@AMQP@\"],"
    "\"extra_config\":{\"leveret\":{\"memory\":\"16MiB\",\"max_connections\":@CONNECTIONS@}},"
    "\"endpoints\":["
    "{\"endpoint\":\"/out\",\"method\":\"POST\"," PRODUCER "},"
    "{\"endpoint\":\"/few\",\"method\":\"POST\"," PRODUCER
    ",\"extra_config\":{\"leveret\":{\"max_in_flight\":4}}},"
    "{\"endpoint\":\"/tight\",\"method\":\"POST\"," PRODUCER
    ",\"extra_config\":{\"leveret\":{\"max_body\":\"1KiB\"}}},"
    "{\"endpoint\":\"/soon\",\"timeout\":\"300ms\"," CONSUMER "},"
    "{\"endpoint\":\"/in\"," CONSUMER "}]}";

static struct scene scene;

/* ---- who comes ---- */

/* What all of a crowd want, and what they may be told. 0: nobody is served. */
struct demand {
    const char *path, *method, *headers;
    size_t body_bytes;
    int n_connections, served, refused;
};

struct crowd {
    struct demand demand;
    char *url;
    struct load load;
    struct load_run *run;
    int n_served, n_refused, n_other; /* written by the load's thread, read after its end */
    uint64_t refused_ns, slowest_ns;  /* to be refused: in all, and the longest */
    char other[1024];
};

static char body[LARGE_BYTES];
static char large_header[HEADER_BYTES];

static void on_request(void *context, int i, struct http_request *request)
{
    const struct crowd *crowd = context;
    *request = (struct http_request){.method = crowd->demand.method,
        .url = crowd->url,
        .headers = crowd->demand.headers,
        .body = crowd->demand.body_bytes > 0 ? body : NULL,
        .body_bytes = crowd->demand.body_bytes,
        .timeout_ms = 60000};
}

/* As the demand says, and with a 503 goes when to try again. Who is refused while its body still
 * comes may see a reset instead. */
static bool is_refusal(const struct crowd *crowd, const struct http_answer *answer)
{
    char value[32];
    if (answer->status == 0)
        return crowd->demand.body_bytes == LARGE_BYTES;
    return answer->status == crowd->demand.refused &&
           (answer->status != 503 || http_header(answer, "Retry-After", value, sizeof value));
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    struct crowd *crowd = context;
    if (crowd->demand.served != 0 && answer->status == crowd->demand.served) {
        crowd->n_served++;
    } else if (is_refusal(crowd, answer)) {
        crowd->n_refused++;
        crowd->refused_ns += answer->elapsed_ns;
        if (answer->elapsed_ns > crowd->slowest_ns)
            crowd->slowest_ns = answer->elapsed_ns;
    } else if (crowd->n_other++ == 0) {
        (void)snprintf(crowd->other, sizeof crowd->other, "%s %s: %d %s %s", crowd->demand.method,
            crowd->demand.path, answer->status, answer->failure, answer->body);
    }
}

static void crowd_begin(struct crowd *crowd, int n_requests)
{
    crowd->url = format_text("%s%s", scene.sidecar.url, crowd->demand.path);
    crowd->load = (struct load){.n_connections = crowd->demand.n_connections,
        .n_requests = n_requests,
        .on_request = on_request,
        .on_answer = on_answer,
        .context = crowd};
    crowd->run = load_begin(&crowd->load);
}

static void crowd_end(struct crowd *crowd)
{
    load_end(crowd->run);
    free(crowd->url);
    cr_assert_eq(crowd->n_other, 0, "%d others, first %s", crowd->n_other, crowd->other);
}

static void crowd_show(const struct crowd *crowd)
{
    int n = crowd->n_refused;
    cr_log_warn("%s %s x%d: %d served (%d), %d refused (%d), after %.2f ms, at most %.2f",
        crowd->demand.method, crowd->demand.path, crowd->demand.n_connections, crowd->n_served,
        crowd->demand.served, n, crowd->demand.refused,
        n > 0 ? (double)crowd->refused_ns / n / 1e6 : 0, (double)crowd->slowest_ns / 1e6);
}

/* ---- for how long, and what it costs ---- */

static bool is_measured(void)
{
    return getenv("LEVERET_BOUNDS_SECONDS") != NULL;
}

static uint64_t duration_ns(void)
{
    return is_measured() ? strtoull(getenv("LEVERET_BOUNDS_SECONDS"), NULL, 10) * CLOCK_S
                         : 2 * CLOCK_S;
}

struct memory {
    long front, worker[N_WORKERS];
};

static struct memory memory_now(void)
{
    struct memory memory = {.front = process_resident_kib(sidecar_front(&scene.sidecar))};
    pid_t workers[N_WORKERS];
    cr_assert_eq(sidecar_workers(&scene.sidecar, workers, N_WORKERS), N_WORKERS);
    for (int i = 0; i < N_WORKERS; i++)
        memory.worker[i] = process_resident_kib(workers[i]);
    return memory;
}

static void memory_show(const char *when, const struct memory *memory)
{
    if (is_measured())
        cr_log_warn("%s: front %ld KiB, workers %ld, %ld", when, memory->front, memory->worker[0],
            memory->worker[1]);
}

static void expect_no_growth(const struct memory *before, const struct memory *after)
{
    cr_assert_leq(after->front - before->front, MAX_GROWTH_KIB);
    for (int i = 0; i < N_WORKERS; i++)
        cr_assert_leq(after->worker[i] - before->worker[i], MAX_GROWTH_KIB);
}

/* All of them for the time; what is taken once is taken in its first quarter. */
static void rush(struct crowd *crowds, int n)
{
    uint64_t begun_ns = clock_now_ns(), for_ns = duration_ns();
    for (int i = 0; i < n; i++)
        crowd_begin(&crowds[i], 0);
    await(clock_now_ns() >= begun_ns + for_ns / 4, 600000, "time stands still");
    struct memory early = memory_now();
    await(clock_now_ns() >= begun_ns + for_ns, 600000, "time stands still");
    struct memory late = memory_now();
    for (int i = 0; i < n; i++)
        load_finish(crowds[i].run);
    for (int i = 0; i < n; i++)
        crowd_end(&crowds[i]);
    struct memory after = memory_now();
    for (int i = 0; is_measured() && i < n; i++)
        crowd_show(&crowds[i]);
    memory_show("after a quarter", &early);
    memory_show("at the end", &late);
    memory_show("afterwards", &after);
    expect_no_growth(&early, &late);
    expect_no_growth(&early, &after);
}

/* ---- the scene ---- */

static void begin(const char *name, int max_connections)
{
    memset(body, 'b', sizeof body);
    (void)strcpy(large_header, "X-Large: ");
    memset(large_header + strlen(large_header), 'h', sizeof large_header - 16);
    scene_open(&scene, name);
    vhost_make(&scene.vhost, "exchanges", "out", "{\"type\":\"topic\"}");
    vhost_make(&scene.vhost, "queues", "out", "{\"arguments\":{\"x-max-length\":10}}");
    amqp_client_bind(&scene.amqp, "out", "out", "k");
    autofree char *number = format_text("%d", max_connections);
    autofree char *text = scene_replace(configuration, "@CONNECTIONS@", number);
    autofree char *whole = scene_replace(text, "@AMQP@", scene.vhost.url);
    scene_begin_with(&scene,
        &(struct sidecar_options){.name = name, .configuration = whole, .n_workers = N_WORKERS});
    scene_await_bindings(&scene, "in", 1);
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "up", .body_bytes = 2});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void all_are_served(const char *path, const char *method, size_t body_bytes)
{
    struct crowd crowd = {.demand = {path, method, NULL, body_bytes, N_LARGE / 2, 200, 0}};
    uint64_t begun_ns = clock_now_ns();
    crowd_begin(&crowd, N_AFTER);
    crowd_end(&crowd);
    cr_assert_eq(crowd.n_served, N_AFTER);
    if (is_measured())
        cr_log_warn("%s %s, %zu bytes: %.0f a second", method, path, body_bytes,
            N_AFTER * 1e9 / (double)(clock_now_ns() - begun_ns));
}

static void everything_is_served(void)
{
    all_are_served("/out", "POST", 64);
    all_are_served("/out", "POST", LARGE_BYTES);
    for (int i = 0; i < N_AFTER; i++)
        scene_publish(&scene, "in", "k", "a message");
    all_are_served("/in", "GET", 0);
}

Test(bounds, past_every_bound_is_an_answer_and_nothing_grows)
{
    struct crowd crowds[] = {
        {.demand = {"/soon", "GET", NULL, 0, TIMES * N_GETS, 204, 503}},
        {.demand = {"/out", "POST", NULL, 64, TIMES * N_WINDOW, 200, 503}},
        {.demand = {"/out", "POST", NULL, LARGE_BYTES, TIMES * N_LARGE, 200, 503}},
        {.demand = {"/few", "POST", NULL, 64, TIMES * 4, 200, 503}},
        {.demand = {"/tight", "POST", NULL, 2 * TIGHT_BYTES, 4, 0, 413}},
        {.demand = {"/out", "POST", large_header, 64, 4, 0, 431}},
    };
    enum { GETS, POSTS, LARGE, FEW, TIGHT, HEADERS, N_CROWDS };
    begin("bounds", 1024);
    everything_is_served();
    rush(crowds, N_CROWDS);
    for (int i = 0; i < N_CROWDS; i++)
        cr_assert(
            crowds[i].demand.served == 0 || crowds[i].n_served > 0, "%s", crowds[i].demand.path);
    cr_assert_gt(crowds[GETS].n_refused, 0);
    cr_assert_gt(crowds[TIGHT].n_refused, 0);
    cr_assert_gt(crowds[HEADERS].n_refused, 0);
    everything_is_served();
    scene_end(&scene);
}

/* Who comes when all are there waits outside, and is served when another leaves. */
Test(bounds, past_the_connections_one_waits_and_each_has_its_turn)
{
    enum { MAX_CONNECTIONS = 32 };
    struct crowd crowds[] = {
        {.demand = {"/out", "POST", "Connection: close\n", 64, TIMES * MAX_CONNECTIONS, 200, 503}},
    };
    begin("connections", MAX_CONNECTIONS);
    everything_is_served();
    rush(crowds, 1);
    cr_assert_gt(crowds[0].n_served, 0);
    everything_is_served();
    scene_end(&scene);
}
