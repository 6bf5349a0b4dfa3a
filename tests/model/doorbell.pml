/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doorbell of shm/doorbell.c on the ring of shm/ring.c, for a machine whose stores are seen
 * late: one ringer that pushes N_ENTRIES, alone or several a turn, and one sleeper. Steps that have
 * a name of the C code are marked with it.
 *
 * Every store goes into the store buffer of its process and from there into memory at any later
 * moment: in the order of the program (total store order, as on x86), or with -DWEAK in any order
 * but for stores to the same place and for release, which lets nothing before it fall behind. A
 * fence and an atomic exchange wait for the own buffer to be empty. (A relaxed exchange need not on
 * every machine; that of doorbell_ring() stands behind a fence, so nothing is left to wait for.)
 *
 * Held: when nothing can move any more, everything that was pushed has been heard (the monitor);
 * with weak fairness it is heard sooner or later, whatever else happens (all_is_heard); an entry
 * that is seen was written.
 *
 * What is checked, in which way, is read from here (tests/model/check). MUTANT_x breaks one thing
 * each, and the checker must find out; two of them x86 forgives.
 *
 *   check: proven
 *   check: proven  -DWEAK
 *   check: fair    -DWEAK
 *   check: refuted -DMUTANT_NO_FENCE_IN_PARK
 *   check: refuted -DMUTANT_NO_FENCE_IN_RING
 *   check: refuted -DMUTANT_NO_SECOND_LOOK
 *   check: refuted -DMUTANT_LOOK_BEFORE_PARK
 *   check: refuted -DMUTANT_HUSH_AFTER_LOOK
 *   check: refuted -DMUTANT_RING_BEFORE_PUSH
 *   check: proven  -DMUTANT_RELAXED_TAIL
 *   check: refuted -DWEAK -DMUTANT_RELAXED_TAIL
 *   check: proven  -DMUTANT_RELAXED_LOOK
 *   check: refuted -DWEAK -DMUTANT_RELAXED_LOOK
 */
#define N_ENTRIES 3
#define N_TIMERS 1 /* times that the sleeper is woken by something else */

mtype = { TAIL, ENTRY, PARKED };

/* Memory. The ring has room for all, so head is the sleeper's own business. */
byte tail, entries[N_ENTRIES];
bit is_parked;
bit bell; /* readable: pulled since it was hushed */

/* Store buffers: place, index, value. Each is written by one process. */
#define STORES 8
chan ringer_stores = [STORES] of { mtype, byte, byte };
chan sleeper_stores = [STORES] of { mtype, byte, byte };

byte head;
byte n_timers;

/* ---- the machine ---------------------------------------------------------------------------- */

#define FENCE(stores) empty(stores)

inline commit(place, i, value)
{
    if
    :: place == TAIL -> tail = value
    :: place == ENTRY -> entries[i] = value
    :: place == PARKED -> is_parked = value
    fi;
    place = 0; i = 0; value = 0
}

/* Empties one buffer, one store after the other. With -DWEAK a tail that is not stored with release
 * may overtake its entry; no other two stores of one process go to different places. */
proctype memory(chan stores)
{
    mtype place;
    byte i, value;
end:
    do
    :: atomic { stores ? place, i, value -> commit(place, i, value) }
#if defined(WEAK) && defined(MUTANT_RELAXED_TAIL)
    :: atomic { stores ?? [TAIL, _, _] -> stores ?? TAIL, i, value; place = TAIL; commit(place, i, value) }
#endif
    od
}

/* ---- who rings ------------------------------------------------------------------------------ */

inline ring_push()
{
    ringer_stores ! ENTRY, n_pushed, n_pushed + 1;
    n_pushed++;
    ringer_stores ! TAIL, 0, n_pushed /* release */
}

inline doorbell_ring()
{
#ifndef MUTANT_NO_FENCE_IN_RING
    FENCE(ringer_stores);
#endif
    if
    :: !is_parked
    :: else ->
        atomic { FENCE(ringer_stores) -> was_parked = is_parked; is_parked = 0 }; /* exchange */
        if
        :: was_parked -> bell = 1 /* doorbell_pull() */
        :: else
        fi
    fi
}

proctype ringer()
{
    byte n_pushed;
    bit was_parked;
    do
    :: n_pushed < N_ENTRIES ->
#ifdef MUTANT_RING_BEFORE_PUSH
        doorbell_ring();
#endif
        ring_push();
        if
        :: n_pushed < N_ENTRIES -> ring_push() /* in the same turn */
        :: skip
        fi;
#ifndef MUTANT_RING_BEFORE_PUSH
        doorbell_ring()
#endif
    :: else -> break
    od
}

/* ---- who sleeps ----------------------------------------------------------------------------- */

/* ring_pop() until there is nothing. */
inline hear_all()
{
    do
#if defined(WEAK) && defined(MUTANT_RELAXED_LOOK)
    :: head < N_ENTRIES ->
        entry = entries[head]; /* before the tail was looked at, which acquire forbids */
        if
        :: tail != head
        :: tail == head -> break
        fi;
#else
    :: tail != head ->
        entry = entries[head];
#endif
        assert(entry == head + 1);
        head++
    :: tail == head -> break
    od
}

inline doorbell_park()
{
    sleeper_stores ! PARKED, 0, 1;
#ifndef MUTANT_NO_FENCE_IN_PARK
    FENCE(sleeper_stores)
#endif
}

inline doorbell_unpark()
{
    sleeper_stores ! PARKED, 0, 0
}

inline doorbell_hush()
{
    bell = 0
}

proctype sleeper()
{
    byte entry;
    do
    :: doorbell_unpark();
       hear_all();
#ifdef MUTANT_LOOK_BEFORE_PARK
       if
       :: tail != head -> goto again /* ring_is_empty() */
       :: else
       fi;
       doorbell_park();
#else
       doorbell_park();
#ifndef MUTANT_NO_SECOND_LOOK
       if
       :: tail != head -> goto again /* ring_is_empty() */
       :: else
       fi;
#endif
#endif
#ifdef MUTANT_HUSH_AFTER_LOOK
       doorbell_hush();
#endif
end_asleep:
       if
       :: bell -> doorbell_hush()
       :: n_timers < N_TIMERS -> n_timers++
       fi;
again:
       skip
    od
}

/* ---- what is held --------------------------------------------------------------------------- */

active proctype monitor()
{
    timeout ->
    assert(head == N_ENTRIES) /* no wake-up was lost */
}

init
{
    atomic {
        run memory(ringer_stores);
        run memory(sleeper_stores);
        run ringer();
        run sleeper()
    }
}

ltl all_is_heard { <> (head == N_ENTRIES) }
