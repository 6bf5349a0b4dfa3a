/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 512 requests in flight, one in a hundred unroutable, through a real broker: each 422 is its own.
 */
#include "tests/integration/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/support/load.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(unroutable, .timeout = 120);

enum { N_IN_FLIGHT = 512, N = 10000, EVERY = 100 };

static struct scene scene;
static char urls[N][80];
static int statuses[N];

static bool is_nowhere(int i)
{
    return i % EVERY == EVERY / 2;
}

/* Message ids repeat, so that they are no help. */
static void on_request(void *context, int i, struct http_request *request)
{
    (void)snprintf(urls[i], sizeof urls[i], "%s/out/m%d/%s", scene.sidecar.url, i % 1000,
        is_nowhere(i) ? "nowhere" : "k");
    *request =
        (struct http_request){.method = "POST", .url = urls[i], .body = "x", .body_bytes = 1};
}

static void on_answer(void *context, int i, const struct http_answer *answer)
{
    statuses[i] = answer->status;
}

Test(unroutable, one_in_a_hundred_of_512_in_flight_is_422_and_no_other)
{
    scene_open(&scene, "unroutable");
    amqp_client_declare_exchange(&scene.amqp, "one", "topic", false);
    amqp_client_declare_queue(&scene.amqp, &(struct amqp_client_queue){.name = "taken"});
    amqp_client_bind(&scene.amqp, "taken", "one", "k");
    scene_begin(&scene, "publish.json");
    const struct load load = {.n_connections = N_IN_FLIGHT,
        .n_requests = N,
        .on_request = on_request,
        .on_answer = on_answer};
    load_run(&load);
    for (int i = 0; i < N; i++)
        cr_assert_eq(statuses[i], is_nowhere(i) ? 422 : 200, "%d: %d", i, statuses[i]);
    cr_assert_eq(amqp_client_depth(&scene.amqp, "taken"), N - N / EVERY);
    scene_end(&scene);
}
