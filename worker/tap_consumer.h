/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap's consumers at the broker (the diagram and the reasons stand in tap.h): when one is started
 * and with what credit, when it is replaced, when it is stopped. For the tap's own files.
 */
#ifndef LEVERET_WORKER_TAP_CONSUMER_H
#define LEVERET_WORKER_TAP_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "tap.h"

/* Changes the state; the diagram has this arrow. */
void tap_consumer_enter(struct tap *tap, enum tap_state state);

/* Is there a channel to say something on? */
static inline bool tap_consumer_is_open(const struct tap *tap)
{
    return tap->state >= TAP_IDLE;
}

static inline bool tap_consumer_is_low_rate(const struct tap *tap)
{
    return tap->gap_ns > TAP_LOW_RATE_NS;
}

/* The broker has not answered the last consume. Until it has, that consumer must not be cancelled:
 * RabbitMQ before 4 runs the cancel first if it is quick, and its channel dies of the consume-ok
 * that it finds afterwards (541, which costs the connection). */
static inline bool tap_consumer_is_starting(const struct tap *tap)
{
    return tap->consumer != tap->started_consumer;
}

/* The smallest power of two that is not below n. */
uint32_t tap_consumer_power_of_two(uint32_t n);

/* Asks for what the waiting GETs need. Returns when it is to be tried again because nothing could
 * be asked for, or CLOCK_NEVER. */
uint64_t tap_consumer_ask(struct tap *tap, uint64_t now_ns) MUST_USE;

/* Does what tap_attach() wished for, as soon as that can be done. */
void tap_consumer_attach(struct tap *tap);

/* Nothing more is to come, as far as that can be had. */
void tap_consumer_shut_off(struct tap *tap);

/* Before something is settled for which nobody waits: without this the broker would send the next
 * one, or the same one again. */
void tap_consumer_stop_if_unwanted(struct tap *tap);

/* A delivery on this consumer came, or was settled. */
void tap_consumer_delivered(struct tap *tap, uint32_t consumer);
void tap_consumer_settled(struct tap *tap, uint32_t consumer);

/* The channel is gone, and every consumer with it. */
void tap_consumer_forget(struct tap *tap);

#endif
