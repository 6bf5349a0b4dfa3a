/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front or the worker is killed, or hangs, on either side of one arrow of a slot's life, with
 * requests under way: each of those is answered once and truly, the child comes back, and every
 * slot is free again.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/slot.h"
#include "tests/support/folder.h"
#include "tests/support/ledger.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"

#include "stop_order.h"

enum { N_POSTS = 120, N_GETS = 80, WAIT_MS = 60000 };
enum { N_SLOTS = 256, N_BURST_GETS = N_SLOTS / 2, N_BURST_POSTS = N_SLOTS - N_BURST_GETS };

/* What a test does so that somebody gets to the arrow. */
enum deed { POSTS, GETS, IS_REFUSED, IS_AWAY, LEAVES, LEAVES_EARLY };

struct arrow {
    enum slot_state from, to;
    bool is_front; /* who drives it */
    enum deed deed;
};

static const struct arrow arrows[] = {
    {SLOT_FREE, SLOT_READY, true, POSTS},
    {SLOT_READY, SLOT_CLAIMED, false, POSTS},
    {SLOT_CLAIMED, SLOT_SENT, false, POSTS},
    {SLOT_SENT, SLOT_DONE, false, POSTS},
    {SLOT_DONE, SLOT_FREE, true, POSTS},
    {SLOT_READY, SLOT_WAITING, false, GETS},
    {SLOT_WAITING, SLOT_BOUND, false, GETS},
    {SLOT_BOUND, SLOT_DONE, false, GETS},
    {SLOT_CLAIMED, SLOT_DONE, false, IS_REFUSED},
    {SLOT_WAITING, SLOT_DONE, false, IS_AWAY},
    {SLOT_WAITING, SLOT_CANCELLED, true, LEAVES},
    {SLOT_CANCELLED, SLOT_DONE, false, LEAVES},
    {SLOT_READY, SLOT_CANCELLED, true, LEAVES_EARLY},
};

/* A way to stop: killed on either side of the arrow; hung behind it. */
static const char *const ways[][2] = {{"before", "kill"}, {"after", "kill"}, {"after", "hang"}};

enum { N_ARROWS = sizeof(arrows) / sizeof(arrows[0]), N_WAYS = sizeof(ways) / sizeof(ways[0]) };

static struct scene scene;
static struct ledger ledger;
static char *order_file;
static struct stop_order *given;
static uint64_t back_ns; /* the stopped one had its successor */

/* ---- the scene ---- */

static void order_make(void)
{
    FILE *file = fopen(order_file, "w+e");
    cr_assert(file);
    cr_assert_eq(ftruncate(fileno(file), sizeof(*given)), 0);
    given = mmap(NULL, sizeof(*given), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    cr_assert_neq(given, MAP_FAILED);
    (void)fclose(file);
}

static void begin(const char *name)
{
    const char *folder = getenv("LEVERET_TEST_FOLDER"); /* with_broker's */
    order_file = format_text("%s/%s.order", folder ? folder : "/tmp", name);
    cr_assert_eq(setenv("LEVERET_STOP_POINT", order_file, 1), 0);
    order_make();
    scene_open(&scene, name);
    scene_begin(&scene, "arrows.json");
    ledger_init(&ledger, 0);
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "probe", .body_bytes = 5});
    cr_assert_eq(answer.status, 200);
    http_answer_done(&answer);
    scene_await_bindings(&scene, "quiet", 1);
    amqp_client_purge(&scene.amqp, "plain");
}

static void end(void)
{
    (void)munmap(given, sizeof(*given));
    (void)unlink(order_file);
    free(order_file);
    ledger_done(&ledger);
    scene_close(&scene);
}

static void order(const struct arrow *arrow, const char *const way[2])
{
    (void)snprintf(given->text, sizeof(given->text), "%s %s %s %s", way[0],
        slot_state_name(arrow->from), slot_state_name(arrow->to), way[1]);
    atomic_store(&given->is_given, true);
}

static bool is_taken(void)
{
    return !atomic_load(&given->is_given);
}

static pid_t pid_of(const struct arrow *arrow)
{
    return arrow->is_front ? sidecar_front(&scene.sidecar) : sidecar_worker(&scene.sidecar);
}

/* ---- deeds ---- */

static void ask_until_taken(const char *method, const char *path)
{
    autofree char *url = format_text("%s%s", scene.sidecar.url, path);
    while (!is_taken()) {
        struct http_answer answer;
        http_do(&(struct http_request){.method = method, .url = url}, &answer);
        cr_assert_neq(answer.status, 0, "%s", answer.failure);
        http_answer_done(&answer);
    }
}

static void await_taken(void)
{
    await(is_taken(), WAIT_MS, "nobody got to the arrow");
}

/* A client that asks and goes away again: when its GET waits, or when no worker has seen it. */
static void leave(bool is_early)
{
    struct raw_client client;
    pid_t worker = sidecar_worker(&scene.sidecar);
    if (is_early)
        process_freeze(worker);
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n"));
    if (is_early)
        scene_let_front_read(&scene);
    else
        await(amqp_client_consumers(&scene.amqp, "quiet") == 1, WAIT_MS, "no consumer");
    raw_client_close(&client);
    await_taken();
    if (is_early)
        process_thaw(worker);
}

static void provoke(enum deed deed)
{
    switch (deed) {
    case POSTS:
    case GETS:
        await_taken();
        break;
    case IS_REFUSED:
        ask_until_taken("POST", "/refused");
        break;
    case IS_AWAY:
        ask_until_taken("GET", "/away");
        break;
    case LEAVES:
        leave(false);
        break;
    case LEAVES_EARLY:
        leave(true);
        break;
    }
}

