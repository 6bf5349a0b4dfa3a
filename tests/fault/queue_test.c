/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No message is stranded, dropped or lost by how it is asked for and given back: several sidecars on
 * one queue, queues that count deliveries, that go with their last consumer, that are deleted, or
 * that have one consumer at a time; and messages that nobody can read. Against a real broker.
 */
#include "tests/integration/expect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(queue_fault, .timeout = 180);

enum { MAX_MESSAGES = 2000 };

static struct scene scene;
static struct sidecar other;
static int n_seen[MAX_MESSAGES];

static void begin(const char *name, const char *queue)
{
    scene_open(&scene, name);
    scene_begin(&scene, "queues.json");
    await(amqp_client_depth(&scene.amqp, queue) >= 0, 15000, "no queue %s", queue);
}

/* A second one on the same queues. */
static void begin_other(void)
{
    autofree char *text = scene_configuration("queues.json", scene.vhost.url);
    autofree char *name = format_text("%s-other", scene.vhost.name);
    sidecar_start(&other, &(struct sidecar_options){.name = name, .configuration = text});
}

/* By the default exchange. Messages are numbered. */
static void publish(const char *queue, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        scene_publish(&scene, "", queue, body);
    }
}

static void note(const char *body)
{
    int i = -1;
    cr_assert_eq(sscanf(body, "%d", &i), 1, "a strange message: %s", body);
    cr_assert(i >= 0 && i < MAX_MESSAGES);
    n_seen[i]++;
}

static struct http_answer get_from(const struct sidecar *sidecar, const char *path)
{
    autofree char *url = format_text("%s%s", sidecar->url, path);
    struct http_answer answer;
    http_do(&(struct http_request){.url = url, .timeout_ms = 40000}, &answer);
    return answer;
}

static void take(const struct sidecar *sidecar, const char *path)
{
    struct http_answer answer = get_from(sidecar, path);
    expect_status(&answer, 200);
    note(answer.body);
    http_answer_done(&answer);
}

static void expect_each_once(int n)
{
    for (int i = 0; i < n; i++)
        cr_assert_eq(n_seen[i], 1, "message %d was seen %d times", i, n_seen[i]);
}

static void note_rest(const char *queue, int n_expected)
{
    struct amqp_received received;
    for (int i = 0; i < n_expected; i++) {
        cr_assert(amqp_client_take(&scene.amqp, queue, 5000, &received), "%d of %d are left", i,
            n_expected);
        autofree char *body = format_text(
            "%.*s", (int)received.message.body.len, (const char *)received.message.body.bytes);
        note(body);
        amqp_received_done(&received);
    }
}

static struct http_call *wait_at(const struct sidecar *sidecar, const char *path, char **url)
{
    *url = format_text("%s%s", sidecar->url, path);
    return http_begin(&(struct http_request){.url = *url, .timeout_ms = 40000});
}

/* ---- stranded ---- */

