/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sidecar whose broker is the test itself (tests/support/amqp_peer.h), and the requests that are
 * under way meanwhile:
 *
 *   play_begin ──▶ play_post, play_get ... peer ... play_answer ──▶ play_end
 */
#ifndef LEVERET_TESTS_PLAY_H
#define LEVERET_TESTS_PLAY_H

#include "tests/integration/expect.h"
#include "tests/support/amqp_peer.h"
#include "tests/support/scene.h"

struct play {
    struct amqp_door door;
    struct amqp_peer peer;
    struct scene scene; /* only its sidecar: there is no other broker */
    int n_up;           /* how often the sidecar was let in */
};

/* Returns when the sidecar is connected. `configuration`: a file of tests/fault/configurations. In
 * `peer` the caller may have set how the broker is to speak. */
void play_begin(struct play *play, const char *name, const char *configuration);

/* The same behind a door that is open already, and without letting anybody in. */
void play_start(struct play *play, const char *name, const char *configuration);

/* The peer goes for good, then the sidecar, which must exit 0. */
void play_end(struct play *play);

/* Lets the sidecar in, first or again; returns when it knows. */
void play_accept(struct play *play);

/* A request under way. */
struct play_request {
    char *url;
    struct http_call *call;
};

struct play_request play_post(struct play *play, const char *path);
struct play_request play_get(struct play *play, const char *path);
/* Waits for it. The answer is for http_answer_done(). */
struct http_answer play_answer(struct play_request *request);

/* The answer must have this status and, unless it is NULL, be a problem of this kind. */
void play_expect(struct play_request *request, int status, const char *kind);

/* A POST that has reached the broker: the next publish must be its own, and be the last segment of
 * the path by its message id. */
struct play_request play_publish(struct play *play, const char *path, struct amqp_heard *heard);

/* A POST that is confirmed: all is well. */
void play_expect_works(struct play *play, const char *path);

#endif
