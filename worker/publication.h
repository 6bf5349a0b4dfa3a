/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message on its way out: what the front wrote into a slot, as a basic.publish with its
 * properties and headers.
 *
 * The fields are copied out of shared memory first, once, and read in that copy; a front that
 * writes nonsense there gets a reason. The body stays where it lies: no decision hangs on it. One
 * publication serves for all messages, one after the other, and holds all the memory that any
 * needs.
 */
#ifndef LEVERET_WORKER_PUBLICATION_H
#define LEVERET_WORKER_PUBLICATION_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

#include "desk.h"
#include "writer.h"

enum {
    PUBLICATION_FIELD_BYTES =
        131072, /* more than a content header may have with any frame_max of ours */
    PUBLICATION_MAX_HEADERS = 512,
};

/* What all messages of one producer have in common. */
struct publication_form {
    const char *exchange;
    bool is_persistent;
    bool has_header_arrays; /* a header's values become an array of long strings */
};

struct publication {
    struct writer_message message; /* ready to be written; it leads to all the rest */
    uint64_t id;                   /* confirm_id() of its message id */
    amqp_basic_publish_t publish;
    amqp_basic_properties_t properties;
    struct iovec body;
    uint32_t n_headers;
    char wrong[64];
    uint8_t *fields; /* PUBLICATION_FIELD_BYTES */
    amqp_table_entry_t *headers;
    amqp_table_entry_t *grouped; /* header arrays: one entry for each name, */
    amqp_field_value_t *values;  /* and all values, those of one name in a row */
};

/* -ENOMEM. */
int publication_init(struct publication *publication) MUST_USE;
void publication_done(struct publication *publication);

/* Reads the slot's fields and body. NULL, or why it is no message: a sentence for the client. What
 * the publication refers to stays until the next publication_read(). */
const char *publication_read(struct publication *publication, const struct desk_slot *slot,
    const struct publication_form *form) MUST_USE;

#endif