Test(queue_fault, what_an_idle_sidecar_had_prefetched_reaches_the_one_that_is_polled)
{
    enum { N = 30, N_WAITING = 8 };
    struct raw_client waiting[N_WAITING];
    begin("prefetched", "in");
    begin_other();
    for (int i = 0; i < N_WAITING; i++) {
        raw_client_connect(&waiting[i], scene.sidecar.port);
        cr_assert(raw_client_say(&waiting[i], "GET /in HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    scene_let_front_read(&scene);
    await(amqp_client_consumers(&scene.amqp, "in") == 1, 10000, "no consumer");
    pid_t worker = sidecar_worker(&scene.sidecar);
    process_freeze(worker);
    for (int i = 0; i < N_WAITING; i++)
        raw_client_reset(&waiting[i]);
    publish("in", 0, N);
    cr_assert_lt(amqp_client_depth(&scene.amqp, "in"), N, "nothing was prefetched");
    process_thaw(worker);
    uint64_t idle_ns = clock_now_ns();
    for (int i = 0; i < N; i++)
        take(&other, "/in");
    printf("# the last one reached the other sidecar after %llu ms, idle_release is 300 ms\n",
        (unsigned long long)((clock_now_ns() - idle_ns) / CLOCK_MS));
    expect_each_once(N);
    sidecar_stop(&other);
    scene_end(&scene);
}

Test(queue_fault, two_sidecars_that_are_polled_hard_share_a_queue_without_loss)
{
    enum { N = 200, N_BURST = 10 };
    begin("two_sidecars", "in");
    begin_other();
    publish("in", 0, N);
    autofree char *url = format_text("%s/in", scene.sidecar.url);
    autofree char *other_url = format_text("%s/in", other.url);
    for (int i = 0; i < N / N_BURST; i++) {
        struct http_call *calls[N_BURST];
        for (int j = 0; j < N_BURST; j++)
            calls[j] = http_begin(&(struct http_request){.url = j % 2 ? url : other_url});
        for (int j = 0; j < N_BURST; j++) {
            struct http_answer answer;
            http_end(calls[j], &answer);
            expect_status(&answer, 200);
            note(answer.body);
            http_answer_done(&answer);
        }
    }
    expect_each_once(N);
    sidecar_stop(&other);
    scene_end(&scene);
}

/* Most in a hurry, and now and then some with a pause before each in which all that is held goes
 * back: what was prefetched would be given back for the fourth time before it is asked for. */
Test(queue_fault, a_thousand_gets_with_pauses_drop_nothing_from_a_queue_with_a_delivery_limit_of_3)
{
    enum { N = 1000, N_LEFT = 20, ROUND = 60, N_PAUSES = 6, PAUSE_MS = 120 };
    autofree char *url = NULL;
    struct http_answer answer;
    begin("delivery_limit", "limited");
    struct http_call *first = wait_at(&scene.sidecar, "/limited", &url);
    await(
        amqp_client_consumers(&scene.amqp, "limited") == 1, 15000, "no consumer"); /* nor leader */
    publish("limited", 0, N + N_LEFT);
    http_end(first, &answer);
    expect_status(&answer, 200);
    note(answer.body);
    http_answer_done(&answer);
    for (int i = 1; i < N; i++) {
        if (i % ROUND >= ROUND - N_PAUSES)
            (void)poll(NULL, 0, PAUSE_MS); /* what is tested is a pause; idle_release is 100 ms */
        take(&scene.sidecar, "/limited");
    }
    sidecar_stop(&scene.sidecar);
    note_rest("limited", N_LEFT);
    expect_each_once(N + N_LEFT);
    scene_close(&scene);
}

Test(queue_fault, a_queue_that_goes_with_its_last_consumer_stays_while_nobody_asks)
{
    begin("auto_delete", "fleeting");
    publish("fleeting", 0, 3);
    take(&scene.sidecar, "/fleeting");
    await(amqp_client_depth(&scene.amqp, "fleeting") == 1, 10000, "%d are ready",
        amqp_client_depth(&scene.amqp, "fleeting")); /* it keeps one, and gives back the other */
    publish("fleeting", 3, 1);
    cr_assert_eq(amqp_client_consumers(&scene.amqp, "fleeting"), 1);
    for (int i = 1; i < 4; i++)
        take(&scene.sidecar, "/fleeting");
    expect_each_once(4);
    scene_end(&scene);
}

/* ---- what nobody can read ---- */

/* Messages that come back at 1, 3, 7 ... s at the earliest, whatever asks for them. */
static int most_tries(uint64_t elapsed_ns)
{
    int n = 1;
    for (uint64_t hold_ns = CLOCK_S; hold_ns <= elapsed_ns; hold_ns *= 2) {
        elapsed_ns -= hold_ns;
        n++;
    }
    return n;
}

Test(queue_fault, a_message_that_cannot_be_decoded_is_tried_less_and_less_often_and_counted)
{
    begin("poison", "json");
    scene_publish(&scene, "", "json", "no JSON");
    uint64_t begin_ns = clock_now_ns();
    for (int n_tried = 0; n_tried < 3;) {
        struct http_answer answer = get_from(&scene.sidecar, "/json");
        cr_assert(answer.status == 502 || answer.status == 204 || answer.status == 503, "%d %s",
            answer.status, answer.body);
        n_tried += answer.status == 502;
        http_answer_done(&answer);
        cr_assert_leq(n_tried, most_tries(clock_now_ns() - begin_ns));
        cr_assert_lt(clock_now_ns() - begin_ns, 60 * CLOCK_S, "it does not come");
    }
    printf(
        "# three tries in %llu ms\n", (unsigned long long)((clock_now_ns() - begin_ns) / CLOCK_MS));
    sidecar_await_log(&scene.sidecar, "message-held queue=\"json\"");
    sidecar_await_log(&scene.sidecar, "redelivered=true count=3 held_ms=4000");
    cr_assert_eq(scene_stop_and_count(&scene, "json", 1), 1);
    scene_close(&scene);
}

/* With a credit of one. */
Test(queue_fault, good_messages_flow_while_one_that_cannot_be_decoded_comes_back_again_and_again)
{
    enum { N_TRIES = 3 };
    int n_tried = 0, n_good = 0;
    begin("poison_among", "json-one");
    scene_publish(&scene, "", "json-one", "no JSON");
    while (n_tried < N_TRIES) {
        scene_publish(&scene, "", "json-one", "{}");
        struct http_answer answer = get_from(&scene.sidecar, "/json-one");
        cr_assert(
            answer.status == 200 || answer.status == 502, "%d %s", answer.status, answer.body);
        n_tried += answer.status == 502;
        n_good += answer.status == 200;
        http_answer_done(&answer);
    }
    printf("# %d good ones meanwhile\n", n_good);
    cr_assert_gt(n_good, 0);
    cr_assert_eq(scene_stop_and_count(&scene, "json-one", 1 + N_TRIES), 1 + N_TRIES);
    scene_close(&scene);
}

static void expect_dead_letter(void)
{
    struct amqp_received dead;
    cr_assert(amqp_client_take(&scene.amqp, "dead", 30000, &dead), "it is not a dead letter");
    expect_text(dead.message.body, "no JSON");
    amqp_received_done(&dead);
}

static void expect_undecodable(const char *path)
{
    struct http_answer answer = get_from(&scene.sidecar, path);
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
}

Test(queue_fault,
    a_message_that_cannot_be_decoded_goes_to_the_dead_letters_where_the_file_says_discard)
{
    begin("dead_letters", "discard");
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "dead", .is_durable = true});
    scene_publish(&scene, "", "discard", "no JSON");
    scene_publish(&scene, "", "discard", "{\"behind\":\"it\"}");
    expect_undecodable("/discard");
    struct http_answer answer = get_from(&scene.sidecar, "/discard");
    expect_status(&answer, 200);
    expect_body(&answer, "{\"behind\":\"it\"}");
    http_answer_done(&answer);
    expect_dead_letter();
    sidecar_await_log(&scene.sidecar, "message-discarded queue=\"discard\"");
    cr_assert_eq(scene_stop_and_count(&scene, "discard", 0), 0);
    scene_close(&scene);
}

Test(queue_fault, a_message_that_cannot_be_decoded_ends_at_the_delivery_limit)
{
    autofree char *url = NULL;
    struct http_answer answer;
    begin("dead_limit", "limited-json");
    amqp_client_declare_queue(
        &scene.amqp, &(struct amqp_client_queue){.name = "dead", .is_durable = true});
    struct http_call *first = wait_at(&scene.sidecar, "/limited-json", &url);
    await(amqp_client_consumers(&scene.amqp, "limited-json") == 1, 15000, "nor leader");
    scene_publish(&scene, "", "limited-json", "no JSON");
    http_end(first, &answer);
    expect_problem(&answer, 502, "undecodable");
    http_answer_done(&answer);
    expect_undecodable("/limited-json"); /* it waits for it, and the second time is the last */
    expect_dead_letter();
    scene_end(&scene);
}

/* ---- the queue's own ways ---- */

static void expect_call(struct http_call *call, const char *body)
{
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 200);
    expect_body(&answer, body);
    http_answer_done(&answer);
}

