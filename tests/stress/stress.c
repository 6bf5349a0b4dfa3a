/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "shm/doorbell.h"

uint64_t stress_seed(const char *program, const char *text)
{
    uint64_t seed = text ? strtoull(text, NULL, 10) : clock_now_ns();
    if (seed == 0)
        seed = 1;
    printf("%s: seed %" PRIu64 "\n", program, seed);
    (void)fflush(stdout); /* an abort would lose it */
    return seed;
}

uint32_t chance_below(struct chance *chance, uint32_t below)
{
    chance->state ^= chance->state << 13;
    chance->state ^= chance->state >> 7;
    chance->state ^= chance->state << 17;
    return (uint32_t)((chance->state >> 32) % below);
}

void body_fill(uint8_t *bytes, uint32_t n, uint64_t tag)
{
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)((tag >> 32) + (tag >> 8) + i);
}

bool body_is(const uint8_t *bytes, uint32_t n, uint64_t tag)
{
    uint8_t wrong = 0;
    for (uint32_t i = 0; i < n; i++)
        wrong |= bytes[i] ^ (uint8_t)((tag >> 32) + (tag >> 8) + i);
    return wrong == 0;
}

static bool has_reason(struct sleeper *sleeper)
{
    /* acquire; pairs with the release of who says that it is over */
    bool is_over = sleeper->is_over && atomic_load_explicit(sleeper->is_over, memory_order_acquire);
    return is_over || !ring_is_empty(sleeper->ring);
}

void stress_sleep(struct sleeper *sleeper)
{
    doorbell_park(sleeper->side);
    if (!has_reason(sleeper)) {
        struct pollfd bell = {.fd = sleeper->bell, .events = POLLIN};
        int n_ready = poll(&bell, 1, STRESS_WATCHDOG_MS);
        if (n_ready == 0)
            (void)fprintf(stderr, "nobody rang; %s\n",
                has_reason(sleeper) ? "there is something to do: a lost wake-up"
                                    : "there is nothing to do: both sides wait");
        assert(n_ready == 1);
        sleeper->n_sleeps++;
    }
    doorbell_unpark(sleeper->side);
    doorbell_hush(sleeper->bell);
}
