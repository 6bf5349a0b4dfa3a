/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker delivers with a message besides its body, as fields (<leveret/message.h>) for
 * whoever shows it: content type, the other properties (AMQP 0-9-1, 1.8.3), then the headers.
 * Whoever does not is given what a message is known by: content type, message id, and of the
 * headers traceparent and tracestate, where they are text.
 *
 * All values are text: a number in decimal, a time in seconds since 1970, true or false, strings
 * and bytes as they are. A header that is no such value (a table, an array, nothing at all), whose
 * name has a NUL, or for which there is no room any more is counted and left out.
 */
#ifndef LEVERET_WORKER_PROPERTIES_H
#define LEVERET_WORKER_PROPERTIES_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stdint.h>

#include <leveret/message.h>

/* Writes the fields to `bytes`, and returns how many bytes they are: all, or those by which it is
 * known. One that cannot be a field is left out. */
uint32_t properties_write(uint8_t bytes[MESSAGE_DELIVERY_BYTES],
    const amqp_basic_properties_t *properties, bool shows_all);

#endif
