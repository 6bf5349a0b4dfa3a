/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any process may die between any two instructions: every request that was begun is answered, no
 * confirmed message is missing, and what was not sent was not sent.
 */
#include "expect.h"
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "tests/support/ledger.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/stats.h"

enum { N_CONNECTIONS = 32, LOST_ACKS_MS = 5000, LARGE = 8 << 20 };

TestSuite(kills, .timeout = 120);

static struct scene scene;
static struct ledger ledger;
static uint64_t killed_ns;

/* `plain` is the consumer's queue, `kept` a copy that nobody consumes. */
static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_client_declare_exchange(&scene.amqp, "plain", "topic", true);
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "kept", .is_durable = true});
    amqp_client_bind(&scene.amqp, "kept", "plain", "#");
    scene_begin(&scene, "plain.json");
    scene_await_bindings(&scene, "plain", 1);
    ledger_init(&ledger, 0);
}

static void end_after_stop(void)
{
    ledger_done(&ledger);
    scene_close(&scene);
}

static void post_when_up(void)
{
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "probe", .body_bytes = 5});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

/* With its connection to the broker, if it is a worker. */
static void expect_back_within_a_second(void)
{
    post_when_up();
    uint64_t gap_ns = clock_now_ns() - killed_ns;
    cr_assert_lt(gap_ns, CLOCK_S, "back after %llu ms", (unsigned long long)(gap_ns / CLOCK_MS));
}

static void post_all(int n)
{
    struct load load = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    load.n_requests = n;
    load_run(&load);
    cr_assert_eq(ledger.n_posts[200], n);
}

static void forget_probes(void)
{
    await(amqp_client_depth(&scene.amqp, "kept") > 0, 5000, "no probe");
    amqp_client_purge(&scene.amqp, "kept");
    amqp_client_purge(&scene.amqp, "plain");
}

static void wait_for_answers(int n)
{
    await(atomic_load(&ledger.n_answered) >= n, 60000, "the load stands still at %d",
        atomic_load(&ledger.n_answered));
}

/* A load of POSTs that is in the middle of it. */
static struct load_run *begin_posting(const char *name)
{
    static struct load load;
    begin(name);
    post_when_up();
    forget_probes();
    load = ledger_posts(&ledger, &scene, "/out", N_CONNECTIONS);
    load.n_requests = 6000;
    struct load_run *run = load_begin(&load);
    wait_for_answers(1500);
    return run;
}

/* With `n_probes` that the books do not know on the queue, and no other answer than these. */
static void expect_truth(int n_probes)
{
    struct ledger_verdict verdict;
    const int *n = ledger.n_posts;
    ledger_close(&ledger, &(struct ledger_rules){0}, &verdict);
    cr_assert_eq(verdict.n_strange, n_probes);
    cr_assert_eq(verdict.n_lost + verdict.n_untrue + verdict.n_doubled + verdict.n_misnamed, 0,
        "%s", verdict.first);
    cr_assert_eq(n[0] + n[200] + n[503] + n[504], ledger.n, "another status than these");
}

Test(kills, a_killed_worker_under_posts_leaves_no_request_unanswered_and_no_answer_untrue)
{
    struct load_run *run = begin_posting("worker_posts");
    pid_t worker = sidecar_worker(&scene.sidecar);
    cr_assert_gt(worker, 0);
    cr_assert_eq(kill(worker, SIGKILL), 0);
    killed_ns = clock_now_ns();
    expect_back_within_a_second();
    load_end(run);
    cr_assert_neq(sidecar_worker(&scene.sidecar), worker);
    sidecar_stop(&scene.sidecar);
    ledger_drain(&ledger, &scene.amqp, "kept");
    expect_truth(1);
    cr_assert_gt(ledger.n_posts[200], 1500);
    cr_assert_eq(ledger.n_posts[0], 0);
    end_after_stop();
}

static bool are_in_flight(uint64_t n)
{
    json_t *stats = stats_read(&scene.sidecar);
    bool they_are = stats_number(stats_endpoint(stats, "GET /in"), "in_flight") == n;
    json_decref(stats);
    return they_are;
}

