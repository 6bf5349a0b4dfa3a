/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an AMQP URI says, as the broker sees the connections that it makes, and how a broker is
 * looked for that is not there.
 */
#include "expect.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/support/broker_control.h"
#include "tests/support/port.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { WAIT_MS = 20000 };

TestSuite(uri, .timeout = 60);

static struct scene scene;

/* POST /out and GET /in over each of the lists of URIs, POST /out/0, GET /in/0, POST /out/1 ... */
static char *file_with(const char *service, const char *const *hosts, int n)
{
    json_t *endpoints = json_array();
    for (int i = 0; i < n; i++) {
        autofree char *out = format_text("/out/%d", i);
        autofree char *in = format_text("/in/%d", i);
        autofree char *queue = format_text("uri-%d", i);
        json_t *list = json_loads(hosts[i], 0, NULL);
        cr_assert_not_null(list, "%s", hosts[i]);
        cr_assert_eq(
            json_array_append_new(endpoints,
                json_pack("{s:s,s:s,s:[{s:O,s:{s:{s:s,s:b,s:s}}}]}", "method", "POST", "endpoint",
                    out, "backend", "host", list, "extra_config", "backend/amqp/producer",
                    "routing_key", queue, "static_routing_key", 1, "exchange", "")),
            0);
        cr_assert_eq(json_array_append_new(endpoints,
                         json_pack("{s:s,s:s,s:[{s:s,s:o,s:{s:{s:s}}}]}", "endpoint", in,
                             "output_encoding", "no-op", "backend", "encoding", "no-op", "host",
                             list, "extra_config", "backend/amqp/consumer", "name", queue)),
            0);
    }
    json_t *file = json_loads(service, 0, NULL);
    cr_assert(file && json_object_set_new(file, "version", json_integer(3)) == 0 &&
              json_object_set_new(file, "timeout", json_string("5s")) == 0 &&
              json_object_set_new(file, "endpoints", endpoints) == 0);
    char *text = json_dumps(file, 0);
    json_decref(file);
    return text;
}

static void begin(const char *service, const char *const *hosts, int n)
{
    autofree char *text = file_with(service, hosts, n);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
}

