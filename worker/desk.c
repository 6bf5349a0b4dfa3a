/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <leveret/plan.h>

#include "shm/arena.h"
#include "shm/clock.h"
#include "shm/doorbell.h"
#include "shm/lane.h"
#include "shm/last_words.h"
#include "shm/ring.h"
#include "shm/slot.h"

enum {
    BATCH = 256, /* entries heard in one turn, so that the sockets get theirs */
    MIN_BLOCK_BYTES = 1024,
};

struct desk {
    struct lane lane;
    struct desk_config config;
    struct ring_consumer requests;
    struct ring_producer replies;
    struct arena *arena;
    struct desk_slot *slots;
    uint32_t n_busy;
    uint64_t heard_ns; /* when this turn began to hear */
    bool has_told;     /* something was pushed since the last ring of the bell */
    bool is_orphan;
    const char *complaint;
};

/* ---- a life ---- */

static int desk_reserve(struct desk *desk)
{
    desk->arena = arena_new(desk->lane.reply_area_bytes, MIN_BLOCK_BYTES);
    desk->slots = calloc(desk->lane.n_slots, sizeof(*desk->slots));
    return desk->arena && desk->slots ? 0 : -ENOMEM;
}

int desk_new(struct desk **out, int memory_fd, const struct desk_config *config)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    if (!desk)
        return -ENOMEM;
    desk->config = *config;
    int error = lane_join(&desk->lane, memory_fd);
    if (!error)
        error = desk_reserve(desk);
    if (error) {
        desk_free(desk);
        return error;
    }
    ring_consumer_init(&desk->requests, desk->lane.request_ring, desk->lane.n_entries);
    ring_producer_init(&desk->replies, desk->lane.reply_ring, desk->lane.n_entries);
    *out = desk;
    return 0;
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    lane_leave(&desk->lane);
    arena_free(desk->arena);
    free(desk->slots);
    free(desk);
}

const char *desk_complaint(const struct desk *desk)
{
    return desk->complaint;
}

uint32_t desk_n_busy(const struct desk *desk)
{
    return desk->n_busy;
}

/* The first complaint is the one that explains the others. */
static void complain(struct desk *desk, const char *reason)
{
    if (!desk->complaint)
        desk->complaint = reason;
}

static struct slot *shared(const struct desk_slot *slot)
{
    return &slot->desk->lane.slots[slot->index];
}

/* The one function that changes a private state. */
static void believe(struct desk_slot *slot, enum slot_state state)
{
    if (slot->state == SLOT_FREE)
        slot->desk->n_busy++;
    if (state == SLOT_FREE)
        slot->desk->n_busy--;
    slot->state = state;
}

/* ---- counting ---- */

static uint64_t now_ns(const struct desk *desk)
{
    return desk->config.now_ns ? desk->config.now_ns(desk->config.owner) : clock_now_ns();
}

static void count_asked(const struct desk_slot *slot)
{
    const struct figures *figures = slot->desk->config.figures;
    if (figures)
        figure_add(&figures->backends[slot->backend].asked, 1);
}

static bool is_word_of_broker(enum outcome outcome)
{
    return outcome == OUTCOME_CONFIRMED || outcome == OUTCOME_UNROUTABLE ||
           outcome == OUTCOME_NACKED;
}

static void count_outcome(const struct desk_slot *slot, enum outcome outcome)
{
    const struct desk_config *config = &slot->desk->config;
    if (!config->figures)
        return;
    struct figures_backend *backend = &config->figures->backends[slot->backend];
    figure_add(&backend->outcomes[outcome], 1);
    if (slot->state == SLOT_SENT && is_word_of_broker(outcome))
        figures_time(&backend->confirm, figures_cells(config->figures, slot->backend),
            now_ns(slot->desk) - slot->sent_ns);
}

static void count_batch(const struct desk *desk, uint64_t n)
{
    if (!desk->config.figures || !n)
        return;
    struct figures_worker *worker = desk->config.figures->worker;
    figure_add(&worker->batches, 1);
    figure_add(&worker->heard, n);
    if (n > figure_get(&worker->batch_max))
        figure_set(&worker->batch_max, n);
}

/* ---- telling ---- */

