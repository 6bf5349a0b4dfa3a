/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integers in network byte order (AMQP 0-9-1, 4.2.5.1), wherever they lie. The tests' own, so that the
 * worker's reader is not proved by itself.
 */
#ifndef LEVERET_TESTS_SUPPORT_NETWORK_ORDER_H
#define LEVERET_TESTS_SUPPORT_NETWORK_ORDER_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}

static inline uint32_t get_32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static inline uint64_t get_64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

#endif
