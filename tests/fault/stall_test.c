/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two brokers behind two endpoints, and one of them says nothing more: the other endpoint sees
 * nothing of it, and nobody's memory grows.
 */
#include "tests/integration/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/support/amqp_peer.h"
#include "tests/support/folder.h"
#include "tests/support/load.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(stall, .timeout = 120);

enum { N_REQUESTS = 2000, N_CONNECTIONS = 8, MAX_GROWTH_KIB = 4096 };

#define PRODUCER                                                                                   \
    "{\"endpoint\":\"/%s\",\"method\":\"POST\",\"timeout\":\"%s\",\"backend\":[{\"host\":"         \
    "[\"%s\"],\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"plain\","                \
    "\"durable\":true,\"routing_key\":\"k\",\"static_routing_key\":true}}}]}"

static struct scene scene;
static struct amqp_door door;
static struct amqp_peer stalled;
static int n_answered[600];

static void begin(const char *name)
{
    scene_open(&scene, name);
    amqp_door_open(&door, NULL);
    autofree char *text =
        format_text("{\"version\":3,\"endpoints\":[" PRODUCER "," PRODUCER "," PRODUCER "]}",
            "good", "20s", scene.vhost.url, "brief", "3s", door.url, "stalled", "20s", door.url);
    scene_begin_with(&scene, &(struct sidecar_options){.name = name, .configuration = text});
    amqp_peer_accept(&stalled, &door);
    struct http_answer answer = scene_do_when_up(&scene, "/good",
        &(struct http_request){.method = "POST", .body = "probe", .body_bytes = 5});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

static void on_request(void *url, int i, struct http_request *request)
{
    *request =
        (struct http_request){.method = "POST", .url = url, .body = "a body", .body_bytes = 6};
}

static void on_answer(void *url, int i, const struct http_answer *answer)
{
    n_answered[answer->status]++;
}

/* All of them must be answered so. */
static void expect_load(const char *path, int status)
{
    autofree char *url = format_text("%s%s", scene.sidecar.url, path);
    struct load load = {.n_connections = N_CONNECTIONS,
        .n_requests = N_REQUESTS,
        .on_request = on_request,
        .on_answer = on_answer,
        .context = url};
    n_answered[status] = 0;
    load_run(&load);
    cr_assert_eq(
        n_answered[status], N_REQUESTS, "%d of %d from %s", n_answered[status], N_REQUESTS, path);
}

/* One is sent and never confirmed; from its deadline on the broker is known to stall. */
static void stall(void)
{
    autofree char *url = format_text("%s/brief", scene.sidecar.url);
    struct http_call *call = http_begin(
        &(struct http_request){.method = "POST", .url = url, .body = "lost", .body_bytes = 4});
    (void)amqp_peer_expect(&stalled, AMQP_BASIC_PUBLISH_METHOD);
    struct http_answer answer;
    http_end(call, &answer);
    expect_status(&answer, 504);
    http_answer_done(&answer);
}

Test(stall, of_two_brokers_one_stalls_and_the_other_ones_endpoint_sees_nothing_of_it)
{
    begin("stall");
    expect_load("/good", 200); /* whatever is taken once is taken now */
    long front = process_resident_kib(sidecar_front(&scene.sidecar));
    long worker = process_resident_kib(sidecar_worker(&scene.sidecar));
    stall();
    expect_load("/stalled", 503);
    expect_load("/good", 200);
    expect_load("/stalled", 503);
    long front_growth = process_resident_kib(sidecar_front(&scene.sidecar)) - front;
    long worker_growth = process_resident_kib(sidecar_worker(&scene.sidecar)) - worker;
    cr_assert_leq(front_growth, MAX_GROWTH_KIB);
    cr_assert_leq(worker_growth, MAX_GROWTH_KIB);
    amqp_door_close(&door);
    amqp_peer_hang_up(&stalled);
    scene_end(&scene);
}
