/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channels of one connection: numbers, opening, closing from both sides, and the order of what
 * arrives on each (specification 4.2.6: method, content header, body frames).
 *
 *          channel_open             open-ok
 *   FREE ───────────────▶ OPENING ───────────▶ OPEN
 *    ▲                       │                   │
 *    │   channel_close       ├───────────────────┤   channel.close from the broker,
 *    │                       ▼                   ▼   or the connection is lost
 *    ├───── close-ok ──── CLOSING                │
 *    └───────────────────────────────────────────┘   close-ok is sent if one can hear
 *
 * A channel belongs to its owner from channel_open() until on_closed, called exactly once, which is
 * the last callback: its number may be used for another channel as soon as that has returned. In
 * CLOSING only close-ok, and a close that crossed ours, are listened to.
 *
 * `epoch` is a number that no other channel of this table ever had or will have, over all its
 * connections: a delivery tag is meaningful only beside the epoch of the channel that it came on.
 *
 * A broker may stop the content that comes to it on a channel, and start it again (channel.flow,
 * specification 1.5.2.3). It is answered here; whoever sends content heeds is_stopped.
 *
 * Content that is out of order, or longer than announced, is a violation of the connection: nothing
 * behind it could be trusted.
 */
#ifndef LEVERET_WORKER_CHANNEL_H
#define LEVERET_WORKER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "connection.h"

struct channel;

enum channel_state {
    CHANNEL_FREE,
    CHANNEL_OPENING,
    CHANNEL_OPEN,
    CHANNEL_CLOSING,
    CHANNEL_N_STATES
};

enum channel_end_reason {
    CHANNEL_END_ASKED,  /* channel_close() */
    CHANNEL_END_BROKER, /* the broker closed it: code, text, method */
    CHANNEL_END_LOST    /* with its connection: code and text of that, if it has some */
};

struct channel_end {
    enum channel_end_reason reason;
    uint16_t code;    /* AMQP reply code or 0 */
    uint32_t method;  /* class << 16 | method that the broker complains about, or 0 */
    const char *text; /* dies with the callback */
};

/* All that is handed over dies when the callback returns. A callback may close its channel, and
 * send on it. */
struct channel_ops {
    void (*on_open)(struct channel *channel);
    void (*on_closed)(struct channel *channel, const struct channel_end *end);
    void (*on_method)(struct channel *channel, const amqp_method_t *method);
    /* After basic.deliver, basic.return and basic.get-ok went to on_method. */
    void (*on_content)(struct channel *channel, const struct frame_content *content);
    /* The body, in order; not called for an empty one. `is_last`: the message is complete. */
    void (*on_body)(struct channel *channel, const uint8_t *bytes, size_t n_bytes, bool is_last);
    /* is_stopped has changed. NULL for those who send no content. */
    void (*on_flow)(struct channel *channel);
};

struct channel {
    const struct channel_ops *ops;
    void *owner;
    struct channel_table *table;
    uint64_t epoch;
    uint64_t body_left; /* bytes of the announced body that are still to come */
    uint16_t number;
    uint16_t next_free; /* in the table's list, 0 ends it */
    enum channel_state state;
    bool wants_header; /* a method announced content */
    bool is_stopped;   /* the broker takes no content for now; what is queued still goes */
};

struct channel_table {
    struct connection *connection;
    struct channel *channels; /* by number; 0 is not used */
    uint16_t n_max;
    uint16_t first_free;
    uint64_t last_epoch;
};

const char *channel_state_name(enum channel_state state);

/* Room for `n_max` channels, though never more than the connection negotiates. -ENOMEM. */
int channel_table_init(
    struct channel_table *table, struct connection *connection, uint16_t n_max) MUST_USE;
void channel_table_done(struct channel_table *table);

/* A frame of a channel: connection_ops.on_frame ends here. */
void channel_table_input(struct channel_table *table, const struct frame *frame);

/* The connection has ended: every channel is told, in the order of their numbers. */
void channel_table_lost(struct channel_table *table, const struct connection_end *end);

/* May another channel begin? Not while the outbox is more than half full: all may begin in one turn,
 * with declarations of any size. Whoever waits for it looks again in a few milliseconds. */
bool channel_table_has_room(const struct channel_table *table);

/* Opens a channel; methods may be queued on it at once, before on_open. 0, or -ENOTCONN, -ENOBUFS
 * (no number free, or no room in the outbox but for what must be said: writer.h). */
int channel_open(struct channel_table *table, const struct channel_ops *ops, void *owner,
    struct channel **out) MUST_USE;

/* Asks the broker to close it; on_closed comes when it has, or has gone. Nothing in CLOSING. */
void channel_close(struct channel *channel);

/* As writer_method() and writer_message(); -ENOTCONN in CLOSING or when the connection is not open.
 * The stream offset of a message's first byte is channel_offset() before the call. */
int channel_method(struct channel *channel, amqp_method_number_t id, const void *method) MUST_USE;
int channel_message(struct channel *channel, const struct writer_message *message) MUST_USE;

/* Where in the connection's stream the next byte will stand, and up to where the kernel has taken
 * it (outbox.h). */
static inline uint64_t channel_offset(const struct channel *channel)
{
    return channel->table->connection->outbox.queued;
}

static inline uint64_t channel_taken(const struct channel *channel)
{
    return channel->table->connection->outbox.taken;
}

#endif
