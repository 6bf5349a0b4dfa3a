/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: the one piece of memory that a front and a worker share.
 *
 * A lane belongs to one incarnation of the front and one of a worker. The supervisor makes it (a
 * memfd, sealed against resizing), hands it to both, and never makes it anew in place: when either
 * side dies the other settles what lies in it and leaves, and a new lane is handed out.
 *
 *      0                 lane_header             who this is, how large; parked flags and beats
 *      request_ring      ring_shared + entries   front -> worker: SUBMIT, CANCEL, ACK, REQUEUE
 *      reply_ring        ring_shared + entries   worker -> front: DONE
 *      slots             slot[n_slots]           one per part of a request
 *      request_area      bytes                   what does not fit into a slot; the front allocates
 *      reply_area        bytes                   bodies of deliveries; the worker allocates
 *
 * Whatever stands here was written by a peer that may be broken or hostile: read it once into a
 * local, check it, use the local. References are offsets from the lane's start, never pointers; a
 * side believes its private record of a slot and not the shared word.
 *
 * The life of a slot. F = the front drives the arrow, W = the worker.
 *
 *   publish  FREE -F-> READY -W-> CLAIMED -W-> SENT -W-> DONE -F-> FREE
 *   consume  FREE -F-> READY -W-> WAITING -W-> BOUND -W-> DONE -F-> FREE (with the verdict pushed)
 *
 *   CLAIMED -W-> DONE    refused before anything was sent
 *   WAITING -W-> DONE    nothing came and nothing will (the queue was refused)
 *   READY, WAITING -F-> CANCELLED -W-> DONE    deadline passed or the client left
 *
 * SENT is stored for a whole batch just before it is handed to the kernel, so a slot in an earlier
 * state was certainly never sent. One SUBMIT gives exactly one DONE; the front frees a slot on its
 * DONE, or with the whole lane, never before. So no entry in a ring can mean a later user of the
 * slot, and the generation in each entry proves it. tests/model/slot.pml is the same on paper, with
 * either side killed at every step.
 */
#ifndef LEVERET_LANE_H
#define LEVERET_LANE_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_MAGIC UINT64_C(0x31656e616c76656c)
#define LANE_VERSION 1u
#define LANE_LINE 64u

enum {
    LANE_MAX_SLOTS = 1 << 16,
    LANE_SLOT_BYTES = 2048,
    LANE_TEXT_BYTES = 208,
    LANE_INLINE_BYTES = LANE_SLOT_BYTES - 384,
    LANE_ENTRIES_PER_SLOT = 4, /* a verdict, the next SUBMIT and its CANCEL may be waiting */
};

enum slot_state {
    SLOT_FREE,
    SLOT_READY,
    SLOT_CLAIMED,
    SLOT_SENT,
    SLOT_WAITING,
    SLOT_BOUND,
    SLOT_CANCELLED,
    SLOT_DONE,
    SLOT_N_STATES
};

/* What a ring entry asks or tells. ACK and REQUEUE are the verdicts on a delivery. */
enum lane_op { LANE_SUBMIT = 1, LANE_CANCEL, LANE_ACK, LANE_REQUEUE, LANE_DONE };

/* A ring entry: operation in bits 0-7, slot in bits 8-31, generation in bits 32-63. */
#define LANE_ENTRY(op, slot, generation)                                                           \
    ((uint64_t)(generation) << 32 | (uint64_t)(slot) << 8 | (uint64_t)(op))
#define LANE_ENTRY_OP(entry) ((uint32_t)((entry)&0xff))
#define LANE_ENTRY_SLOT(entry) ((uint32_t)((entry) >> 8) & 0xffffff)
#define LANE_ENTRY_GENERATION(entry) ((uint32_t)((entry) >> 32))

