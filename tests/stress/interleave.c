/* SPDX-License-Identifier: Apache-2.0 */
#include "interleave.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { STACK_BYTES = 256 * 1024 };

struct place {
    uintptr_t at;
    size_t n_bytes;
};

static struct {
    struct chance *chance;
    uint32_t n_accesses;
    struct place places[INTERLEAVE_PLACES];
    struct actor *running; /* NULL: the one who gives the turns */
    ucontext_t giver;
} stage;

/* ---- turns ---- */

void interleave_init(struct chance *chance, uint32_t n_accesses)
{
    stage.chance = chance;
    stage.n_accesses = n_accesses;
}

void interleave_watch(const void *at, size_t n_bytes)
{
    for (int i = 0; i < INTERLEAVE_PLACES; i++) {
        if (stage.places[i].n_bytes)
            continue;
        stage.places[i] = (struct place){(uintptr_t)at, n_bytes};
        return;
    }
    assert(!"no place is left");
}

void interleave_forget(const void *at)
{
    for (int i = 0; i < INTERLEAVE_PLACES; i++)
        if (stage.places[i].at == (uintptr_t)at)
            stage.places[i] = (struct place){0};
}

static void begin(void)
{
    stage.running->run(stage.running->argument);
    abort();
}

void actor_start(struct actor *actor, void (*run)(void *argument), void *argument)
{
    assert(!actor->is_alive);
    if (!actor->stack)
        actor->stack = malloc(STACK_BYTES);
    assert(actor->stack);
    int error = getcontext(&actor->context);
    assert(error == 0);
    actor->context.uc_stack.ss_sp = actor->stack;
    actor->context.uc_stack.ss_size = STACK_BYTES;
    actor->context.uc_link = NULL;
    makecontext(&actor->context, begin, 0);
    actor->run = run;
    actor->argument = argument;
    actor->is_alive = true;
}

void actor_kill(struct actor *actor)
{
    assert(stage.running != actor);
    actor->is_alive = false;
}

void actor_done(struct actor *actor)
{
    free(actor->stack);
    *actor = (struct actor){0};
}

void actor_turn(struct actor *actor)
{
    assert(!stage.running && actor->is_alive);
    stage.running = actor;
    int error = swapcontext(&stage.giver, &actor->context);
    assert(error == 0);
}

void actor_rest(void)
{
    struct actor *actor = stage.running;
    stage.running = NULL;
    int error = swapcontext(&actor->context, &stage.giver);
    assert(error == 0);
}

/* Somebody is about to touch `at`. */
static void touch(const volatile void *at)
{
    if (!stage.running)
        return;
    for (int i = 0; i < INTERLEAVE_PLACES; i++) {
        const struct place *place = &stage.places[i];
        if ((uintptr_t)at - place->at >= place->n_bytes)
            continue;
        if (chance_in(stage.chance, stage.n_accesses))
            actor_rest();
        return;
    }
}

/* ---- what the compiler calls ---- */

#define ACCESS(name)                                                                               \
    void __tsan_##name(void *at);                                                                  \
    void __tsan_##name(void *at)                                                                   \
    {                                                                                              \
        touch(at);                                                                                 \
    }
#define ACCESSES(n) ACCESS(read##n) ACCESS(write##n)
#define UNALIGNED(n) ACCESS(unaligned_read##n) ACCESS(unaligned_write##n)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)

#define ACCESS_RANGE(name)                                                                         \
    void __tsan_##name##_range(void *at, size_t n_bytes);                                          \
    void __tsan_##name##_range(void *at, size_t n_bytes)                                           \
    {                                                                                              \
        touch(at);                                                                                 \
    }
ACCESS_RANGE(read)
ACCESS_RANGE(write)

/* Every order is sequentially consistent here. */
#define ATOMIC_LOAD(bits, type)                                                                    \
    type __tsan_atomic##bits##_load(const volatile _Atomic(type) *at, int order);                  \
    type __tsan_atomic##bits##_load(const volatile _Atomic(type) *at, int order)                   \
    {                                                                                              \
        touch(at);                                                                                 \
        return atomic_load(at);                                                                    \
    }
#define ATOMIC_STORE(bits, type)                                                                   \
    void __tsan_atomic##bits##_store(volatile _Atomic(type) *at, type value, int order);           \
    void __tsan_atomic##bits##_store(volatile _Atomic(type) *at, type value, int order)            \
    {                                                                                              \
        touch(at);                                                                                 \
        atomic_store(at, value);                                                                   \
    }
#define ATOMIC_CHANGE(bits, type, change)                                                          \
    type __tsan_atomic##bits##_##change(volatile _Atomic(type) *at, type value, int order);        \
    type __tsan_atomic##bits##_##change(volatile _Atomic(type) *at, type value, int order)         \
    {                                                                                              \
        touch(at);                                                                                 \
        return atomic_##change(at, value);                                                         \
    }
/* gcc asks whether it was so, clang what it was. */
#define ATOMIC_COMPARE(bits, type)                                                                 \
    int __tsan_atomic##bits##_compare_exchange_strong(                                             \
        volatile _Atomic(type) *at, type *expected, type value, int order, int failure);           \
    int __tsan_atomic##bits##_compare_exchange_strong(                                             \
        volatile _Atomic(type) *at, type *expected, type value, int order, int failure)            \
    {                                                                                              \
        touch(at);                                                                                 \
        return atomic_compare_exchange_strong(at, expected, value);                                \
    }                                                                                              \
    type __tsan_atomic##bits##_compare_exchange_val(                                               \
        volatile _Atomic(type) *at, type expected, type value, int order, int failure);            \
    type __tsan_atomic##bits##_compare_exchange_val(                                               \
        volatile _Atomic(type) *at, type expected, type value, int order, int failure)             \
    {                                                                                              \
        touch(at);                                                                                 \
        (void)atomic_compare_exchange_strong(at, &expected, value); /* either way it was that */   \
        return expected;                                                                           \
    }
#define ATOMIC(bits, type)                                                                         \
    ATOMIC_LOAD(bits, type)                                                                        \
    ATOMIC_STORE(bits, type)                                                                       \
    ATOMIC_CHANGE(bits, type, exchange)                                                            \
    ATOMIC_CHANGE(bits, type, fetch_add)                                                           \
    ATOMIC_COMPARE(bits, type)

ATOMIC(8, uint8_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) {}
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order) {}
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order) {}
