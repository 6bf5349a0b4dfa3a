/* SPDX-License-Identifier: Apache-2.0 */
#include "poison.h"

uint64_t poison_met(struct poison *poison)
{
    return ++poison->n;
}

/* The hold of what comes back from now on. */
static void begin_round(struct poison *poison, uint64_t hold_ns, uint64_t now_ns)
{
    poison->hold_ns = hold_ns < POISON_MAX_NS ? hold_ns : POISON_MAX_NS;
    poison->round_end_ns = now_ns + poison->hold_ns;
}

uint64_t poison_hold_ns(struct poison *poison, bool has_come_back, uint64_t now_ns)
{
    if (now_ns >= poison->calm_ns)
        begin_round(poison, POISON_FIRST_NS, now_ns);
    else if (has_come_back && now_ns >= poison->round_end_ns)
        begin_round(poison, 2 * poison->hold_ns, now_ns);
    uint64_t hold_ns = has_come_back ? poison->hold_ns : POISON_FIRST_NS;
    if (poison->calm_ns < now_ns + hold_ns + POISON_CALM_NS)
        poison->calm_ns = now_ns + hold_ns + POISON_CALM_NS;
    return hold_ns;
}
