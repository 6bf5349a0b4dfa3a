/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a slot (<leveret/lane.h>) between front/dock.c and worker/desk.c, while either may be
 * killed between any two of its steps, and a broker that a killed one cannot take anything back
 * from. States, operations and functions have the names of the C code; what a function does to
 * private memory alone happens here in the step before or behind.
 *
 * A lane has one slot, since slots know nothing of each other; the front uses it for one request
 * after the other, so that whatever is left of one meets the next. Each request is a publish or a
 * GET, and its client may leave, or its deadline pass, at any moment. When a side dies the other
 * settles the lane, and both get the next one.
 *
 * Held:
 *   once      a request is answered at most once, and in the end exactly once, unless its front
 *             died while it was pending
 *   truth     200: the broker has it; 503: it never had it and never will; nothing is sent twice
 *   no loss   what is acked was written to a client that was there; a verdict that was pushed
 *             counts, also when the front died behind it
 *   no leak   in the end the slot is FREE, nobody keeps a record or a message, the rings are empty
 *   peace     nothing between honest sides is taken for a breach of the protocol
 *   an end    nothing goes on for ever, so all of this is reached
 *
 * What is checked, in which way, is read from here (tests/model/check). MUTANT_x breaks one thing
 * each, and the checker must find out.
 *
 *   check: proven  -DREQUESTS=3 -DFRONT_DEATHS=0 -DWORKER_DEATHS=0
 *   check: proven  -DREQUESTS=2 -DFRONT_DEATHS=0 -DWORKER_DEATHS=1
 *   check: proven  -DREQUESTS=2 -DFRONT_DEATHS=1 -DWORKER_DEATHS=0
 *   check: proven  -DREQUESTS=1 -DFRONT_DEATHS=1 -DWORKER_DEATHS=1
 *   check: ends    -DREQUESTS=2 -DFRONT_DEATHS=0 -DWORKER_DEATHS=0
 *   check: ends    -DREQUESTS=1 -DFRONT_DEATHS=1 -DWORKER_DEATHS=0
 *   check: ends    -DREQUESTS=1 -DFRONT_DEATHS=0 -DWORKER_DEATHS=1
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_ACK_BEFORE_WRITE
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_CANCEL_WITHOUT_A_WORD
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_CLAIM_WITHOUT_CAS
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_FREE_BEFORE_DONE
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_ORPHAN_IS_ANSWERED
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=0 -DMUTANT_ORPHAN_KEEPS_ITS_MESSAGE
 *   check: refuted -DFRONT_DEATHS=1 -DWORKER_DEATHS=0 -DMUTANT_NO_LAST_WORDS
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=1 -DMUTANT_SAME_LANE
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=1 -DMUTANT_SENT_AGAIN
 *   check: refuted -DFRONT_DEATHS=0 -DWORKER_DEATHS=1 -DMUTANT_SENT_BEHIND_THE_KERNEL
 *
 * Two requests with a death of each side take a minute, and were proven too.
 */
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef FRONT_DEATHS
#define FRONT_DEATHS 1
#endif
#ifndef WORKER_DEATHS
#define WORKER_DEATHS 1
#endif
#define LANES (1 + FRONT_DEATHS + WORKER_DEATHS)
#define NO_LANE 255
#define NOBODY 255

mtype:state = { FREE, READY, CLAIMED, SENT, WAITING, BOUND, CANCELLED, DONE };
mtype:op = { LANE_SUBMIT, LANE_CANCEL, LANE_ACK, LANE_REQUEUE, LANE_DONE };
mtype:outcome = { CONFIRMED, UNKNOWN, DELIVERED, DENIED }; /* DENIED: cancelled, down, empty */
mtype:verb = { PRODUCE, CONSUME };

/* ---- shared memory: it outlives whoever dies -------------------------------------------------- */

typedef lane_t {
    byte generation = 0;
    mtype:state state = FREE;
    byte request;        /* struct slot_request */
    mtype:outcome reply; /* struct slot_reply */
    bit is_front_dead, is_worker_dead; /* the pidfds */
    chan request_ring = [4] of { mtype:op, byte };
    chan reply_ring = [4] of { mtype:op, byte }
}
lane_t lanes[LANES];

