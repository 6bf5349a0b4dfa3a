/* SPDX-License-Identifier: Apache-2.0 */
#include "dock.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <leveret/message.h>

#include "shm/doorbell.h"
#include "shm/last_words.h"
#include "shm/slot.h"

enum { BATCH = 256 }; /* entries handled in one dock_poll() */

int dock_new(struct dock **out, const struct dock_setup *setup, int memory_fd, int rope)
{
    struct lane lane;
    int error = lane_join(&lane, memory_fd);
    if (error)
        return error;
    struct dock *dock = calloc(1, sizeof(*dock));
    error = dock ? berths_init(&dock->berths, &lane, setup->n_backends) : -ENOMEM;
    if (error) {
        free(dock);
        lane_leave(&lane);
        return error;
    }
    dock->lane = lane;
    dock->events = setup->events;
    dock->worker = setup->worker;
    dock->rope = rope;
    ring_producer_init(&dock->requests, lane.request_ring, lane.n_entries);
    ring_consumer_init(&dock->replies, lane.reply_ring, lane.n_entries);
    *out = dock;
    return 0;
}

void dock_free(struct dock *dock)
{
    if (!dock)
        return;
    assert(!dock->n_pinned);
    berths_done(&dock->berths);
    lane_leave(&dock->lane);
    cleanup_fd(&dock->rope);
    free(dock);
}

static void break_off(struct dock *dock, const char *reason)
{
    if (dock->state != DOCK_LIVE)
        return;
    dock->state = DOCK_BROKEN;
    dock->events->on_broken(dock->events->owner, dock, reason);
}

static void push(struct dock *dock, enum lane_op op, uint32_t berth)
{
    if (dock->state != DOCK_LIVE)
        return;
    uint64_t entry = LANE_ENTRY(op, berth, dock->berths.items[berth].generation);
    dock->is_unrung = true;
    if (ring_push(&dock->requests, entry) != RING_OK)
        break_off(dock, "the request ring does not drain as it should");
}

bool dock_reserve(struct dock *dock, struct part *part)
{
    assert(dock->state == DOCK_LIVE && part->state == PART_IDLE);
    uint32_t berth = berths_take(&dock->berths, &dock->lane, part);
    if (berth == BERTH_NONE)
        return false;
    part->dock = dock;
    part->berth = berth;
    part->is_cancelled = false;
    part_move(part, PART_ABOARD);
    return true;
}

void dock_submit(struct part *part)
{
    berths_fill(&part->dock->berths, &part->dock->lane, part->berth);
    push(part->dock, LANE_SUBMIT, part->berth);
}

void dock_release(struct part *part)
{
    berths_give(&part->dock->berths, &part->dock->lane, part->berth);
    part->dock = NULL;
    part_move(part, PART_IDLE);
}

/* ---- replies ---- */

static bool is_outcome_of(uint32_t outcome, uint8_t verb)
{
    if (outcome <= OUTCOME_NONE || outcome >= OUTCOME_N)
        return false;
    if (outcome >= OUTCOME_CANCELLED)
        return true;
    return verb == PLAN_PRODUCE ? outcome < OUTCOME_DELIVERED : outcome >= OUTCOME_DELIVERED;
}

static struct slice slice_in(const struct lane *lane, struct lane_ref ref)
{
    return (struct slice){.at = (const char *)lane_reply_bytes(lane, ref), .len = ref.length};
}