/* One message through it, there and back. */
static void expect_works(int i)
{
    autofree char *out = format_text("/out/%d", i), *in = format_text("/in/%d", i);
    struct http_answer answer = scene_do_when_up(
        &scene, out, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    expect_header(&answer, "X-Leveret-Outcome", "confirmed");
    http_answer_done(&answer);
    answer = scene_do_when_up(&scene, in, &(struct http_request){0});
    expect_status(&answer, 200);
    expect_body(&answer, "x");
    http_answer_done(&answer);
}

/* ---- as the broker sees it ---- */

/* How many of the sidecar's connections have this heartbeat and these channels, and its name. */
static int count_connections(int heartbeat_s, int channel_max, const char *named)
{
    json_t *connections = vhost_connections(&scene.vhost), *connection;
    int n = 0;
    size_t i;
    json_array_foreach(connections, i, connection)
    {
        const char *product = "", *name = "";
        int timeout = -1, channels = -1;
        (void)json_unpack(connection, "{s:i,s:i,s:{s:s,s?s}}", "timeout", &timeout, "channel_max",
            &channels, "client_properties", "product", &product, "connection_name", &name);
        n += strcmp(product, "Leveret") == 0 && timeout == heartbeat_s && channels == channel_max &&
             strcmp(name, named) == 0;
    }
    json_decref(connections);
    return n;
}

#define NAMED(name) "{\"name\":\"orders\",\"extra_config\":{\"leveret\":{" name "}}}"

Test(uri, heartbeat_and_channel_max_are_the_connections_and_so_is_its_name)
{
    scene_open(&scene, "parameters");
    autofree char *first = format_text("[\"%s?heartbeat=7&channel_max=5\"]", scene.vhost.url);
    autofree char *second = format_text("[\"%s?heartbeat=0\"]", scene.vhost.url);
    const char *const hosts[] = {first, second};
    begin(NAMED("\"connection_name\":\"pod-1\""), hosts, 2);
    expect_works(0);
    expect_works(1);
    await(count_connections(7, 5, "pod-1") == 2, WAIT_MS, "not one to publish, one to consume");
    await(count_connections(0, 2047, "pod-1") == 2, WAIT_MS, "not the broker's channel_max");
    scene_end(&scene);
}

/* Thirty that publish and thirty that consume. */
Test(uri, sixty_backends_of_one_broker_have_a_connection_to_publish_and_one_to_consume)
{
    enum { N_PAIRS = 30 };
    const char *hosts[N_PAIRS];
    scene_open(&scene, "sixty");
    autofree char *list = format_text("[\"%s?heartbeat=11\"]", scene.vhost.url);
    for (int i = 0; i < N_PAIRS; i++)
        hosts[i] = list;
    begin(NAMED("\"connection_name\":\"pod-2\""), hosts, N_PAIRS);
    for (int i = 0; i < N_PAIRS; i++)
        expect_works(i);
    await(count_connections(11, 2047, "pod-2") == 2, WAIT_MS, "not one to publish, one to consume");
    scene_end(&scene);
}

Test(uri, a_connection_has_the_services_name_where_it_has_none_of_its_own)
{
    scene_open(&scene, "service_name");
    autofree char *list = format_text("[\"%s?heartbeat=9\"]", scene.vhost.url);
    const char *const hosts[] = {list};
    begin(NAMED(""), hosts, 1);
    expect_works(0);
    await(count_connections(9, 2047, "orders") == 2, WAIT_MS, "it has another name");
    scene_end(&scene);
}

Test(uri, user_password_and_vhost_are_percent_decoded_and_no_vhost_is_the_root)
{
    scene_open(&scene, "spellings");
    const char *name = scene.vhost.name;
    unsigned amqp = broker_port();
    autofree char *encoded = format_text(
        "[\"amqp://gu%%65st:g%%75est@127.0.0.1:%u/%%%02X%s\"]", amqp, (unsigned)name[0], name + 1);
    autofree char *root = format_text("[\"amqp://guest:guest@127.0.0.1:%u\"]", amqp);
    autofree char *slash = format_text("[\"amqp://guest:guest@127.0.0.1:%u/\"]", amqp);
    autofree char *escaped = format_text("[\"amqp://guest:guest@localhost:%u/%%2F\"]", amqp);
    const char *const hosts[] = {encoded, root, slash, escaped};
    begin("{}", hosts, 4);
    for (int i = 0; i < 4; i++)
        expect_works(i);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "uri-0"), 0);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "uri-1"), -1, "it is in the other vhost");
    sidecar_stop(&scene.sidecar);
    struct amqp_client client;
    autofree char *url = format_text("amqp://guest:guest@127.0.0.1:%u/%%2f", amqp);
    amqp_client_init(&client, url);
    for (int i = 1; i < 4; i++) {
        autofree char *queue = format_text("uri-%d", i);
        cr_assert_eq(amqp_client_depth(&client, queue), 0);
        amqp_client_delete_queue(&client, queue);
    }
    amqp_client_done(&client);
    scene_close(&scene);
}

/* ---- who is not there ---- */

/* Accepts, for the length of the test, and says nothing. */
static uint16_t mute(void)
{
    uint16_t port = port_reserve();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    require(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0,
        "listen");
    return port;
}

/* The default is longer than anybody waits here. */
Test(uri, connection_timeout_is_the_patience_with_a_host_that_says_nothing)
{
    scene_open(&scene, "mute_host");
    autofree char *list =
        format_text("[\"amqp://guest:guest@127.0.0.1:%u/%s?connection_timeout=200\","
                    "\"%s?connection_timeout=200\"]",
            mute(), scene.vhost.name, scene.vhost.url);
    const char *const hosts[] = {list};
    begin("{}", hosts, 1);
    expect_works(0);
    scene_end(&scene);
}