/* Whoever is left of the two goes too: nobody sees it any more. Inside of an atomic step. */
inline lane_leave(l)
{
    lanes[l].generation = 0; lanes[l].state = FREE; lanes[l].request = 0; lanes[l].reply = 0;
    lanes[l].is_front_dead = 0; lanes[l].is_worker_dead = 0;
    do
    :: lanes[l].request_ring ? _, _
    :: lanes[l].reply_ring ? _, _
    :: empty(lanes[l].request_ring) && empty(lanes[l].reply_ring) -> break
    od
}

#ifdef MUTANT_SAME_LANE
#define IS_CERTAIN(death) skip
#else
#define IS_CERTAIN(death) assert(death)
#endif

#define IS(l, g, s) (lanes[l].generation == g && lanes[l].state == s)

/* ---- the world: what happened, whoever remembers it ------------------------------------------- */

typedef request_t {
    mtype:verb verb;
    bit is_answered;
    bit is_excused; /* its front died while it was pending */
    bit is_denied;  /* answered 503: the broker must never have it */
    bit is_sent;    /* handed to the kernel: the broker may get it, even when its sender is dead */
    bit is_stored   /* the broker has said that it has it */
}
request_t requests[REQUESTS];
byte n_begun;

mtype:message = { QUEUED, UNACKED, GONE };
mtype:message message = QUEUED;
bit is_silent;         /* no message comes, and nobody says that none will */
byte holder = NOBODY;  /* the GET that it was delivered for last */
bit is_written;        /* to the client of that GET */
bit is_ack_pushed;     /* for that GET */

/* Who lives: a process ends as soon as its number is not that of the living. */
byte front_life, worker_life;
bit is_front_alive, is_worker_alive;
byte n_lanes;
chan to_front = [LANES] of { byte }; /* LANE */
chan to_worker = [LANES] of { byte };

inline answer(r)
{
    assert(!requests[r].is_answered);
    requests[r].is_answered = 1
}

inline answer_by(r, outcome)
{
    answer(r);
    if
    :: outcome == CONFIRMED -> assert(requests[r].is_stored)
    :: outcome == DENIED && requests[r].verb == PRODUCE ->
        assert(!requests[r].is_sent);
        requests[r].is_denied = 1
    :: else
    fi
}

/* ---- the front: front/lanes.c, dock.c, berths.c ----------------------------------------------- */

/* Its private memory. */
byte dock = NO_LANE;     /* the lane; NO_LANE: settled */
bit is_taken;            /* the berth */
byte generation;         /* of the berth */
byte part = NOBODY;      /* the request that the berth is for; NOBODY: an orphan */
bit is_held, is_pinned;  /* DONE and delivered; its bytes are being written */
byte stranded = NOBODY;  /* never sent, and its worker is dead */
byte pinned = NOBODY;    /* being written out of a dead lane */

/* dock_reserve(), berths_fill() */
inline dock_reserve(r)
{
    is_taken = 1; part = r; generation++;
    lanes[dock].request = r
}

inline dock_submit()
{
    atomic { lanes[dock].generation = generation; lanes[dock].state = READY }; /* slot_ready() */
    lanes[dock].request_ring ! LANE_SUBMIT, generation
}

/* Inside of an atomic step. */
inline berths_give()
{
    lanes[dock].state = FREE; /* slot_free() */
    lanes[dock].reply = 0;
    is_taken = 0; part = NOBODY; is_held = 0; is_pinned = 0
}

/* entry_handle() of dock.c, inside of an atomic step: it only reads, but for the last of it. */
inline dock_poll()
{
    assert(is_taken && !is_held && generation == g && IS(dock, g, DONE));
    g = 0;
    if
    :: lanes[dock].reply == DELIVERED -> is_held = 1
    :: else ->
        if
        :: part != NOBODY -> answer_by(part, lanes[dock].reply)
        :: else ->
#ifdef MUTANT_ORPHAN_IS_ANSWERED
            l = lanes[dock].request;
            answer(l);
            l = 0
#endif
        fi;
        berths_give()
    fi
}

/* A delivery for nobody. */
inline orphan_land()
{
#ifndef MUTANT_ORPHAN_KEEPS_ITS_MESSAGE
    lanes[dock].request_ring ! LANE_REQUEUE, generation;
#endif
    atomic { berths_give() }
}

