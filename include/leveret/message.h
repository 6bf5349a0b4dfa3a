/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message as it crosses a lane: its fields, one after the other, beside its body.
 *
 *      field:  u8 kind | u8 name length | u16 zero | u32 value length | name | value      (host
 * order)
 *
 * Only MESSAGE_HEADER and MESSAGE_PROPERTY have a name; they may come several times, a header also
 * with the same name. Every other kind comes at most once. The limits are those of AMQP 0-9-1
 * (4.2.5.3: a short string has at most 255 octets; a priority is an octet) and of RabbitMQ, which
 * reads an expiration as decimal milliseconds.
 *
 * A published message has the kinds up to MESSAGE_HEADER. A delivered one has its content type, and
 * as fields with a name its message id and the headers of its trace; or, where the plan asks for
 * them, all its properties and headers as text, whatever they are in AMQP: at most
 * MESSAGE_SHOWN_MAX.
 */
#ifndef LEVERET_MESSAGE_H
#define LEVERET_MESSAGE_H

#include <stdint.h>

enum message_field_kind {
    MESSAGE_ROUTING_KEY = 1, /* short string */
    MESSAGE_CONTENT_TYPE,    /* short string */
    MESSAGE_EXPIRATION,      /* decimal milliseconds, 0 to 4294967295 */
    MESSAGE_REPLY_TO,        /* short string */
    MESSAGE_MESSAGE_ID,      /* short string; every publish has one, not empty */
    MESSAGE_PRIORITY,        /* decimal, 0 to 255 */
    MESSAGE_HEADER,          /* name: short string; value: long string */
    MESSAGE_PROPERTY,        /* name: AMQP's, with hyphens: correlation-id; value: any text */
    MESSAGE_N_OMITTED,       /* decimal: headers that are not among the fields */
    MESSAGE_N_KINDS
};

enum {
    MESSAGE_SHORT_BYTES = 255,
    MESSAGE_FIELD_HEAD_BYTES = 8,
    MESSAGE_SHOWN_MAX = 64,       /* fields with a name, of a delivery */
    MESSAGE_DELIVERY_BYTES = 8192 /* all fields of a delivery */
};

#endif
