/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ring, its doorbell, two threads: every entry arrives once and in order, what it speaks of is
 * there, and a consumer that parks is always rung.
 *
 * The producer sends bursts, often of one entry, and after each either goes on or lets the consumer
 * run dry; that is where a wake-up could get lost. The ring is small, so both ends meet as well.
 *
 * Usage: ring_stress N_ENTRIES [SEED]
 */
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "stress.h"

enum { RING_ENTRIES = 64, BURST_MAX = 48 };

struct course {
    struct ring_shared *shared;
    struct lane_side side; /* the consumer's */
    struct doorbell bell;
    uint64_t n_entries;
    uint64_t payload[RING_ENTRIES]; /* plain memory: visible by the ring's order or not at all */
    _Atomic uint64_t n_taken;       /* what the producer may know of the consumer */
    struct chance producer, consumer;
    uint64_t n_sleeps, n_rings;
};

static uint64_t n_taken(struct course *course)
{
    /* acquire; pairs with the consumer's release: the payload of these was read */
    return atomic_load_explicit(&course->n_taken, memory_order_acquire);
}

static void push_burst(struct course *course, struct ring_producer *ring, uint64_t *n_pushed)
{
    uint32_t burst =
        chance_in(&course->producer, 2) ? 1 : chance_below(&course->producer, BURST_MAX) + 1;
    for (; burst > 0 && *n_pushed < course->n_entries; burst--, ++*n_pushed) {
        while (*n_pushed - n_taken(course) >= RING_ENTRIES) {
            course->n_rings += doorbell_ring(&course->side, course->bell.rope);
            (void)sched_yield(); /* never fails */
        }
        course->payload[*n_pushed % RING_ENTRIES] = ~*n_pushed;
        enum ring_outcome outcome = ring_push(ring, *n_pushed);
        assert(outcome == RING_OK);
    }
}

static void *produce(void *context)
{
    struct course *course = context;
    struct ring_producer ring;
    ring_producer_init(&ring, course->shared, RING_ENTRIES);
    for (uint64_t n_pushed = 0; n_pushed < course->n_entries;) {
        push_burst(course, &ring, &n_pushed);
        course->n_rings += doorbell_ring(&course->side, course->bell.rope);
        bool lets_run_dry = chance_in(&course->producer, 8);
        while (lets_run_dry && n_taken(course) < n_pushed)
            (void)sched_yield();
    }
    return NULL;
}

static void *consume(void *context)
{
    struct course *course = context;
    struct ring_consumer ring;
    ring_consumer_init(&ring, course->shared, RING_ENTRIES);
    struct sleeper sleeper = {.side = &course->side, .bell = course->bell.bell, .ring = &ring};
    for (uint64_t i = 0; i < course->n_entries;) {
        uint64_t entry;
        enum ring_outcome outcome = ring_pop(&ring, &entry);
        if (outcome == RING_EMPTY) {
            stress_sleep(&sleeper);
            continue;
        }
        assert(outcome == RING_OK);
        assert(entry == i);
        assert(course->payload[i % RING_ENTRIES] == ~i);
        /* release; pairs with n_taken() */
        atomic_store_explicit(&course->n_taken, ++i, memory_order_release);
        if (chance_in(&course->consumer, 256))
            (void)sched_yield();
    }
    course->n_sleeps = sleeper.n_sleeps;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t seed = stress_seed("ring_stress", argc > 2 ? argv[2] : NULL);
    static struct course course;
    course.n_entries = strtoull(argv[1], NULL, 10);
    course.producer.state = seed;
    course.consumer.state = ~seed ? ~seed : 1;
    course.shared = aligned_alloc(LANE_LINE, ring_bytes(RING_ENTRIES));
    int errors = doorbell_new(&course.bell);
    assert(course.shared && errors == 0);
    memset(course.shared, 0, ring_bytes(RING_ENTRIES));

    pthread_t producer, consumer;
    errors = pthread_create(&producer, NULL, produce, &course) |
             pthread_create(&consumer, NULL, consume, &course);
    assert(errors == 0);
    errors = pthread_join(producer, NULL) | pthread_join(consumer, NULL);
    assert(errors == 0);

    printf("%" PRIu64 " entries, %" PRIu64 " sleeps, %" PRIu64 " rings\n", course.n_entries,
        course.n_sleeps, course.n_rings);
    assert(course.n_sleeps > 0); /* or nothing was tried */
    doorbell_close(&course.bell);
    free(course.shared);
    return 0;
}
