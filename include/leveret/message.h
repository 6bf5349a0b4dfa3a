/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message as it crosses a lane: its fields, one after the other, beside its body.
 *
 *      field:  u8 kind | u8 name length | u16 zero | u32 value length | name | value      (host
 * order)
 *
 * Only MESSAGE_HEADER has a name; it may come several times, also with the same name. Every other
 * kind comes at most once. The limits are those of AMQP 0-9-1 (4.2.5.3: a short string has at most
 * 255 octets; a priority is an octet) and of RabbitMQ, which reads an expiration as decimal
 * milliseconds.
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
    MESSAGE_N_KINDS
};

enum { MESSAGE_SHORT_BYTES = 255, MESSAGE_FIELD_HEAD_BYTES = 8 };

#endif
