/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as they are written for the gateway, and what comes of each of their settings.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"

TestSuite(config_good, .init = fixture_enter, .fini = fixture_leave);

#define SECOND INT64_C(1000000000)

static struct config *expect_valid(struct loaded *loaded)
{
    cr_assert_eq(loaded->outcome, CONFIG_VALID, "%s", loaded->report);
    cr_expect_str_eq(loaded->report, "");
    return loaded->config;
}

static void expect_list(const struct config_list *list, const char *joined)
{
    char text[200] = "";

    for (size_t i = 0; i < list->n; i++)
        (void)snprintf(
            text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", list->items[i]);
    cr_expect_str_eq(text, joined);
}

/* The two examples of the specification, in the version that it was written for, and the producer
 * again with all its keys. */
static const char version_2[] =
    "{\n"
    "  \"version\": 2,\n"
    "  \"endpoints\": [\n"
    "    {\n"
    "      \"endpoint\": \"/consumer\",\n"
    "      \"backend\": [\n"
    "        {\n"
    "          \"host\": [ \"amqp://guest:guest@myqueue.host.com:5672\" ],\n"
    "          \"disable_host_sanitize\": true,\n"
    "          \"extra_config\": {\n"
    "            \"github.com/devopsfaith/krakend-amqp/consume\": {\n"
    "              \"name\":           \"queue-1\",\n"
    "              \"exchange\":       \"some-exchange\",\n"
    "              \"durable\":        true,\n"
    "              \"delete\":         false,\n"
    "              \"exclusive\":      false,\n"
    "              \"no_wait\":        true,\n"
    "              \"no_local\":       false,\n"
    "              \"routing_key\":    [\"#\"],\n"
    "              \"prefetch_count\": 10\n"
    "            }\n"
    "          }\n"
    "        }\n"
    "      ]\n"
    "    },\n"
    "    {\n"
    "      \"endpoint\": \"/producer\",\n"
    "      \"method\": \"POST\",\n"
    "      \"headers_to_pass\": [ \"X-One\", \"X-Two\" ],\n"
    "      \"backend\": [\n"
    "        {\n"
    "          \"host\": [ \"amqp://guest:guest@myqueue.host.com:5672\" ],\n"
    "          \"disable_host_sanitize\": true,\n"
    "          \"extra_config\": {\n"
    "            \"github.com/devopsfaith/krakend-amqp/produce\": {\n"
    "              \"name\": \"queue-1\",\n"
    "              \"exchange\":       \"some-exchange\",\n"
    "              \"durable\":        true,\n"
    "              \"delete\":         false,\n"
    "              \"exclusive\":      false,\n"
    "              \"no_wait\":        true,\n"
    "              \"mandatory\": true,\n"
    "              \"immediate\": false\n"
    "            }\n"
    "          }\n"
    "        }\n"
    "      ]\n"
    "    },\n"
    "    {\n"
    "      \"endpoint\": \"/produce/{a}/{b}/{id}/{prio}/{route}\",\n"
    "      \"method\": \"POST\",\n"
    "      \"headers_to_pass\": [ \"*\" ],\n"
    "      \"backend\": [\n"
    "        {\n"
    "          \"host\": [ \"amqp://guest:guest@myqueue.host.com:5672\" ],\n"
    "          \"disable_host_sanitize\": true,\n"
    "          \"extra_config\": {\n"
    "            \"github.com/devopsfaith/krakend-amqp/produce\": {\n"
    "              \"name\": \"queue-1\", \"exchange\": \"some-exchange\", \"durable\": true,\n"
    "              \"exp_key\":\"A\",\n"
    "              \"reply_to_key\":\"B\",\n"
    "              \"msg_id_key\":\"Id\",\n"
    "              \"priority_key\":\"Prio\",\n"
    "              \"routing_key\":\"Route\"\n"
    "            }\n"
    "          }\n"
    "        }\n"
    "      ]\n"
    "    }\n"
    "  ]\n"
    "}\n";

/* Every `from` of the text replaced. The caller frees it. */
static char *replaced(const char *text, const char *from, const char *to)
{
    char *result = NULL;
    size_t length;
    FILE *out = open_memstream(&result, &length);

    for (const char *next; (next = strstr(text, from)); text = next + strlen(from))
        fprintf(out, "%.*s%s", (int)(next - text), text, to);
    fputs(text, out);
    cr_assert_eq(fclose(out), 0);
    return result;
}

/* The same file as version 3 spells it. The caller frees it. */
static char *version_3(void)
{
    static const char *const spellings[][2] = {
        {"\"version\": 2", "\"version\": 3"},
        {"headers_to_pass", "input_headers"},
        {"github.com/devopsfaith/krakend-amqp/consume", "backend/amqp/consumer"},
        {"github.com/devopsfaith/krakend-amqp/produce", "backend/amqp/producer"},
    };
    char *text = strdup(version_2);

    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        char *next = replaced(text, spellings[i][0], spellings[i][1]);

        free(text);
        text = next;
    }
    return text;
}

