/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a message that came says of itself beside its body. Its fields lie in the lane: they are
 * read once, into private memory.
 *
 * Where a backend shows them, they are fields of the answer:
 *
 *   X-Amqp-Correlation-Id: ...     a property; the name is AMQP's
 *   X-Amqp-Header-<name>: ...      a header of the message, by its own name
 *   X-Amqp-Omitted: n              so many headers are not among them
 *
 * Whoever published the message chose names and values; the prefix keeps them apart from all fields
 * that mean something to a client or a proxy. A header whose name is no token or whose value holds
 * a control character is omitted and counted, as the worker does with what is no text
 * (<leveret/message.h>).
 */
#ifndef LEVERET_FRONT_RECEIVED_H
#define LEVERET_FRONT_RECEIVED_H

#include "answer.h"

/* The content type that the message has; empty: none. */
struct slice received_type(const struct part *part, struct answer_memory memory);

/* Tells the answer the id and the trace of the message that the part delivered, if it has them. */
void received_identity(struct answer *answer, const struct part *part, struct answer_memory memory);

/* Gives the answer the properties of the message that the part delivered; of one part alone. */
void received_properties(
    struct answer *answer, const struct part *part, struct answer_memory memory);

#endif