/* Read the reply of a slot that is DONE, once. False: no honest worker leaves such a reply. */
static bool reply_read(const struct dock *dock, uint32_t berth, struct part_reply *reply)
{
    const struct slot_reply *shared = &dock->lane.slots[berth].reply;
    struct slot_reply copy;
    memcpy(&copy, shared, offsetof(struct slot_reply, text));
    /* what follows must see the copy: the compiler may not read the shared bytes again */
    atomic_signal_fence(memory_order_seq_cst);
    struct slice fields = {0}, body = {0};
    if (!is_outcome_of(copy.outcome, dock->berths.items[berth].verb) ||
        copy.text_bytes > LANE_TEXT_BYTES)
        return false;
    if (copy.outcome == OUTCOME_DELIVERED) {
        fields = slice_in(&dock->lane, copy.fields);
        body = slice_in(&dock->lane, copy.body);
        if (!fields.at || fields.len > MESSAGE_DELIVERY_BYTES || !body.at)
            return false;
    }
    reply->outcome = (enum outcome)copy.outcome;
    reply->broker_code = copy.broker_code;
    reply->is_redelivered = copy.is_redelivered != 0;
    reply->is_listening = copy.is_listening != 0;
    reply->claimed_ns = copy.claimed_ns;
    reply->done_ns = copy.done_ns;
    reply->fields = fields;
    reply->body = body;
    reply->text_bytes = copy.text_bytes;
    memcpy(reply->text, shared->text, copy.text_bytes);
    return true;
}

static bool is_done(const struct dock *dock, uint32_t berth)
{
    struct slot_word word = slot_look(&dock->lane.slots[berth]);
    return word.state == SLOT_DONE && word.generation == dock->berths.items[berth].generation;
}

/* The berth that an entry speaks of, BERTH_NONE when it cannot be. */
static uint32_t berth_of(const struct dock *dock, uint64_t entry)
{
    uint32_t berth = LANE_ENTRY_SLOT(entry);
    if (LANE_ENTRY_OP(entry) != LANE_DONE || berth >= dock->lane.n_slots)
        return BERTH_NONE;
    const struct berth *record = &dock->berths.items[berth];
    if (!record->is_taken || record->generation != LANE_ENTRY_GENERATION(entry))
        return BERTH_NONE;
    if (record->part && record->part->state != PART_ABOARD)
        return BERTH_NONE; /* it was DONE already */
    return is_done(dock, berth) ? berth : BERTH_NONE;
}

/* An orphan's DONE frees its slot; a delivery that nobody waits for goes back. */
static void orphan_land(struct dock *dock, uint32_t berth, const struct part_reply *reply)
{
    if (reply->outcome == OUTCOME_DELIVERED)
        push(dock, LANE_REQUEUE, berth);
    berths_give(&dock->berths, &dock->lane, berth);
}

/* What another worker, with a connection and a window of its own, need not say. */
static bool is_refusal(enum outcome outcome)
{
    return outcome == OUTCOME_DOWN || outcome == OUTCOME_BLOCKED || outcome == OUTCOME_STALLED ||
           outcome == OUTCOME_BUSY;
}

/* Returns NULL, or what is wrong with it. */
static const char *entry_handle(struct dock *dock, uint64_t entry)
{
    uint32_t berth = berth_of(dock, entry);
    if (berth == BERTH_NONE)
        return "a reply that belongs to no request";
    struct part *part = dock->berths.items[berth].part;
    struct part_reply of_orphan, *reply = part ? &part->reply : &of_orphan;
    if (!reply_read(dock, berth, reply))
        return "a reply that makes no sense";
    if (!part) {
        orphan_land(dock, berth, reply);
        return NULL;
    }
    if (!berths_hold(&dock->berths, &dock->lane, berth, reply->fields.len + reply->body.len))
        return "deliveries that share their bytes";
    if (reply->outcome == OUTCOME_DELIVERED) {
        part_move(part, PART_HELD);
    } else {
        berths_give(&dock->berths, &dock->lane, berth);
        part_move(part, is_refusal(reply->outcome) ? PART_IDLE : PART_OVER);
    }
    dock->events->on_part(dock->events->owner, part);
    return NULL;
}

