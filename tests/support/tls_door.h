/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door with TLS before a broker that has none: a thread lets everybody in, shakes hands, and
 * carries bytes between him and a port of 127.0.0.1. Or it has another manner, to see what comes of
 * it. It is OpenSSL's own server, and blocks.
 */
#ifndef LEVERET_TESTS_TLS_DOOR_H
#define LEVERET_TESTS_TLS_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include "tests/support/certificates.h"

enum tls_manner {
    TLS_HONEST,
    TLS_MUTE,    /* says nothing at all */
    TLS_CLOSES,  /* hears the first word, and closes */
    TLS_BABBLES, /* answers it with what is no TLS */
    TLS_REKEYS,  /* wants new keys before all that it says */
    TLS_SPOILS   /* the first visitor gets a broken record in place of the third answer */
};

struct tls_door_options {
    enum tls_manner manner;
    const struct certificate *certificate; /* that it shows */
    const char *demanded_by; /* PEM of the authority of which it wants one; NULL: of none */
    uint16_t port;           /* where the bytes go */
};

struct tls_door;

struct tls_door *tls_door_open(const struct tls_door_options *options);
/* Its visitors are dropped. */
void tls_door_close(struct tls_door *door);

uint16_t tls_door_port(const struct tls_door *door);

/* How many have come so far. */
int tls_door_n_visitors(const struct tls_door *door);

#endif