/* What became of a slot: the worker's word, final with DONE. */
enum outcome {
    OUTCOME_NONE,
    /* publish */
    OUTCOME_CONFIRMED,   /* the broker has it, routed to at least one queue (basic.ack) */
    OUTCOME_UNCONFIRMED, /* handed to the kernel; the file asked for no confirm */
    OUTCOME_UNROUTABLE,  /* basic.return, then confirmed: it is on no queue */
    OUTCOME_NACKED,      /* basic.nack: not taken by every queue it was routed to */
    OUTCOME_UNKNOWN,     /* sent, and the connection or channel was lost before the confirm */
    OUTCOME_REJECTED,    /* the broker closed the channel on this message; code and text say why */
    /* consume */
    OUTCOME_DELIVERED,   /* body and fields hold the message; a verdict must follow */
    OUTCOME_UNDECODABLE, /* a message came that is not what `encoding` says; the worker keeps it */
    OUTCOME_TOO_LARGE,   /* a message came that is larger than max_body; the worker keeps it */
    OUTCOME_EMPTY,       /* listened until the deadline, and nothing came */
    /* either: nothing was sent, nothing was taken */
    OUTCOME_CANCELLED,   /* the front's wish, granted */
    OUTCOME_DOWN,        /* no connection to the broker */
    OUTCOME_BLOCKED,     /* connection.blocked, channel.flow: the broker takes none for now */
    OUTCOME_STALLED,     /* the broker has been silent past the deadline of an earlier publish */
    OUTCOME_BUSY,        /* a window or an area is full */
    OUTCOME_TOPOLOGY,    /* the broker refused the declaration; code and text say why */
    OUTCOME_INVALID,     /* the record does not make a message (too long, malformed) */
    OUTCOME_UNSUPPORTED, /* the file asks for what the broker does not do (immediate) */
    OUTCOME_N
};

/* Bytes in the lane: offset from its start. Empty when length is 0. */
struct lane_ref {
    uint32_t offset;
    uint32_t length;
};

/* What is asked. Written by the front before READY. */
struct slot_request {
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; when the front answers without the worker */
    uint32_t backend;     /* index into the worker's plan */
    uint32_t reserved;
    struct lane_ref fields; /* <leveret/message.h>; empty for a consume */
    struct lane_ref body;
};

/* What came of it. Written by the worker before DONE; all but the text stands in one line. */
struct slot_reply {
    uint32_t outcome;
    uint16_t broker_code; /* AMQP reply code (404, 312 ...), 0 when none */
    uint16_t text_bytes;
    uint32_t is_redelivered; /* basic.deliver's bit, 0 or 1 */
    uint32_t is_listening; /* consume: the queue was being consumed when this was written, 0 or 1 */
    struct lane_ref fields; /* of a delivery, in the reply area */
    struct lane_ref body;
    uint64_t claimed_ns, done_ns; /* CLOCK_MONOTONIC: when it was taken up, and came to this */
    char text[LANE_TEXT_BYTES];   /* the broker's own words, or ours; no NUL, may be cut */
};

struct slot {
    alignas(
        LANE_LINE) _Atomic uint64_t word; /* generation above, enum slot_state in the low half */
    alignas(LANE_LINE) struct slot_request request;
    alignas(LANE_LINE) struct slot_reply reply;
    alignas(LANE_LINE) uint8_t inline_bytes[LANE_INLINE_BYTES]; /* the front's fields and bodies */
};

/* Indexes only grow; entry i stands at entries[i mod n]. */
struct ring_shared {
    alignas(LANE_LINE) _Atomic uint64_t tail; /* written by the producer */
    alignas(LANE_LINE) _Atomic uint64_t head; /* written by the consumer */
    alignas(LANE_LINE) _Atomic uint64_t entries[];
};

/* What a side tells besides slots. */
struct lane_side {
    alignas(LANE_LINE) _Atomic uint32_t is_parked; /* set by its owner, cleared by who rings */
    alignas(LANE_LINE) _Atomic uint64_t beats;     /* turns of its loop: alive, not hung */
};

struct lane_header {
    uint64_t magic;
    uint32_t version;
    uint32_t layout; /* a hash of the sizes and offsets that the maker believed in */
    uint32_t n_slots;
    uint32_t n_entries; /* of each ring; a power of two */
    uint64_t request_ring, reply_ring, slots;
    uint64_t request_area, request_area_bytes;
    uint64_t reply_area, reply_area_bytes;
    uint64_t total_bytes; /* below 4 GiB, so that a lane_ref can name every byte */
    struct lane_side front, worker;
};

static_assert(sizeof(struct slot_request) == 32, "one line");
static_assert(sizeof(struct slot_reply) == 256, "four lines");
static_assert(offsetof(struct slot_reply, text) <= LANE_LINE, "all but the text in one line");
static_assert(sizeof(struct slot) == LANE_SLOT_BYTES, "no hole");
static_assert(sizeof(struct lane_side) == 2 * LANE_LINE, "two lines");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are shared between processes");

#endif