static void expect_consumer(const struct config_endpoint *endpoint)
{
    const struct config_backend *backend = &endpoint->backends[0];

    cr_expect_str_eq(endpoint->pattern, "/consumer");
    cr_expect_eq(endpoint->method, CONFIG_GET);
    cr_expect_eq(endpoint->timeout_ns, 2 * SECOND);
    expect_list(&endpoint->headers, "Content-Type");
    cr_assert_eq(endpoint->n_backends, 1);
    cr_expect_eq(backend->role, CONFIG_CONSUMER);
    cr_expect(backend->is_host_sanitize_disabled);
    cr_assert_eq(backend->n_hosts, 1);
    cr_expect_str_eq(backend->hosts[0].host, "myqueue.host.com");
    cr_expect_str_eq(backend->hosts[0].vhost, "/");
    cr_expect_str_eq(backend->amqp.queue, "queue-1");
    cr_expect_str_eq(backend->amqp.exchange, "some-exchange");
    cr_expect_str_eq(backend->amqp.exchange_type, "topic");
    cr_expect(backend->amqp.is_durable);
    cr_expect_not(backend->amqp.is_auto_delete);
    cr_expect_not(backend->amqp.is_exclusive);
    cr_expect(backend->amqp.is_no_wait);
    cr_expect_not(backend->amqp.is_no_local);
    expect_list(&backend->amqp.bindings, "#");
    cr_expect_eq(backend->amqp.prefetch_count, 10);
}

static void expect_producer(const struct config_endpoint *endpoint)
{
    const struct config_amqp *amqp = &endpoint->backends[0].amqp;

    cr_expect_str_eq(endpoint->pattern, "/producer");
    cr_expect_eq(endpoint->method, CONFIG_POST);
    expect_list(&endpoint->headers, "X-One X-Two");
    cr_expect_eq(endpoint->backends[0].role, CONFIG_PRODUCER);
    cr_expect_str_eq(amqp->queue, "queue-1");
    cr_expect_str_eq(amqp->exchange, "some-exchange");
    cr_expect_str_eq(amqp->routing_key, "");
    cr_expect(amqp->is_durable);
    cr_expect(amqp->is_mandatory);
    cr_expect_not(amqp->is_immediate);
    cr_expect(amqp->is_confirmed);
    cr_expect_eq(amqp->bindings.n, 0);
}

static void expect_keys(const struct config_endpoint *endpoint)
{
    const struct config_amqp *amqp = &endpoint->backends[0].amqp;

    expect_list(&endpoint->headers, "*");
    cr_expect_str_eq(amqp->exp_key, "A");
    cr_expect_str_eq(amqp->reply_to_key, "B");
    cr_expect_str_eq(amqp->msg_id_key, "Id");
    cr_expect_str_eq(amqp->priority_key, "Prio");
    cr_expect_str_eq(amqp->routing_key, "Route");
}

