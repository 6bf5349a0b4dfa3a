/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may look: how much the admin listener tells the one who asks.
 *
 *   is there a token?
 *     yes ─ the request has it (RFC 7617: as the password of Basic, with any user; RFC 6750: as a
 *           Bearer's) ─▶ ALL
 *           else ─▶ VERDICT: probes say yes or no, and the rest is 401
 *     no  ─ a unix socket: whom the rights of its file let in ─▶ ALL
 *           TCP, which is the loopback interface, as the configuration sees to:
 *             Host is an address, `localhost`, or not there ─▶ ALL
 *             Host is another name ─▶ MISDIRECTED, 421
 *
 * The last line is for browsers. A page from anywhere may have its own name resolve to 127.0.0.1 and
 * then reads what it gets as its own (DNS rebinding); the name that the browser believes in stands in
 * Host. With a token that is no danger: the browser does not know it.
 */
#ifndef LEVERET_FRONT_CLEARANCE_H
#define LEVERET_FRONT_CLEARANCE_H

#include <stdbool.h>

#include "slice.h"

enum clearance { CLEARANCE_ALL, CLEARANCE_VERDICT, CLEARANCE_MISDIRECTED };

/* Whom the listener knows. */
struct clearance_rule {
    struct slice token; /* 16 to 256 characters of RFC 6750's b64token; empty: there is none */
    bool is_tcp;
};

/* `host` as in the request, with a port or without; `authorization`: the field's value. Either may
 * be empty. Takes the same time for every token of the same length. */
enum clearance clearance_of(
    const struct clearance_rule *rule, struct slice host, struct slice authorization);

#endif
