/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "plan_worker.h"
#include "shm/plan.h"
#include "tests/support/certificates.h"

TestSuite(plan_worker, .init = fixture_enter, .fini = fixture_leave);

#define SECOND UINT64_C(1000000000)

static const char text[] =
    "{\"version\":3,\"name\":\"orders\",\"host\":[\"amqp://u:p%40@a:1/"
    "v?heartbeat=7&connection_timeout=1500\","
    "\"amqp://u2:p2@[::1]:2/v?heartbeat=7&connection_timeout=1500\"],\"endpoints\":["
    "{\"endpoint\":\"/p/{id}\",\"method\":\"POST\",\"backend\":["
    "{\"extra_config\":{\"backend/amqp/"
    "producer\":{\"name\":\"q1\",\"exchange\":\"orders\",\"durable\":true,"
    "\"exclusive\":true,\"backoff_strategy\":\"linear-jitter\",\"max_retries\":4},"
    "\"leveret\":{\"bind\":[\"k1\",\"k2\"],\"queue_arguments\":"
    "{\"s\":\"text\",\"i\":-5,\"d\":2.5,\"t\":true,\"f\":false}}}},"
    "{\"extra_config\":{\"backend/amqp/"
    "producer\":{\"exchange\":\"audit\",\"delete\":true,\"immediate\":true},"
    "\"leveret\":{\"delivery_mode\":\"persistent\",\"confirm\":false,\"header_arrays\":true,"
    "\"declare\":\"none\",\"bind\":[\"k\"],\"exchange_type\":\"direct\",\"exchange_arguments\":{"
    "\"x\":\"y\"}}}}]},"
    "{\"endpoint\":\"/c\",\"extra_config\":{\"leveret\":{\"max_body\":\"2MiB\"}},\"backend\":["
    "{\"extra_config\":{\"backend/amqp/"
    "consumer\":{\"name\":\"q1\",\"exchange\":\"orders\",\"durable\":true,"
    "\"routing_key\":[\"a\",\"#\"],\"prefetch_count\":3,\"auto_ack\":true,\"nack_discard\":true,"
    "\"no_local\":true,\"backoff_strategy\":\"linear-jitter\",\"max_retries\":4},"
    "\"leveret\":{\"idle_release\":\"3s\"}}},"
    "{\"extra_config\":{\"backend/amqp/"
    "consumer\":{\"name\":\"q1\",\"exchange\":\"orders\",\"durable\":true,"
    "\"routing_key\":[\"a\",\"#\"],\"prefetch_count\":9,\"no_local\":true,"
    "\"backoff_strategy\":\"linear-jitter\",\"max_retries\":4},"
    "\"leveret\":{\"idle_release\":\"3s\",\"properties_to_headers\":true}}},"
    "{\"extra_config\":{\"backend/amqp/"
    "consumer\":{\"name\":\"q1\",\"exchange\":\"more\",\"durable\":true,"
    "\"no_local\":true,\"backoff_strategy\":\"linear-jitter\",\"max_retries\":4},"
    "\"leveret\":{\"idle_release\":\"3s\"}}},"
    "{\"host\":[\"amqp://a:1\"],\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q1\","
    "\"exclusive\":true,\"delete\":true},\"leveret\":{\"declare\":\"passive\",\"idle_release\":"
    "\"0\"}}},"
    "{\"host\":[\"amqp://a:1\"],\"extra_config\":{\"backend/amqp/consumer\":{}}},"
    "{\"host\":[\"amqp://a:1\"],\"extra_config\":{\"backend/amqp/consumer\":{}}}]}],"
    "\"extra_config\":{\"leveret\":{\"workers\":2}}}";

static struct plan plan;
static const struct plan_worker *worker;
static const struct plan_broker *brokers;
static const struct plan_backend *backends;
static const struct plan_tap *taps;