static void expect_examples(const char *text, int version)
{
    struct loaded loaded = fixture_load(text);
    struct config *config = expect_valid(&loaded);

    cr_assert_eq(config->version, version);
    cr_assert_eq(config->n_endpoints, 3);
    expect_consumer(&config->endpoints[0]);
    expect_producer(&config->endpoints[1]);
    expect_keys(&config->endpoints[2]);
    cr_assert_eq(config->n_listeners, 1);
    cr_expect_str_eq(config->listeners[0].host, "127.0.0.1");
    cr_expect_eq(config->listeners[0].port, 8080);
    loaded_done(&loaded);
}

Test(config_good, the_examples_of_the_specification_are_read_without_a_word)
{
    expect_examples(version_2, 2);
}

Test(config_good, the_same_examples_are_read_as_version_3_spells_them)
{
    char *text = version_3();

    expect_examples(text, 3);
    free(text);
}

Test(config_good, what_an_endpoint_does_not_say_is_what_the_service_says)
{
    struct loaded loaded = fixture_load(
        "{\"version\":3,\"timeout\":\"7s\",\"cache_ttl\":\"300s\",\"output_encoding\":\"string\","
        "\"host\":[\"amqp://a/v\",\"amqp://b/v\"],\"endpoints\":["
        "{\"endpoint\":\"/a\",\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{}}}]},"
        "{\"endpoint\":\"b\",\"method\":\"get\",\"timeout\":\"1500ms\",\"cache_ttl\":\"1m30s\","
        "\"output_encoding\":\"JSON\",\"input_headers\":[],"
        "\"backend\":[{\"host\":[\"amqp://c\"],\"extra_config\":{\"backend/amqp/consumer\":{}}}]},"
        "{\"endpoint\":\"/"
        "c\",\"timeout\":0,\"cache_ttl\":\"0s\",\"output_encoding\":\"\",\"method\":\"\","
        "\"backend\":[{\"host\":[],\"extra_config\":{\"backend/amqp/consumer\":{}}}]}]}");
    struct config *config = expect_valid(&loaded);

    for (int i = 0; i < 3; i += 2) {
        cr_expect_eq(config->endpoints[i].timeout_ns, 7 * SECOND);
        cr_expect_eq(config->endpoints[i].cache_ttl_ns, 300 * SECOND);
        cr_expect_eq(config->endpoints[i].output, CONFIG_OUTPUT_STRING);
        cr_assert_eq(config->endpoints[i].backends[0].n_hosts, 2);
        cr_expect_str_eq(config->endpoints[i].backends[0].hosts[1].host, "b");
        cr_expect_str_eq(config->endpoints[i].backends[0].hosts[1].vhost, "v");
    }
    cr_expect_str_eq(config->endpoints[1].pattern, "/b");
    cr_expect_eq(config->endpoints[1].timeout_ns, SECOND * 3 / 2);
    cr_expect_eq(config->endpoints[1].cache_ttl_ns, 90 * SECOND);
    cr_expect_eq(config->endpoints[1].output, CONFIG_OUTPUT_JSON);
    expect_list(&config->endpoints[1].headers, "Content-Type");
    cr_expect_str_eq(config->endpoints[1].backends[0].hosts[0].host, "c");
    loaded_done(&loaded);
}

