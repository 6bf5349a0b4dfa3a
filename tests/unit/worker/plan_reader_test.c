/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "frame.h"
#include "plan_reader.h"
#include "shm/clock.h"
#include "tests/support/certificates.h"

static struct plan_builder *builder;
static struct plan plan;
static struct plan_reader plan_reader;

static void set_up(void)
{
    builder = plan_builder_new(PLAN_WORKER);
    cr_assert(builder);
}

static void tear_down(void)
{
    plan_reader_done(&plan_reader);
    plan_leave(&plan);
}

TestSuite(plan_reader, .init = set_up, .fini = tear_down);

static struct plan_text text(const char *string)
{
    return plan_add_string(builder, string);
}

/* Seals a plan whose root is this backend, tap or broker, and begins with it. */
static const void *sealed(const void *root, size_t n_bytes)
{
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, root, n_bytes);
    cr_assert_geq(fd, 0);
    plan_builder_free(builder);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
    plan_reader_init(&plan_reader, &plan);
    return plan.root;
}

static struct plan_list keys(const char *first, const char *second)
{
    const struct plan_text texts[] = {text(first), text(second)};
    return plan_add_list(builder, texts, sizeof(texts[0]), 2);
}

static struct plan_list all_kinds_of_arguments(void)
{
    const struct plan_argument arguments[] = {
        {.name = text("x-single-active-consumer"), .kind = PLAN_ARGUMENT_BOOL, .integer = 1},
        {.name = text("x-max-length"), .kind = PLAN_ARGUMENT_INT, .integer = -5000000000},
        {.name = text("x-double"), .kind = PLAN_ARGUMENT_DOUBLE, .number = 2.5},
        {.name = text("x-queue-type"), .kind = PLAN_ARGUMENT_STRING, .text = text("quorum")},
    };
    return plan_add_list(builder, arguments, sizeof(arguments[0]), 4);
}

static bool is_text(amqp_bytes_t bytes, const char *string)
{
    return bytes.len == strlen(string) && memcmp(bytes.bytes, string, bytes.len) == 0;
}

Test(plan_reader, a_producer_declares_its_exchange_and_beside_it_its_queue_bound_to_it)
{
    struct plan_backend planned = {.declare = PLAN_DECLARE_ACTIVE,
        .target = {.exchange = {.name = text("ex"), .type = text("fanout"), .is_durable = 1},
            .routing_keys = keys("a.*", "b")},
        .queue = {.name = text("q"), .is_auto_delete = 1, .arguments = all_kinds_of_arguments()}};
    struct topology_wish exchange, queue;
    const struct plan_backend *backend = sealed(&planned, sizeof(planned));
    cr_assert_eq(plan_reader_producer(&plan_reader, backend, &exchange, &queue), 0);
    cr_assert_str_eq(exchange.exchange.name, "ex");
    cr_assert_str_eq(exchange.exchange.type, "fanout");
    cr_assert(exchange.exchange.is_durable);
    cr_assert_not(exchange.exchange.is_auto_delete);
    cr_assert_null(exchange.exchange.arguments);
    cr_assert_eq(exchange.exchange.declare, TOPOLOGY_ACTIVE);
    cr_assert_null(exchange.queue.name);
    cr_assert_eq(exchange.n_keys, 0);
    cr_assert_str_eq(queue.exchange.name, "ex");
    cr_assert_eq(queue.exchange.declare, TOPOLOGY_NONE, "it is there already");
    cr_assert_str_eq(queue.queue.name, "q");
    cr_assert(queue.queue.is_auto_delete);
    cr_assert_not(queue.queue.is_exclusive);
    cr_assert_eq(queue.n_keys, 2);
    cr_assert_str_eq(queue.keys[0], "a.*");
    cr_assert_str_eq(queue.keys[1], "b");
    const amqp_table_entry_t *entries = queue.queue.arguments->entries;
    cr_assert_eq(queue.queue.arguments->num_entries, 4);
    cr_assert(is_text(entries[0].key, "x-single-active-consumer"));
    cr_assert_eq(entries[0].value.kind, AMQP_FIELD_KIND_BOOLEAN);
    cr_assert(entries[0].value.value.boolean);
    cr_assert_eq(entries[1].value.kind, AMQP_FIELD_KIND_I64);
    cr_assert_eq(entries[1].value.value.i64, -5000000000);
    cr_assert_eq(entries[2].value.kind, AMQP_FIELD_KIND_F64);
    cr_assert_eq(entries[2].value.value.f64, 2.5);
    cr_assert_eq(entries[3].value.kind, AMQP_FIELD_KIND_UTF8);
    cr_assert(is_text(entries[3].value.value.bytes, "quorum"));
}

