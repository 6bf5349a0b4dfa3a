/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of a file make of a vhost in which there is nothing: exchanges, queues and bindings
 * as the broker's management API describes them, key by key.
 */
#include "expect.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(declare, .timeout = 60);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "declare.json");
}

/* An exchange or a queue, and some of what the API says of it. */
struct made {
    const char *kind, *name, *members;
};

static bool has_members(const json_t *object, const json_t *members)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)members, key, value)
    {
        if (!json_equal(json_object_get(object, key), value))
            return false;
    }
    return true;
}

static void expect_made(const struct made *made)
{
    json_t *members = json_loads(made->members, 0, NULL);
    cr_assert_not_null(members, "%s", made->members);
    json_t *found = NULL;
    await((found = vhost_describe(&scene.vhost, made->kind, made->name)) != NULL, 10000,
        "there is no %s of %s", made->name, made->kind);
    autofree char *text = json_dumps(found, JSON_SORT_KEYS);
    cr_expect(has_members(found, members), "%s %s: %s has not %s", made->kind, made->name, text,
        made->members);
    json_decref(found);
    json_decref(members);
}

/* A producer's exchange and queue are made for its first message. */
static void use(const char *path)
{
    struct http_answer answer = scene_do_when_up(
        &scene, path, &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

#define PLAIN "\"internal\":false,\"arguments\":{}}"

static const struct made by_producers[] = {
    {"exchanges", "plain", "{\"type\":\"topic\",\"durable\":false,\"auto_delete\":false," PLAIN},
    {"exchanges", "kept", "{\"type\":\"topic\",\"durable\":true,\"auto_delete\":false," PLAIN},
    {"exchanges", "brief", "{\"type\":\"topic\",\"durable\":false,\"auto_delete\":true," PLAIN},
    {"exchanges", "direct", "{\"type\":\"direct\",\"durable\":false,\"auto_delete\":false," PLAIN},
    {"exchanges", "fanout", "{\"type\":\"fanout\",\"durable\":false,\"auto_delete\":false," PLAIN},
    {"exchanges", "headers",
        "{\"type\":\"headers\",\"durable\":false,\"auto_delete\":false," PLAIN},
    {"exchanges", "with-arguments",
        "{\"type\":\"topic\",\"durable\":true,"
        "\"arguments\":{\"alternate-exchange\":\"plain\",\"x-any\":1.5}}"},
    {"queues", "kept",
        "{\"type\":\"classic\",\"durable\":true,\"auto_delete\":false,\"exclusive\":false,"
        "\"arguments\":{}}"},
    {"queues", "brief",
        "{\"type\":\"classic\",\"durable\":false,\"auto_delete\":true,\"exclusive\":false,"
        "\"arguments\":{}}"},
    {"queues", "with-arguments",
        "{\"durable\":true,\"arguments\":{\"x-dead-letter-exchange\":\"plain\","
        "\"x-max-length\":5,\"x-single-active-consumer\":true,\"x-any-number\":-2.5,"
        "\"x-any-large\":9007199254740993,\"x-any-false\":false}}"},
};

Test(declare, a_producer_makes_exchange_and_queue_as_its_keys_say)
{
    static const char *const paths[] = {
        "/plain", "/kept", "/brief", "/direct", "/fanout", "/headers", "/arguments"};
    begin("by_producers");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        use(paths[i]);
    for (size_t i = 0; i < sizeof by_producers / sizeof *by_producers; i++)
        expect_made(&by_producers[i]);
    cr_assert_null(vhost_describe(&scene.vhost, "queues", "plain"), "a queue that nobody named");
    scene_end(&scene);
}

Test(declare, a_producers_queue_is_bound_by_bind_alone)
{
    begin("bind");
    use("/kept");
    use("/arguments");
    await(vhost_n_bindings(&scene.vhost, "kept") == 2, 10000, "kept is not bound");
    cr_assert(vhost_has_binding(&scene.vhost, "kept", "kept", "k.#"));
    cr_assert(vhost_has_binding(&scene.vhost, "kept", "kept", ""));
    cr_assert_eq(vhost_n_bindings(&scene.vhost, "with-arguments"), 0);
    scene_end(&scene);
}

static const struct made by_consumers[] = {
    {"exchanges", "consumed", "{\"type\":\"topic\",\"durable\":true,\"auto_delete\":false," PLAIN},
    {"exchanges", "fleeting", "{\"type\":\"topic\",\"durable\":false,\"auto_delete\":true," PLAIN},
    {"queues", "consumed",
        "{\"type\":\"classic\",\"durable\":true,\"auto_delete\":false,\"exclusive\":false,"
        "\"arguments\":{}}"},
    {"queues", "fleeting",
        "{\"type\":\"classic\",\"durable\":false,\"auto_delete\":true,\"exclusive\":false,"
        "\"arguments\":{}}"},
    {"queues", "own",
        "{\"type\":\"classic\",\"exclusive\":true}"}, /* RabbitMQ lets no such one outlive it */
    {"queues", "quorum",
        "{\"type\":\"quorum\",\"durable\":true,"
        "\"arguments\":{\"x-queue-type\":\"quorum\",\"x-delivery-limit\":3}}"},
};

Test(declare, a_consumer_makes_exchange_and_queue_as_its_keys_say_before_anybody_asks)
{
    begin("by_consumers");
    for (size_t i = 0; i < sizeof by_consumers / sizeof *by_consumers; i++)
        expect_made(&by_consumers[i]);
    scene_await_bindings(&scene, "consumed", 3);
    cr_assert(vhost_has_binding(&scene.vhost, "consumed", "consumed", "a"));
    cr_assert(vhost_has_binding(&scene.vhost, "consumed", "consumed", "b.*"));
    cr_assert(vhost_has_binding(&scene.vhost, "consumed", "consumed", ""));
    scene_end(&scene);
}

/* The queue that is bound to `shared` with this key; NULL: none is. The caller frees it. */
static char *queue_bound_with(const char *routing_key)
{
    json_t *bindings = vhost_list(&scene.vhost, "bindings"), *binding;
    char *queue = NULL;
    size_t i;
    json_array_foreach(bindings, i, binding)
    {
        const char *source, *destination, *key;
        cr_assert_eq(json_unpack(binding, "{s:s,s:s,s:s}", "source", &source, "destination",
                         &destination, "routing_key", &key),
            0);
        if (!queue && strcmp(source, "shared") == 0 && strcmp(key, routing_key) == 0)
            queue = format_text("%s", destination);
    }
    json_decref(bindings);
    return queue;
}

Test(declare, a_queue_without_a_name_is_the_brokers_to_name_and_bound_all_the_same)
{
    begin("nameless");
    autofree char *url = format_text("%s/nameless", scene.sidecar.url);
    scene_await_bindings(&scene, "own", 1);
    struct http_call *call = http_begin(&(struct http_request){.url = url});
    autofree char *queue = NULL;
    await((queue = queue_bound_with("nameless")) != NULL, 10000, "nothing is bound");
    cr_assert_eq(strncmp(queue, "amq.gen-", 8), 0, "%s", queue);
    scene_publish(&scene, "shared", "nameless", "for whom?");
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 200);
    expect_body(&answer, "for whom?");
    http_answer_done(&answer);
    scene_end(&scene);
}

/* no_wait, no_local and prefetch_size have no effect on what is served, and on the wire there is no
 * qos that RabbitMQ would close the connection over. */
Test(declare, keys_that_rabbitmq_does_not_know_cost_nothing)
{
    begin("harmless");
    scene_await_bindings(&scene, "consumed", 3);
    for (int i = 0; i < 3; i++)
        scene_publish(&scene, "consumed", "a", "x");
    for (int i = 0; i < 3; i++) {
        struct http_answer answer =
            scene_do_when_up(&scene, "/consumed", &(struct http_request){0});
        expect_status(&answer, 200);
        expect_body(&answer, "x");
        http_answer_done(&answer);
    }
    use("/kept");
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_not_null(strstr(log, "prefetch_size"), "no warning: %s", log);
    cr_assert_null(strstr(log, "broker-lost"), "%s", log);
    scene_end(&scene);
}

/* What all consumers of the vhost may hold unacked; -1: there is none, or one that need not ack. */
static json_int_t credit_of_consumers(void)
{
    json_t *consumers = vhost_list(&scene.vhost, "consumers"), *consumer;
    json_int_t credit = json_array_size(consumers) ? 0 : -1;
    size_t i;
    json_array_foreach(consumers, i, consumer)
    {
        cr_assert(json_is_true(json_object_get(consumer, "ack_required")));
        credit += json_integer_value(json_object_get(consumer, "prefetch_count"));
    }
    json_decref(consumers);
    return credit;
}

Test(declare, many_gets_are_served_with_no_more_credit_than_prefetch_count)
{
    enum { N = 12, BOUND = 3 };
    begin("credit");
    scene_await_bindings(&scene, "consumed", 3);
    autofree char *url = format_text("%s/consumed", scene.sidecar.url);
    struct http_call *calls[N];
    for (int i = 0; i < N; i++)
        calls[i] = http_begin(&(struct http_request){.url = url});
    await(credit_of_consumers() == BOUND, 10000, "a credit of %d", (int)credit_of_consumers());
    for (int n = 0; n < N; n++)
        scene_publish(&scene, "consumed", "a", "x");
    for (int n = 0; n < N; n++) {
        struct http_answer answer;
        http_end(calls[n], &answer);
        expect_status(&answer, 200);
        http_answer_done(&answer);
    }
    scene_end(&scene);
}
