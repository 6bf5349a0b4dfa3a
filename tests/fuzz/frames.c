/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker says, into the connection machine and the channels above it: one that publishes, and one
 * that consumes for a front on a real lane. The input is a row of steps, each an octet and what it needs:
 *
 *      m CHANNEL LENGTH bytes    a method frame        h, b: a content header, a body, likewise
 *      r LENGTH bytes            bytes that are no frame, or a part of one
 *      t SECONDS                 time passes
 *      g SLOT   c SLOT           a GET comes, or its client leaves
 *      k SLOT   q SLOT           what was delivered is acknowledged, or goes back
 *
 * LENGTH is an octet. Behind a first `L` the broker has let us in. When the steps are over the connection
 * is lost. No GET has two answers, none is left over when the front goes, and what is delivered lies in the lane.
 */
#include <endian.h>
#include <errno.h>

#include "channel.h"
#include "connection.h"
#include "consume_channel.h"
#include "desk.h"
#include "fuzz.h"
#include "publish_channel.h"
#include "shm/cleanup.h"
#include "shm/clock.h"
#include "shm/lane.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "tests/support/require.h"

enum { N_SLOTS = 8, MAX_BODY = 4096, N_CHANNELS = 6, FRAME_END = 0xce };

static uint64_t now_ns;
static struct connection connection;
static struct channel_table channels;
static struct consume_channel consuming;
static struct publish_channel publishing;
static bool is_open;

/* ---- the front ---- */

static struct lane lane;
static struct desk *desk;
static struct ring_producer requests;
static struct ring_consumer replies;
static struct {
    uint32_t generation;
    bool is_taken, is_held;
} gets[N_SLOTS];

static void push(enum lane_op op, uint32_t slot)
{
    require(ring_push(&requests, LANE_ENTRY(op, slot, gets[slot].generation)) == RING_OK, "room");
}

static void get(uint32_t slot)
{
    if (gets[slot].is_taken)
        return;
    gets[slot].is_taken = true;
    lane.slots[slot].request = (struct slot_request){.deadline_ns = UINT64_MAX};
    slot_ready(&lane.slots[slot], ++gets[slot].generation);
    push(LANE_SUBMIT, slot);
}

static void cancel(uint32_t slot)
{
    struct slot *at = &lane.slots[slot];
    uint32_t generation = gets[slot].generation;
    if (gets[slot].is_taken && (slot_move(at, generation, SLOT_WAITING, SLOT_CANCELLED) ||
                                   slot_move(at, generation, SLOT_READY, SLOT_CANCELLED)))
        push(LANE_CANCEL, slot);
}

static void verdict(uint32_t slot, enum lane_op op)
{
    if (!gets[slot].is_held)
        return;
    push(op, slot);
    slot_free(&lane.slots[slot], gets[slot].generation);
    gets[slot].is_taken = gets[slot].is_held = false;
}

static void expect_reply(const struct slot_reply *reply)
{
    fuzz_expect(reply->outcome < OUTCOME_N && reply->text_bytes <= LANE_TEXT_BYTES);
    fuzz_expect(lane_reply_bytes(&lane, reply->body) && lane_reply_bytes(&lane, reply->fields));
    fuzz_expect(reply->outcome != OUTCOME_DELIVERED || reply->body.length <= MAX_BODY);
}

static void hear_worker(void)
{
    uint64_t entry;
    while (ring_pop(&replies, &entry) == RING_OK) {
        uint32_t slot = LANE_ENTRY_SLOT(entry);
        fuzz_expect(LANE_ENTRY_OP(entry) == LANE_DONE && slot < N_SLOTS);
        fuzz_expect(gets[slot].is_taken && !gets[slot].is_held);
        fuzz_expect(LANE_ENTRY_GENERATION(entry) == gets[slot].generation);
        struct slot_reply reply = lane.slots[slot].reply;
        if (reply.outcome == OUTCOME_DELIVERED) {
            expect_reply(&reply);
            gets[slot].is_held = true;
        } else {
            gets[slot].is_taken = false;
            slot_free(&lane.slots[slot], gets[slot].generation);
        }
    }
}

/* ---- the worker ---- */

static void on_get(void *owner, struct desk_slot *slot)
{
    consume_channel_get(&consuming, slot, now_ns);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    consume_channel_cancelled(&consuming, slot, now_ns);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    consume_channel_verdict(&consuming, slot, is_ack);
}