Test(kills, waiting_gets_outlive_their_worker)
{
    enum { N = 8 };
    begin("worker_waiting");
    autofree char *url = format_text("%s/in", scene.sidecar.url);
    struct http_call *calls[N];
    for (int i = 0; i < N; i++)
        calls[i] = http_begin(&(struct http_request){.url = url});
    await(amqp_client_consumers(&scene.amqp, "plain") == 1, 10000, "no consumer");
    await(are_in_flight(N), 10000, "some have not arrived");
    cr_assert_eq(kill(sidecar_worker(&scene.sidecar), SIGKILL), 0);
    for (int i = 0; i < N; i++)
        scene_publish(&scene, "plain", "k", "for a survivor");
    for (int i = 0; i < N; i++) {
        struct http_answer answer;
        http_end(calls[i], &answer);
        expect_status(&answer, 200);
        expect_body(&answer, "for a survivor");
        http_answer_done(&answer);
    }
    cr_assert_eq(scene_stop_and_count(&scene, "plain", 0), 0);
    end_after_stop();
}

/* What was delivered just before the worker died may come again. */
static bool has_lost_acks(void *context, uint64_t delivered_ns)
{
    return delivered_ns >= killed_ns - LOST_ACKS_MS * CLOCK_MS;
}

Test(kills, a_killed_worker_under_gets_loses_no_message)
{
    begin("worker_gets");
    post_when_up();
    forget_probes();
    post_all(3000);
    struct load load = ledger_gets(&ledger, &scene, "/in", N_CONNECTIONS / 2);
    load.n_requests = 2000; /* some stay behind */
    struct load_run *run = load_begin(&load);
    wait_for_answers(500);
    killed_ns = clock_now_ns();
    cr_assert_eq(kill(sidecar_worker(&scene.sidecar), SIGKILL), 0);
    load_end(run);
    sidecar_stop(&scene.sidecar);
    cr_assert_eq(ledger.n_gets[200] + ledger.n_gets[503], load.n_requests);
    cr_assert_gt(ledger.n_gets[200], 500);
    ledger_drain(&ledger, &scene.amqp, "plain");
    struct ledger_verdict verdict;
    ledger_close(&ledger, &(struct ledger_rules){.may_come_again = has_lost_acks}, &verdict);
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
    end_after_stop();
}

static void wait_until_gone(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    cr_assert_eq(poll(&end, 1, 15000), 1, "a child outlives its supervisor");
    (void)close(pidfd); /* nothing to lose */
}

Test(kills, front_and_worker_leave_when_their_supervisor_is_killed)
{
    begin("supervisor");
    post_when_up();
    int front = pidfd_open(sidecar_front(&scene.sidecar), 0);
    int worker = pidfd_open(sidecar_worker(&scene.sidecar), 0);
    cr_assert(front >= 0 && worker >= 0);
    child_kill(&scene.sidecar.supervisor);
    wait_until_gone(front);
    wait_until_gone(worker);
    sidecar_forget(&scene.sidecar);
    end_after_stop();
}

/* What it had accepted is answered, truly, by those that it leaves behind. */
Test(kills, a_supervisor_killed_under_posts_leaves_no_answer_untrue)
{
    struct load_run *run = begin_posting("supervisor_posts");
    int front = pidfd_open(sidecar_front(&scene.sidecar), 0);
    int worker = pidfd_open(sidecar_worker(&scene.sidecar), 0);
    cr_assert(front >= 0 && worker >= 0);
    child_kill(&scene.sidecar.supervisor);
    wait_until_gone(front);
    wait_until_gone(worker);
    load_end(run);
    sidecar_forget(&scene.sidecar);
    ledger_drain(&ledger, &scene.amqp, "kept");
    cr_assert_gt(ledger.n_posts[0], 0, "it was killed in the middle");
    expect_truth(0);
    end_after_stop();
}

/* One that is stopped cannot leave by itself. */
static void goes_with_its_supervisor_though_it_is_stopped(pid_t stopped, pid_t other)
{
    int pidfds[] = {pidfd_open(stopped, 0), pidfd_open(other, 0)};
    cr_assert(pidfds[0] >= 0 && pidfds[1] >= 0);
    process_freeze(stopped);
    child_kill(&scene.sidecar.supervisor);
    wait_until_gone(pidfds[0]);
    wait_until_gone(pidfds[1]);
    sidecar_forget(&scene.sidecar);
    end_after_stop();
}

