/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS: what the TCP listeners need of OpenSSL, made of the front's plan.
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) with HTTP/1.1 inside: a client whose ALPN offers other
 * protocols alone is refused (RFC 7301, 3.2), and HTTP/2 is never chosen. No renegotiation, no
 * compression, no early data. A session is resumed by a ticket under a key of this process; where
 * clients show certificates none is, so that each handshake looks at one.
 *
 * The HTTP library carries the bytes, and does so over the same socket as without TLS. So all that
 * connection.h and visit.h see of a socket is as true: what is unacknowledged, and whether the peer
 * has ended its side. Three things differ. Nothing can be written past the library, so there are no
 * interim answers and no refusals by hand: such a connection is just closed. A client that ends its
 * side while it waits for a message is taken for gone, since it cannot be asked. And what OpenSSL
 * refuses to write, after a fault in what it has read, the library takes for written: so it is the
 * session that is asked, at the end of an answer, whether it still stands (connection.h).
 */
#ifndef LEVERET_FRONT_TLS_H
#define LEVERET_FRONT_TLS_H

#include <openssl/ssl.h>

#include "shm/plan.h"

/* Never undone: the process ends with it. NULL: it cannot be made, and *complaint says why; the
 * maker of the plan has seen that it can. */
SSL_CTX *tls_new(
    const struct plan *plan, const struct plan_server_tls *tls, const char **complaint);

#endif
