/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many requests over a few kept-alive connections, each answer shown to the test: bounded in number
 * by the caller and in time by each request's time-out.
 */
#ifndef LEVERET_TESTS_LOAD_H
#define LEVERET_TESTS_LOAD_H

#include "tests/support/http_client.h"

struct load {
    int n_connections;
    int n_requests;    /* 0: until load_finish() */
    uint64_t pause_ns; /* at least, between the beginnings of two requests */
    /* Fills in request number i. What it points to must live until on_answer(i). */
    void (*on_request)(void *context, int i, struct http_request *request);
    /* The answer to request i, also when there was none (status 0). It is freed afterwards. */
    void (*on_answer)(void *context, int i, const struct http_answer *answer);
    void *context;
};

/* Returns when every request has been answered or has failed. */
void load_run(const struct load *load);

/* Runs it on a thread of its own while the test does something else; what `load` points to must
 * live until load_end(). The callbacks run on that thread. */
struct load_run *load_begin(const struct load *load);
void load_finish(struct load_run *run); /* no further request is begun */
void load_end(struct load_run *run);

#endif