Test(queue_fault, a_queue_that_is_deleted_under_a_waiting_get_is_declared_anew_and_consumed)
{
    autofree char *url = NULL;
    begin("deleted", "in");
    struct http_call *call = wait_at(&scene.sidecar, "/in", &url);
    await(amqp_client_consumers(&scene.amqp, "in") == 1, 10000, "no consumer");
    amqp_client_delete_queue(&scene.amqp, "in");
    await(amqp_client_consumers(&scene.amqp, "in") == 1, 10000, "it does not come back");
    scene_publish(&scene, "", "in", "afterwards");
    expect_call(call, "afterwards");
    scene_end(&scene);
}

Test(queue_fault, where_one_consumer_at_a_time_is_active_the_next_takes_over)
{
    autofree char *first_url = NULL, *second_url = NULL;
    begin("single_active", "single");
    begin_other();
    struct http_call *first = wait_at(&scene.sidecar, "/single", &first_url);
    await(amqp_client_consumers(&scene.amqp, "single") == 1, 10000, "no consumer");
    struct http_call *second = wait_at(&other, "/single", &second_url);
    await(amqp_client_consumers(&scene.amqp, "single") == 2, 10000, "no second consumer");
    scene_publish(&scene, "", "single", "for the active one");
    expect_call(first, "for the active one");
    scene_publish(&scene, "", "single", "for the next"); /* the first one asks for no more */
    expect_call(second, "for the next");
    sidecar_stop(&other);
    scene_end(&scene);
}

Test(queue_fault, where_one_consumer_at_a_time_is_active_the_next_takes_over_from_a_dead_one)
{
    autofree char *first_url = NULL, *second_url = NULL;
    begin("single_dead", "single");
    begin_other();
    struct http_call *first = wait_at(&other, "/single", &first_url);
    await(amqp_client_consumers(&scene.amqp, "single") == 1, 10000, "no consumer");
    struct http_call *second = wait_at(&scene.sidecar, "/single", &second_url);
    await(amqp_client_consumers(&scene.amqp, "single") == 2, 10000, "no second consumer");
    child_kill(&other.supervisor);
    struct http_answer answer;
    http_end(first, &answer);
    http_answer_done(&answer); /* whatever it was told, if anything */
    sidecar_forget(&other);
    await(amqp_client_consumers(&scene.amqp, "single") == 1, 10000, "the dead one consumes");
    scene_publish(&scene, "", "single", "for the one that lives");
    expect_call(second, "for the one that lives");
    scene_end(&scene);
}
