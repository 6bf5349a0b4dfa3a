/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection to the sidecar on which a test says exactly the bytes it wants to say, and
 * leaves in the way it wants to leave: for requests that no HTTP client would send and for clients
 * that do not wait for their answer.
 */
#ifndef LEVERET_TESTS_RAW_CLIENT_H
#define LEVERET_TESTS_RAW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raw_client {
    int fd; /* -1: none */
};

void raw_client_connect(struct raw_client *client, uint16_t port);

/* The same where nobody may be listening: false when nobody is. */
bool raw_client_reach(struct raw_client *client, uint16_t port);
bool raw_client_reach_narrow(struct raw_client *client, uint16_t port);

/* With a receive buffer of few KiB, so that a large answer cannot be parked in the kernel. */
void raw_client_connect_narrow(struct raw_client *client, uint16_t port);

/* False when the other side has closed. */
bool raw_client_send(struct raw_client *client, const void *bytes, size_t n);
bool raw_client_say(struct raw_client *client, const char *text);

/* At most size - 1 bytes of whatever comes until `until` is in it, the other side closes, or the
 * deadline passes (then false). NUL-terminated. `until` NULL: until it closes. */
bool raw_client_read(
    struct raw_client *client, const char *until, char *buffer, size_t size, uint64_t deadline_ns);

/* True once the other side has closed or reset the connection; what it says before is dropped. */
bool raw_client_is_closed(struct raw_client *client, uint64_t deadline_ns);

void raw_client_half_close(struct raw_client *client); /* FIN; the answer can still be read */
void raw_client_close(struct raw_client *client);      /* FIN, and nobody listens any more */
void raw_client_reset(struct raw_client *client);      /* RST */

#endif
