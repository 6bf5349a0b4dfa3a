/* SPDX-License-Identifier: Apache-2.0 */
#include "front_peer.h"

#include <assert.h>
#include <string.h>

#include "shm/slot.h"

#include "liar.h"

enum { MAX_HEARD = 8, MIN_BLOCK_BYTES = 256, MAX_BODY_BYTES = 5000 };

/* What only a lie of our own, or of the noise beside us, can have made wrong. */
static void expect(const struct front_peer *peer, bool is_right)
{
    assert(is_right || peer->n_turns_a_lie);
}

static bool dies_here(struct front_peer *peer)
{
    if (peer->n_steps_a_life && chance_in(peer->chance, peer->n_steps_a_life))
        peer->is_dead = true;
    return peer->is_dead;
}

static struct slot *shared(struct front_peer *peer, const struct front_slot *slot)
{
    return &peer->lane.slots[slot - peer->slots];
}

static void push(struct front_peer *peer, uint64_t entry)
{
    enum ring_outcome outcome = ring_push(&peer->requests, entry);
    expect(peer, outcome == RING_OK);
}

static void tell(struct front_peer *peer, enum lane_op op, const struct front_slot *slot)
{
    push(peer, LANE_ENTRY(op, (uint32_t)(slot - peer->slots), slot->generation));
}

/* ---- requests ---- */

static struct lane_ref place_body(struct front_peer *peer, struct front_slot *slot)
{
    uint64_t offset = lane_inline_offset(&peer->lane, (uint32_t)(slot - peer->slots));
    uint32_t n = chance_below(peer->chance, chance_in(peer->chance, 8) ? MAX_BODY_BYTES : 64);
    slot->block = n > LANE_INLINE_BYTES ? arena_take(peer->arena, n) : ARENA_FULL;
    if (slot->block != ARENA_FULL)
        offset = peer->lane.request_area + slot->block;
    else if (n > LANE_INLINE_BYTES)
        n = LANE_INLINE_BYTES;
    body_fill(peer->lane.base + offset, n, BODY_TAG(slot->id));
    return (struct lane_ref){(uint32_t)offset, n};
}

static void submit(struct front_peer *peer, struct front_slot *slot)
{
    if (peer->ledger->n == peer->ledger->size || peer->is_closing)
        return;
    *slot = (struct front_slot){.is_taken = true,
        .is_get = chance_in(peer->chance, 2),
        .generation = slot->generation + 1,
        .id = peer->ledger->n++};
    shared(peer, slot)->request = (struct slot_request){.deadline_ns = slot->id,
        .backend = slot->is_get ? PEER_CONSUME : PEER_PRODUCE,
        .body = place_body(peer, slot)};
    peer->n_taken++;
    if (dies_here(peer))
        return;
    slot_ready(shared(peer, slot), slot->generation);
    if (!dies_here(peer))
        tell(peer, LANE_SUBMIT, slot);
}

static void cancel(struct front_peer *peer, struct front_slot *slot)
{
    if (slot_move(shared(peer, slot), slot->generation, SLOT_READY, SLOT_CANCELLED)) {
        slot->is_cancelled = true;
    } else if (slot_move(shared(peer, slot), slot->generation, SLOT_WAITING, SLOT_CANCELLED)) {
        expect(peer, slot->is_get);
        slot->is_cancelled = true;
        if (!dies_here(peer))
            tell(peer, LANE_CANCEL, slot);
    }
}

/* ---- replies ---- */

static void slot_give(struct front_peer *peer, struct front_slot *slot)
{
    if (slot->block != ARENA_FULL)
        arena_give(peer->arena, slot->block);
    slot_free(shared(peer, slot), slot->generation);
    slot->is_taken = slot->is_held = false;
    slot->block = ARENA_FULL;
    peer->n_taken--;
}

static void give_verdict(struct front_peer *peer, struct front_slot *slot)
{
    bool is_written = chance_in(peer->chance, 2);
    if (!peer->n_turns_a_lie)
        peer->ledger->is_written[slot->id] = is_written;
    if (dies_here(peer))
        return;
    tell(peer, is_written ? LANE_ACK : LANE_REQUEUE, slot);
    if (!dies_here(peer))
        slot_give(peer, slot);
}

static void check_reply(
    struct front_peer *peer, const struct front_slot *slot, const struct slot_reply *reply)
{
    bool is_sent = peer->n_turns_a_lie || peer->ledger->is_sent[slot->id];
    expect(peer, slot->is_cancelled == (reply->outcome == OUTCOME_CANCELLED));
    expect(peer, reply->outcome != OUTCOME_CONFIRMED || (is_sent && !slot->is_get));
    expect(peer, reply->outcome != OUTCOME_DOWN || !is_sent);
    if (reply->outcome != OUTCOME_DELIVERED)
        return;
    const uint8_t *body = lane_reply_bytes(&peer->lane, reply->body);
    expect(peer, body && body_is(body, reply->body.length, BODY_TAG(slot->id)));
}

