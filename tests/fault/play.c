/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/play.h"

#include <stdlib.h>
#include <unistd.h>
#include "tests/support/require.h"

#define BODY "a body"

static void start(struct play *play, const char *name, const char *configuration)
{
    autofree char *text = scene_configuration(configuration, play->door.url);
    autofree char *unique = format_text("%s-%d", name, (int)getpid());
    sidecar_start(
        &play->scene.sidecar, &(struct sidecar_options){.name = unique, .configuration = text});
}

void play_begin(struct play *play, const char *name, const char *configuration)
{
    amqp_door_open(&play->door, NULL);
    start(play, name, configuration);
    amqp_peer_accept(&play->peer, &play->door);
}

void play_end(struct play *play)
{
    amqp_door_close(&play->door);
    if (play->peer.fd >= 0)
        amqp_peer_hang_up(&play->peer);
    sidecar_stop(&play->scene.sidecar);
}

void play_accept_again(struct play *play)
{
    amqp_peer_accept(&play->peer, &play->door);
}

static struct play_request begin(
    const struct play *play, const char *method, const char *path, const char *body)
{
    struct play_request request = {.url = format_text("%s%s", play->scene.sidecar.url, path)};
    request.call = http_begin(&(struct http_request){.method = method,
        .url = request.url,
        .body = body,
        .body_bytes = body != NULL ? strlen(body) : 0,
        .timeout_ms = 2 * HTTP_DEFAULT_TIMEOUT_MS});
    return request;
}

struct play_request play_post(struct play *play, const char *path)
{
    return begin(play, "POST", path, BODY);
}

struct play_request play_get(struct play *play, const char *path)
{
    return begin(play, NULL, path, NULL);
}

struct http_answer play_answer(struct play_request *request)
{
    struct http_answer answer;
    http_end(request->call, &answer);
    free(request->url);
    return answer;
}

void play_expect(struct play_request *request, int status, const char *kind)
{
    struct http_answer answer = play_answer(request);
    if (kind != NULL)
        expect_problem(&answer, status, kind);
    else
        expect_status(&answer, status);
    http_answer_done(&answer);
}

struct play_request play_publish(struct play *play, const char *path, struct amqp_heard *heard)
{
    struct play_request request = play_post(play, path);
    const char *id = strrchr(path, '/') + 1;
    *heard = amqp_peer_expect(&play->peer, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert_str_eq(
        heard->message_id, id, "%s was published in place of %s", heard->message_id, id);
    return request;
}

void play_expect_works(struct play *play, const char *path)
{
    struct amqp_heard heard;
    struct play_request request = play_publish(play, path, &heard);
    amqp_peer_ack(&play->peer, &heard, false);
    play_expect(&request, 200, NULL);
}
