/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a running sidecar: one GET, on a connection of its own, over TCP or a unix socket.
 *
 * Why not libcurl: an exec probe starts this program every second, and `leveret` is the supervisor,
 * too. With Debian's libcurl a program that asks the loopback interface once takes 11 ms and
 * 9.7 MiB, most of it for the 30 libraries behind it; `leveret probe` takes 1.5 ms and 2.1 MiB. What
 * is left out is not needed to ask a sidecar beside oneself: TLS, proxies, redirects.
 *
 * The request is HTTP/1.0, so the answer ends with its Content-Length or with the connection, and
 * never comes in chunks (RFC 9112, section 7.1). Who answers may be anybody: time and bytes are
 * bounded, and a failure is a sentence that names the address.
 *
 *   admin_client_init ──▶ admin_get ──▶ admin_answer_done      as often as needed
 *                             └── failed: the sentence
 *   admin_client_done
 */
#ifndef LEVERET_ADMIN_CLIENT_H
#define LEVERET_ADMIN_CLIENT_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

#include "admin_address.h"
#include "shm/cleanup.h"

enum { ADMIN_BODY_MAX = 64 << 20, ADMIN_HEAD_MAX = 64 << 10 };

struct admin_client {
    const struct admin_address *address; /* borrowed */
    const char *token;                   /* to show; NULL: none. Borrowed */
    struct addrinfo *peers;              /* NULL: not looked up yet */
};

struct admin_answer {
    int status;
    char *body; /* NUL-terminated; in `bytes` */
    size_t body_bytes;
    char *bytes; /* all of the answer */
};

/* A sentence without a full stop; what a peer said in it is not fit for a terminal yet. */
struct admin_failure {
    char text[512];
};

void admin_client_init(
    struct admin_client *client, const struct admin_address *address, const char *token);
void admin_client_done(struct admin_client *client);

enum admin_outcome { ADMIN_ANSWERED, ADMIN_FAILED };

/* GET `path`, with the answer's last byte within `timeout_ns`. ADMIN_FAILED: *failure says why, and
 * *answer is untouched. Any status is an answer but 401 and 421: they are about who asks. */
enum admin_outcome admin_get(struct admin_client *client, const char *path, uint64_t timeout_ns,
    struct admin_answer *answer, struct admin_failure *failure) MUST_USE;

/* Harmless on one that is all zeros. */
void admin_answer_done(struct admin_answer *answer);

/* Fills in the sentence; returns ADMIN_FAILED. */
enum admin_outcome admin_fail(struct admin_failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the sentence on standard error, fit for a terminal. */
void admin_complain(const struct admin_failure *failure);

#endif
