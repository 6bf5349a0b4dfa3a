/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides of a lane as coroutines of one process: before any of its accesses to shared memory the
 * one that runs may lose its turn to the other, for a while or for ever. What a SIGKILL and a
 * scheduler do between two instructions happens here millions of times, and the same way again for
 * the same seed.
 *
 * The hooks are those that -fsanitize=thread compiles into every access; interleave.c stands where
 * that sanitizer's runtime would and must itself be compiled without it. Accesses happen one after
 * the other: what weak memory may do on top is lane_stress's to find.
 */
#ifndef LEVERET_STRESS_INTERLEAVE_H
#define LEVERET_STRESS_INTERLEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

#include "stress.h"

struct actor {
    ucontext_t context;
    void *stack; /* kept from one life to the next */
    void (*run)(void *context);
    void *argument;
    bool is_alive;
};

/* Memory in which an access may cost the turn; at most INTERLEAVE_PLACES at a time. */
enum { INTERLEAVE_PLACES = 32 };
void interleave_watch(const void *at, size_t n_bytes);
void interleave_forget(const void *at);

/* From now on an access costs the turn once in `n_accesses`. `chance` is borrowed. */
void interleave_init(struct chance *chance, uint32_t n_accesses);

/* A new life: run(argument), which never returns, begins with its first turn. */
void actor_start(struct actor *actor, void (*run)(void *argument), void *argument);

/* It never runs again. Not from inside. */
void actor_kill(struct actor *actor);

/* Frees what it has. */
void actor_done(struct actor *actor);

/* Lets it run until it loses its turn. Not from inside of one. */
void actor_turn(struct actor *actor);

/* Gives up the turn. Inside of one alone. */
void actor_rest(void);

#endif
