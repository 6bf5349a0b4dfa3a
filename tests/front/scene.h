/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test of the front begins and ends with: a stage, one client that has said nothing yet, and
 * a place for its answer.
 */
#ifndef LEVERET_TESTS_FRONT_SCENE_H
#define LEVERET_TESTS_FRONT_SCENE_H

#include <criterion/criterion.h>

#include "stage.h"

#define POST(path, body_bytes)                                                                     \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " #body_bytes "\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct stage stage;
static struct raw_client client;
static struct reply reply;

static inline void scene_open(void)
{
    stage_open(&stage, &(struct stage_settings){0});
    client.fd = -1;
}

/* The same with other settings. */
static inline void scene_change(const struct stage_settings *settings)
{
    stage_close(&stage);
    stage_open(&stage, settings);
}

static inline void scene_close(void)
{
    if (client.fd >= 0)
        raw_client_close(&client);
    stage_close(&stage);
}

/* The client was told nothing more, and its connection still works. */
static inline void next_request_works(void)
{
    cr_assert(raw_client_say(&client, GET("/__health")));
    reply_read(&reply, &client, true);
    cr_assert_eq(reply.status, 200);
}

#endif