static void on_open(void *owner)
{
    is_open = true;
    consume_channel_up(&consuming, &channels);
}

static void on_frame(void *owner, const struct frame *frame)
{
    channel_table_input(&channels, frame);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    fuzz_expect(!is_blocked || strlen(reason) < CONNECTION_TEXT_BYTES);
}

static void on_nothing(void *owner) {}
static void on_refused(void *owner, const struct channel_end *end) {}
static void on_spoiled(void *owner, const struct tap_spoiled *spoiled) {}
static void on_method(void *owner, const amqp_method_t *method) {}
static void on_content(void *owner, const struct frame_content *content) {}
static void on_lost(void *owner, const struct channel *channel, const struct channel_end *end) {}

static uint64_t clock_of_input(void)
{
    return now_ns;
}

static void consuming_init(void)
{
    static const char *const keys[] = {"a.*"};
    static const struct plan_backend backend = {.encoding = PLAN_JSON, .max_body_bytes = MAX_BODY};
    static const struct topology_wish wishes[] = {
        {.exchange = {.name = "ex"}, .queue = {.name = "q"}, .keys = keys, .n_keys = 1}};
    static const struct consume_channel_config config = {
        .tap = {.prefetch_count = 10, .idle_release_ns = CLOCK_S, .backends = &backend},
        .wishes = wishes,
        .n_wishes = 1,
        .wish = {.max_body_bytes = MAX_BODY, .wants_properties = true},
        .on_touched = on_nothing,
        .on_refused = on_refused,
        .on_spoiled = on_spoiled,
    };
    require(consume_channel_init(&consuming, &config) == 0, "no memory");
    consuming.now_ns = clock_of_input;
    consume_channel_use_desk(&consuming, desk);
}

static void publishing_init(void)
{
    static const struct publish_channel_ops ops = {.on_ready = on_nothing,
        .on_method = on_method,
        .on_content = on_content,
        .on_lost = on_lost,
        .on_failed = on_refused,
        .on_queue_refused = on_refused};
    publish_channel_init(
        &publishing, &(struct publish_channel_config){.exchange = {.exchange = {.name = "ex"}},
                         .queue = {.queue = {.name = "beside"}},
                         .is_confirmed = true,
                         .ops = &ops});
    publishing.now_ns = clock_of_input;
}

static void worker_open(int memory)
{
    static const uint8_t verbs[] = {PLAN_CONSUME};
    static const struct desk_ops ops = {on_get, on_get, on_cancelled, on_verdict};
    static const struct desk_config desk_config = {.verbs = verbs, .n_backends = 1, .ops = &ops};
    static const struct connection_ops connection_ops = {
        .on_open = on_open, .on_frame = on_frame, .on_blocked = on_blocked};
    static const struct connection_config config = {.name = "fuzz",
        .version = "1",
        .channel_max = N_CHANNELS,
        .frame_max = FRAME_MIN_BYTES,
        .outbox_bytes = 1 << 16};
    static const struct connection_login login = {.user = "me", .password = "secret", .vhost = "v"};
    require(desk_new(&desk, memory, &desk_config) == 0, "no desk");
    if (!channels.connection) /* once: what they reserve is much */
        require(connection_init(&connection, &config, &connection_ops, NULL) == 0 &&
                    channel_table_init(&channels, &connection, N_CHANNELS) == 0,
            "no memory");
    consuming_init();
    publishing_init();
    connection_start(&connection, &login, now_ns);
}

/* All that is to be said goes to the kernel, which takes it. */
static void speak(void)
{
    struct iovec iov[64];
    for (int n; (n = outbox_take(&connection.outbox, iov, 64)) > 0;) {
        for (int i = 0; i < n; i++)
            outbox_note_taken(&connection.outbox, iov[i].iov_len);
        connection_spoke(&connection, now_ns);
    }
}

/* The end is told once, to all who had a channel. */
static void hear_end(void)
{
    if (connection.state != CONNECTION_ENDED)
        return;
    if (is_open) {
        channel_table_lost(&channels, &connection.end);
        consume_channel_down(&consuming);
    }
    is_open = false;
}

