/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From AMQP methods and messages to frames in an outbox. Each call appends whole frames or, when it
 * fails, nothing.
 *
 *   0           appended
 *   -ENOBUFS    the outbox is full just now: again when some of it was taken
 *   -EMSGSIZE    it can never be sent: a method or content header larger than a frame, or too many
 *                frames
 *   -EINVAL      it can never be sent: a short string or a table key over 255 bytes, a kind of field
 *                that AMQP does not have
 *
 * rabbitmq-c's encoder checks the strings but truncates the length of a table's keys modulo 256,
 * and does not tell a bad argument from a small buffer: both are checked here first.
 */
#ifndef LEVERET_WORKER_WRITER_H
#define LEVERET_WORKER_WRITER_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/cleanup.h"

#include "outbox.h"

/* A piece of a body this large or larger is sent from where it lies, a smaller one is copied. */
#define WRITER_BORROW_BYTES 4096

/* Room that messages leave free, so that an ack or a heartbeat always finds some. */
#define WRITER_RESERVE_BYTES 65536

/* A basic.publish with its message. All is borrowed for the call, body pieces from
 * WRITER_BORROW_BYTES up until the outbox's `taken` has passed them. */
struct writer_message {
    const amqp_basic_publish_t *publish;
    const amqp_basic_properties_t *properties;
    const struct iovec *body; /* its pieces, in order */
    int n_body;
};

/* The 8 bytes that open a connection (specification 4.2.2). */
int writer_protocol_header(struct outbox *outbox) MUST_USE;

int writer_method(
    struct outbox *outbox, uint16_t channel, amqp_method_number_t id, const void *method) MUST_USE;

/* `frame_max` as negotiated: the body is cut to it. */
int writer_message(struct outbox *outbox, uint16_t channel, size_t frame_max,
    const struct writer_message *message) MUST_USE;

int writer_heartbeat(struct outbox *outbox) MUST_USE;

#endif
