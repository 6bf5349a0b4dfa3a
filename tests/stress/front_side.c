/* SPDX-License-Identifier: Apache-2.0 */
#include "front_side.h"

#include <assert.h>

#include "dock.h"

static const struct plan_part plans[] = {
    {.backend = PEER_PRODUCE, .verb = PLAN_PRODUCE, .worker = 0},
    {.backend = PEER_CONSUME, .verb = PLAN_CONSUME, .worker = 0},
    {.backend = PEER_PRODUCE, .verb = PLAN_PRODUCE, .worker = PLAN_ANY_WORKER},
    {.backend = PEER_PRODUCE, .verb = PLAN_PRODUCE, .worker = 1},
    {.backend = PEER_CONSUME, .verb = PLAN_CONSUME, .worker = 1},
};

enum { N_PLANS = sizeof(plans) / sizeof(plans[0]), N_PLANS_FOR_ONE = 3 };

static uint32_t n_plans(const struct front_side *side)
{
    return side->n_workers > 1 ? N_PLANS : N_PLANS_FOR_ONE;
}

/* Can nobody have lied about it? */
static bool is_sure(const struct front_side *side, const struct part *part)
{
    uint32_t worker = part->plan->worker;
    return worker == PLAN_ANY_WORKER ? !side->is_liar[0] && !side->is_liar[1]
                                     : !side->is_liar[worker];
}

/* ---- answers ---- */

static bool is_inside(const struct dock *dock, struct slice bytes)
{
    const char *area = (const char *)dock->lane.base + dock->lane.reply_area;
    return !bytes.len || (bytes.at >= area && bytes.len <= dock->lane.reply_area_bytes &&
                             bytes.at + bytes.len <= area + dock->lane.reply_area_bytes);
}

/* Reads all of it, as whoever answers would. */
static void read_delivery(const struct front_side *side, const struct part *part)
{
    const struct slice *body = &part->reply.body, *fields = &part->reply.fields;
    assert(is_inside(part->dock, *body) && is_inside(part->dock, *fields));
    bool is_right =
        body_is((const uint8_t *)body->at, (uint32_t)body->len, BODY_TAG(part->deadline_ns));
    assert(is_right || !is_sure(side, part));
    uint8_t sum = 0;
    for (size_t i = 0; i < fields->len; i++)
        sum ^= (uint8_t)fields->at[i];
    assert(sum == 0 || !is_sure(side, part));
}

static void check_outcome(const struct front_side *side, const struct part *part)
{
    enum outcome outcome = part->reply.outcome;
    bool is_sent = side->ledger->is_sent[part->deadline_ns];
    assert(outcome > OUTCOME_NONE && outcome <= OUTCOME_NO_WORKER);
    if (part->plan->verb == PLAN_PRODUCE && outcome >= OUTCOME_CANCELLED)
        assert(!is_sent);
    if (is_sure(side, part) && (outcome == OUTCOME_CONFIRMED || outcome == OUTCOME_NACKED))
        assert(is_sent);
}

static void on_part(void *owner, struct part *part)
{
    struct front_side *side = owner;
    struct client *client = part->owner;
    uint32_t i = (uint32_t)(part - client->parts);
    assert(client->state == CLIENT_WAITS && !client->is_told[i]);
    assert(part->state == PART_HELD || part->state == PART_OVER);
    side->tally.n_told++;
    if (part->state == PART_HELD)
        read_delivery(side, part);
    else
        client->is_told[i] = true;
    check_outcome(side, part);
    if (is_sure(side, part) && client->is_cancelled[i])
        assert(part->reply.outcome == OUTCOME_CANCELLED);
}

/* It ends at its next turn anyway. */
static void on_cut_off(void *owner, struct part *part)
{
    const struct client *client = part->owner;
    assert(client->state == CLIENT_READS && part->state == PART_PINNED);
}

static void on_broken(void *owner, uint32_t worker, const char *reason)
{
    struct front_side *side = owner;
    assert(side->is_liar[worker] && reason && !side->is_broken[worker]);
    side->is_broken[worker] = true;
    side->tally.n_broken++;
}

/* ---- clients ---- */

static void send_away(struct front_side *side, struct client *client)
{
    client->state = CLIENT_AWAY;
    for (uint32_t i = 0; i < client->n_parts; i++)
        lanes_abandon(side->lanes, &client->parts[i]);
}