Test(kills, a_stopped_worker_does_not_outlive_its_supervisor)
{
    begin("supervisor_stopped_worker");
    post_when_up();
    goes_with_its_supervisor_though_it_is_stopped(
        sidecar_worker(&scene.sidecar), sidecar_front(&scene.sidecar));
}

Test(kills, a_stopped_front_does_not_outlive_its_supervisor)
{
    begin("supervisor_stopped_front");
    post_when_up();
    goes_with_its_supervisor_though_it_is_stopped(
        sidecar_front(&scene.sidecar), sidecar_worker(&scene.sidecar));
}

static uint8_t *large_body(void)
{
    uint8_t *body = malloc(LARGE);
    cr_assert_not_null(body);
    memset(body, 0xab, LARGE);
    return body;
}

/* A client that has asked, has got the beginning of a large answer, and reads no further. */
static void begin_to_read_large(struct raw_client *client)
{
    uint8_t *body = large_body();
    amqp_client_publish(&scene.amqp,
        &(struct amqp_client_message){
            .exchange = "plain", .routing_key = "k", .body = body, .body_bytes = LARGE});
    free(body);
    char head[2048];
    raw_client_connect_narrow(client, scene.sidecar.port);
    cr_assert(raw_client_say(client, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(raw_client_read(client, "\r\n\r\n", head, sizeof head, deadline_in_ms(10000)));
    cr_assert_eq(strncmp(head, "HTTP/1.1 200", 12), 0, "%s", head);
}

static void expect_large_on_queue(void)
{
    struct amqp_received received;
    cr_assert(amqp_client_take(&scene.amqp, "plain", AMQP_CLIENT_TIMEOUT_MS, &received));
    cr_assert_eq(received.message.body.len, LARGE);
    amqp_received_done(&received);
}

Test(kills, a_killed_front_gives_back_what_it_had_not_delivered_and_returns)
{
    begin("front");
    post_when_up();
    forget_probes();
    struct raw_client client;
    begin_to_read_large(&client);
    pid_t front = sidecar_front(&scene.sidecar);
    cr_assert_eq(kill(front, SIGKILL), 0);
    killed_ns = clock_now_ns();
    expect_large_on_queue();
    raw_client_close(&client);
    await(sidecar_front(&scene.sidecar) != front, 15000, "no new front");
    expect_back_within_a_second();
    scene_end(&scene);
}

Test(kills, sigterm_answers_waiting_gets_and_gives_back_what_was_not_read)
{
    enum { N = 8 };
    begin("term_gets");
    post_when_up();
    forget_probes();
    struct raw_client client;
    begin_to_read_large(&client);
    struct raw_client waiting[N];
    for (int i = 0; i < N; i++) {
        raw_client_connect(&waiting[i], scene.sidecar.port);
        cr_assert(raw_client_say(&waiting[i], "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    scene_let_front_read(&scene);
    sidecar_drain(&scene.sidecar);
    for (int i = 0; i < N; i++) {
        char answer[2048];
        cr_assert(raw_client_read(&waiting[i], NULL, answer, sizeof answer, deadline_in_ms(10000)));
        cr_assert(
            strncmp(answer, "HTTP/1.1 503", 12) == 0 || strncmp(answer, "HTTP/1.1 204", 12) == 0,
            "client %d: %s", i, answer);
        raw_client_close(&waiting[i]);
    }
    sidecar_stop(&scene.sidecar);
    raw_client_close(&client);
    expect_large_on_queue();
    end_after_stop();
}

Test(kills, sigterm_under_posts_answers_truly_what_it_has_accepted)
{
    struct load_run *run = begin_posting("term_posts");
    sidecar_stop(&scene.sidecar);
    load_end(run);
    ledger_drain(&ledger, &scene.amqp, "kept");
    cr_assert_gt(ledger.n_posts[0], 0, "it was stopped in the middle");
    for (int i = 0; i < ledger.n; i++)
        cr_assert(ledger_status(&ledger, i) != 0 || ledger_n_seen(&ledger, i) == 0,
            "message %d got no answer and was published", i);
    expect_truth(0);
    end_after_stop();
}
