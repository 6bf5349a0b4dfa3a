/* SPDX-License-Identifier: Apache-2.0 */
#include "message_id.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#define LOW_MASK ((UINT64_C(1) << 62) - 1)
#define HIGH_MASK 0x0fffu
#define FRESH_HIGH_MASK                                                                            \
    0x07ffu /* the top bit starts as 0, so that the counter has room to grow                       \
             */

static int refill(struct message_id_source *source)
{
    ssize_t n = getrandom(source->random, sizeof(source->random), 0);
    if (n < 0)
        return -errno;
    source->n_left = sizeof(source->random);
    return n == (ssize_t)sizeof(source->random) ? 0 : -EIO;
}

uint64_t message_id_bits(struct message_id_source *source)
{
    uint64_t bits;
    if (source->n_left < sizeof(bits)) {
        /* Up to 256 bytes never fail once they have succeeded (getrandom(2)); if they did, old
         * bytes would be taken again, and the counter would keep the ids apart. */
        (void)refill(source);
        source->n_left = sizeof(source->random);
    }
    source->n_left -= (uint16_t)sizeof(bits);
    memcpy(&bits, source->random + source->n_left, sizeof(bits));
    return bits;
}

int message_id_open(struct message_id_source *source)
{
    *source = (struct message_id_source){0};
    return refill(source);
}

static void start_millisecond(struct message_id_source *source, uint64_t ms)
{
    source->last_ms = ms;
    source->low = message_id_bits(source) & LOW_MASK;
    source->high = (uint16_t)(message_id_bits(source) & FRESH_HIGH_MASK);
}

/* A step of 1 to 2^32, so that one id does not tell the next. */
static void step(struct message_id_source *source)
{
    source->low += 1 + (uint32_t)message_id_bits(source);
    if (source->low <= LOW_MASK)
        return;
    source->low &= LOW_MASK;
    if (source->high++ == HIGH_MASK)
        start_millisecond(source, source->last_ms + 1); /* borrowed from the future (6.2) */
}

static char *write_hex(char *out, uint64_t value, int n_digits)
{
    for (int i = n_digits - 1; i >= 0; i--)
        *out++ = "0123456789abcdef"[value >> (4 * i) & 0xf];
    return out;
}

struct slice message_id_at(
    struct message_id_source *source, uint64_t now_ms, char out[MESSAGE_ID_BYTES])
{
    if (now_ms > source->last_ms)
        start_millisecond(source, now_ms);
    else
        step(source);
    char *at = write_hex(out, source->last_ms >> 16, 8);
    *at++ = '-';
    at = write_hex(at, source->last_ms & 0xffff, 4);
    *at++ = '-';
    at = write_hex(at, 0x7000u | source->high, 4); /* the version */
    *at++ = '-';
    at = write_hex(at, 0x8000u | source->low >> 48, 4); /* the variant */
    *at++ = '-';
    (void)write_hex(at, source->low & ((UINT64_C(1) << 48) - 1), 12); /* ends with `out` */
    return (struct slice){.at = out, .len = MESSAGE_ID_BYTES};
}

struct slice message_id_next(struct message_id_source *source, char out[MESSAGE_ID_BYTES])
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    return message_id_at(
        source, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, out);
}
