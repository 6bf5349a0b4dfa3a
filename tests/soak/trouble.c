/* SPDX-License-Identifier: Apache-2.0 */
#include "trouble.h"

#include "shm/clock.h"
#include "tests/support/require.h"

void trouble_init(struct trouble *trouble)
{
    require(pthread_mutex_init(&trouble->lock, NULL) == 0, "pthread_mutex_init");
    trouble->n = 0;
}

int trouble_begin(struct trouble *trouble, enum trouble_kind kind)
{
    (void)pthread_mutex_lock(&trouble->lock); /* of this kind it cannot fail */
    int span = trouble->n++;
    require(span < TROUBLE_MAX_SPANS, "too much trouble");
    trouble->spans[span] = (struct trouble_span){kind, clock_now_ns(), CLOCK_NEVER};
    (void)pthread_mutex_unlock(&trouble->lock); /* likewise */
    return span;
}

void trouble_end(struct trouble *trouble, int span)
{
    (void)pthread_mutex_lock(&trouble->lock); /* cannot fail */
    trouble->spans[span].to_ns = clock_now_ns();
    (void)pthread_mutex_unlock(&trouble->lock); /* likewise */
}

bool trouble_was(struct trouble *trouble, enum trouble_kind kind, uint64_t from_ns, uint64_t to_ns)
{
    bool was = false;
    (void)pthread_mutex_lock(&trouble->lock); /* cannot fail */
    for (int i = 0; i < trouble->n && !was; i++) {
        const struct trouble_span *span = &trouble->spans[i];
        was = span->kind == kind && span->from_ns <= to_ns && span->to_ns >= from_ns;
    }
    (void)pthread_mutex_unlock(&trouble->lock); /* likewise */
    return was;
}