/* The deadline passes, or the client leaves: dock_cancel(), then dock_abandon(). */
inline give_up()
{
    if
    :: atomic { IS(dock, generation, READY) -> lanes[dock].state = CANCELLED; won = 1 }
    :: !IS(dock, generation, READY) ->
        if
        :: atomic { requests[part].verb == CONSUME && IS(dock, generation, WAITING) ->
               lanes[dock].state = CANCELLED;
               won = 1 };
#ifndef MUTANT_CANCEL_WITHOUT_A_WORD
            lanes[dock].request_ring ! LANE_CANCEL, generation
#endif
        :: !(requests[part].verb == CONSUME && IS(dock, generation, WAITING))
        fi
    fi;
    atomic {
        if
        :: won || requests[part].verb == CONSUME -> answer_by(part, DENIED) /* 503, 204 */
        :: else -> answer_by(part, UNKNOWN)                                /* 504 */
        fi;
        part = NOBODY; /* its DONE will free the slot */
        won = 0
    }
#ifdef MUTANT_FREE_BEFORE_DONE
    atomic { berths_give() }
#endif
}

/* The bytes were taken by a client that was there, or not; dock_verdict(). */
inline deliver_to_client()
{
#ifdef MUTANT_ACK_BEFORE_WRITE
    lanes[dock].request_ring ! LANE_ACK, generation;
#endif
    if
    :: atomic { is_written = (holder == part -> 1 : is_written); answer(part); verdict = LANE_ACK }
    :: atomic { answer(part); verdict = LANE_REQUEUE }
    fi;
#ifndef MUTANT_ACK_BEFORE_WRITE
    atomic { lanes[dock].request_ring ! verdict, generation; is_ack_pushed = (verdict == LANE_ACK) };
#endif
    atomic { berths_give(); verdict = 0 }
}

/* dock_settle(): nobody else touches the lane any more. What is OVER is answered here, what was
 * never sent is stranded. */
inline dock_settle()
{
    IS_CERTAIN(lanes[dock].is_worker_dead);
    if
    :: is_pinned -> pinned = part
    :: !is_pinned && part != NOBODY ->
        if
        :: !is_held && IS(dock, generation, DONE) && lanes[dock].reply != DELIVERED ->
            answer_by(part, lanes[dock].reply)
        :: else ->
            if
            :: requests[part].verb == CONSUME || IS(dock, generation, READY) ||
               IS(dock, generation, CLAIMED) -> stranded = part
#ifdef MUTANT_SENT_AGAIN
            :: IS(dock, generation, SENT) -> stranded = part
#endif
            :: else -> answer_by(part, UNKNOWN)
            fi
        fi
    :: else
    fi;
    is_taken = 0; part = NOBODY; is_held = 0; is_pinned = 0; generation = 0;
    lane_leave(dock);
    dock = NO_LANE
}

proctype front(byte me)
{
    byte g, l;
    bit won;
    mtype:op verdict;
    {
end:    do
        :: atomic { dock != NO_LANE && !is_taken && stranded == NOBODY && n_begun < REQUESTS ->
               if
               :: requests[n_begun].verb = PRODUCE
               :: requests[n_begun].verb = CONSUME
               fi;
               dock_reserve(n_begun);
               n_begun++ };
           dock_submit()
        :: atomic { dock != NO_LANE && !is_taken && stranded != NOBODY ->
               dock_reserve(stranded);
               stranded = NOBODY };
           dock_submit()
        :: stranded != NOBODY -> /* its deadline */
           atomic { answer_by(stranded, DENIED); stranded = NOBODY }
        :: dock != NO_LANE && nempty(lanes[dock].reply_ring) ->
           atomic { lanes[dock].reply_ring ? LANE_DONE, g; dock_poll() }
        :: part != NOBODY && !is_held -> give_up()
        :: is_held && part == NOBODY -> orphan_land()
        :: is_held && part != NOBODY && !is_pinned -> is_pinned = 1 /* dock_pin() */
        :: is_held && is_pinned -> deliver_to_client()
        :: pinned != NOBODY -> /* a dead lane: the verdict has nobody to go to */
           atomic { answer(pinned); pinned = NOBODY }
        :: atomic { dock != NO_LANE && lanes[dock].is_worker_dead -> dock_settle() }
        :: atomic { to_front ? l -> /* lanes_attach() */
               if
               :: dock != NO_LANE -> dock_settle()
               :: else
               fi;
               dock = l;
               l = 0 }
        od
    } unless { front_life != me }
}

/* ---- the worker: worker/desk.c, fronts.c and what stands behind them -------------------------- */

/* Its private memory. */
byte desk = NO_LANE;
mtype:state record = FREE;
byte record_generation, record_request;
bit is_handed; /* to the kernel */