static void tell_done(struct desk_slot *slot)
{
    struct desk *desk = slot->desk;
    if (ring_push(&desk->replies, LANE_ENTRY(LANE_DONE, slot->index, slot->generation)) != RING_OK)
        complain(desk, "the reply ring is full of entries that cannot be");
    desk->has_told = true;
}

static void reply_write(struct desk_slot *slot, enum outcome outcome, bool is_listening)
{
    struct slot_reply *reply = &shared(slot)->reply;
    reply->outcome = outcome;
    reply->broker_code = slot->broker_code;
    reply->text_bytes = slot->n_text;
    reply->is_redelivered = 0;
    reply->is_listening = is_listening;
    reply->claimed_ns = slot->claimed_ns;
    reply->done_ns = now_ns(slot->desk);
    reply->fields = reply->body = (struct lane_ref){0};
}

/* Is it CANCELLED in shared memory, though we hold it as READY or WAITING? */
static bool is_cancelled(const struct desk_slot *slot)
{
    struct slot_word word = slot_look(shared(slot));
    return word.generation == slot->generation && word.state == SLOT_CANCELLED;
}

/* WAITING to DONE may lose against a cancellation; nothing else can change under us. */
static bool moves_to_done(struct desk_slot *slot, bool is_listening)
{
    if (slot_move(shared(slot), slot->generation, slot->state, SLOT_DONE))
        return true;
    if (slot->state != SLOT_WAITING || !is_cancelled(slot))
        return false;
    reply_write(slot, OUTCOME_CANCELLED, is_listening);
    return slot_move(shared(slot), slot->generation, SLOT_CANCELLED, SLOT_DONE);
}

void desk_end_get(struct desk_slot *slot, enum outcome outcome, bool is_listening)
{
    assert(!slot->line && slot->state != SLOT_FREE && slot->state != SLOT_DONE);
    count_outcome(slot, outcome);
    if (!slot->desk->is_orphan) {
        reply_write(slot, outcome, is_listening);
        if (moves_to_done(slot, is_listening))
            tell_done(slot);
        else
            complain(slot->desk, "a slot's state was changed while it was ours");
    }
    believe(slot, SLOT_FREE);
}

void desk_end(struct desk_slot *slot, enum outcome outcome)
{
    desk_end_get(slot, outcome, false);
}

void desk_say(struct desk_slot *slot, uint16_t broker_code, const char *text, size_t n_text)
{
    if (n_text > LANE_TEXT_BYTES)
        n_text = LANE_TEXT_BYTES;
    slot->broker_code = broker_code;
    slot->n_text = (uint16_t)n_text;
    if (n_text)
        memcpy(shared(slot)->reply.text, text, n_text);
}

void desk_sent(struct desk_slot *slot)
{
    assert(slot->state == SLOT_CLAIMED);
    if (!slot->desk->is_orphan &&
        !slot_move(shared(slot), slot->generation, SLOT_CLAIMED, SLOT_SENT))
        complain(slot->desk, "a claimed slot's state was changed");
    slot->sent_ns = now_ns(slot->desk);
    believe(slot, SLOT_SENT);
}

bool desk_bind(struct desk_slot *slot)
{
    assert(!slot->line && slot->state == SLOT_WAITING && !slot->desk->is_orphan);
    if (slot_move(shared(slot), slot->generation, SLOT_WAITING, SLOT_BOUND)) {
        believe(slot, SLOT_BOUND);
        return true;
    }
    desk_end_get(slot, OUTCOME_CANCELLED, true); /* a message was at hand: it was listened to */
    return false;
}

static void settle(struct desk *desk, struct desk_slot *slot, bool is_ack)
{
    desk->config.ops->on_verdict(desk->config.owner, slot, is_ack);
    desk_block_give(desk, slot->block);
    believe(slot, SLOT_FREE);
}

static void reply_deliver(struct desk_slot *slot, const struct desk_delivery *delivery)
{
    struct slot_reply *reply = &shared(slot)->reply;
    reply_write(slot, OUTCOME_DELIVERED, true);
    reply->is_redelivered = delivery->is_redelivered;
    reply->fields = delivery->fields;
    reply->body = delivery->body;
    if (!slot_move(shared(slot), slot->generation, SLOT_BOUND, SLOT_DONE))
        complain(slot->desk, "a bound slot's state was changed");
    tell_done(slot); /* also then: the message is given back with the front's end */
}

