/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/child.h"

#include "scene.h"

TestSuite(heap, .init = scene_open, .fini = scene_close, .timeout = 30);

enum { N_CLIENTS = 16, BODY_BYTES = 1000000, MUCH_KIB = 8192, LITTLE_KIB = 4096 };

static struct raw_client clients[N_CLIENTS];
static long rest_kib;

/* What a front has that has served one request. */
static void rest(void)
{
    raw_client_connect(&client, stage.port);
    next_request_works();
    rest_kib = process_own_kib(stage.front);
}

static void say_to_all(const char *head, size_t n_body_bytes)
{
    static char body[BODY_BYTES];
    for (int i = 0; i < N_CLIENTS; i++) {
        stage_say(&stage, &clients[i], head);
        cr_assert(raw_client_send(&clients[i], body, n_body_bytes));
    }
}

static void grown(void)
{
    await(process_own_kib(stage.front) > rest_kib + MUCH_KIB, STAGE_WAIT_MS,
        "the bodies are not there");
}

static void leave(void)
{
    for (int i = 0; i < N_CLIENTS; i++)
        raw_client_close(&clients[i]);
}

static void given_back(void)
{
    await(process_own_kib(stage.front) < rest_kib + LITTLE_KIB, STAGE_WAIT_MS, "it keeps %ld KiB",
        process_own_kib(stage.front) - rest_kib);
}

Test(heap, what_bodies_took_is_given_back_while_others_stay)
{
    rest();
    say_to_all(POST("/produce/x", 1048576), BODY_BYTES);
    grown();
    leave();
    given_back();
    next_request_works();
}

Test(heap, what_bodies_took_is_given_back_when_nobody_is_left)
{
    rest();
    say_to_all(POST("/produce/x", 1048576), BODY_BYTES);
    grown();
    raw_client_close(&client);
    leave();
    given_back();
}

Test(heap, what_requests_held_is_given_back_once_they_are_answered)
{
    rest();
    say_to_all(POST("/produce/x", 1000000), BODY_BYTES);
    for (int i = 0; i < N_CLIENTS; i++)
        stage_publish(&stage, OUTCOME_CONFIRMED);
    leave();
    given_back();
}
