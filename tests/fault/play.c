/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/play.h"

#include <stdlib.h>
#include <unistd.h>
#include "tests/support/require.h"

#define BODY "a body"

void play_start(struct play *play, const char *name, const char *configuration)
{
    autofree char *text = scene_configuration(configuration, play->door.url);
    autofree char *unique = format_text("%s-%d", name, (int)getpid());
    sidecar_start(
        &play->scene.sidecar, &(struct sidecar_options){.name = unique, .configuration = text});
}

void play_begin(struct play *play, const char *name, const char *configuration)
{
    amqp_door_open(&play->door, NULL);
    play_start(play, name, configuration);
    play_accept(play);
}

void play_end(struct play *play)
{
    amqp_door_close(&play->door);
    if (play->peer.fd >= 0)
        amqp_peer_hang_up(&play->peer);
    sidecar_stop(&play->scene.sidecar);
}

static int n_logged_up(const struct play *play)
{
    autofree char *log = sidecar_log(&play->scene.sidecar);
    int n = 0;
    for (const char *at = log; at != NULL && (at = strstr(at, "broker-up")) != NULL; at++)
        n++;
    return n;
}

/* A request that came earlier would be told that there is no broker. */
void play_accept(struct play *play)
{
    amqp_peer_accept(&play->peer, &play->door);
    play->n_up++;
    await(n_logged_up(play) >= play->n_up, AMQP_PEER_TIMEOUT_MS, "it does not know that it is in");
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
