/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scene.h"

#include <stdlib.h>
#include <string.h>
#include "tests/support/folder.h"
#include "tests/support/require.h"

#define PLACE_OF_URL "@AMQP@"

enum { UP_MS = 15000, LOOK_AGAIN_MS = 5, GIVE_BACK_MS = 5000, NO_MORE_MS = 100 };

char *scene_replace(const char *text, const char *from, const char *to)
{
    char *result = format_text("%s", text);
    for (char *at; (at = strstr(result, from)) != NULL;) {
        char *longer = format_text("%.*s%s%s", (int)(at - result), result, to, at + strlen(from));
        free(result);
        result = longer;
    }
    return result;
}

char *scene_configuration(const char *file, const char *url)
{
    const char *folder = getenv("LEVERET_TEST_CONFIGURATIONS");
    require(folder != NULL, "LEVERET_TEST_CONFIGURATIONS is not set");
    autofree char *path = format_text("%s/%s", folder, file);
    autofree char *text = folder_read(path);
    require(text != NULL, "no file %s", path);
    return scene_replace(text, PLACE_OF_URL, url);
}

void scene_open(struct scene *scene, const char *name)
{
    *scene = (struct scene){0};
    vhost_init(&scene->vhost, name);
    amqp_client_init(&scene->amqp, scene->vhost.url);
}

void scene_begin_with(struct scene *scene, const struct sidecar_options *options)
{
    struct sidecar_options named = *options;
    named.name = scene->vhost.name;
    sidecar_start(&scene->sidecar, &named);
}

void scene_begin(struct scene *scene, const char *configuration)
{
    autofree char *text = scene_configuration(configuration, scene->vhost.url);
    scene_begin_with(scene, &(struct sidecar_options){.configuration = text});
}

void scene_await_bindings(struct scene *scene, const char *queue, int n)
{
    await(vhost_n_bindings(&scene->vhost, queue) == n, UP_MS, "%s has %d bindings instead of %d",
        queue, vhost_n_bindings(&scene->vhost, queue), n);
}

void scene_close(struct scene *scene)
{
    amqp_client_done(&scene->amqp);
    vhost_done(&scene->vhost);
}

void scene_end(struct scene *scene)
{
    sidecar_stop(&scene->sidecar);
    scene_close(scene);
}

int scene_stop_and_count(struct scene *scene, const char *queue, int n_expected)
{
    sidecar_stop(&scene->sidecar);
    int n = 0;
    struct amqp_received received;
    while (amqp_client_take(
        &scene->amqp, queue, n < n_expected ? GIVE_BACK_MS : NO_MORE_MS, &received)) {
        amqp_received_done(&received);
        n++;
    }
    return n;
}

struct http_answer scene_do(
    struct scene *scene, const char *path, const struct http_request *request)
{
    autofree char *url = format_text("%s%s", scene->sidecar.url, path);
    struct http_request absolute = *request;
    absolute.url = url;
    if (!absolute.authority)
        absolute.authority = scene->sidecar.authority;
    struct http_answer answer;
    http_do(&absolute, &answer);
    return answer;
}

struct http_answer scene_get(struct scene *scene, const char *path)
{
    return scene_do(scene, path, &(struct http_request){0});
}

struct http_answer scene_post(struct scene *scene, const char *path, const char *body)
{
    return scene_do(scene, path, &(struct http_request){.body = body, .body_bytes = strlen(body)});
}

/* The second answer comes from a later turn of its loop than the one that the first woke. */
void scene_let_front_read(struct scene *scene)
{
    for (int i = 0; i < 2; i++) {
        struct http_answer answer = scene_get(scene, "/__health");
        require(answer.status == 200, "the front is not there");
        http_answer_done(&answer);
    }
}

void scene_publish(
    struct scene *scene, const char *exchange, const char *routing_key, const char *body)
{
    amqp_client_publish(&scene->amqp, &(struct amqp_client_message){.exchange = exchange,
                                          .routing_key = routing_key,
                                          .body = body,
                                          .body_bytes = strlen(body)});
}

struct http_answer scene_do_when_up(
    struct scene *scene, const char *path, const struct http_request *request)
{
    uint64_t deadline = deadline_in_ms(UP_MS);
    struct http_answer answer = scene_do(scene, path, request);
    while (answer.status == 503) {
        require(clock_now_ns() < deadline, "%s still answers %s", path, answer.body);
        http_answer_done(&answer);
        (void)poll(NULL, 0, LOOK_AGAIN_MS); /* nothing to learn from it */
        answer = scene_do(scene, path, request);
    }
    return answer;
}