static void part_make(struct front_side *side, struct client *client, uint32_t i)
{
    uint64_t id = side->ledger->n++;
    uint32_t n = chance_below(side->chance, chance_in(side->chance, 16) ? FRONT_MAX_BODY : 64);
    body_fill((uint8_t *)client->bodies[i], n, BODY_TAG(id));
    client->is_told[i] = client->is_cancelled[i] = false;
    client->parts[i] = (struct part){.plan = &plans[chance_below(side->chance, n_plans(side))],
        .body = {.at = client->bodies[i], .len = n},
        .deadline_ns = id,
        .owner = client};
}

static void come(struct front_side *side, struct client *client)
{
    client->n_parts = chance_in(side->chance, 4) ? FRONT_MAX_PARTS : 1;
    if (side->is_closing || side->ledger->n + client->n_parts > side->ledger->size)
        return;
    for (uint32_t i = 0; i < client->n_parts; i++)
        part_make(side, client, i);
    if (lanes_submit(side->lanes, client->parts, client->n_parts) == LANES_OK)
        client->state = CLIENT_WAITS;
    else
        side->tally.n_refused++;
}

static bool is_settled(const struct client *client)
{
    for (uint32_t i = 0; i < client->n_parts; i++)
        if (!part_is_settled(&client->parts[i]))
            return false;
    return true;
}

static void begin_to_read(struct front_side *side, struct client *client)
{
    client->state = CLIENT_READS;
    for (uint32_t i = 0; i < client->n_parts; i++) {
        if (client->parts[i].state != PART_HELD)
            continue;
        dock_pin(&client->parts[i]);
        side->tally.n_read++;
    }
}

static void end_reading(struct front_side *side, struct client *client)
{
    bool is_there = chance_in(side->chance, 2);
    for (uint32_t i = 0; i < client->n_parts; i++) {
        struct part *part = &client->parts[i];
        if (part->state != PART_PINNED)
            continue;
        read_delivery(side, part); /* also when its worker is long dead */
        side->ledger->is_written[part->deadline_ns] = is_there;
        dock_verdict(part, is_there ? LANE_ACK : LANE_REQUEUE);
    }
    client->state = CLIENT_AWAY;
}

static void cancel_one(struct front_side *side, struct client *client)
{
    uint32_t i = chance_below(side->chance, client->n_parts);
    /* either way its DONE will come, or its worker's death */
    if (client->parts[i].state == PART_ABOARD)
        client->is_cancelled[i] = dock_cancel(&client->parts[i]);
}

static void client_turn(struct front_side *side, struct client *client)
{
    if (client->state == CLIENT_AWAY) {
        come(side, client);
    } else if (client->state == CLIENT_READS) {
        end_reading(side, client);
    } else if (is_settled(client)) {
        begin_to_read(side, client);
    } else if (chance_in(side->chance, 16)) {
        send_away(side, client);
        side->tally.n_given_up++;
    } else if (chance_in(side->chance, 2)) {
        cancel_one(side, client);
    }
}

/* ---- a life ---- */

void front_side_init(
    struct front_side *side, uint32_t n_workers, struct chance *chance, struct ledger *ledger)
{
    assert(n_workers <= FRONT_MAX_WORKERS);
    side->n_workers = n_workers;
    side->chance = chance;
    side->ledger = ledger;
    side->lanes = lanes_new(n_workers, PEER_N_BACKENDS,
        &(struct lanes_events){
            .owner = side, .on_part = on_part, .on_cut_off = on_cut_off, .on_broken = on_broken});
    assert(side->lanes);
}

void front_side_turn(struct front_side *side)
{
    for (uint32_t i = 0; i < FRONT_CLIENTS; i++)
        if (chance_in(side->chance, 2))
            client_turn(side, &side->clients[i]);
    (void)lanes_poll(side->lanes); /* whoever has more is asked in the next turn */
    lanes_ring(side->lanes);
}

void front_side_check_rest(struct front_side *side)
{
    static const char all[PEER_AREA_BYTES];
    assert(lanes_n_aboard(side->lanes) == 0);
    for (uint32_t i = 0; i < n_plans(side); i++) {
        if (plans[i].verb == PLAN_CONSUME || plans[i].worker == PLAN_ANY_WORKER)
            continue;
        struct part part = {.plan = &plans[i], .body = {.at = all, .len = sizeof(all)}};
        enum lanes_outcome outcome = lanes_submit(side->lanes, &part, 1);
        assert(outcome == LANES_OK);
        lanes_abandon(side->lanes, &part);
    }
}

void front_side_done(struct front_side *side)
{
    for (uint32_t i = 0; i < FRONT_CLIENTS; i++)
        send_away(side, &side->clients[i]);
    assert(lanes_n_aboard(side->lanes) == 0);
    lanes_free(side->lanes);
}
