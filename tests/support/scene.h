/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nearly every integration test needs: a vhost of its own, a sidecar on a configuration, and
 * an independent AMQP client to look behind the sidecar's back.
 *
 *   scene_open -> scene_begin -> post, get, amqp -> scene_end
 *
 * In the configuration, @AMQP@ stands for the vhost's URL. Between open and begin the test may
 * declare what the sidecar is to find.
 */
#ifndef LEVERET_TESTS_SCENE_H
#define LEVERET_TESTS_SCENE_H

#include "tests/support/amqp_client.h"
#include "tests/support/http_client.h"
#include "tests/support/sidecar.h"
#include "tests/support/vhost.h"

struct scene {
    struct vhost vhost;
    struct amqp_client amqp;
    struct sidecar sidecar;
};

/* `name`: the test's, for files, the vhost and messages. */
void scene_open(struct scene *scene, const char *name);

/* `configuration`: a file of tests/integration/configurations. */
void scene_begin(struct scene *scene, const char *configuration);
void scene_begin_with(struct scene *scene, const struct sidecar_options *options);

/* Waits until the sidecar has bound the queue with `n` routing keys. */
void scene_await_bindings(struct scene *scene, const char *queue, int n);

/* SIGTERM to the sidecar, which must exit 0; then the vhost goes. */
void scene_end(struct scene *scene);

/*
 * SIGTERM to the sidecar, which must exit 0, and then takes off the queue what is left there: what
 * was not acked is among it. Returns how many that were; looks longer for as many as are expected.
 */
int scene_stop_and_count(struct scene *scene, const char *queue, int n_expected);

/* The rest of scene_end(), when the sidecar is gone already. */
void scene_close(struct scene *scene);

/* Text of a configuration file with @AMQP@ replaced by `url`; the caller frees it. */
char *scene_configuration(const char *file, const char *url);

/* `text` with every `from` in it replaced by `to`, which has none; the caller frees it. */
char *scene_replace(const char *text, const char *from, const char *to);

/* One request to the sidecar, relative to its root. Answers are for http_answer_done(). */
struct http_answer scene_get(struct scene *scene, const char *path);
struct http_answer scene_post(struct scene *scene, const char *path, const char *body);
struct http_answer scene_do(
    struct scene *scene, const char *path, const struct http_request *request);

/* Returns when the front has read all that had arrived before on any connection. */
void scene_let_front_read(struct scene *scene);

/* A message straight to the broker, as anybody else might send it; confirmed and routed. */
void scene_publish(
    struct scene *scene, const char *exchange, const char *routing_key, const char *body);

/*
 * The same as scene_do(), again while the answer is 503: nothing was sent then, so that trying
 * again is safe. For the first request after a start or an outage, when the worker may not have its
 * connection yet.
 */
struct http_answer scene_do_when_up(
    struct scene *scene, const char *path, const struct http_request *request);

#endif
