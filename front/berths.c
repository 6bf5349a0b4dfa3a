/* SPDX-License-Identifier: Apache-2.0 */
#include "berths.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "shm/slot.h"

#include "part.h"

enum { MIN_BLOCK_BYTES = 4096 };

int berths_init(struct berths *berths, const struct lane *lane, uint32_t n_backends)
{
    CLEANUP(cleanup_free) struct berth *items = calloc(lane->n_slots, sizeof(*items));
    CLEANUP(cleanup_free) uint32_t *n_of_backend = calloc(n_backends + 1, sizeof(*n_of_backend));
    if (!items || !n_of_backend)
        return -ENOMEM;
    struct arena *arena = arena_new(lane->request_area_bytes, MIN_BLOCK_BYTES);
    if (!arena)
        return -ENOMEM;
    for (uint32_t i = 0; i < lane->n_slots; i++)
        items[i].next = i + 1 < lane->n_slots ? i + 1 : BERTH_NONE;
    *berths = (struct berths){.items = STEAL(items),
        .n_of_backend = STEAL(n_of_backend),
        .arena = arena,
        .oldest = BERTH_NONE,
        .newest = BERTH_NONE};
    return 0;
}

void berths_done(struct berths *berths)
{
    free(berths->items);
    free(berths->n_of_backend);
    arena_free(berths->arena);
    *berths = (struct berths){0};
}

static void link_newest(struct berths *berths, uint32_t i)
{
    struct berth *berth = &berths->items[i];
    berth->prev = berths->newest;
    berth->next = BERTH_NONE;
    if (berths->newest == BERTH_NONE)
        berths->oldest = i;
    else
        berths->items[berths->newest].next = i;
    berths->newest = i;
}

static void unlink_taken(struct berths *berths, uint32_t i)
{
    struct berth *berth = &berths->items[i];
    if (berth->prev == BERTH_NONE)
        berths->oldest = berth->next;
    else
        berths->items[berth->prev].next = berth->next;
    if (berth->next == BERTH_NONE)
        berths->newest = berth->prev;
    else
        berths->items[berth->next].prev = berth->prev;
}

static void blocks_give(struct berths *berths, struct berth *berth)
{
    for (int i = 0; i < 2; i++) {
        if (berth->blocks[i] != ARENA_FULL)
            arena_give(berths->arena, berth->blocks[i]);
        berth->blocks[i] = ARENA_FULL;
    }
}

/* What fits stands inside the slot, fields first; each of the two that does not gets a block. */
static bool blocks_take(struct berths *berths, struct berth *berth, const struct part *part)
{
    size_t room = LANE_INLINE_BYTES;
    const size_t bytes[2] = {part->fields.len, part->body.len};
    berth->blocks[0] = berth->blocks[1] = ARENA_FULL;
    for (int i = 0; i < 2; i++) {
        if (bytes[i] <= room) {
            room -= bytes[i];
            continue;
        }
        berth->blocks[i] = arena_take(berths->arena, bytes[i]);
        if (berth->blocks[i] == ARENA_FULL) {
            blocks_give(berths, berth);
            return false;
        }
    }
    return true;
}

uint32_t berths_take(struct berths *berths, const struct lane *lane, struct part *part)
{
    uint32_t i = berths->free;
    bool is_consume = part->plan->verb == PLAN_CONSUME;
    if (i == BERTH_NONE || (is_consume && berths->n_consumes >= (lane->n_slots + 1) / 2))
        return BERTH_NONE;
    assert(i < lane->n_slots);
    struct berth *berth = &berths->items[i];
    if (!blocks_take(berths, berth, part))
        return BERTH_NONE;
    berths->free = berth->next;
    if (++berths->n_taken > berths->n_taken_max)
        berths->n_taken_max = berths->n_taken;
    berths->n_consumes += is_consume;
    berths->n_of_backend[part->plan->backend]++;
    berth->part = part;
    berth->backend = part->plan->backend;
    berth->verb = part->plan->verb;
    berth->is_taken = true;
    link_newest(berths, i);
    return i;
}

static struct lane_ref place(struct lane *lane, uint64_t offset, struct slice bytes)
{
    if (!bytes.len)
        return (struct lane_ref){0};
    memcpy(lane->base + offset, bytes.at, bytes.len);
    return (struct lane_ref){.offset = (uint32_t)offset, .length = (uint32_t)bytes.len};
}

void berths_fill(struct berths *berths, struct lane *lane, uint32_t i)
{
    struct berth *berth = &berths->items[i];
    struct slot *slot = &lane->slots[i];
    const struct slice *bytes[2] = {&berth->part->fields, &berth->part->body};
    struct lane_ref refs[2];
    uint64_t inline_at = lane_inline_offset(lane, i);
    for (int b = 0; b < 2; b++) {
        bool is_inline = berth->blocks[b] == ARENA_FULL;
        uint64_t at = is_inline ? inline_at : lane->request_area + berth->blocks[b];
        refs[b] = place(lane, at, *bytes[b]);
        if (is_inline)
            inline_at += bytes[b]->len;
    }
    slot->request = (struct slot_request){.deadline_ns = berth->part->deadline_ns,
        .backend = berth->part->plan->backend,
        .fields = refs[0],
        .body = refs[1]};
    slot_ready(slot, ++berth->generation);
}

bool berths_hold(struct berths *berths, const struct lane *lane, uint32_t i, uint64_t bytes)
{
    struct berth *berth = &berths->items[i];
    assert(berth->is_taken && !berth->held);
    if (bytes > lane->reply_area_bytes - berths->held)
        return false;
    berth->held = bytes;
    berths->held += bytes;
    return true;
}

void berths_give(struct berths *berths, struct lane *lane, uint32_t i)
{
    struct berth *berth = &berths->items[i];
    assert(berth->is_taken);
    slot_free(&lane->slots[i], berth->generation);
    blocks_give(berths, berth);
    unlink_taken(berths, i);
    berths->held -= berth->held;
    berth->held = 0;
    berths->n_consumes -= berth->verb == PLAN_CONSUME;
    berths->n_of_backend[berth->backend]--;
    berth->part = NULL;
    berth->is_taken = false;
    berth->next = berths->free;
    berths->free = i;
    berths->n_taken--;
}