/* reply_write(), moves_to_done(), tell_done() */
inline desk_end(outcome)
{
    lanes[desk].reply = outcome;
    if
    :: atomic { IS(desk, record_generation, record) -> lanes[desk].state = DONE }
    :: atomic { !IS(desk, record_generation, record) ->
           assert(record == WAITING && IS(desk, record_generation, CANCELLED));
           lanes[desk].reply = DENIED };
        lanes[desk].state = DONE
    fi;
    atomic { lanes[desk].reply_ring ! LANE_DONE, record_generation; record = FREE; is_handed = 0; record_request = 0 }
}

/* hear_submit(), hear_ready() */
inline hear_submit()
{
    assert(record == FREE);
    record_generation = g;
    record_request = lanes[desk].request;
    claimed = (requests[record_request].verb == PRODUCE -> CLAIMED : WAITING);
    if
#ifdef MUTANT_CLAIM_WITHOUT_CAS
    :: lanes[desk].generation == g -> lanes[desk].state = claimed; record = claimed
#else
    :: IS(desk, g, READY) -> lanes[desk].state = claimed; record = claimed
    :: else -> assert(IS(desk, g, CANCELLED)); record = CANCELLED
#endif
    fi
}

inline hear_cancel()
{
    if
    :: record == FREE /* it crossed our DONE */
    :: else ->
        assert(record == WAITING && IS(desk, g, CANCELLED));
        record = CANCELLED
    fi
}

/* settle() of desk.c: what the verdict does to the message. */
inline settle(verdict)
{
    assert(record == DONE && message == UNACKED);
    if
    :: verdict == LANE_ACK -> assert(is_written); message = GONE
    :: else -> assert(!is_ack_pushed); message = QUEUED
    fi;
    record = FREE
}

/* Inside of an atomic step: an entry that was taken out and not acted on is lost with who took it,
 * as one that still lies in the ring is. */
inline hear()
{
    assert(op == LANE_SUBMIT || g == record_generation);
    if
    :: op == LANE_SUBMIT -> hear_submit()
    :: op == LANE_CANCEL -> hear_cancel()
    :: else -> settle(op)
    fi;
    op = 0; g = 0; claimed = 0
}

inline hand_to_kernel(r)
{
    atomic { assert(!requests[r].is_sent && !requests[r].is_denied); requests[r].is_sent = 1 }
}

/* A publish of a dead front, which goes on; its record in the worker's memory is this process. */
proctype orphan(byte me; byte r)
{
    {
        if
        :: hand_to_kernel(r)
        :: skip /* the connection is lost before */
        fi
    } unless { worker_life != me }
}

/* desk_front_died(), of a dead front's lane. What it had pushed still counts. */
inline desk_front_died(me)
{
    IS_CERTAIN(lanes[desk].is_front_dead);
    do
#ifndef MUTANT_NO_LAST_WORDS
    :: lanes[desk].request_ring ? op, g ->
        if
        :: op == LANE_SUBMIT /* nobody waits for it, and nothing was begun */
        :: op == LANE_CANCEL -> record = (record == WAITING -> FREE : record)
        :: else -> settle(op)
        fi
#endif
    :: empty(lanes[desk].request_ring) -> break
#ifdef MUTANT_NO_LAST_WORDS
    :: nempty(lanes[desk].request_ring) -> break
#endif
    od;
    if
    :: (record == CLAIMED || record == SENT) && !is_handed -> run orphan(me, record_request)
    :: record == BOUND -> message = QUEUED
    :: record == DONE -> settle(LANE_REQUEUE)
    :: else
    fi;
    record = FREE; record_generation = 0; record_request = 0; is_handed = 0; op = 0; g = 0;
    lane_leave(desk);
    desk = NO_LANE
}

