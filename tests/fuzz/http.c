/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one connection into the whole front, before a worker that the input leads. The first
 * line is how it goes: the number of bytes that come at a time, as a digit 2^n (0: all at once), then a
 * letter for each part that the worker is given, over and over:
 *
 *      a to z   publish: one outcome after the other;  GET: a message, or why there is none
 *      ~        nothing, until it is cancelled
 *
 * What comes back is whole answers and nothing else: one for each request that the front says it
 * answered, one word on each that it says it began, and no connection, part or slot is left over.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "front.h"
#include "fuzz.h"
#include "plan_front.h"
#include "shm/cleanup.h"
#include "shm/slot.h"
#include "tests/bench/cost.h"
#include "tests/support/require.h"

enum { TURNS_QUIET = 8, TURNS_MOST = 4000, PATIENCE_MS = 5000, ANSWERS_BYTES = 1 << 20 };

static struct front front;
static struct cost stage; /* the supervisor's and the worker's ends; its rounds are not used */
static struct sockaddr_un address;
static socklen_t n_address;

/* ---- the worker ---- */

static struct ring_consumer requests;
static struct ring_producer replies;
static struct fuzz_input script;
static size_t n_acts;

static const char *const bodies[] = {
    "{\"id\":4711}", "{}", "{\"a\":{\"b\":[1,2.50,\"\\u00e9\"]}}", "null", "{\"collection\":[]}"};

static char next_act(void)
{
    return script.n ? (char)script.at[n_acts++ % script.n] : 'a';
}

static void done(uint32_t slot, uint32_t generation)
{
    require(ring_push(&replies, LANE_ENTRY(LANE_DONE, slot, generation)) == RING_OK, "no room");
}

static bool settle(
    uint32_t slot, uint32_t generation, enum slot_state from, struct slot_reply reply)
{
    static const char why[] = "NOT_FOUND - no exchange \"e\"\x01 in vhost '/'";
    struct slot *at = &stage.lane.slots[slot];
    if (slot_look(at).state != from)
        return false; /* the front was faster, and its CANCEL is on its way */
    if (reply.broker_code) {
        memcpy(reply.text, why, sizeof why - 1);
        reply.text_bytes = sizeof why - 1;
    }
    at->reply = reply;
    if (!slot_move(at, generation, from, SLOT_DONE))
        return false;
    done(slot, generation);
    return true;
}

static void publish(uint32_t slot, uint32_t generation, unsigned act)
{
    static const enum outcome before[] = {OUTCOME_DOWN, OUTCOME_BLOCKED, OUTCOME_STALLED,
        OUTCOME_BUSY, OUTCOME_TOPOLOGY, OUTCOME_INVALID, OUTCOME_UNSUPPORTED};
    enum { N_SENT = OUTCOME_REJECTED, N_BEFORE = sizeof before / sizeof *before };
    struct slot *at = &stage.lane.slots[slot];
    if (!slot_move(at, generation, SLOT_READY, SLOT_CLAIMED))
        return;
    if (act >= N_SENT) {
        (void)settle(slot, generation, SLOT_CLAIMED,
            (struct slot_reply){.outcome = before[(act - N_SENT) % N_BEFORE], .broker_code = 404});
        return;
    }
    require(slot_move(at, generation, SLOT_CLAIMED, SLOT_SENT), "only we move it on");
    (void)settle(slot, generation, SLOT_SENT,
        (struct slot_reply){.outcome = OUTCOME_CONFIRMED + act, .broker_code = act ? 312 : 0});
}