Test(config_good, leverets_own_settings_are_read_at_every_level)
{
    struct loaded loaded = fixture_load(
        "{\"version\":3,\"name\":\"orders\",\"endpoints\":["
        "{\"endpoint\":\"/"
        "a\",\"extra_config\":{\"leveret\":{\"max_body\":\"1MiB\",\"max_in_flight\":9}},"
        "\"backend\":[{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":"
        "{\"name\":\"q\"},\"leveret\":{\"declare\":\"passive\",\"idle_release\":\"0\","
        "\"queue_arguments\":{\"x-queue-type\":\"quorum\",\"x-max-length\":5,\"x\":1.5,\"y\":true}}"
        "}}]},"
        "{\"endpoint\":\"/b\",\"backend\":[{\"host\":[\"amqp://h\"],\"extra_config\":"
        "{\"backend/amqp/"
        "producer\":{\"name\":\"p\",\"exchange\":\"e\"},\"leveret\":{\"confirm\":false,"
        "\"delivery_mode\":\"persistent\",\"declare\":\"active\",\"exchange_type\":\"direct\","
        "\"exchange_arguments\":{\"alternate-exchange\":\"alt\"},\"bind\":[\"k\",\"l\"],"
        "\"header_arrays\":true}}}]}],"
        "\"extra_config\":{\"leveret\":{\"workers\":2,\"memory\":\"64MiB\",\"max_connections\":10,"
        "\"drain_timeout\":\"3s\",\"log_level\":\"debug\",\"log_format\":\"json\",\"io\":\"epoll\","
        "\"user\":\"www\",\"access_log\":\"errors\",\"tracing\":\"create\","
        "\"tracing_percent\":5,"
        "\"connection_name\":\"c\",\"listen\":[\"127.0.0.1:1\",\":2\",\"[::1]:0\",\"unix:/s\","
        "\"unix:/t?mode=0600\"]}}}");
    struct config *config = expect_valid(&loaded);
    const struct config_amqp *consumer = &config->endpoints[0].backends[0].amqp;
    const struct config_amqp *producer = &config->endpoints[1].backends[0].amqp;

    cr_expect_eq(config->workers, 2);
    cr_expect_eq(config->memory_bytes, 64 << 20);
    cr_expect_eq(config->max_connections, 10);
    cr_expect_eq(config->drain_timeout_ns, 3 * SECOND);
    cr_expect_eq(config->log_level, LOG_DEBUG);
    cr_expect_eq(config->log_format, LOG_JSON);
    cr_expect_eq(config->access_log, CONFIG_ACCESS_ERRORS);
    cr_expect_eq(config->tracing, CONFIG_TRACING_CREATE);
    cr_expect_eq(config->tracing_percent, 5);
    cr_expect_eq(config->io, IO_EPOLL);
    cr_expect_str_eq(config->user, "www");
    cr_expect_str_eq(config->connection_name, "c");
    cr_expect_eq(config->endpoints[0].max_body_bytes, 1 << 20);
    cr_expect_eq(config->endpoints[0].max_in_flight, 9);
    cr_expect_eq(consumer->declare, CONFIG_DECLARE_PASSIVE);
    cr_expect_eq(consumer->idle_release_ns, 0);
    cr_expect_eq(json_object_size(consumer->queue_arguments), 4);
    cr_expect_eq(json_integer_value(json_object_get(consumer->queue_arguments, "x-max-length")), 5);
    cr_expect_not(producer->is_confirmed);
    cr_expect_eq(producer->delivery, CONFIG_DELIVERY_PERSISTENT);
    cr_expect_eq(producer->declare, CONFIG_DECLARE_ACTIVE);
    cr_expect_str_eq(producer->exchange_type, "direct");
    cr_expect(producer->has_header_arrays);
    expect_list(&producer->bindings, "k l");
    loaded_done(&loaded);
}

struct listener_row {
    const char *host;
    int port;
    const char *unix_path;
    int mode;
};

static void expect_one_listener(const char *text, const char *host, uint16_t port)
{
    struct loaded loaded = fixture_load(text);
    struct config *config = expect_valid(&loaded);

    cr_assert_eq(config->n_listeners, 1);
    cr_expect_str_eq(config->listeners[0].host, host);
    cr_expect_eq(config->listeners[0].port, port);
    loaded_done(&loaded);
}

Test(config_good, port_and_listen_ip_say_where_the_one_listener_stands)
{
    expect_one_listener("{\"version\":3,\"endpoints\":[]}", "127.0.0.1", 8080);
    expect_one_listener("{\"version\":3,\"endpoints\":[],\"port\":0}", "127.0.0.1", 8080);
    expect_one_listener("{\"version\":2,\"endpoints\":[],\"port\":9000,\"listen_ip\":\"0.0.0.0\"}",
        "0.0.0.0", 9000);
}

