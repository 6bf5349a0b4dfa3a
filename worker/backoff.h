/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host of a broker to try next, and when: `host`, `backoff_strategy` and `max_retries` of the
 * specification. Pure: randomness is passed in.
 *
 * Hosts are tried in turn, without a wait until all of them have failed in a row; that is a failed
 * round. What is waited after it:
 *
 *   n-th round in a row   linear: n seconds, exponential: 2^(n-1) seconds, otherwise: 1 second
 *   -jitter               from half of that to all of it, evenly
 *
 * Never more than BACKOFF_MAX_NS: a broker that is back is found within seconds, whatever the
 * strategy and however long it was away. A connection that did not stay up for
 * BACKOFF_STABLE_NS is a failed round as well: what lets us in and throws us out again is waited
 * for like what is away.
 */
#ifndef LEVERET_WORKER_BACKOFF_H
#define LEVERET_WORKER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_MAX_NS (UINT64_C(5) * 1000000000)
#define BACKOFF_STABLE_NS (UINT64_C(5) * 1000000000)

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
    uint32_t max_retries; /* failed rounds in a row; 0: for ever */
    uint32_t n_hosts;     /* 0 is 1 */
};

struct backoff {
    struct backoff_config config; /* n_hosts filled in */
    uint32_t nth_host;            /* the one to be tried, from 0 */
    uint32_t n_tried;             /* hosts of this round that have failed */
    uint32_t n_failed;            /* rounds in a row that have failed */
};

void backoff_init(struct backoff *backoff, const struct backoff_config *config);

/* The next failure is the first one again. The host stays. */
void backoff_reset(struct backoff *backoff);

/* The host could not be reached. Moves to the next one and returns how many nanoseconds to wait
 * before it is tried, chosen with 32 random bits; or CLOCK_NEVER when retries have run out. */
uint64_t backoff_failed(struct backoff *backoff, uint32_t random);

/* A connection to the host is gone after it was up for up_ns. As above. */
uint64_t backoff_lost(struct backoff *backoff, uint64_t up_ns, uint32_t random);

#endif
