/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing and reading the fields of a message; the layout and the limits are in
 * <leveret/message.h>.
 *
 * The writer checks what it is given, so that a client's bad value is refused before anything is
 * sent; the reader checks it all again, since what it reads was written by a peer and may change
 * under it: it copies the fields out first, once, and reads its copy.
 */
#ifndef LEVERET_SHM_MESSAGE_H
#define LEVERET_SHM_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <leveret/message.h>

#include "shm/cleanup.h"

enum message_outcome {
    MESSAGE_OK,
    MESSAGE_END,       /* the reader: no further field */
    MESSAGE_FULL,      /* the writer: the buffer's end */
    MESSAGE_MALFORMED, /* the reader: not a field; the writer never makes one */
    MESSAGE_TOO_LONG,  /* over 255 bytes where AMQP has a short string */
    MESSAGE_NOT_A_NUMBER,
    MESSAGE_OUT_OF_RANGE,
    MESSAGE_HAS_NUL, /* a NUL byte in a short string */
};

struct message_field {
    enum message_field_kind kind;
    const char *name; /* of a header or property; else empty. Not NUL-terminated */
    size_t name_bytes;
    const char *value;
    size_t value_bytes;
};

/* Bytes that a field takes. */
size_t message_field_bytes(const struct message_field *field);

/* Does the value keep to its kind's limits? MESSAGE_OK, or which limit it breaks. */
enum message_outcome message_check(const struct message_field *field) MUST_USE;

/* A sentence's end for a client, such as "is longer than 255 bytes"; "" for MESSAGE_OK. */
const char *message_outcome_text(enum message_outcome outcome);

struct message_writer {
    uint8_t *bytes;
    size_t size, used;
};

/* Append a checked field; the bytes are borrowed and may be shared memory. */
enum message_outcome message_write(
    struct message_writer *writer, const struct message_field *field) MUST_USE;

struct message_reader {
    const uint8_t *bytes; /* private memory, not a lane */
    size_t size, read;
};

/* The next field, checked; it points into the reader's bytes. */
enum message_outcome message_read(
    struct message_reader *reader, struct message_field *field) MUST_USE;

#endif
