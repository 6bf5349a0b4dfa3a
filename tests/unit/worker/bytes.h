/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes written by hand, as a broker, honest or not, would send them: a fixed buffer that grows
 * from the front, and the frames of AMQP 0-9-1 put into it without the code under test.
 */
#ifndef LEVERET_TESTS_WORKER_BYTES_H
#define LEVERET_TESTS_WORKER_BYTES_H

#include <amqp.h>
#include <amqp_framing.h>
#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    size_t n;
    uint8_t at[1 << 21];
};

static inline void put(struct bytes *bytes, const void *from, size_t n)
{
    assert(n <= sizeof bytes->at - bytes->n);
    if (n > 0)
        memcpy(bytes->at + bytes->n, from, n);
    bytes->n += n;
}

static inline void put_8(struct bytes *bytes, uint8_t value)
{
    put(bytes, &value, sizeof value);
}

static inline void put_16(struct bytes *bytes, uint16_t value)
{
    value = htobe16(value);
    put(bytes, &value, sizeof value);
}

static inline void put_32(struct bytes *bytes, uint32_t value)
{
    value = htobe32(value);
    put(bytes, &value, sizeof value);
}

static inline void put_64(struct bytes *bytes, uint64_t value)
{
    value = htobe64(value);
    put(bytes, &value, sizeof value);
}

/* A short string: one octet of length. */
static inline void put_short(struct bytes *bytes, const char *text)
{
    put_8(bytes, (uint8_t)strlen(text));
    put(bytes, text, strlen(text));
}

/* A long string: four octets of length. */
static inline void put_long(struct bytes *bytes, const char *text)
{
    put_32(bytes, (uint32_t)strlen(text));
    put(bytes, text, strlen(text));
}

/* Keeps room for a length word; put_length() fills it in with what was put since. */
static inline size_t begin_length(struct bytes *bytes)
{
    put_32(bytes, 0);
    return bytes->n;
}

static inline void end_length(struct bytes *bytes, size_t begun)
{
    uint32_t length = htobe32((uint32_t)(bytes->n - begun));
    memcpy(bytes->at + begun - sizeof length, &length, sizeof length);
}

/* A frame around what is put between these two. */
static inline size_t begin_frame(struct bytes *bytes, uint8_t type, uint16_t channel)
{
    put_8(bytes, type);
    put_16(bytes, channel);
    return begin_length(bytes);
}

static inline void end_frame(struct bytes *bytes, size_t begun)
{
    end_length(bytes, begun);
    put_8(bytes, 0xce);
}

/* A method frame with arguments that are bytes already. */
static inline void put_method(
    struct bytes *bytes, uint16_t channel, uint32_t id, const void *arguments, size_t n)
{
    size_t begun = begin_frame(bytes, 1, channel);
    put_32(bytes, id);
    put(bytes, arguments, n);
    end_frame(bytes, begun);
}

/* A method frame as rabbitmq-c encodes its arguments. */
static inline void put_amqp(struct bytes *bytes, uint16_t channel, uint32_t id, void *method)
{
    uint8_t arguments[4096];
    amqp_bytes_t encoded = {.len = sizeof arguments, .bytes = arguments};
    int n = amqp_encode_method(id, method, encoded);
    assert(n >= 0);
    put_method(bytes, channel, id, arguments, (size_t)n);
}

static inline void put_heartbeat(struct bytes *bytes)
{
    end_frame(bytes, begin_frame(bytes, 8, 0));
}

/* A content header of class basic with no properties. */
static inline void put_content_header(struct bytes *bytes, uint16_t channel, uint64_t body_size)
{
    size_t begun = begin_frame(bytes, 2, channel);
    put_16(bytes, 60);
    put_16(bytes, 0);
    put_64(bytes, body_size);
    put_16(bytes, 0);
    end_frame(bytes, begun);
}

static inline void put_body(struct bytes *bytes, uint16_t channel, const void *from, size_t n)
{
    size_t begun = begin_frame(bytes, 3, channel);
    put(bytes, from, n);
    end_frame(bytes, begun);
}

#endif