static bool hear(struct front_peer *peer)
{
    uint64_t entry;
    enum ring_outcome outcome = ring_pop(&peer->replies, &entry);
    expect(peer, outcome != RING_BROKEN);
    if (outcome != RING_OK)
        return false;
    uint32_t index = LANE_ENTRY_SLOT(entry);
    bool is_ours = LANE_ENTRY_OP(entry) == LANE_DONE && index < peer->lane.n_slots &&
                   peer->slots[index].is_taken && !peer->slots[index].is_held &&
                   peer->slots[index].generation == LANE_ENTRY_GENERATION(entry);
    expect(peer, is_ours); /* one DONE for each SUBMIT, and no other */
    if (!is_ours)
        return true;
    struct front_slot *slot = &peer->slots[index];
    struct slot_word word = slot_look(shared(peer, slot));
    expect(peer, word.state == SLOT_DONE && word.generation == slot->generation);
    struct slot_reply reply = shared(peer, slot)->reply;
    atomic_signal_fence(memory_order_seq_cst); /* the noise beside us: what is checked is used */
    check_reply(peer, slot, &reply);
    if (reply.outcome == OUTCOME_DELIVERED)
        slot->is_held = true;
    else
        slot_give(peer, slot);
    return true;
}

/* ---- lies ---- */

static struct slot_request lie_request(struct front_peer *peer)
{
    struct slot_request request = {.deadline_ns = chance_below(peer->chance, UINT32_MAX),
        .backend = chance_below(peer->chance, 4)};
    if (chance_in(peer->chance, 2))
        request.body = lie_ref(peer->chance, &peer->lane);
    else
        request.fields = lie_ref(peer->chance, &peer->lane);
    return request;
}

static void lie_about(struct front_peer *peer, struct front_slot *slot)
{
    uint64_t generation = (uint64_t)slot->generation << 32;
    switch (chance_below(peer->chance, 4)) {
    case 0: /* out of turn, or once more */
        tell(peer, chance_below(peer->chance, LANE_DONE + 1), slot);
        break;
    case 1: /* another state */
        atomic_store(
            &shared(peer, slot)->word, generation | chance_below(peer->chance, SLOT_N_STATES));
        break;
    case 2: /* a cancellation of whatever it is, in proper form */
        atomic_store(&shared(peer, slot)->word, generation | SLOT_CANCELLED);
        tell(peer, LANE_CANCEL, slot);
        break;
    default: /* a request that cannot be met, perhaps on top of another one */
        shared(peer, slot)->request = lie_request(peer);
        atomic_store(&shared(peer, slot)->word, generation | SLOT_READY);
        tell(peer, LANE_SUBMIT, slot);
        break;
    }
}

static void tell_a_lie(struct front_peer *peer)
{
    if (chance_in(peer->chance, 2))
        lie_about(peer, &peer->slots[chance_below(peer->chance, peer->lane.n_slots)]);
    else if (chance_in(peer->chance, 2))
        push(peer, lie_entry(peer->chance, &peer->lane));
    else
        lie(peer->chance, &peer->lane);
}

/* ---- a life ---- */

void front_peer_open(
    struct front_peer *peer, int memory, struct chance *chance, struct ledger *ledger)
{
    *peer = (struct front_peer){.chance = chance, .ledger = ledger};
    int error = lane_join(&peer->lane, memory);
    assert(error == 0 && peer->lane.n_slots <= PEER_MAX_SLOTS);
    ring_producer_init(&peer->requests, peer->lane.request_ring, peer->lane.n_entries);
    ring_consumer_init(&peer->replies, peer->lane.reply_ring, peer->lane.n_entries);
    peer->arena = arena_new(peer->lane.request_area_bytes, MIN_BLOCK_BYTES);
    assert(peer->arena);
    for (uint32_t i = 0; i < PEER_MAX_SLOTS; i++)
        peer->slots[i].block = ARENA_FULL;
}

void front_peer_close(struct front_peer *peer)
{
    arena_free(peer->arena);
    lane_leave(&peer->lane);
}

static void slot_turn(struct front_peer *peer, struct front_slot *slot)
{
    if (!slot->is_taken)
        submit(peer, slot);
    else if (slot->is_held)
        give_verdict(peer, slot);
    else if (!slot->is_cancelled && chance_in(peer->chance, 4))
        cancel(peer, slot);
}

void front_peer_turn(struct front_peer *peer)
{
    uint32_t n_heard = chance_below(peer->chance, MAX_HEARD);
    while (n_heard-- > 0 && !peer->is_dead && hear(peer))
        ;
    for (uint32_t i = 0; i < peer->lane.n_slots && !peer->is_dead; i++)
        if (chance_in(peer->chance, 3))
            slot_turn(peer, &peer->slots[i]);
    if (!peer->is_dead && peer->n_turns_a_lie && chance_in(peer->chance, peer->n_turns_a_lie))
        tell_a_lie(peer);
}