static void deliver(uint32_t slot, uint32_t generation, unsigned act)
{
    static const enum outcome instead[] = {OUTCOME_UNDECODABLE, OUTCOME_TOO_LARGE, OUTCOME_EMPTY,
        OUTCOME_DOWN, OUTCOME_TOPOLOGY, OUTCOME_BUSY};
    enum {
        N_BODIES = sizeof bodies / sizeof *bodies,
        N_INSTEAD = sizeof instead / sizeof *instead
    };
    struct slot *at = &stage.lane.slots[slot];
    if (!slot_move(at, generation, SLOT_READY, SLOT_WAITING) || act == UINT_MAX)
        return; /* its CANCEL is on its way, or will be */
    if (act >= N_BODIES) {
        (void)settle(slot, generation, SLOT_WAITING,
            (struct slot_reply){
                .outcome = instead[(act - N_BODIES) % N_INSTEAD], .broker_code = 404});
        return;
    }
    if (!slot_move(at, generation, SLOT_WAITING, SLOT_BOUND))
        return;
    uint32_t room = (uint32_t)stage.lane.reply_area_bytes / stage.lane.n_slots;
    struct lane_ref body = {
        (uint32_t)stage.lane.reply_area + slot * room, (uint32_t)strlen(bodies[act])};
    memcpy(stage.lane.base + body.offset, bodies[act], body.length);
    (void)settle(slot, generation, SLOT_BOUND,
        (struct slot_reply){.outcome = OUTCOME_DELIVERED, .is_listening = 1, .body = body});
}

static bool is_publish(uint32_t slot)
{
    return stage.lane.slots[slot].request.fields.length > 0;
}

static void hear_submit(uint32_t slot, uint32_t generation)
{
    char act = next_act();
    unsigned number = act == '~' ? UINT_MAX : (unsigned)(act - 'a') % 26;
    if (is_publish(slot))
        publish(slot, generation, number % 26);
    else
        deliver(slot, generation, number);
}

static void worker_turn(void)
{
    uint64_t entry;
    while (ring_pop(&requests, &entry) == RING_OK) {
        uint32_t slot = LANE_ENTRY_SLOT(entry), generation = LANE_ENTRY_GENERATION(entry);
        if (LANE_ENTRY_OP(entry) == LANE_SUBMIT)
            hear_submit(slot, generation);
        if (LANE_ENTRY_OP(entry) == LANE_CANCEL)
            (void)settle(slot, generation, SLOT_CANCELLED,
                (struct slot_reply){.outcome = OUTCOME_CANCELLED});
    }
}

/* ---- the front ---- */

/* Rung whether or not it sleeps, so that it never waits. */
static void turn(void)
{
    uint64_t one = 1;
    require(write(stage.front_bell.rope, &one, sizeof one) == sizeof one, "the bell");
    loop_turn(&front.loop);
    worker_turn();
}

static int listen_somewhere(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sun_family = AF_UNIX;
    n_address = sizeof address;
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 &&
                listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&address, &n_address) == 0,
        "listen");
    return fd;
}

static void serve(void)
{
    char program[] = "fuzz", request[] = "produce", rounds[] = "1",
         file[] = FUZZ_FOLDER "/http.json";
    (void)signal(SIGPIPE, SIG_IGN); /* as the front's main() does */
    cost_open(&stage, 4, (char *[]){program, request, rounds, file, NULL});
    ring_consumer_init(&requests, stage.lane.request_ring, stage.lane.n_entries);
    ring_producer_init(&replies, stage.lane.reply_ring, stage.lane.n_entries);
    struct config *config = cost_configuration(&stage);
    CLEANUP(cleanup_fd) int listener = listen_somewhere();
    CLEANUP(cleanup_fd) int plan = plan_front_new(config);
    CLEANUP(cleanup_fd) int figures = cost_figures(config, FIGURES_FRONT);
    config_free(config);
    require(plan >= 0 && loop_init(&front.loop, 1) == 0, "no memory");
    orders_init(&front.orders, &front, stage.side);
    cost_start(&stage, plan, figures, listener);
    cost_connect(&stage, stage.front_bell.bell, stage.worker_bell.rope);
    COST_TURN_UNTIL(cost_is_ready(&stage), loop_turn(&front.loop));
}

/* ---- the client ---- */

static char answers[ANSWERS_BYTES + 1];

struct client {
    int fd;
    size_t n;       /* of answers */
    bool has_ended; /* the front's side */
};

static void client_connect(struct client *client)
{
    *client = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    require(client->fd >= 0 && connect(client->fd, (struct sockaddr *)&address, n_address) == 0,
        "connect");
}

/* True: something came. */
static bool client_read(struct client *client)
{
    ssize_t n = recv(client->fd, answers + client->n, ANSWERS_BYTES - client->n, MSG_DONTWAIT);
    client->has_ended = client->has_ended || n == 0 || (n < 0 && errno != EAGAIN);
    if (n > 0)
        client->n += (size_t)n;
    return n > 0;
}