unsigned dock_poll(struct dock *dock)
{
    unsigned n = 0;
    while (dock->state == DOCK_LIVE && n < BATCH) {
        uint64_t entry;
        enum ring_outcome outcome = ring_pop(&dock->replies, &entry);
        if (outcome == RING_EMPTY)
            break;
        last_words_at_slot(dock->worker, LANE_ENTRY_SLOT(entry), LANE_ENTRY_GENERATION(entry));
        const char *wrong = outcome == RING_BROKEN ? "the reply ring holds more than it can"
                                                   : entry_handle(dock, entry);
        last_words_at_nothing();
        if (wrong)
            break_off(dock, wrong);
        n++;
    }
    return n;
}

/* ---- the worker's death ---- */

/* Is it certain that nothing of this part is on its way, and nobody has been told of it? */
static bool is_unsent(const struct dock *dock, const struct part *part)
{
    if (part->plan->verb == PLAN_CONSUME)
        return true; /* the broker takes back what a dead connection held */
    struct slot_word word = slot_look(&dock->lane.slots[part->berth]);
    return word.generation == dock->berths.items[part->berth].generation &&
           (word.state == SLOT_READY || word.state == SLOT_CLAIMED);
}

/* What the dead worker's slot says about a part that was aboard or held. A delivery is not passed
 * on: the broker will deliver the message again, and this would be the same one twice. */
static void part_cast_off(struct dock *dock, struct part *part)
{
    struct part_reply reply;
    bool has_reply = part->state == PART_ABOARD && is_done(dock, part->berth) &&
                     reply_read(dock, part->berth, &reply) && reply.outcome != OUTCOME_DELIVERED;
    bool comes_back = !has_reply && !part->is_cancelled && is_unsent(dock, part);
    if (!has_reply)
        reply = (struct part_reply){
            .outcome = part->is_cancelled ? OUTCOME_CANCELLED : OUTCOME_UNKNOWN};
    part->reply = reply;
    berths_give(&dock->berths, &dock->lane, part->berth);
    part->dock = NULL;
    part_move(part, comes_back ? PART_IDLE : PART_OVER);
}

void dock_settle(struct dock *dock)
{
    assert(dock->state != DOCK_DEAD);
    dock->state = DOCK_DEAD;
    struct part *first = NULL, **last = &first;
    for (uint32_t i = dock->berths.oldest, next; i != BERTH_NONE; i = next) {
        next = dock->berths.items[i].next;
        struct part *part = dock->berths.items[i].part;
        if (!part) {
            berths_give(&dock->berths, &dock->lane, i);
        } else if (part->state != PART_PINNED) {
            part_cast_off(dock, part);
            part->next = NULL;
            *last = part;
            last = &part->next;
        }
    }
    /* only now, since a callback may touch any of them */
    while (first) {
        struct part *part = first;
        first = part->next;
        dock->events->on_cast_off(dock->events->owner, part);
    }
}

void dock_cut_off(struct dock *dock)
{
    assert(dock->state == DOCK_DEAD);
    for (uint32_t i = dock->berths.oldest, next; i != BERTH_NONE; i = next) {
        next = dock->berths.items[i].next;
        dock->events->on_cut_off(dock->events->owner, dock->berths.items[i].part);
    }
}

/* ---- looks ---- */

/* A liar's ring is as deep as it can be. */
static uint32_t depth_of(uint64_t tail, uint64_t head, uint32_t n_entries)
{
    uint64_t depth = tail - head;
    return depth < n_entries ? (uint32_t)depth : n_entries;
}

/* Entries that the worker has not taken yet. */
static uint32_t request_depth(const struct dock *dock)
{
    /* relaxed: only how many, not what they say */
    uint64_t head = atomic_load_explicit(&dock->requests.shared->head, memory_order_relaxed);
    return depth_of(dock->requests.tail, head, dock->lane.n_entries);
}

static uint32_t reply_depth(const struct dock *dock)
{
    /* relaxed: the same */
    uint64_t tail = atomic_load_explicit(&dock->replies.shared->tail, memory_order_relaxed);
    return depth_of(tail, dock->replies.head, dock->lane.n_entries);
}