static void join(const char *file)
{
    struct loaded loaded = fixture_load(file);
    CLEANUP(cleanup_fd) int fd = -1;

    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    fd = plan_worker_new(loaded.config);
    cr_assert_geq(fd, 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    worker = plan.root;
    brokers = plan_items(&plan, worker->brokers);
    backends = plan_items(&plan, worker->backends);
    taps = plan_items(&plan, worker->taps);
    loaded_done(&loaded);
}

static void expect_text(struct plan_text found, const char *expected)
{
    cr_expect_str_eq(plan_string(&plan, found), expected);
}

static void expect_texts(struct plan_list list, const char *joined)
{
    const struct plan_text *texts = plan_items(&plan, list);
    char found[100] = "";

    for (uint32_t i = 0; i < list.count; i++)
        (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? " " : "",
            plan_string(&plan, texts[i]));
    cr_expect_str_eq(found, joined);
}

Test(plan_worker, backends_with_the_same_hosts_and_credentials_share_a_broker)
{
    const struct plan_host *hosts;

    join(text);
    cr_assert_eq(worker->brokers.count, 2);
    cr_assert_eq(worker->backends.count, 8);
    for (uint32_t i = 0; i < 8; i++)
        cr_expect_eq(backends[i].broker, i < 5 ? 0 : 1);
    hosts = plan_items(&plan, brokers[0].hosts);
    cr_assert_eq(brokers[0].hosts.count, 2);
    expect_text(brokers[0].name, "a:1/v");
    expect_text(brokers[0].vhost, "v");
    expect_text(hosts[0].host, "a");
    expect_text(hosts[0].user, "u");
    expect_text(hosts[0].password, "p@");
    cr_expect_eq(hosts[0].port, 1);
    expect_text(hosts[1].host, "::1");
    expect_text(hosts[1].password, "p2");
    cr_expect_eq(hosts[1].port, 2);
    expect_text(brokers[1].name, "a:1/");
    expect_text(brokers[1].vhost, "/");
    plan_leave(&plan);
}

Test(plan_worker, carries_how_to_connect)
{
    join(text);
    cr_expect_eq(brokers[0].heartbeat_s, 7);
    cr_expect_eq(brokers[0].connection_timeout_ns, SECOND * 3 / 2);
    cr_expect_eq(brokers[0].max_retries, 4);
    cr_expect_eq(brokers[0].backoff, PLAN_BACKOFF_LINEAR_JITTER);
    cr_expect_eq(brokers[1].heartbeat_s, 10);
    cr_expect_eq(brokers[1].connection_timeout_ns, 30 * SECOND);
    cr_expect_eq(brokers[1].max_retries, 0);
    cr_expect_eq(brokers[1].backoff, PLAN_BACKOFF_CONSTANT);
    expect_text(worker->connection_name, "orders");
    plan_leave(&plan);
}

Test(plan_worker, carries_what_tls_needs_and_not_where_it_came_from)
{
    struct authority authority;
    struct certificate me;
    authority_init(&authority, "authority");
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    fixture_write("ca.pem", authority.pem, strlen(authority.pem));
    fixture_write("me.pem", me.pem, strlen(me.pem));
    fixture_write("me.key", me.key_pem, strlen(me.key_pem));
    join("{\"version\":3,\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":["
         "{\"host\":[\"amqps://h?cacertfile=ca.pem&certfile=me.pem&keyfile=me.key"
         "&auth_mechanism=external\",\"amqps://"
         "i.?verify=verify_none&server_name_indication=j\",\"amqps://k.lan.?cacertfile=ca.pem\"],"
         "\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q\"}}},"
         "{\"host\":[\"amqp://h\"],\"extra_config\":{\"backend/amqp/consumer\":{\"name\":"
         "\"q\"}}}]}]}");
    const struct plan_tls *tls = plan_items(&plan, worker->tls);
    cr_assert_eq(worker->tls.count, 3);
    cr_assert_eq(worker->brokers.count, 2, "one with TLS, one without");
    cr_expect(
        strncmp(plan_string(&plan, tls[0].authorities), authority.pem, strlen(authority.pem)) == 0);
    cr_expect(strncmp(plan_string(&plan, tls[0].certificate), me.pem, strlen(me.pem)) == 0);
    cr_expect(strncmp(plan_string(&plan, tls[0].key), me.key_pem, strlen(me.key_pem)) == 0);
    expect_text(tls[1].authorities, "");
    expect_text(tls[1].key, "");
    const struct plan_host *hosts = plan_items(&plan, brokers[0].hosts);
    cr_expect_eq(hosts[0].tls, 0);
    cr_expect(hosts[0].is_external);
    expect_text(hosts[0].server_name, "h");
    cr_expect_eq(hosts[0].port, 5671);
    cr_expect_eq(hosts[1].tls, 1);
    cr_expect_not(hosts[1].is_external);
    expect_text(hosts[1].server_name, "j");
    expect_text(hosts[2].host, "k.lan.");
    expect_text(hosts[2].server_name, "k.lan");
    hosts = plan_items(&plan, brokers[1].hosts);
    cr_expect_eq(hosts[0].tls, PLAN_NONE);
    plan_leave(&plan);
    certificate_done(&me);
    authority_done(&authority);
}

Test(plan_worker, carries_what_a_producer_is)
{
    join(text);
    cr_expect_eq(backends[0].verb, PLAN_PRODUCE);
    cr_expect_eq(backends[0].tap, PLAN_NONE);
    cr_expect_eq(backends[0].declare, PLAN_DECLARE_ACTIVE);
    cr_expect(backends[0].is_confirmed);
    cr_expect(backends[0].is_persistent, "durable");
    cr_expect_not(backends[0].is_immediate);
    expect_text(backends[0].name, "POST /p/{id} $.endpoints[0].backend[0]");
    expect_text(backends[0].target.exchange.name, "orders");
    expect_text(backends[0].target.exchange.type, "topic");
    cr_expect(backends[0].target.exchange.is_durable);
    expect_texts(backends[0].target.routing_keys, "k1 k2");
    expect_text(backends[0].queue.name, "q1");
    cr_expect(backends[0].queue.is_durable);
    cr_expect_not(backends[0].queue.is_exclusive, "others must be able to consume");
    cr_expect_eq(backends[1].declare, PLAN_DECLARE_NONE);
    cr_expect_not(backends[1].is_confirmed);
    cr_expect(backends[1].is_persistent, "said so");
    cr_expect(backends[1].is_immediate);
    cr_expect(backends[1].has_header_arrays);
    expect_text(backends[1].target.exchange.type, "direct");
    cr_expect(backends[1].target.exchange.is_auto_delete);
    cr_expect_eq(backends[1].target.exchange.arguments.count, 1);
    cr_expect_eq(backends[1].target.routing_keys.count, 0, "who declares nothing binds nothing");
    expect_text(backends[1].queue.name, "");
    plan_leave(&plan);
}

static const struct plan_argument *argument(const char *name)
{
    const struct plan_argument *arguments = plan_items(&plan, backends[0].queue.arguments);

    for (uint32_t i = 0; i < backends[0].queue.arguments.count; i++)
        if (strcmp(plan_string(&plan, arguments[i].name), name) == 0)
            return &arguments[i];
    return NULL;
}

Test(plan_worker, carries_arguments_by_their_type)
{
    join(text);
    cr_assert_eq(backends[0].queue.arguments.count, 5);
    cr_expect_eq(argument("s")->kind, PLAN_ARGUMENT_STRING);
    expect_text(argument("s")->text, "text");
    cr_expect_eq(argument("i")->kind, PLAN_ARGUMENT_INT);
    cr_expect_eq(argument("i")->integer, -5);
    cr_expect_eq(argument("d")->kind, PLAN_ARGUMENT_DOUBLE);
    cr_expect(argument("d")->number == 2.5);
    cr_expect_eq(argument("t")->kind, PLAN_ARGUMENT_BOOL);
    cr_expect_eq(argument("t")->integer, 1);
    cr_expect_eq(argument("f")->kind, PLAN_ARGUMENT_BOOL);
    cr_expect_eq(argument("f")->integer, 0);
    plan_leave(&plan);
}

Test(plan_worker, consumers_of_one_queue_share_a_tap_with_all_their_bindings)
{
    const struct plan_binding *bindings;

    join(text);
    cr_assert_eq(worker->taps.count, 4);
    cr_expect_eq(backends[2].tap, 0);
    cr_expect_eq(backends[3].tap, 0);
    cr_expect_eq(backends[4].tap, 0);
    cr_expect_eq(backends[5].tap, 1, "the same name on another broker");
    cr_expect_eq(backends[6].tap, 2);
    cr_expect_eq(backends[7].tap, 3, "queues that the broker names are two");
    cr_expect_eq(taps[0].broker, 0);
    cr_expect_eq(taps[1].broker, 1);
    for (uint32_t i = 0; i < 4; i++)
        cr_expect_eq(taps[i].worker, i % 2);
    bindings = plan_items(&plan, taps[0].bindings);
    cr_assert_eq(taps[0].bindings.count, 2, "what two say is said once");
    expect_text(bindings[0].exchange.name, "orders");
    expect_texts(bindings[0].routing_keys, "a #");
    expect_text(bindings[1].exchange.name, "more");
    expect_texts(bindings[1].routing_keys, "");
    cr_expect_eq(taps[1].bindings.count, 0, "no exchange");
    plan_leave(&plan);
}

static bool is_single_active(const char *arguments)
{
    char file[512];
    (void)snprintf(file, sizeof file,
        "{\"version\":3,\"host\":[\"amqp://a:1\"],\"endpoints\":[{\"endpoint\":\"/c\","
        "\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":{\"name\":\"q\"},"
        "\"leveret\":{\"queue_arguments\":{%s}}}}]}]}",
        arguments);
    join(file);
    bool is_so = taps[0].queue.is_single_active;
    plan_leave(&plan);
    return is_so;
}

Test(plan_worker, says_whether_a_classic_queue_has_one_active_consumer)
{
    cr_expect(is_single_active("\"x-single-active-consumer\":true"));
    cr_expect(is_single_active("\"x-single-active-consumer\":true,\"x-queue-type\":\"classic\""));
    cr_expect_not(is_single_active(""));
    cr_expect_not(is_single_active("\"x-single-active-consumer\":false"));
    cr_expect_not(
        is_single_active("\"x-single-active-consumer\":true,\"x-queue-type\":\"quorum\""));
}

Test(plan_worker, carries_what_a_tap_and_its_consumers_are)
{
    join(text);
    expect_text(taps[0].name, "q1");
    expect_text(taps[0].queue.name, "q1");
    cr_expect(taps[0].queue.is_durable);
    cr_expect_eq(taps[0].prefetch_count, 9, "the most that one of them asks for");
    cr_expect(taps[0].is_no_local);
    cr_expect(taps[0].passes_properties, "one of them shows them");
    cr_expect_not(taps[1].passes_properties);
    cr_expect_eq(taps[0].idle_release_ns, 3 * SECOND);
    cr_expect_eq(taps[0].declare, PLAN_DECLARE_ACTIVE);
    cr_expect_eq(taps[1].prefetch_count, 128, "never the whole queue");
    cr_expect(taps[1].queue.is_exclusive);
    cr_expect(taps[1].queue.is_auto_delete);
    cr_expect_not(taps[1].queue.is_single_active);
    cr_expect_eq(taps[1].idle_release_ns, 0);
    cr_expect_eq(taps[1].declare, PLAN_DECLARE_PASSIVE);
    expect_text(taps[2].name, "(named by the broker)");
    expect_text(taps[2].queue.name, "");
    cr_expect_eq(backends[2].verb, PLAN_CONSUME);
    cr_expect(backends[2].is_auto_acked);
    cr_expect(backends[2].discards_malformed);
    cr_expect_not(backends[2].is_confirmed);
    cr_expect_not(backends[2].is_persistent);
    cr_expect_eq(backends[2].encoding, PLAN_JSON);
    cr_expect_eq(backends[2].max_body_bytes, 2 << 20);
    plan_leave(&plan);
}

Test(plan_worker, carries_the_rules_of_a_shape_sorted_for_a_search)
{
    const struct plan_path *paths;
    const struct plan_rename *renames;

    join("{\"version\":3,\"endpoints\":[{\"endpoint\":\"/a\",\"backend\":["
         "{\"host\":[\"amqp://h\"],\"target\":\"t.u\",\"allow\":[\"n.y\",\"\\\"\",\"n.x\"],"
         "\"deny\":[\"b\"],\"mapping\":{\"z\":\"a.b\",\"y\":\"a\"},\"group\":\"g\","
         "\"encoding\":\"string\",\"extra_config\":{\"backend/amqp/consumer\":{}}}]}]}");
    cr_assert(backends[0].shape.is_any);
    cr_expect_eq(backends[0].encoding, PLAN_STRING, "of the message, not of its shape");
    expect_texts(backends[0].shape.target, "t u");
    expect_text(backends[0].shape.group, "g");
    cr_expect_eq(backends[0].shape.filter, PLAN_ALLOWS);
    cr_assert_eq(backends[0].shape.paths.count, 2);
    paths = plan_items(&plan, backends[0].shape.paths);
    expect_text(paths[0].name, "\\\"");
    cr_expect_eq(paths[0].below.count, 0);
    cr_assert_eq(paths[1].below.count, 2);
    paths = plan_items(&plan, paths[1].below);
    expect_text(paths[0].name, "x");
    expect_text(paths[1].name, "y");
    cr_assert_eq(backends[0].shape.renames.count, 3);
    renames = plan_items(&plan, backends[0].shape.renames);
    expect_text(renames[0].name, "a");
    cr_expect_eq(renames[0].rank, PLAN_LAST_RANK);
    expect_text(renames[1].name, "y");
    cr_expect_eq(renames[1].rank, 1);
    expect_text(renames[2].new_name, "a");
    cr_expect_eq(renames[2].rank, 0);
    plan_leave(&plan);
}

Test(plan_worker, windows_are_half_of_the_slots_together)
{
    join(text);
    cr_expect_geq(worker->backend_window, 64);
    cr_expect_eq(worker->drain_timeout_ns, UINT64_C(10000000000));
    cr_expect_leq(worker->backend_window, 2048);
    plan_leave(&plan);
}

/* 128 MiB are 2,048 slots. */
static void expect_windows(int n_producers, int n_brokers, uint32_t of_backend, uint32_t of_broker)
{
    static char file[1 << 20];
    size_t n = (size_t)sprintf(file, "{\"version\":3,\"endpoints\":[");
    for (int i = 0; i < n_producers; i++)
        n += (size_t)sprintf(file + n,
            "%s{\"endpoint\":\"/%d\",\"method\":\"POST\",\"backend\":[{\"host\":[\"amqp://h%d\"],"
            "\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"e\"}}}]}",
            i ? "," : "", i, i % n_brokers);
    (void)sprintf(file + n, "]}");
    join(file);
    cr_expect_eq(worker->backend_window, of_backend, "%u", worker->backend_window);
    cr_expect_eq(worker->broker_window, of_broker, "%u", worker->broker_window);
    plan_leave(&plan);
}

Test(plan_worker, a_backend_has_half_of_its_brokers_window_however_many_there_are)
{
    expect_windows(1, 1, 1024, 1024);
    expect_windows(2, 1, 512, 1024);
    expect_windows(2000, 1, 512, 1024);
    expect_windows(4, 2, 256, 512);
    expect_windows(2000, 2000, 1, 1);
}

Test(plan_worker, without_a_name_connections_are_leverets)
{
    join("{\"version\":3,\"endpoints\":[]}");
    expect_text(worker->connection_name, "leveret");
    cr_expect_eq(worker->backends.count, 0);
    cr_expect_geq(worker->backend_window, 1);
    plan_leave(&plan);
}
