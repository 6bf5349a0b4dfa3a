/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_peer.h"

#include <assert.h>
#include <string.h>

#include "shm/slot.h"

#include "liar.h"

enum { MAX_HEARD = 8, MIN_BLOCK_BYTES = 256, MAX_BODY_BYTES = 2000 };

/* What only a lie of our own, or of the noise beside us, can have made wrong. */
static void expect(const struct worker_peer *peer, bool is_right)
{
    assert(is_right || peer->n_turns_a_lie);
}

static bool dies_here(struct worker_peer *peer)
{
    if (peer->n_steps_a_life && chance_in(peer->chance, peer->n_steps_a_life))
        peer->is_dead = true;
    return peer->is_dead;
}

static struct slot *shared(struct worker_peer *peer, const struct peer_slot *slot)
{
    return &peer->lane.slots[slot - peer->slots];
}

static bool move(struct worker_peer *peer, struct peer_slot *slot, enum slot_state to)
{
    if (!slot_move(shared(peer, slot), slot->generation, slot->state, to))
        return false;
    slot->state = to;
    return true;
}

static void push(struct worker_peer *peer, uint64_t entry)
{
    enum ring_outcome outcome = ring_push(&peer->replies, entry);
    expect(peer, outcome == RING_OK);
}

static void push_done(struct worker_peer *peer, const struct peer_slot *slot)
{
    push(peer, LANE_ENTRY(LANE_DONE, (uint32_t)(slot - peer->slots), slot->generation));
}

static void finish_with(struct worker_peer *peer, struct peer_slot *slot, enum outcome outcome);

/* DONE, unless a cancellation was quicker. */
static void finish(struct worker_peer *peer, struct peer_slot *slot, const struct slot_reply *reply)
{
    shared(peer, slot)->reply = *reply;
    if (dies_here(peer))
        return;
    enum slot_state from = slot->state;
    bool is_done = move(peer, slot, SLOT_DONE);
    if (!is_done && from == SLOT_WAITING) {
        slot->state = SLOT_CANCELLED;
        finish_with(peer, slot, OUTCOME_CANCELLED);
        return;
    }
    expect(peer, is_done);
    if (dies_here(peer))
        return;
    push_done(peer, slot);
    slot->state = reply->outcome == OUTCOME_DELIVERED ? SLOT_DONE : SLOT_FREE;
}

static void finish_with(struct worker_peer *peer, struct peer_slot *slot, enum outcome outcome)
{
    finish(peer, slot, &(struct slot_reply){.outcome = outcome});
}

/* ---- hearing ---- */

static void hear_submit(struct worker_peer *peer, struct peer_slot *slot, uint32_t generation)
{
    struct slot_request request = shared(peer, slot)->request;
    atomic_signal_fence(memory_order_seq_cst); /* the noise beside us: what is checked is used */
    uint32_t index = (uint32_t)(slot - peer->slots);
    expect(peer, slot->state == SLOT_FREE && slot->block == ARENA_FULL);
    *slot = (struct peer_slot){.state = SLOT_READY,
        .generation = generation,
        .id = request.deadline_ns,
        .is_get = request.backend == PEER_CONSUME,
        .block = slot->block};
    const uint8_t *body = lane_request_bytes(&peer->lane, index, request.body);
    expect(peer, body && body_is(body, request.body.length, BODY_TAG(slot->id)));
    if (dies_here(peer))
        return;
    if (move(peer, slot, slot->is_get ? SLOT_WAITING : SLOT_CLAIMED))
        return;
    expect(peer, slot_look(shared(peer, slot)).state == SLOT_CANCELLED);
    slot->state = SLOT_CANCELLED;
    finish_with(peer, slot, OUTCOME_CANCELLED);
}

static void hear_cancel(struct worker_peer *peer, struct peer_slot *slot)
{
    if (slot->state == SLOT_FREE)
        return;
    expect(peer, slot->state == SLOT_WAITING);
    slot->state = SLOT_CANCELLED;
    finish_with(peer, slot, OUTCOME_CANCELLED);
}

static void block_give(struct worker_peer *peer, struct peer_slot *slot)
{
    if (slot->block != ARENA_FULL)
        arena_give(peer->arena, slot->block);
    slot->block = ARENA_FULL;
}

static void hear_verdict(struct worker_peer *peer, struct peer_slot *slot, bool is_ack)
{
    expect(peer, slot->state == SLOT_DONE && slot->block != ARENA_FULL);
    assert(peer->n_turns_a_lie || !is_ack || peer->ledger->is_written[slot->id]);
    block_give(peer, slot);
    slot->state = SLOT_FREE;
}

static bool hear(struct worker_peer *peer)
{
    uint64_t entry;
    enum ring_outcome outcome = ring_pop(&peer->requests, &entry);
    expect(peer, outcome != RING_BROKEN);
    if (outcome != RING_OK)
        return false;
    uint32_t index = LANE_ENTRY_SLOT(entry), op = LANE_ENTRY_OP(entry);
    expect(peer, index < peer->lane.n_slots);
    if (index >= peer->lane.n_slots)
        return true;
    struct peer_slot *slot = &peer->slots[index];
    uint32_t generation = LANE_ENTRY_GENERATION(entry);
    expect(peer, generation == slot->generation + (op == LANE_SUBMIT));
    if (op == LANE_SUBMIT)
        hear_submit(peer, slot, generation);
    else if (op == LANE_CANCEL)
        hear_cancel(peer, slot);
    else
        hear_verdict(peer, slot, op == LANE_ACK);
    return true;
}

/* ---- doing ---- */