void desk_deliver(struct desk_slot *slot, const struct desk_delivery *delivery)
{
    assert(slot->state == SLOT_BOUND && slot->block == DESK_NO_BLOCK);
    slot->block = delivery->block;
    count_outcome(slot, OUTCOME_DELIVERED);
    believe(slot, SLOT_DONE);
    if (slot->desk->is_orphan)
        settle(slot->desk, slot, false);
    else
        reply_deliver(slot, delivery);
}

/* ---- hearing ---- */

/* One look: what a peer changes later is not seen. */
static struct slot_request request_read(const struct desk_slot *slot)
{
    struct slot_request request;
    memcpy(&request, &shared(slot)->request, sizeof(request));
    __asm__ volatile("" : : : "memory"); /* the compiler may not read it again instead */
    return request;
}

static bool request_accept(struct desk_slot *slot, const struct slot_request *request)
{
    struct desk *desk = slot->desk;
    if (request->backend >= desk->config.n_backends)
        return false;
    slot->backend = request->backend;
    slot->deadline_ns = request->deadline_ns;
    slot->fields = request->fields;
    slot->body = request->body;
    return lane_request_bytes(&desk->lane, slot->index, request->fields) &&
           lane_request_bytes(&desk->lane, slot->index, request->body);
}

/* From here on a function that hears returns NULL, or what is wrong with what it heard. */

static const char *hear_ready(struct desk *desk, struct desk_slot *slot)
{
    bool is_get = desk->config.verbs[slot->backend] == PLAN_CONSUME;
    enum slot_state state = is_get ? SLOT_WAITING : SLOT_CLAIMED;
    if (slot_move(shared(slot), slot->generation, SLOT_READY, state)) {
        believe(slot, state);
        count_asked(slot);
        if (is_get)
            desk->config.ops->on_get(desk->config.owner, slot);
        else
            desk->config.ops->on_publish(desk->config.owner, slot);
        return NULL;
    }
    if (!is_cancelled(slot))
        return "a slot was submitted that is not ready";
    believe(slot, SLOT_CANCELLED);
    count_asked(slot);
    desk_end(slot, OUTCOME_CANCELLED);
    return NULL;
}

static const char *hear_submit(struct desk *desk, struct desk_slot *slot, uint32_t generation)
{
    if (desk->is_orphan)
        return NULL; /* nobody waits for it, and nothing was begun */
    if (slot->state != SLOT_FREE)
        return "a slot was submitted twice";
    *slot = (struct desk_slot){.desk = desk,
        .index = (uint32_t)(slot - desk->slots),
        .generation = generation,
        .block = DESK_NO_BLOCK,
        .claimed_ns = desk->heard_ns};
    struct slot_request request = request_read(slot);
    if (!request_accept(slot, &request))
        return "a request names a backend or bytes that are not there";
    last_words_at_backend(slot->backend);
    return hear_ready(desk, slot);
}

static void let_go(struct desk *desk, struct desk_slot *slot)
{
    believe(slot, SLOT_CANCELLED);
    desk->config.ops->on_cancelled(desk->config.owner, slot);
    assert(slot->state == SLOT_FREE);
}

static const char *hear_cancel(struct desk *desk, struct desk_slot *slot)
{
    if (slot->state == SLOT_FREE)
        return NULL; /* it crossed our DONE */
    if (slot->state != SLOT_WAITING || !is_cancelled(slot))
        return "a slot was cancelled that is not cancelled";
    let_go(desk, slot);
    return NULL;
}

static const char *hear_verdict(struct desk *desk, struct desk_slot *slot, bool is_ack)
{
    if (slot->state != SLOT_DONE)
        return "a verdict on what was not delivered";
    settle(desk, slot, is_ack);
    return NULL;
}