/* Until nothing happens any more that the client could see. */
static void turn_until_quiet(struct client *client)
{
    for (int quiet = 0, i = 0; quiet < TURNS_QUIET && i < TURNS_MOST; i++) {
        turn();
        quiet = client_read(client) ? 0 : quiet + 1;
    }
}

static void client_say(struct client *client, struct fuzz_input bytes, size_t n_at_a_time)
{
    while (bytes.n > 0 && !client->has_ended) {
        struct fuzz_input piece = fuzz_bytes(&bytes, n_at_a_time);
        ssize_t n = send(client->fd, piece.at, piece.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return; /* it reads no more, and says so to whoever sends more than there is room for */
        turn();
        (void)client_read(client);
    }
}

/* Leaves, and waits for the front to have noticed. */
static void client_leave(struct client *client)
{
    (void)close(client->fd);
    uint64_t until_ns = deadline_in_ms(PATIENCE_MS);
    while (front.connections.n_open + lanes_n_aboard(front.lanes) + front.requests.n_pending > 0) {
        fuzz_expect(clock_now_ns() < until_ns);
        turn();
    }
}

/* ---- what must hold ---- */

struct counts {
    uint64_t n_accepted, n_answered, n_abandoned;
};

static struct counts count(void)
{
    struct counts counts = {0};
    for (uint32_t row = 0; row <= books_row(&front.books, FIGURES_HEALTH); row++) {
        const struct figures_endpoint *figures = &front.books.own.endpoints[row];
        counts.n_accepted += figure_get(&figures->accepted);
        counts.n_abandoned += figure_get(&figures->abandoned);
        for (size_t i = 0; i < FIGURES_N_CODES; i++)
            counts.n_answered += figure_get(&figures->answered[i]);
    }
    return counts;
}

/* The end of the answer that begins at `at`; NULL: it is not whole. */
static const char *answer_end(const char *at, const char *end, bool *is_final)
{
    const char *body = memmem(at, (size_t)(end - at), "\r\n\r\n", 4), *length;
    fuzz_expect(end - at > 13 && memcmp(at, "HTTP/1.", 7) == 0);
    if (!body)
        return NULL;
    *is_final = at[9] != '1';
    body += 4;
    length = strcasestr(at, "\r\ncontent-length:");
    if (!length || length > body)
        return body;
    size_t n = strtoul(length + 17, NULL, 10);
    return n <= (size_t)(end - body) ? body + n : NULL;
}

/* What the library's own parser refuses, the library answers, as the last on its connection. */
static bool is_of_library(const struct client *client, const char *answer)
{
    return client->has_ended && strncmp(answer, "HTTP/1.1 4", 10) == 0;
}

/* As many final ones as the front has counted, and perhaps the library's. */
static void expect_answers(const struct client *client, uint64_t n_answered)
{
    const char *at = answers, *end = answers + client->n, *last = "";
    uint64_t n = 0;
    answers[client->n] = '\0';
    while (at < end) {
        bool is_final = false;
        last = at;
        at = answer_end(at, end, &is_final);
        fuzz_expect(at != NULL);
        n += is_final;
    }
    fuzz_expect(n == n_answered || (n == n_answered + 1 && is_of_library(client, last)));
}

/* The client has left. */
static void expect_rest(const struct counts *before)
{
    struct counts now = count();
    fuzz_expect(now.n_accepted - before->n_accepted ==
                now.n_answered - before->n_answered + now.n_abandoned - before->n_abandoned);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_input input = {bytes, n};
    struct client client;
    if (!front.config)
        serve();
    script = fuzz_line(&input);
    unsigned split = (unsigned)(fuzz_byte(&script) - '0') % 10;
    n_acts = 0;
    struct counts before = count();
    client_connect(&client);
    client_say(&client, input, split ? (size_t)1 << split : SIZE_MAX);
    turn_until_quiet(&client);
    if (!memmem(input.at, input.n, "HEAD", 4)) /* whose answers have a length and no body */
        expect_answers(&client, count().n_answered - before.n_answered);
    client_leave(&client);
    expect_rest(&before);
    return 0;
}