static void turn(void)
{
    (void)desk_turn(desk);
    if (is_open)
        publish_channel_want(&publishing, &channels, now_ns);
    connection_tick(&connection, now_ns);
    hear_end();
    (void)consume_channel_turn(&consuming, now_ns);
    speak();
    hear_worker();
}

/* ---- the broker ---- */

static void say(struct fuzz_input bytes)
{
    CLEANUP(cleanup_free) char *box = fuzz_box(bytes);
    if (connection.state != CONNECTION_IDLE && connection.state != CONNECTION_ENDED)
        connection_input(&connection, (const uint8_t *)box, bytes.n, now_ns);
}

static void say_frame(uint8_t type, uint16_t channel, struct fuzz_input payload)
{
    uint8_t frame[7 + 255 + 1] = {type, (uint8_t)(channel >> 8), (uint8_t)channel};
    uint32_t length = htobe32((uint32_t)payload.n);
    memcpy(frame + 3, &length, sizeof length);
    if (payload.n)
        memcpy(frame + 7, payload.at, payload.n);
    frame[7 + payload.n] = FRAME_END;
    say((struct fuzz_input){frame, payload.n + 8});
}

/* connection.start, tune and open-ok of a broker that means well (specification 1.4.2). */
static void let_in(void)
{
    static const uint8_t start[] = "\0\012\0\012\0\011\0\0\0\0\0\0\0\005PLAIN\0\0\0\005en_US";
    static const uint8_t tune[] = "\0\012\0\036\0\006\0\002\0\0\0\074";
    static const uint8_t open_ok[] = "\0\012\0\051\0";
    say_frame(1, 0, (struct fuzz_input){start, sizeof start - 1});
    say_frame(1, 0, (struct fuzz_input){tune, sizeof tune - 1});
    say_frame(1, 0, (struct fuzz_input){open_ok, sizeof open_ok - 1});
    fuzz_expect(connection.state == CONNECTION_OPEN);
}

static void frame_step(uint8_t type, struct fuzz_input *input)
{
    uint16_t channel = fuzz_byte(input);
    size_t length = fuzz_byte(input);
    say_frame(type, channel, fuzz_bytes(input, length));
}

static void step(struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input);
    switch (what) {
    case 'm':
        frame_step(1, input);
        return;
    case 'h':
        frame_step(2, input);
        return;
    case 'b':
        frame_step(3, input);
        return;
    case 't':
        now_ns += fuzz_byte(input) * CLOCK_S;
        return;
    case 'g':
        get(fuzz_byte(input) % N_SLOTS);
        return;
    case 'c':
        cancel(fuzz_byte(input) % N_SLOTS);
        return;
    case 'k':
        verdict(fuzz_byte(input) % N_SLOTS, LANE_ACK);
        return;
    case 'q':
        verdict(fuzz_byte(input) % N_SLOTS, LANE_REQUEUE);
        return;
    case 'r':
        say(fuzz_bytes(input, fuzz_byte(input)));
        return;
    default:
        return;
    }
}

/* ---- the stage ---- */

static int lane_open(void)
{
    const struct lane_size size = {
        .n_slots = N_SLOTS, .request_area_bytes = 1 << 14, .reply_area_bytes = 1 << 14};
    int memory = lane_new(&size);
    require(memory >= 0 && lane_join(&lane, memory) == 0, "no lane");
    ring_producer_init(&requests, lane.request_ring, lane.n_entries);
    ring_consumer_init(&replies, lane.reply_ring, lane.n_entries);
    memset(gets, 0, sizeof gets);
    return memory;
}

static void close_all(void)
{
    connection_lost(&connection, ECONNRESET, "read");
    fuzz_expect(connection.state == CONNECTION_ENDED);
    turn();
    desk_front_died(desk);
    consume_channel_use_desk(&consuming, NULL);
    fuzz_expect(desk_n_busy(desk) == 0);
    consume_channel_done(&consuming);
    connection_reset(&connection);
    desk_free(desk);
    lane_leave(&lane);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_input input = {bytes, n};
    now_ns = 1000 * CLOCK_S;
    is_open = false;
    CLEANUP(cleanup_fd) int memory = lane_open();
    worker_open(memory);
    if (n && bytes[0] == 'L')
        let_in();
    while (input.n > 0) {
        turn();
        step(&input);
    }
    turn();
    close_all();
    return 0;
}