static const char *hear(struct desk *desk, uint64_t entry)
{
    uint32_t index = LANE_ENTRY_SLOT(entry), generation = LANE_ENTRY_GENERATION(entry);
    if (index >= desk->lane.n_slots)
        return "an entry names a slot that is not there";
    struct desk_slot *slot = &desk->slots[index];
    if (LANE_ENTRY_OP(entry) == LANE_SUBMIT)
        return hear_submit(desk, slot, generation);
    if (generation != slot->generation)
        return "an entry is of another generation than its slot";
    last_words_at_backend(slot->backend);
    switch (LANE_ENTRY_OP(entry)) {
    case LANE_CANCEL:
        return hear_cancel(desk, slot);
    case LANE_ACK:
        return hear_verdict(desk, slot, true);
    case LANE_REQUEUE:
        return hear_verdict(desk, slot, false);
    default:
        return "an entry asks for something unknown";
    }
}

/* True when an entry was heard. */
static bool hear_next(struct desk *desk)
{
    uint64_t entry;
    if (desk->complaint)
        return false;
    enum ring_outcome outcome = ring_pop(&desk->requests, &entry);
    if (outcome == RING_EMPTY)
        return false;
    last_words_at_slot(LAST_WORDS_NONE, LANE_ENTRY_SLOT(entry), LANE_ENTRY_GENERATION(entry));
    const char *wrong =
        outcome == RING_BROKEN ? "the request ring claims more than it holds" : hear(desk, entry);
    last_words_at_nothing();
    if (wrong)
        complain(desk, wrong);
    return true;
}

bool desk_turn(struct desk *desk)
{
    if (desk->is_orphan)
        return false;
    /* relaxed: a sign of life, nothing hangs on its order */
    (void)atomic_fetch_add_explicit(&desk->lane.worker->beats, 1, memory_order_relaxed);
    desk->heard_ns = clock_now_ns();
    uint64_t n = 0;
    while (n < BATCH && hear_next(desk))
        n++;
    count_batch(desk, n);
    return n == BATCH;
}

void desk_front_died(struct desk *desk)
{
    assert(!desk->is_orphan);
    desk->is_orphan = true;
    for (uint32_t n = 0; n < desk->lane.n_entries && hear_next(desk); n++)
        ; /* no more than a ring holds: somebody may have inherited the lane */
    /* GETs first: what goes back while one waits would be sent to it again */
    for (uint32_t i = 0; i < desk->lane.n_slots && desk->n_busy; i++)
        if (desk->slots[i].state == SLOT_WAITING)
            let_go(desk, &desk->slots[i]);
    for (uint32_t i = 0; i < desk->lane.n_slots && desk->n_busy; i++)
        if (desk->slots[i].state == SLOT_DONE)
            settle(desk, &desk->slots[i], false);
}

/* ---- sleeping ---- */

bool desk_park(struct desk *desk)
{
    if (desk->is_orphan)
        return true;
    if (desk->has_told)
        return false; /* whoever told it did so after the turn's ring */
    doorbell_park(desk->lane.worker);
    if (desk->complaint || ring_is_empty(&desk->requests))
        return true;
    doorbell_unpark(desk->lane.worker);
    return false;
}

void desk_unpark(struct desk *desk)
{
    if (!desk->is_orphan)
        doorbell_unpark(desk->lane.worker);
}

void desk_ring(struct desk *desk, int rope)
{
    if (desk->has_told && !desk->is_orphan)
        (void)doorbell_ring(desk->lane.front, rope); /* awake already: it will look */
    desk->has_told = false;
}

/* ---- bytes ---- */

const uint8_t *desk_bytes(const struct desk_slot *slot, struct lane_ref ref)
{
    return lane_request_bytes(&slot->desk->lane, slot->index, ref);
}

uint64_t desk_block_take(struct desk *desk, uint64_t n_bytes)
{
    uint64_t offset = arena_take(desk->arena, n_bytes);
    return offset == ARENA_FULL ? DESK_NO_BLOCK : desk->lane.reply_area + offset;
}

void desk_block_give(struct desk *desk, uint64_t block)
{
    arena_give(desk->arena, block - desk->lane.reply_area);
}

uint8_t *desk_block_bytes(const struct desk *desk, uint64_t block)
{
    return desk->lane.base + block;
}

uint64_t desk_block_max(const struct desk *desk)
{
    return desk->lane.reply_area_bytes;
}