static void stop_under_load(const struct arrow *arrow, const char *const way[2])
{
    struct load posts = ledger_posts(&ledger, &scene, "/out", 6);
    struct load gets = ledger_gets(&ledger, &scene, "/in", 4);
    posts.n_requests = N_POSTS;
    gets.n_requests = N_GETS;
    pid_t victim = pid_of(arrow);
    order(arrow, way);
    struct load_run *posting = load_begin(&posts), *getting = load_begin(&gets);
    provoke(arrow->deed);
    await(pid_of(arrow) != victim && pid_of(arrow) != 0, WAIT_MS, "nobody comes after the dead");
    back_ns = clock_now_ns();
    load_end(posting);
    load_end(getting);
}

/* ---- what is held ---- */

/* What had reached a client when its worker died may have lost its ack. */
static bool may_come_again(void *context, uint64_t delivered_ns)
{
    return delivered_ns <= back_ns;
}

static void expect_answers(const struct arrow *arrow)
{
    const int *p = ledger.n_posts, *g = ledger.n_gets;
    int none = arrow->is_front ? 0 : p[0] + g[0];
    cr_assert_eq(none, 0, "%d had no answer, and their front lives", none);
    cr_assert_eq(p[0] + p[200] + p[503] + p[504], N_POSTS, "another status than these");
    cr_assert_eq(g[0] + g[200] + g[204] + g[503], N_GETS, "another status than these");
}

static void expect_truth(void)
{
    struct ledger_verdict verdict;
    ledger_drain(&ledger, &scene.amqp, "plain");
    ledger_close(&ledger, &(struct ledger_rules){.may_come_again = may_come_again}, &verdict);
    cr_assert(ledger_is_true(&verdict), "%s", verdict.first);
}

static void expect_status_line(struct raw_client *client, const char *line)
{
    char head[4096];
    cr_assert(raw_client_read(client, "\r\n\r\n", head, sizeof head, deadline_in_ms(WAIT_MS)));
    cr_assert_eq(strncmp(head, line, strlen(line)), 0, "%s", head);
    raw_client_close(client);
}

/* As many at once as there are slots: while the worker stands still each of them has one. */
static void expect_all_slots_free(void)
{
    static struct raw_client gets[N_BURST_GETS], posts[N_BURST_POSTS];
    pid_t worker = sidecar_worker(&scene.sidecar);
    process_freeze(worker);
    for (int i = 0; i < N_BURST_GETS; i++) {
        raw_client_connect(&gets[i], scene.sidecar.port);
        cr_assert(raw_client_say(&gets[i], "GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for (int i = 0; i < N_BURST_POSTS; i++) {
        raw_client_connect(&posts[i], scene.sidecar.port);
        cr_assert(raw_client_say(
            &posts[i], "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    }
    scene_let_front_read(&scene);
    process_thaw(worker);
    for (int i = 0; i < N_BURST_POSTS; i++)
        expect_status_line(&posts[i], "HTTP/1.1 501");
    for (int i = 0; i < N_BURST_GETS; i++)
        scene_publish(&scene, "quiet", "k", "burst");
    for (int i = 0; i < N_BURST_GETS; i++)
        expect_status_line(&gets[i], "HTTP/1.1 200");
}

/* ---- the tests ---- */

ParameterizedTestParameters(stop, at_an_arrow)
{
    static int cases[N_ARROWS * N_WAYS];
    for (int i = 0; i < N_ARROWS * N_WAYS; i++)
        cases[i] = i;
    return cr_make_param_array(int, cases, N_ARROWS *N_WAYS, NULL);
}

ParameterizedTest(int *number, stop, at_an_arrow, .timeout = 180)
{
    const struct arrow *arrow = &arrows[*number / N_WAYS];
    const char *const *way = ways[*number % N_WAYS];
    autofree char *name = format_text("stop_%s_%s_%s_%s", way[0], slot_state_name(arrow->from),
        slot_state_name(arrow->to), way[1]);
    begin(name);
    stop_under_load(arrow, way);
    expect_answers(arrow);
    struct http_answer answer =
        scene_do_when_up(&scene, "/refused", &(struct http_request){.method = "POST"});
    cr_assert_eq(answer.status, 501);
    http_answer_done(&answer);
    expect_all_slots_free();
    sidecar_stop(&scene.sidecar);
    expect_truth();
    end();
}

/* A child that asks the kernel for what it gave up. */
static void forbidden_call(const struct arrow *arrow, const char *child)
{
    static const char *const way[] = {"after", "forbid"};
    autofree char *name = format_text("forbidden_%s", child);
    autofree char *words = format_text("last-words child=\"%s", child);
    begin(name);
    stop_under_load(arrow, way);
    sidecar_await_log(&scene.sidecar, words);
    sidecar_await_log(&scene.sidecar, "reason=\"forbidden system call socket\"");
    expect_answers(arrow);
    sidecar_stop(&scene.sidecar);
    expect_truth();
    end();
}

Test(stop, a_forbidden_call_of_the_front_is_named_and_another_front_serves, .timeout = 180)
{
    forbidden_call(&(struct arrow){SLOT_FREE, SLOT_READY, true, POSTS}, "front");
}

Test(stop, a_forbidden_call_of_a_worker_is_named_and_its_requests_are_answered, .timeout = 180)
{
    forbidden_call(&(struct arrow){SLOT_READY, SLOT_CLAIMED, false, POSTS}, "worker");
}