static void send(struct worker_peer *peer, struct peer_slot *slot)
{
    if (chance_in(peer->chance, 8)) {
        finish_with(peer, slot, OUTCOME_DOWN);
        return;
    }
    expect(peer, move(peer, slot, SLOT_SENT));
    if (dies_here(peer) || peer->n_turns_a_lie)
        return;
    uint8_t *is_sent = &peer->ledger->is_sent[slot->id];
    assert(!*is_sent); /* or it was sent twice */
    *is_sent = true;
}

static void deliver(struct worker_peer *peer, struct peer_slot *slot)
{
    uint32_t n = chance_below(peer->chance, MAX_BODY_BYTES);
    block_give(peer, slot); /* a liar may have forgotten one */
    slot->block = arena_take(peer->arena, n);
    if (slot->block == ARENA_FULL)
        return; /* a verdict will make room */
    struct lane_ref body = {(uint32_t)(peer->lane.reply_area + slot->block), n};
    body_fill(peer->lane.base + body.offset, n, BODY_TAG(slot->id));
    finish(peer, slot, &(struct slot_reply){.outcome = OUTCOME_DELIVERED, .body = body});
}

static void end_wait(struct worker_peer *peer, struct peer_slot *slot)
{
    if (chance_in(peer->chance, 4)) {
        finish_with(peer, slot, OUTCOME_EMPTY);
    } else if (!move(peer, slot, SLOT_BOUND)) {
        slot->state = SLOT_CANCELLED;
        finish_with(peer, slot, OUTCOME_CANCELLED);
    }
}

static void advance(struct worker_peer *peer, struct peer_slot *slot)
{
    switch (slot->state) {
    case SLOT_CLAIMED:
        send(peer, slot);
        break;
    case SLOT_SENT:
        finish_with(peer, slot, chance_in(peer->chance, 8) ? OUTCOME_NACKED : OUTCOME_CONFIRMED);
        break;
    case SLOT_WAITING:
        end_wait(peer, slot);
        break;
    case SLOT_BOUND:
        deliver(peer, slot);
        break;
    default:
        break;
    }
}

/* ---- lying ---- */

/* In proper form, but for one thing or the other. */
static struct slot_reply lie_reply(struct worker_peer *peer, bool is_get)
{
    struct slot_reply reply = {.outcome = is_get ? OUTCOME_DELIVERED : OUTCOME_CONFIRMED};
    switch (chance_below(peer->chance, 4)) {
    case 0:
        reply.outcome = chance_below(peer->chance, OUTCOME_N + 1);
        break;
    case 1:
        reply.text_bytes = (uint16_t)chance_below(peer->chance, UINT16_MAX);
        break;
    case 2:
        reply.fields = lie_ref(peer->chance, &peer->lane);
        break;
    default:
        reply.body = lie_ref(peer->chance, &peer->lane);
        break;
    }
    return reply;
}

static void lie_about(struct worker_peer *peer, struct peer_slot *slot)
{
    struct slot_word word = slot_look(shared(peer, slot));
    uint64_t generation = (uint64_t)word.generation << 32;
    switch (chance_below(peer->chance, 4)) {
    case 0: /* too early, or once more */
        push_done(peer, slot);
        break;
    case 1: /* another state, without a word */
        atomic_store(
            &shared(peer, slot)->word, generation | chance_below(peer->chance, SLOT_N_STATES));
        break;
    case 2: /* an answer */
        shared(peer, slot)->reply = lie_reply(peer, slot->is_get);
        atomic_store(&shared(peer, slot)->word, generation | SLOT_DONE);
        push_done(peer, slot);
        break;
    default: /* we forget that we had it */
        block_give(peer, slot);
        slot->state = SLOT_FREE;
        break;
    }
}

static void tell_a_lie(struct worker_peer *peer)
{
    if (chance_in(peer->chance, 2))
        lie_about(peer, &peer->slots[chance_below(peer->chance, peer->lane.n_slots)]);
    else if (chance_in(peer->chance, 2))
        push(peer, lie_entry(peer->chance, &peer->lane));
    else
        lie(peer->chance, &peer->lane);
}

/* ---- a life ---- */

void worker_peer_open(
    struct worker_peer *peer, int memory, struct chance *chance, struct ledger *ledger)
{
    *peer = (struct worker_peer){.chance = chance, .ledger = ledger};
    int error = lane_join(&peer->lane, memory);
    assert(error == 0 && peer->lane.n_slots <= PEER_MAX_SLOTS);
    ring_consumer_init(&peer->requests, peer->lane.request_ring, peer->lane.n_entries);
    ring_producer_init(&peer->replies, peer->lane.reply_ring, peer->lane.n_entries);
    peer->arena = arena_new(peer->lane.reply_area_bytes, MIN_BLOCK_BYTES);
    assert(peer->arena);
    for (uint32_t i = 0; i < PEER_MAX_SLOTS; i++)
        peer->slots[i].block = ARENA_FULL;
}

void worker_peer_close(struct worker_peer *peer)
{
    arena_free(peer->arena);
    lane_leave(&peer->lane);
}

void worker_peer_turn(struct worker_peer *peer)
{
    uint32_t n_heard = chance_below(peer->chance, MAX_HEARD);
    while (n_heard-- > 0 && !peer->is_dead && hear(peer))
        ;
    for (uint32_t i = 0; i < peer->lane.n_slots && !peer->is_dead; i++)
        if (chance_in(peer->chance, 2))
            advance(peer, &peer->slots[i]);
    if (!peer->is_dead && peer->n_turns_a_lie && chance_in(peer->chance, peer->n_turns_a_lie))
        tell_a_lie(peer);
}
