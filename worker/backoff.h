/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before the next attempt to reach a broker: `backoff_strategy` and `max_retries`
 * of the specification. Pure: randomness is passed in.
 *
 *   n-th failure in a row   linear: n seconds, exponential: 2^(n-1) seconds, otherwise: 1 second
 *   -jitter                 from half of that to all of it, evenly
 *
 * A failure is one of a whole round over all hosts: within a round the next host is tried at once.
 * Never more than BACKOFF_MAX_NS: a broker that is back is found within half a minute, whatever the
 * strategy, and a restarted cluster is not stormed.
 */
#ifndef LEVERET_WORKER_BACKOFF_H
#define LEVERET_WORKER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_MAX_NS (UINT64_C(30) * 1000000000)

enum backoff_strategy {
    BACKOFF_CONSTANT,
    BACKOFF_LINEAR,
    BACKOFF_LINEAR_JITTER,
    BACKOFF_EXPONENTIAL,
    BACKOFF_EXPONENTIAL_JITTER,
    BACKOFF_N_STRATEGIES
};

struct backoff_config {
    enum backoff_strategy strategy;
    uint32_t max_retries; /* 0: for ever */
};

struct backoff {
    struct backoff_config config;
    uint32_t n_failed; /* rounds in a row */
};

/* The strategy of that name; any other word, and NULL, is BACKOFF_CONSTANT. */
enum backoff_strategy backoff_strategy_of(const char *name);

void backoff_init(struct backoff *backoff, const struct backoff_config *config);

/* Success: the next failure is a first one again. */
void backoff_reset(struct backoff *backoff);

/* Another round has failed: nanoseconds to wait until the next, chosen with 32 random bits; or
 * CLOCK_NEVER when retries have run out. */
uint64_t backoff_failed(struct backoff *backoff, uint32_t random);

#endif