proctype worker(byte me)
{
    byte g, l;
    mtype:op op;
    mtype:state claimed;
    {
end:    do
        :: desk != NO_LANE && nempty(lanes[desk].request_ring) ->
           atomic { lanes[desk].request_ring ? op, g; hear() }
        :: record == CLAIMED -> /* desk_sent(), for the whole batch and before the kernel has it */
#ifdef MUTANT_SENT_BEHIND_THE_KERNEL
           hand_to_kernel(record_request);
           is_handed = 1;
#endif
           atomic { assert(IS(desk, record_generation, CLAIMED));
               lanes[desk].state = SENT;
               record = SENT }
        :: record == CANCELLED -> desk_end(DENIED)
        :: record == CLAIMED -> desk_end(DENIED) /* no connection, no room in the window */
        :: record == SENT && !is_handed ->
           hand_to_kernel(record_request);
           is_handed = 1
        :: record == SENT && !is_handed -> desk_end(DENIED) /* the socket took no byte of it */
        :: atomic { record == SENT && is_handed -> requests[record_request].is_stored = 1 };
           desk_end(CONFIRMED)
        :: record == SENT && is_handed -> desk_end(UNKNOWN) /* the connection is lost */
        :: record == WAITING && !is_silent -> desk_end(DENIED) /* the queue was refused */
        :: atomic { record == WAITING && message == QUEUED -> message = UNACKED }; /* desk_bind() */
           if
           :: atomic { IS(desk, record_generation, WAITING) ->
                  lanes[desk].state = BOUND;
                  record = BOUND }
           :: !IS(desk, record_generation, WAITING) ->
               message = QUEUED;
               desk_end(DENIED)
           fi
        :: record == BOUND -> /* desk_deliver() */
           atomic { holder = record_request; is_written = 0; is_ack_pushed = 0;
               lanes[desk].reply = DELIVERED };
           atomic { assert(IS(desk, record_generation, BOUND));
               lanes[desk].state = DONE;
               record = DONE };
           lanes[desk].reply_ring ! LANE_DONE, record_generation
        :: atomic { desk != NO_LANE && lanes[desk].is_front_dead -> desk_front_died(me) }
        :: atomic { to_worker ? l -> /* fronts_open() */
               if
               :: desk != NO_LANE -> desk_front_died(me)
               :: else
               fi;
               desk = l;
               l = 0 }
        od
    } unless { worker_life != me }
}

/* ---- the supervisor, and death ------------------------------------------------------------------ */

inline lay_lane()
{
    if
    :: is_front_alive && is_worker_alive ->
#ifdef MUTANT_SAME_LANE
        n_lanes = 0;
        lanes[0].is_front_dead = 0;
        lanes[0].is_worker_dead = 0;
#endif
        to_front ! n_lanes;
        to_worker ! n_lanes;
        n_lanes++
    :: else
    fi
}

/* Starts who is missing, and lays a lane once both are there: LANE to both. */
proctype supervisor()
{
end:
    do
    :: atomic { !is_front_alive -> is_front_alive = 1; run front(front_life); lay_lane() }
    :: atomic { !is_worker_alive -> is_worker_alive = 1; run worker(worker_life); lay_lane() }
    od
}

inline flush(channel)
{
    i = 0;
    do
    :: channel ? i
    :: empty(channel) -> break
    od
}

/* SIGKILL: what the dead one had in its memory is gone, and its connections are. */
proctype killer()
{
    byte i, n_fronts, n_workers;
end:
    do
    :: atomic { n_fronts < FRONT_DEATHS && is_front_alive ->
           n_fronts++;
           front_life++;
           is_front_alive = 0;
           for (i : 0 .. LANES - 1) { lanes[i].is_front_dead = (i < n_lanes) }
           for (i : 0 .. REQUESTS - 1) {
               requests[i].is_excused = i < n_begun && !requests[i].is_answered
           }
           dock = NO_LANE; is_taken = 0; generation = 0; part = NOBODY; is_held = 0;
           is_pinned = 0; stranded = NOBODY; pinned = NOBODY;
           flush(to_front) }
    :: atomic { n_workers < WORKER_DEATHS && is_worker_alive ->
           n_workers++;
           worker_life++;
           is_worker_alive = 0;
           for (i : 0 .. LANES - 1) { lanes[i].is_worker_dead = (i < n_lanes) }
           message = (message == UNACKED -> QUEUED : message); /* the broker takes it back */
           desk = NO_LANE; record = FREE; record_generation = 0; record_request = 0;
           is_handed = 0;
           flush(to_worker) }
    od
}

/* Nothing can move any more. */
active proctype monitor()
{
    byte i;
    timeout ->
    assert(n_begun == REQUESTS);
    for (i : 0 .. REQUESTS - 1) {
        assert(requests[i].is_answered || requests[i].is_excused)
    }
    assert(dock != NO_LANE && dock == desk && IS(dock, generation, FREE));
    assert(!is_taken && part == NOBODY && !is_held && stranded == NOBODY && pinned == NOBODY);
    assert(record == FREE && message != UNACKED);
    assert(empty(lanes[dock].request_ring) && empty(lanes[dock].reply_ring))
}

init
{
    atomic {
        if
        :: is_silent = 1; message = GONE
        :: skip
        fi;
        run supervisor();
        run killer()
    }
}