static void note_depth(struct dock *dock)
{
    uint32_t depth = request_depth(dock);
    if (depth > dock->request_depth_max)
        dock->request_depth_max = depth;
}

void dock_look(const struct dock *dock, struct dock_sight *sight)
{
    *sight = (struct dock_sight){
        .n_slots = dock->lane.n_slots,
        .n_slots_in_use = dock->berths.n_taken,
        .n_slots_in_use_max = dock->berths.n_taken_max,
        .n_entries = dock->lane.n_entries,
        .request_depth = request_depth(dock),
        .request_depth_max = dock->request_depth_max,
        .reply_depth = reply_depth(dock),
        .request_area_bytes = dock->lane.request_area_bytes,
        .request_area_used_bytes = arena_taken_bytes(dock->berths.arena),
        .reply_area_bytes = dock->lane.reply_area_bytes,
        .reply_area_held_bytes = dock->berths.held,
    };
}

/* ---- doorbells ---- */

void dock_ring(struct dock *dock)
{
    if (!dock->is_unrung)
        return;
    dock->is_unrung = false;
    note_depth(dock);
    (void)doorbell_ring(dock->lane.worker, dock->rope); /* an awake worker looks by itself */
}

bool dock_park(struct dock *dock)
{
    if (dock->is_unrung)
        return false;
    if (dock->state != DOCK_LIVE)
        return true;
    doorbell_park(dock->lane.front);
    return ring_is_empty(&dock->replies);
}

void dock_unpark(struct dock *dock)
{
    doorbell_unpark(dock->lane.front);
    /* relaxed, and no read-modify-write: one writer, and a count that orders nothing */
    uint64_t beats = atomic_load_explicit(&dock->lane.front->beats, memory_order_relaxed);
    atomic_store_explicit(&dock->lane.front->beats, beats + 1, memory_order_relaxed);
}

/* ---- the end of a part ---- */

bool dock_cancel(struct part *part)
{
    struct dock *dock = part->dock;
    assert(part->state == PART_ABOARD);
    struct slot *slot = &dock->lane.slots[part->berth];
    uint32_t generation = dock->berths.items[part->berth].generation;
    if (part->is_cancelled)
        return true;
    if (slot_move(slot, generation, SLOT_READY, SLOT_CANCELLED)) {
        part->is_cancelled = true; /* its SUBMIT still lies in the ring and tells the worker */
    } else if (part->plan->verb == PLAN_CONSUME &&
               slot_move(slot, generation, SLOT_WAITING, SLOT_CANCELLED)) {
        part->is_cancelled = true;
        push(dock, LANE_CANCEL, part->berth);
    }
    return part->is_cancelled;
}

void dock_abandon(struct part *part)
{
    if (part->state == PART_HELD || part->state == PART_PINNED) {
        dock_verdict(part, LANE_REQUEUE);
    } else if (part->state == PART_ABOARD) {
        dock_cancel(part); /* if it was too late, its DONE frees the slot all the same */
        part->dock->berths.items[part->berth].part = NULL;
        part->dock = NULL;
        part_move(part, PART_OVER);
    } else if (part->state == PART_IDLE) {
        part_move(part, PART_OVER);
    }
}

void dock_pin(struct part *part)
{
    part_move(part, PART_PINNED);
    part->dock->n_pinned++;
}

void dock_verdict(struct part *part, enum lane_op verdict)
{
    assert(verdict == LANE_ACK || verdict == LANE_REQUEUE);
    struct dock *dock = part->dock;
    bool was_pinned = part->state == PART_PINNED;
    push(dock, verdict, part->berth);
    berths_give(&dock->berths, &dock->lane, part->berth);
    part->dock = NULL;
    part_move(part, PART_OVER);
    if (was_pinned && --dock->n_pinned == 0 && dock->state == DOCK_DEAD)
        dock->events->on_unpinned(dock->events->owner, dock);
}