Test(plan_reader, a_producer_without_a_queue_declares_none)
{
    struct plan_backend planned = {.declare = PLAN_DECLARE_PASSIVE,
        .target.exchange.name = text("ex"),
        .queue.name = text("")};
    struct topology_wish exchange, queue;
    const struct plan_backend *backend = sealed(&planned, sizeof(planned));
    cr_assert_eq(plan_reader_producer(&plan_reader, backend, &exchange, &queue), 0);
    cr_assert_eq(exchange.exchange.declare, TOPOLOGY_PASSIVE);
    cr_assert_null(queue.queue.name);
}

Test(plan_reader, a_tap_declares_its_queue_once_and_binds_it_to_each_exchange)
{
    const struct plan_binding bindings[] = {
        {.exchange.name = text("one"), .routing_keys = keys("a", "b")},
        {.exchange.name = text("two"), .routing_keys = keys("c", "d")},
    };
    struct plan_tap planned = {.declare = PLAN_DECLARE_ACTIVE,
        .queue = {.name = text(""), .is_exclusive = 1, .is_durable = 1},
        .bindings = plan_add_list(builder, bindings, sizeof(bindings[0]), 2)};
    const struct topology_wish *wishes;
    size_t n;
    const struct plan_tap *tap = sealed(&planned, sizeof(planned));
    cr_assert_eq(plan_reader_tap(&plan_reader, tap, &wishes, &n), 0);
    cr_assert_eq(n, 2);
    cr_assert_eq(wishes[0].queue.declare, TOPOLOGY_ACTIVE);
    cr_assert(wishes[0].queue.is_exclusive);
    cr_assert(wishes[0].queue.is_durable);
    cr_assert_str_eq(wishes[0].exchange.name, "one");
    cr_assert_str_eq(wishes[0].keys[1], "b");
    cr_assert_eq(wishes[1].queue.declare, TOPOLOGY_NONE);
    cr_assert_str_eq(wishes[1].queue.name, "", "the one that was declared last");
    cr_assert_str_eq(wishes[1].exchange.name, "two");
    cr_assert_eq(wishes[1].exchange.declare, TOPOLOGY_ACTIVE);
    cr_assert_str_eq(wishes[1].keys[0], "c");
}

Test(plan_reader, a_tap_without_an_exchange_declares_its_queue_alone)
{
    struct plan_tap planned = {.declare = PLAN_DECLARE_NONE, .queue.name = text("q")};
    const struct topology_wish *wishes;
    size_t n;
    const struct plan_tap *tap = sealed(&planned, sizeof(planned));
    cr_assert_eq(plan_reader_tap(&plan_reader, tap, &wishes, &n), 0);
    cr_assert_eq(n, 1);
    cr_assert_null(wishes[0].exchange.name);
    cr_assert_str_eq(wishes[0].queue.name, "q");
    cr_assert_eq(wishes[0].queue.declare, TOPOLOGY_NONE);
}

struct whole {
    struct plan_worker worker;
    struct plan_broker broker;
};

static struct link_config link_of(struct plan_broker planned)
{
    const struct plan_host hosts[] = {
        {.host = text("rabbit-1"),
            .port = 5672,
            .user = text("me"),
            .password = text("secret"),
            .tls = PLAN_NONE},
        {.host = text("::1"),
            .port = 5673,
            .user = text("you"),
            .password = text(""),
            .tls = PLAN_NONE},
    };
    planned.vhost = text("orders");
    planned.hosts = plan_add_list(builder, hosts, sizeof(hosts[0]), 2);
    struct whole planned_whole = {.worker.connection_name = text("shop"), .broker = planned};
    struct link_config config;
    const struct whole *whole = sealed(&planned_whole, sizeof(planned_whole));
    cr_assert_eq(plan_reader_link(&plan_reader, &whole->worker, &whole->broker, &config), 0);
    return config;
}

