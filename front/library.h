/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP library set up to serve: what a listener of its own kind needs of it.
 *
 * Nothing is answered by the library itself but what is no request at all, 400 in plain text: what it
 * would refuse before it has all of the body, it hands over like any other request, with its reason.
 * For that h2o_send_error_generic() is defined here: the library calls it through the dynamic linker,
 * which prefers a program's own.
 *
 * HTTP/1.1 alone: the library's HTTP/2 is left out of reach (no upgrade, no prior knowledge). Its
 * own timer of requests follows the wall clock and is put out of the way; whoever accepts has to
 * have time-outs.
 */
#ifndef LEVERET_FRONT_LIBRARY_H
#define LEVERET_FRONT_LIBRARY_H

#include <h2o.h>

struct library {
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept, accept_tls;
    int refusal; /* of the request that is being handed over */
};

/* Every request, whatever it asks for, is on_request's. `refusal`: 0; or the status that the library
 * would have answered with, and then there is no body, and the connection must end. `max_body`: the
 * largest body that is read. */
struct library_use {
    void (*on_request)(void *owner, h2o_req_t *req, int refusal);
    void *owner;
    size_t max_body;
    SSL_CTX *tls; /* of accept_tls; NULL: there is none */
};

/* Never undone: the process ends with it. */
void library_init(struct library *library, h2o_evloop_t *loop, const struct library_use *use);

#endif
