/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_side.h"

#include <assert.h>
#include <string.h>

#include <leveret/plan.h>

enum { MAX_BODY_BYTES = 2000 };

static const uint8_t verbs[] = {[PEER_PRODUCE] = PLAN_PRODUCE, [PEER_CONSUME] = PLAN_CONSUME};

/* The one place where a slot changes its state in our books. */
static void set_state(struct worker_side *side, struct desk_slot *slot, enum slot_state state)
{
    enum slot_state *was = &side->states[slot->index];
    side->n_busy += (*was == SLOT_FREE) - (state == SLOT_FREE);
    *was = state;
    side->slots[slot->index] = slot;
}

/* ---- what the desk tells ---- */

/* Reads all of it, as whoever sends it would. */
static void read_bytes(
    const struct worker_side *side, const struct desk_slot *slot, struct lane_ref ref)
{
    const uint8_t *bytes = desk_bytes(slot, ref);
    uint64_t inlined = lane_inline_offset(&side->lane, slot->index);
    uint64_t end = (uint64_t)ref.offset + ref.length;
    bool is_inline = ref.offset >= inlined && end <= inlined + LANE_INLINE_BYTES;
    bool is_in_area = ref.offset >= side->lane.request_area &&
                      end <= side->lane.request_area + side->lane.request_area_bytes;
    assert(bytes && (!ref.length || is_inline || is_in_area));
    bool is_right = body_is(bytes, ref.length, BODY_TAG(slot->deadline_ns));
    assert(is_right || !side->is_honest);
}

static void on_publish(void *owner, struct desk_slot *slot)
{
    struct worker_side *side = owner;
    assert(side->states[slot->index] == SLOT_FREE && slot->state == SLOT_CLAIMED);
    assert(slot->backend == PEER_PRODUCE);
    read_bytes(side, slot, slot->body);
    read_bytes(side, slot, slot->fields);
    side->tally.n_heard++;
    if (chance_in(side->chance, 4))
        desk_end(slot, OUTCOME_DOWN);
    else
        set_state(side, slot, SLOT_CLAIMED);
}

static void on_get(void *owner, struct desk_slot *slot)
{
    struct worker_side *side = owner;
    assert(side->states[slot->index] == SLOT_FREE && slot->state == SLOT_WAITING);
    assert(slot->backend == PEER_CONSUME);
    side->tally.n_heard++;
    set_state(side, slot, SLOT_WAITING);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    struct worker_side *side = owner;
    assert(side->states[slot->index] == SLOT_WAITING && slot->state == SLOT_CANCELLED);
    side->tally.n_cancelled++;
    desk_end_get(slot, OUTCOME_CANCELLED, true);
    set_state(side, slot, SLOT_FREE);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    struct worker_side *side = owner;
    assert(side->states[slot->index] == SLOT_DONE && slot->state == SLOT_DONE);
    if (side->is_honest && is_ack)
        assert(side->ledger->is_written[slot->deadline_ns]);
    *(is_ack ? &side->tally.n_acks : &side->tally.n_requeues) += 1;
    set_state(side, slot, SLOT_FREE);
}

static const struct desk_ops ops = {on_publish, on_get, on_cancelled, on_verdict};

/* ---- what a broker might do next ---- */

static void end(struct worker_side *side, struct desk_slot *slot, enum outcome outcome)
{
    static const char words[LANE_TEXT_BYTES + 50];
    if (chance_in(side->chance, 4))
        desk_say(slot, 404, words, chance_below(side->chance, sizeof(words)));
    desk_end(slot, outcome);
    set_state(side, slot, SLOT_FREE);
}

static void send(struct worker_side *side, struct desk_slot *slot)
{
    desk_sent(slot);
    if (side->is_honest) {
        uint8_t *is_sent = &side->ledger->is_sent[slot->deadline_ns];
        assert(!*is_sent); /* or it was sent twice */
        *is_sent = true;
    }
    set_state(side, slot, SLOT_SENT);
}

static void bind(struct worker_side *side, struct desk_slot *slot)
{
    bool is_bound = desk_bind(slot);
    side->tally.n_bind_lost += !is_bound;
    set_state(side, slot, is_bound ? SLOT_BOUND : SLOT_FREE);
}

static void deliver(struct worker_side *side, struct desk_slot *slot)
{
    uint32_t n = chance_below(side->chance, chance_in(side->chance, 16) ? MAX_BODY_BYTES : 64);
    uint64_t block = desk_block_take(side->desk, n);
    if (block == DESK_NO_BLOCK) {
        end(side, slot, OUTCOME_BUSY);
        return;
    }
    body_fill(desk_block_bytes(side->desk, block), n, BODY_TAG(slot->deadline_ns));
    set_state(side, slot, SLOT_DONE); /* first, since an orphan's verdict comes at once */
    side->tally.n_delivered++;
    desk_deliver(slot, &(struct desk_delivery){.block = block, .body = {(uint32_t)block, n}});
}

static void advance(struct worker_side *side, struct desk_slot *slot)
{
    switch (side->states[slot->index]) {
    case SLOT_CLAIMED:
        if (chance_in(side->chance, 8))
            end(side, slot, OUTCOME_DOWN);
        else
            send(side, slot);
        break;
    case SLOT_SENT:
        end(side, slot, OUTCOME_CONFIRMED);
        break;
    case SLOT_WAITING: /* some stay, to be cancelled */
        if (chance_in(side->chance, 4))
            bind(side, slot);
        break;
    case SLOT_BOUND:
        deliver(side, slot);
        break;
    default: /* FREE; DONE: the verdict is not ours */
        break;
    }
}

/* ---- a life ---- */

int worker_side_open(struct worker_side *side, int memory, const struct lane *view, bool is_honest)
{
    const struct desk_config config = {
        .verbs = verbs, .n_backends = sizeof(verbs), .ops = &ops, .owner = side};
    assert(!side->desk && side->n_busy == 0);
    memset(side->slots, 0, sizeof(side->slots));
    side->lane = *view;
    side->is_honest = is_honest;
    return desk_new(&side->desk, memory, &config);
}

void worker_side_advance(struct worker_side *side)
{
    for (uint32_t i = 0; i < PEER_MAX_SLOTS; i++)
        if (side->slots[i] && chance_in(side->chance, 2))
            advance(side, side->slots[i]);
    assert(side->n_busy == desk_n_busy(side->desk));
}

void worker_side_bury(struct worker_side *side)
{
    if (!side->desk)
        return;
    desk_front_died(side->desk);
    assert(side->n_busy == desk_n_busy(side->desk));
    while (side->n_busy > 0)
        worker_side_advance(side);
    uint64_t all = desk_block_take(side->desk, desk_block_max(side->desk));
    assert(all != DESK_NO_BLOCK);
    desk_free(side->desk);
    side->desk = NULL;
}