Test(config_good, listeners_are_split_into_what_they_say)
{
    static const struct listener_row rows[] = {{"127.0.0.1", 1, NULL, 0}, {"", 2, NULL, 0},
        {"::1", 0, NULL, 0}, {NULL, 0, "/s", 0660}, {NULL, 0, "/t", 0600}};
    struct loaded loaded =
        fixture_load("{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"listen\":["
                     "\"127.0.0.1:1\",\":2\",\"[::1]:0\",\"unix:/s\",\"unix:/t?mode=0600\"]}}}");
    struct config *config = expect_valid(&loaded);

    cr_assert_eq(config->n_listeners, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct config_listener *listener = &config->listeners[i];

        cr_expect_eq(listener->port, rows[i].port);
        cr_expect_eq(!!listener->unix_path, !!rows[i].unix_path);
        if (rows[i].unix_path) {
            cr_expect_str_eq(listener->unix_path, rows[i].unix_path);
            cr_expect_eq(listener->mode, rows[i].mode);
        } else {
            cr_expect_str_eq(listener->host, rows[i].host);
        }
    }
    loaded_done(&loaded);
}

/* Where the figures are, by what the file says. */
static void expect_admin(const char *setting, const char *host, uint16_t port, const char *path)
{
    char text[200];

    (void)snprintf(text, sizeof text,
        "{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{%s}}}", setting);
    struct loaded loaded = fixture_load(text);
    const struct config_listener *admin = &expect_valid(&loaded)->admin;
    cr_expect_eq(!admin->host, !host);
    cr_expect(!host || strcmp(admin->host, host) == 0);
    cr_expect_eq(admin->port, port);
    cr_expect_eq(!admin->unix_path, !path);
    cr_expect(!path || strcmp(admin->unix_path, path) == 0);
    loaded_done(&loaded);
}

static void is_taken(bool is_valid, const char *address, const char *token)
{
    char text[256];
    (void)snprintf(text, sizeof text,
        "{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"admin_listen\":\"%s\"%s}}"
        "}",
        address, token);
    struct loaded loaded = fixture_load(text);
    cr_expect_eq(loaded.outcome == CONFIG_VALID, is_valid, "%s", text);
    loaded_done(&loaded);
}

Test(config_good, admin_listen_says_where_the_figures_are)
{
    expect_admin("", "127.0.0.1", 8090, NULL);
    expect_admin("\"admin_listen\":\"[::1]:9\"", "::1", 9, NULL);
    expect_admin("\"admin_listen\":\"unix:/run/a?mode=0600\"", NULL, 0, "/run/a");
    expect_admin("\"admin_listen\":\"off\"", NULL, 0, NULL);
    expect_admin("\"admin_listen\":\"\"", NULL, 0, NULL);
}

Test(config_good, without_a_token_the_figures_are_where_this_machine_alone_comes)
{
    static const char *const ours[] = {"127.0.0.1:1", "127.255.0.1:1", "[::1]:1", "localhost:1",
        "unix:/run/a", "unix:/run/a?mode=0666"};
    static const char *const others[] = {"0.0.0.0:1", ":1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1",
        "[::ffff:127.0.0.1]:1", "127.0.0.1.example:1", "a-host:1"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        is_taken(true, ours[i], "");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        is_taken(false, others[i], "");
        is_taken(true, others[i], ",\"admin_token\":\"abcdefgh-12345678\"");
    }
}

Test(config_good, an_endpoint_without_amqp_is_kept_with_its_route_alone)
{
    struct loaded loaded =
        fixture_load("{\"version\":3,\"endpoints\":[{\"endpoint\":\"/http/{x}\",\"method\":\"PUT\","
                     "\"output_encoding\":\"yaml\",\"backend\":[{\"host\":[\"http://h\"]}]}]}");

    cr_assert_eq(loaded.outcome, CONFIG_VALID);
    cr_assert_eq(loaded.config->n_endpoints, 1);
    cr_expect_str_eq(loaded.config->endpoints[0].pattern, "/http/{x}");
    cr_expect_eq(loaded.config->endpoints[0].method, CONFIG_PUT);
    cr_expect_eq(loaded.config->endpoints[0].n_backends, 0);
    cr_expect_eq(loaded.config->endpoints[0].timeout_ns, 2 * SECOND);
    loaded_done(&loaded);
}
