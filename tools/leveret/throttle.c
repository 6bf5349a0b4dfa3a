/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle.h"

static uint64_t delay_after(unsigned n_failures)
{
    uint64_t delay_ns = THROTTLE_FIRST_NS;
    if (n_failures < 2)
        return 0;
    for (unsigned i = 2; i < n_failures && delay_ns < THROTTLE_LAST_NS; i++)
        delay_ns *= 2;
    return delay_ns < THROTTLE_LAST_NS ? delay_ns : THROTTLE_LAST_NS;
}

uint64_t throttle_delay_ns(struct throttle *throttle, uint64_t lived_ns, bool was_useful)
{
    bool is_failure = !was_useful || lived_ns < THROTTLE_SHORT_LIFE_NS;
    if (!is_failure || lived_ns >= THROTTLE_LONG_LIFE_NS)
        throttle->n_failures = 0;
    if (is_failure)
        throttle->n_failures++;
    return delay_after(throttle->n_failures);
}