Test(plan_reader, a_link_knows_all_hosts_with_their_logins)
{
    struct link_config config = link_of((struct plan_broker){.connection_timeout_ns = 3 * CLOCK_S,
        .heartbeat_s = 7,
        .channel_max = 99,
        .max_retries = 4,
        .backoff = PLAN_BACKOFF_LINEAR_JITTER});
    cr_assert_eq(config.n_hosts, 2);
    cr_assert_str_eq(config.hosts[0].name, "rabbit-1");
    cr_assert_eq(config.hosts[0].port, 5672);
    cr_assert_str_eq(config.hosts[0].login.user, "me");
    cr_assert_str_eq(config.hosts[0].login.password, "secret");
    cr_assert_str_eq(config.hosts[0].login.vhost, "orders");
    cr_assert_str_eq(config.hosts[1].name, "::1");
    cr_assert_eq(config.hosts[1].port, 5673);
    cr_assert_str_eq(config.hosts[1].login.user, "you");
    cr_assert_str_eq(config.hosts[1].login.vhost, "orders");
    cr_assert_str_eq(config.connection.name, "shop");
    cr_assert_eq(config.connection.heartbeat_s, 7);
    cr_assert_eq(config.connection.channel_max, 99);
    cr_assert_eq(config.connection.patience_ns, 3 * CLOCK_S);
    cr_assert_eq(config.connect_ns, 3 * CLOCK_S);
    cr_assert_eq(config.backoff.max_retries, 4);
    cr_assert_eq(config.backoff.strategy, BACKOFF_LINEAR_JITTER);
}

/* ---- TLS ---- */

/* A plan of one broker with two hosts, whose TLS is this. */
static int secure_link_of(const struct plan_tls *tls, struct link_config *config)
{
    const struct plan_host hosts[] = {
        {.host = text("10.0.0.1"), .server_name = text("rabbit"), .is_external = 1},
        {.host = text("10.0.0.2"), .server_name = text("10.0.0.2")},
    };
    struct whole planned = {
        .worker = {.connection_name = text("shop"),
            .tls = plan_add_list(builder, tls, sizeof *tls, 1)},
        .broker = {.vhost = text("/"),
            .hosts = plan_add_list(builder, hosts, sizeof(hosts[0]), 2),
            .backoff = PLAN_BACKOFF_CONSTANT},
    };
    const struct whole *whole = sealed(&planned, sizeof(planned));
    return plan_reader_link(&plan_reader, &whole->worker, &whole->broker, config);
}

Test(plan_reader, a_link_without_tls_has_no_context)
{
    struct link_config config = link_of((struct plan_broker){.backoff = PLAN_BACKOFF_CONSTANT});
    cr_assert_null(config.hosts[0].peer.context);
    cr_assert_null(config.hosts[1].peer.context);
    cr_assert_not(config.hosts[0].login.is_external);
}

Test(plan_reader, hosts_with_the_same_tls_share_a_context_and_each_has_the_name_it_must_prove)
{
    struct authority authority;
    struct certificate me;
    struct link_config config;
    authority_init(&authority, "authority");
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    const struct plan_tls tls = {
        .authorities = text(authority.pem), .certificate = text(me.pem), .key = text(me.key_pem)};
    cr_assert_eq(secure_link_of(&tls, &config), 0);
    SSL_CTX *context = config.hosts[0].peer.context;
    cr_assert_not_null(context);
    cr_assert_eq(config.hosts[1].peer.context, context);
    cr_assert_eq(SSL_CTX_get_verify_mode(context), SSL_VERIFY_PEER);
    cr_assert_not_null(SSL_CTX_get0_privatekey(context));
    cr_assert_str_eq(config.hosts[0].peer.name, "rabbit");
    cr_assert_str_eq(config.hosts[1].peer.name, "10.0.0.2");
    cr_assert(config.hosts[0].login.is_external);
    cr_assert_not(config.hosts[1].login.is_external);
    certificate_done(&me);
    authority_done(&authority);
}

Test(plan_reader, without_authorities_anybody_will_do)
{
    struct link_config config;
    const struct plan_tls tls = {.authorities = text("")};
    cr_assert_eq(secure_link_of(&tls, &config), 0);
    cr_assert_eq(SSL_CTX_get_verify_mode(config.hosts[0].peer.context), SSL_VERIFY_NONE);
}

Test(plan_reader, what_its_maker_cannot_have_tried_is_refused)
{
    struct link_config config;
    const struct plan_tls tls = {.authorities = text("no PEM")};
    cr_assert_eq(secure_link_of(&tls, &config), -EPROTO);
}

Test(plan_reader, a_heartbeat_of_0_is_none_and_not_the_default)
{
    struct link_config config = link_of((struct plan_broker){.backoff = PLAN_BACKOFF_EXPONENTIAL});
    cr_assert_eq(config.connection.heartbeat_s, CONNECTION_NO_HEARTBEAT);
    cr_assert_eq(config.backoff.strategy, BACKOFF_EXPONENTIAL);
    cr_assert_gt(config.connection.patience_ns, 0);
}
