/* SPDX-License-Identifier: Apache-2.0 */
#include "publish_link.h"

#include "shm/clock.h"

#include "publisher.h"

#define TURN_NS (UINT64_C(5) * CLOCK_MS) /* how finely deadlines of waiting publishes are kept */

static void on_answer(void *owner, const struct channel_end *refusal)
{
    /* that bytes came says it all: heard_ns() */
}

void publish_link_init(struct publish_link *publish_link, struct channel_table *channels,
    struct publication *publication)
{
    *publish_link = (struct publish_link){.channels = channels,
        .publication = publication,
        .deadline_ns = CLOCK_NEVER,
        .silence_ns = CLOCK_NEVER,
        .question = {.on_done = on_answer}};
}

void publish_link_up(struct publish_link *publish_link)
{
    publish_link->state = PUBLISH_LINK_UP;
    publish_link->is_blocked = false;
    publish_link->deadline_ns = publish_link->silence_ns = CLOCK_NEVER;
}

static void give_up_all(struct publish_link *publish_link, enum outcome outcome)
{
    for (struct publisher *p = publish_link->attentive; p; p = p->next_attentive)
        publisher_give_up(p, outcome);
}

/* ---- bodies on their way ---- */

static uint64_t taken(const struct publish_link *publish_link)
{
    return publish_link->channels->connection->outbox.taken;
}

void publish_link_end(
    struct publish_link *publish_link, struct desk_slot *slot, enum outcome outcome)
{
    bool is_copied = slot->body.length < WRITER_BORROW_BYTES;
    slot->ending = outcome;
    if (is_copied || slot->end <= taken(publish_link))
        desk_end(slot, outcome);
    else
        line_join(&publish_link->leaving, slot);
}

/* Those up to this offset. They may stand in any order: channels do not end in theirs. */
static void end_leaving(struct publish_link *publish_link, uint64_t offset)
{
    struct desk_slot *next;
    for (struct desk_slot *slot = publish_link->leaving.first; slot; slot = next) {
        next = slot->next;
        if (slot->end > offset)
            continue;
        line_leave(slot);
        desk_end(slot, slot->ending);
    }
}

/* The kernel has let go of everything. */
void publish_link_down(struct publish_link *publish_link)
{
    publish_link->state = PUBLISH_LINK_DOWN;
    end_leaving(publish_link, UINT64_MAX);
    give_up_all(publish_link, OUTCOME_DOWN);
}

void publish_link_blocked(struct publish_link *publish_link, bool is_blocked)
{
    publish_link->is_blocked = is_blocked;
    if (is_blocked)
        give_up_all(publish_link, OUTCOME_BLOCKED);
}

void publish_link_attend(struct publish_link *publish_link, struct publisher *publisher)
{
    if (publisher->is_attentive)
        return;
    publisher->is_attentive = true;
    publisher->next_attentive = publish_link->attentive;
    publish_link->attentive = publisher;
}

/* ---- silence ---- */

static uint64_t heard_ns(const struct publish_link *publish_link)
{
    return publish_link->channels->connection->heartbeat.heard_ns;
}

void publish_link_note_publish(struct publish_link *publish_link, uint64_t deadline_ns)
{
    if (publish_link->heard_ns != heard_ns(publish_link)) {
        publish_link->heard_ns = heard_ns(publish_link);
        publish_link->deadline_ns = publish_link->silence_ns = CLOCK_NEVER;
    }
    if (publish_link->deadline_ns > deadline_ns)
        publish_link->deadline_ns = deadline_ns;
}

bool publish_link_is_silent(const struct publish_link *publish_link, uint64_t now_ns)
{
    return now_ns >= publish_link->silence_ns && publish_link->heard_ns == heard_ns(publish_link);
}

/* Without a free channel nothing is asked, and what does not come is silence all the same. */
static void ask(struct publish_link *publish_link, uint64_t now_ns)
{
    static const struct topology_wish nothing;
    int error = 0;
    if (!publish_link->question.channel)
        error = declaration_run(&publish_link->question, publish_link->channels, &nothing);
    (void)error; /* see above */
    uint64_t answer_ns = now_ns + PUBLISH_LINK_ANSWER_NS;
    publish_link->silence_ns =
        answer_ns > publish_link->deadline_ns ? answer_ns : publish_link->deadline_ns;
}

/* Asks when it is time to; returns when it will be, or CLOCK_NEVER. */
static uint64_t listen(struct publish_link *publish_link, uint64_t now_ns)
{
    if (publish_link->state != PUBLISH_LINK_UP || publish_link->deadline_ns == CLOCK_NEVER ||
        publish_link->silence_ns != CLOCK_NEVER || publish_link->heard_ns != heard_ns(publish_link))
        return CLOCK_NEVER;
    if (now_ns + PUBLISH_LINK_ASK_NS < publish_link->deadline_ns)
        return publish_link->deadline_ns - PUBLISH_LINK_ASK_NS;
    ask(publish_link, now_ns);
    return CLOCK_NEVER;
}

/* ---- a turn ---- */

uint64_t publish_link_turn(struct publish_link *publish_link, uint64_t now_ns)
{
    struct publisher **at = &publish_link->attentive;
    while (*at) {
        struct publisher *publisher = *at;
        if (publisher_turn(publisher, now_ns)) {
            at = &publisher->next_attentive;
        } else {
            *at = publisher->next_attentive;
            publisher->is_attentive = false;
        }
    }
    end_leaving(publish_link, taken(publish_link));
    uint64_t next_ns = listen(publish_link, now_ns);
    if (publish_link->attentive && now_ns + TURN_NS < next_ns)
        next_ns = now_ns + TURN_NS;
    return next_ns;
}

void publish_link_flush(struct publish_link *publish_link)
{
    const struct outbox *outbox = &publish_link->channels->connection->outbox;
    struct desk_slot *slot;
    if (outbox->handed_over != outbox->taken)
        return; /* a batch is on its way, and nothing is handed over before it has left */
    while ((slot = line_take(&publish_link->unsent))) {
        desk_sent(slot);
        publisher_sent(slot->holder, slot);
    }
}
