/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#include "shm/clock.h"

/* The wait after the n-th failure in a row, from 1, before jitter. */
static uint64_t full_wait_ns(enum backoff_strategy strategy, uint32_t n)
{
    uint64_t wait_ns;
    switch (strategy) {
    case BACKOFF_LINEAR:
    case BACKOFF_LINEAR_JITTER:
        wait_ns = n * CLOCK_S;
        break;
    case BACKOFF_EXPONENTIAL:
    case BACKOFF_EXPONENTIAL_JITTER:
        wait_ns = CLOCK_S << (n < 32 ? n - 1 : 31);
        break;
    default:
        wait_ns = CLOCK_S;
        break;
    }
    return wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
}

void backoff_init(struct backoff *backoff, const struct backoff_config *config)
{
    *backoff = (struct backoff){.config = *config};
    if (backoff->config.n_hosts == 0)
        backoff->config.n_hosts = 1;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->n_tried = 0;
    backoff->n_failed = 0;
}

static uint64_t round_failed(struct backoff *backoff, uint32_t random)
{
    const struct backoff_config *config = &backoff->config;
    backoff->n_tried = 0;
    if (backoff->n_failed < UINT32_MAX)
        backoff->n_failed++;
    if (config->max_retries > 0 && backoff->n_failed > config->max_retries)
        return CLOCK_NEVER;
    uint64_t wait_ns = full_wait_ns(config->strategy, backoff->n_failed);
    bool has_jitter =
        config->strategy == BACKOFF_LINEAR_JITTER || config->strategy == BACKOFF_EXPONENTIAL_JITTER;
    if (!has_jitter)
        return wait_ns;
    uint64_t half_ns =
        wait_ns / 2; /* below 2^34, so that 28 random bits may be multiplied with it */
    return half_ns + half_ns * (random >> 4) / (UINT32_MAX >> 4);
}

static void next_host(struct backoff *backoff)
{
    backoff->nth_host = (backoff->nth_host + 1) % backoff->config.n_hosts;
}

uint64_t backoff_failed(struct backoff *backoff, uint32_t random)
{
    next_host(backoff);
    if (++backoff->n_tried < backoff->config.n_hosts)
        return 0;
    return round_failed(backoff, random);
}

uint64_t backoff_lost(struct backoff *backoff, uint64_t up_ns, uint32_t random)
{
    next_host(backoff);
    if (up_ns < BACKOFF_STABLE_NS)
        return round_failed(backoff, random);
    backoff_reset(backoff);
    return 0;
}
