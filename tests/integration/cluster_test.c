/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three RabbitMQ nodes, all of them in `host`, and a quorum queue over the three: the node that
 * leads it is killed under load. What was answered with 2xx is there afterwards, and there are 2xx
 * again as soon as the survivors have elected.
 */
#include "expect.h"
#include "tests/support/broker_control.h"
#include "tests/support/ledger.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { N_NODES = 3, N_CONNECTIONS = 16, STEADY = 300, RESUME_MS = 60000, SURVIVOR = 1 };

static struct scene scene;
static struct ledger ledger;
static uint64_t killed_ns;

static void restore_all(void)
{
    for (int node = N_NODES - 1; node >= 0; node--) {
        broker_turn_to(node);
        broker_do(BROKER_RESTORE);
    }
}

TestSuite(cluster, .init = restore_all, .timeout = 240);

static char *url_of(int node)
{
    broker_turn_to(node);
    return format_text("amqp://guest:guest@127.0.0.1:%u/%s", broker_port(), scene.vhost.name);
}

static void declare_quorum_queue(void)
{
    amqp_table_entry_t kind = {.key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    amqp_client_declare_exchange(&scene.amqp, "quorum", "topic", true);
    amqp_client_declare_queue(&scene.amqp, &(struct amqp_client_queue){.name = "quorum",
                                               .is_durable = true,
                                               .arguments = {.num_entries = 1, .entries = &kind}});
    amqp_client_bind(&scene.amqp, "quorum", "quorum", "k");
    await(vhost_n_online(&scene.vhost, "quorum") == N_NODES, 30000, "not all nodes take part");
}

/* The queue is led by node 0, where it was declared; the sidecar's first host is `first`. */
static void begin(const char *name, int first)
{
    broker_turn_to(0);
    scene_open(&scene, name);
    declare_quorum_queue();
    cr_assert_eq(vhost_leader(&scene.vhost, "quorum"), broker_port());
    autofree char *a = url_of(first), *b = url_of((first + 1) % N_NODES),
                  *c = url_of((first + 2) % N_NODES);
    autofree char *hosts = format_text("%s\", \"%s\", \"%s", a, b, c);
    autofree char *text = scene_configuration("cluster.json", hosts);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    ledger_init(&ledger, 4096);
}

/* From here on the test speaks to a survivor. */
static void kill_leader(void)
{
    amqp_client_done(&scene.amqp);
    broker_turn_to(0);
    killed_ns = clock_now_ns();
    broker_do(BROKER_KILL);
    broker_turn_to(SURVIVOR);
}

static void end(void)
{
    sidecar_stop(&scene.sidecar);
    autofree char *url = url_of(SURVIVOR);
    amqp_client_init(&scene.amqp, url);
    cr_assert_neq(vhost_leader(&scene.vhost, "quorum"), 0);
    ledger_drain(&ledger, &scene.amqp, "quorum");
}

static void await_posts_again(int n_before)
{
    await(ledger_n_posts(&ledger, 200) > n_before + N_CONNECTIONS, RESUME_MS,
        "no message was confirmed after the leader's death");
    cr_log_info("confirmed again after %llu ms",
        (unsigned long long)((clock_now_ns() - killed_ns) / CLOCK_MS));
}

static void expect_truth(const struct ledger_rules *rules)
{
    struct ledger_verdict verdict;
    ledger_close(&ledger, rules, &verdict);
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
    cr_assert_eq(ledger.n_posts[200] + ledger.n_posts[503] + ledger.n_posts[504], ledger.n,
        "another status than these");
    ledger_done(&ledger);
    scene_close(&scene);
}

Test(cluster, posts_go_on_when_another_node_than_theirs_dies_that_leads_the_queue)
{
    begin("leader_there", SURVIVOR);
    struct load posts = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    posts.pause_ns = CLOCK_MS;
    struct load_run *run = load_begin(&posts);
    await(ledger_n_posts(&ledger, 200) > STEADY, RESUME_MS, "nothing is confirmed");
    int n_before = ledger_n_posts(&ledger, 200);
    kill_leader();
    await_posts_again(n_before);
    load_finish(run);
    load_end(run);
    end();
    expect_truth(&(struct ledger_rules){0});
}

/* What was delivered shortly before its leader died may not be known as acked to the next one. */
static bool has_lost_acks(void *context, uint64_t delivered_ns)
{
    return delivered_ns + 10 * CLOCK_S >= killed_ns;
}

Test(cluster, posts_and_gets_go_on_without_loss_when_their_node_dies_that_leads_the_queue)
{
    begin("leader_gets", 0);
    struct load posts = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    struct load gets = ledger_gets(&ledger, &scene, "/in", N_CONNECTIONS);
    posts.pause_ns = 2 * CLOCK_MS;
    gets.pause_ns = 3 * CLOCK_MS; /* some stay behind */
    struct load_run *posting = load_begin(&posts), *getting = load_begin(&gets);
    await(ledger_n_gets(&ledger, 200) > STEADY, RESUME_MS, "nothing is delivered");
    int n_before = ledger_n_posts(&ledger, 200);
    kill_leader();
    await_posts_again(n_before);
    n_before = ledger_n_gets(&ledger, 200);
    await(ledger_n_gets(&ledger, 200) > n_before + N_CONNECTIONS, RESUME_MS,
        "no message was delivered after the leader's death");
    load_finish(posting);
    load_finish(getting);
    load_end(posting);
    load_end(getting);
    end();
    cr_assert_eq(ledger.n_gets[0], 0, "a GET without an answer");
    expect_truth(&(struct ledger_rules){.may_come_again = has_lost_acks});
}