/* The pauses before the first attempts of a broker, as the log has them; -1: it gives up. */
static int read_pauses(uint16_t port, long pauses[], int n_max)
{
    autofree char *log = sidecar_log(&scene.sidecar);
    autofree char *broker = format_text("broker-unreachable broker=127.0.0.1:%u/", port);
    int n = 0;
    for (const char *at = log; n < n_max && (at = strstr(at, broker)) != NULL; at++) {
        const char *pause = strstr(at, "retry_ms="), *use = strstr(at, "use=publish");
        const char *last = strstr(at, "it is not tried again"), *end = strchr(at, '\n');
        if (end && use && use < end && pause && pause < end)
            pauses[n++] = strtol(pause + strlen("retry_ms="), NULL, 10);
        else if (end && use && use < end && last && last < end)
            pauses[n++] = -1;
    }
    return n;
}

enum { N_PAUSES = 3, N_STRATEGIES = 6 };

static const struct {
    const char *keys;
    long least[N_PAUSES], most[N_PAUSES];
} strategies[N_STRATEGIES] = {
    {"\"backoff_strategy\":\"constant\"", {1000, 1000, 1000}, {1000, 1000, 1000}},
    {"\"backoff_strategy\":\"linear\"", {1000, 2000, 3000}, {1000, 2000, 3000}},
    {"\"backoff_strategy\":\"exponential\"", {1000, 2000, 4000}, {1000, 2000, 4000}},
    {"\"backoff_strategy\":\"linear-jitter\"", {500, 1000, 1500}, {1000, 2000, 3000}},
    {"\"backoff_strategy\":\"exponential-jitter\"", {500, 1000, 2000}, {1000, 2000, 4000}},
    {"\"max_retries\":2", {1000, 1000, -1}, {1000, 1000, -1}},
};

static char *file_of_strategies(const uint16_t ports[])
{
    json_t *endpoints = json_array();
    for (int i = 0; i < N_STRATEGIES; i++) {
        autofree char *text = format_text(
            "{\"method\":\"POST\",\"endpoint\":\"/out/%d\",\"backend\":[{\"host\":["
            "\"amqp://127.0.0.1:%u\"],\"extra_config\":{\"backend/amqp/producer\":{%s}}}]}",
            i, ports[i], strategies[i].keys);
        cr_assert_eq(json_array_append_new(endpoints, json_loads(text, 0, NULL)), 0);
    }
    json_t *file =
        json_pack("{s:i,s:s,s:o}", "version", 3, "timeout", "1s", "endpoints", endpoints);
    char *text = json_dumps(file, 0);
    json_decref(file);
    return text;
}

static void expect_down(int i)
{
    autofree char *path = format_text("/out/%d", i);
    struct http_answer answer = scene_post(&scene, path, "x");
    expect_problem(&answer, 503, "broker-down");
    http_answer_done(&answer);
}

Test(uri, a_broker_that_is_away_is_looked_for_as_its_strategy_says)
{
    uint16_t ports[N_STRATEGIES];
    scene_open(&scene, "strategies");
    for (int i = 0; i < N_STRATEGIES; i++)
        ports[i] = port_reserve();
    autofree char *text = file_of_strategies(ports);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    for (int i = 0; i < N_STRATEGIES; i++)
        expect_down(i);
    for (int i = 0; i < N_STRATEGIES; i++) {
        long pauses[N_PAUSES];
        await(read_pauses(ports[i], pauses, N_PAUSES) == N_PAUSES, WAIT_MS, "%s: too few attempts",
            strategies[i].keys);
        for (int n = 0; n < N_PAUSES; n++)
            cr_expect(pauses[n] >= strategies[i].least[n] && pauses[n] <= strategies[i].most[n],
                "%s: %ld ms before attempt %d", strategies[i].keys, pauses[n], n + 2);
    }
    expect_down(N_STRATEGIES - 1); /* also after it has given up */
    scene_end(&scene);
}
