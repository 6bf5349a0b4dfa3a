/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that live no longer than a connection or a consumer of ours, with several workers: each is
 * served by the one worker that has it, and made anew when that one was killed. What lay on such a
 * queue dies with it, which is what the file asks for.
 */
#include "expect.h"
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { N_WORKERS = 2, N_QUEUES = 4, SERVED_MS = 20000, LOOK_MS = 50 };

TestSuite(own_queue, .timeout = 60);

static struct scene scene;

/* The queue has the path of its endpoint; `post` reaches it. */
static const struct {
    const char *queue, *post;
} queues[N_QUEUES] = {
    {"own-1", "/to/own-1"},
    {"own-2", "/to/own-2"},
    {"brief-1", "/vanishing-1/brief-1"},
    {"brief-2", "/vanishing-2/brief-2"},
};

static void begin(const char *name)
{
    scene_open(&scene, name);
    autofree char *text = scene_configuration("own.json", scene.vhost.url);
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = text, .n_workers = N_WORKERS});
    for (int i = 0; i < N_QUEUES; i++)
        scene_await_bindings(&scene, queues[i].queue, 1);
}

static void post(int i)
{
    struct http_answer answer = scene_do_when_up(&scene, queues[i].post,
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    cr_assert(answer.status == 200 || answer.status == 502 || answer.status == 504, "%d %s",
        answer.status, answer.body); /* its exchange may be gone just now */
    http_answer_done(&answer);
}

/* One GET, with a message posted again and again until it is answered: what reached a queue that
 * died is gone with it. The answer's head is written to `head`. */
static void get_while_posting(int i, char *head, size_t size, uint64_t deadline_ns)
{
    struct raw_client client;
    autofree char *get = format_text("GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", queues[i].queue);
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, get));
    do {
        require(clock_now_ns() < deadline_ns, "%s is not served: %s", queues[i].queue, head);
        post(i);
    } while (!raw_client_read(&client, "\r\n\r\n", head, size, deadline_in_ms(LOOK_MS)));
    raw_client_close(&client);
}

/* A GET that comes while there is no worker is told so: it asks again. */
static void expect_served(int i)
{
    char head[4096] = "";
    uint64_t deadline_ns = deadline_in_ms(SERVED_MS);
    do
        get_while_posting(i, head, sizeof head, deadline_ns);
    while (strstr(head, "HTTP/1.1 503 ") != NULL);
    cr_assert_not_null(strstr(head, "HTTP/1.1 200 "), "%s", head);
}

/* The first worker that the system lists, and with it the queues that it had. */
static void kill_a_worker(void)
{
    pid_t worker = sidecar_worker(&scene.sidecar);
    int pidfd = pidfd_open(worker, 0);
    require(worker > 0 && pidfd >= 0, "no worker");
    struct pollfd dead = {.fd = pidfd, .events = POLLIN};
    cr_assert_eq(kill(worker, SIGKILL), 0);
    cr_assert_eq(poll(&dead, 1, 10000), 1);
    (void)close(pidfd); /* nothing was written */
}

Test(own_queue, each_is_served_by_the_worker_that_has_it)
{
    begin("each_served");
    for (int i = 0; i < N_QUEUES; i++)
        expect_served(i);
    scene_end(&scene);
}

Test(own_queue, each_is_made_anew_when_a_worker_was_killed)
{
    begin("made_anew");
    for (int round = 0; round < 2 * N_WORKERS; round++) {
        kill_a_worker();
        for (int i = 0; i < N_QUEUES; i++)
            expect_served(i);
    }
    scene_end(&scene);
}

/* How many consumers of the queue there are, with how much credit in all. */
static int credit_of(const char *queue)
{
    json_t *consumers = vhost_list(&scene.vhost, "consumers"), *consumer;
    int credit = 0;
    size_t i;
    json_array_foreach(consumers, i, consumer)
    {
        const char *name;
        int prefetch;
        cr_assert_eq(json_unpack(consumer, "{s:{s:s},s:i}", "queue", "name", &name,
                         "prefetch_count", &prefetch),
            0);
        credit += strcmp(name, queue) == 0 ? prefetch : 0;
    }
    json_decref(consumers);
    return credit;
}

Test(own_queue, an_auto_delete_queue_outlives_its_idle_time_with_what_is_on_it)
{
    begin("idle");
    expect_served(2);
    await(credit_of("brief-1") == 1, 10000, "a credit of %d", credit_of("brief-1"));
    cr_assert_eq(credit_of("own-1"), 0, "nothing is asked for that nobody waits for");
    post(2);
    post(2);
    for (int n = 0; n < 2; n++) {
        struct http_answer answer = scene_get(&scene, "/brief-1");
        expect_status(&answer, 200);
        http_answer_done(&answer);
    }
    scene_end(&scene);
}
