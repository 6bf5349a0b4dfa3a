/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses without blocking the loop: getaddrinfo() runs in one thread of its own, one
 * name after the other. Numeric addresses do not need it, and the thread is started by the first
 * name.
 *
 *              resolver_ask           thread takes it        answer
 *      IDLE ─────────────────▶ QUEUED ───────────────▶ RUNNING ───────▶ on_resolved, IDLE
 *        ▲                        │ resolver_cancel        │
 *        └────────────────────────┴────────────────────────┘  the late answer is dropped
 *
 * The deadline of a question is the asker's: it cancels, and asks again later. A name server that
 * does not answer holds up other names for as long as the resolver's own time-out (resolv.conf),
 * but never the loop.
 */
#ifndef LEVERET_WORKER_RESOLVER_H
#define LEVERET_WORKER_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shm/cleanup.h"

#include "loop.h"

#define RESOLVER_MAX_ADDRESSES 8

struct resolver;

struct resolver_address {
    socklen_t n_bytes;
    struct sockaddr_storage storage;
};

struct resolver_answer {
    int error; /* 0, or an EAI_ code: gai_strerror() */
    int n_addresses;
    struct resolver_address addresses[RESOLVER_MAX_ADDRESSES]; /* in the system's order */
};

/* Embedded in its asker; zero-initialise, then fill the owner's two fields. */
struct resolver_question {
    void (*on_resolved)(void *owner, const struct resolver_answer *answer);
    void *owner;
    struct resolver_job *job; /* the resolver's; NULL when idle */
};

/* -ENOMEM, -EMFILE. Free with resolver_free(). */
int resolver_new(struct resolver **out, struct loop *loop) MUST_USE;

/* No question is open. Does not wait for a lookup that is running. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* Is `name` a numeric address (IPv4, IPv6 with or without brackets)? If so, it is put there with
 * the port. */
bool resolver_parse(const char *name, uint16_t port, struct resolver_address *out);

/* Asks for the TCP addresses of a name; on_resolved comes in a later turn. One at a time per
 * question. -ENOMEM, -EAGAIN (no thread). */
int resolver_ask(struct resolver *resolver, struct resolver_question *question, const char *name,
    uint16_t port) MUST_USE;

/* Its callback will not come. Nothing when idle. */
void resolver_cancel(struct resolver_question *question);

#endif
