/* SPDX-License-Identifier: Apache-2.0 */
#include "outlet.h"

#include "shm/clock.h"

#include "publisher.h"

#define TURN_NS (UINT64_C(5) * CLOCK_MS) /* how finely deadlines of waiting publishes are kept */

void outlet_init(struct outlet *outlet, struct channel_table *channels, struct letter *letter)
{
    *outlet = (struct outlet){
        .channels = channels, .letter = letter, .now_ns = clock_now_ns, .silence_ns = CLOCK_NEVER};
}

void outlet_up(struct outlet *outlet)
{
    outlet->state = OUTLET_UP;
    outlet->is_blocked = false;
    outlet->silence_ns = CLOCK_NEVER;
}

static void give_up_all(struct outlet *outlet)
{
    outlet->state = OUTLET_DOWN;
    for (struct publisher *p = outlet->attentive; p; p = p->next_attentive)
        publisher_give_up(p);
}

void outlet_down(struct outlet *outlet)
{
    give_up_all(outlet);
}

void outlet_failed(struct outlet *outlet)
{
    give_up_all(outlet);
}

void outlet_blocked(struct outlet *outlet, bool is_blocked)
{
    outlet->is_blocked = is_blocked;
}

void outlet_attend(struct outlet *outlet, struct publisher *publisher)
{
    if (publisher->is_attentive)
        return;
    publisher->is_attentive = true;
    publisher->next_attentive = outlet->attentive;
    outlet->attentive = publisher;
}

uint64_t outlet_turn(struct outlet *outlet, uint64_t now_ns)
{
    struct publisher **at = &outlet->attentive;
    while (*at) {
        struct publisher *publisher = *at;
        if (publisher_turn(publisher, now_ns)) {
            at = &publisher->next_attentive;
        } else {
            *at = publisher->next_attentive;
            publisher->is_attentive = false;
        }
    }
    return outlet->attentive ? now_ns + TURN_NS : CLOCK_NEVER;
}

void outlet_flush(struct outlet *outlet)
{
    const struct outbox *outbox = &outlet->channels->connection->outbox;
    struct desk_slot *slot;
    if (outbox->handed_over != outbox->taken)
        return; /* a batch is on its way, and nothing is handed over before it has left */
    while ((slot = line_take(&outlet->unsent))) {
        desk_sent(slot);
        publisher_sent(slot->holder, slot);
    }
}

static uint64_t heard_ns(const struct outlet *outlet)
{
    return outlet->channels->connection->heartbeat.heard_ns;
}

void outlet_note_publish(struct outlet *outlet, uint64_t deadline_ns)
{
    if (outlet->heard_ns != heard_ns(outlet)) {
        outlet->heard_ns = heard_ns(outlet);
        outlet->silence_ns = CLOCK_NEVER;
    }
    if (outlet->silence_ns > deadline_ns)
        outlet->silence_ns = deadline_ns;
}

bool outlet_is_silent(const struct outlet *outlet, uint64_t now_ns)
{
    return now_ns >= outlet->silence_ns && outlet->heard_ns == heard_ns(outlet);
}
