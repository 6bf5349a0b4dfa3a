/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front_cost produce|consume ROUNDS FILE: a front that serves COST_BATCH clients over TCP, whose worker
 * has every request's answer at once. See cost.h.
 */
#include "cost.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "front.h"
#include "plan_front.h"
#include "shm/slot.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"

static const char *const texts[] = {
    [COST_PRODUCE] = "POST /orders/north HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
                     "Content-Type: application/json\r\nContent-Length: 120\r\n\r\n" COST_BODY,
    [COST_CONSUME] = "GET /orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
};

static struct front front;
static struct cost cost;

/* ---- the worker ---- */

static struct ring_consumer requests;
static struct ring_producer replies;

static void move(uint32_t slot, uint32_t generation, enum slot_state from, enum slot_state to)
{
    require(slot_move(&cost.lane.slots[slot], generation, from, to), "slot %u is not %s", slot,
        slot_state_name(from));
}

static void publish(uint32_t slot, uint32_t generation)
{
    move(slot, generation, SLOT_READY, SLOT_CLAIMED);
    move(slot, generation, SLOT_CLAIMED, SLOT_SENT);
    cost.lane.slots[slot].reply = (struct slot_reply){.outcome = OUTCOME_CONFIRMED};
    move(slot, generation, SLOT_SENT, SLOT_DONE);
}

static void deliver(uint32_t slot, uint32_t generation)
{
    const uint32_t n_body = sizeof COST_BODY - 1;
    struct lane_ref body = {(uint32_t)cost.lane.reply_area + slot * n_body, n_body};
    memcpy(cost.lane.base + body.offset, COST_BODY, n_body);
    move(slot, generation, SLOT_READY, SLOT_WAITING);
    move(slot, generation, SLOT_WAITING, SLOT_BOUND);
    cost.lane.slots[slot].reply =
        (struct slot_reply){.outcome = OUTCOME_DELIVERED, .is_listening = 1, .body = body};
    move(slot, generation, SLOT_BOUND, SLOT_DONE);
}

static void hear_front(uint64_t entry)
{
    uint32_t slot = LANE_ENTRY_SLOT(entry), generation = LANE_ENTRY_GENERATION(entry);
    if (LANE_ENTRY_OP(entry) == LANE_ACK)
        return;
    require(LANE_ENTRY_OP(entry) == LANE_SUBMIT, "operation %u", LANE_ENTRY_OP(entry));
    if (cost.request == COST_PRODUCE)
        publish(slot, generation);
    else
        deliver(slot, generation);
    require(ring_push(&replies, LANE_ENTRY(LANE_DONE, slot, generation)) == RING_OK, "no room");
}

/* Answers all that there is, and rings. */
static void worker_turn(void)
{
    uint64_t entry;
    while (ring_pop(&requests, &entry) == RING_OK)
        hear_front(entry);
    (void)doorbell_ring(cost.lane.front, cost.front_bell.rope); /* it may be awake */
}

/* ---- the clients ---- */

struct client {
    struct raw_client connection;
    char text[1024]; /* of the answer */
    size_t n;
};

static struct client clients[COST_BATCH];

static bool is_whole(const struct client *client)
{
    const char *end = strstr(client->text, "\r\n\r\n"),
               *length = strstr(client->text, "Content-Length: ");
    if (end == NULL)
        return false;
    require(length != NULL && strncmp(client->text, "HTTP/1.1 200 ", 13) == 0, "%s", client->text);
    return client->n == (size_t)(end + 4 - client->text) +
                            strtoul(length + strlen("Content-Length: "), NULL, 10);
}

static bool has_answer(struct client *client)
{
    ssize_t got = recv(client->connection.fd, client->text + client->n,
        sizeof client->text - 1 - client->n, MSG_DONTWAIT);
    require(got > 0 || (got < 0 && errno == EAGAIN), "the front hangs up");
    if (got > 0)
        client->n += (size_t)got;
    client->text[client->n] = '\0';
    return is_whole(client);
}

static bool all_have_answers(void)
{
    bool have = true;
    for (int i = 0; i < COST_BATCH; i++)
        have = (is_whole(&clients[i]) || has_answer(&clients[i])) && have;
    return have;
}

static void ask(void)
{
    for (int i = 0; i < COST_BATCH; i++) {
        clients[i].n = 0;
        clients[i].text[0] = '\0';
        require(raw_client_say(&clients[i].connection, texts[cost.request]), "nobody is there");
    }
}

/* ---- the stage ---- */

static void front_turn(void)
{
    loop_turn(&front.loop);
}

static bool hear(void)
{
    worker_turn();
    return all_have_answers();
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&name, n) == 0 && listen(fd, COST_BATCH) == 0 &&
                getsockname(fd, (struct sockaddr *)&name, &n) == 0,
        "listen");
    *port = ntohs(name.sin_port);
    return fd;
}

static void serve(void)
{
    uint16_t port;
    CLEANUP(cleanup_fd) int listener = listen_anywhere(&port);
    struct config *config = cost_configuration(&cost);
    CLEANUP(cleanup_fd) int plan = plan_front_new(config);
    CLEANUP(cleanup_fd) int figures = cost_figures(config, FIGURES_FRONT);
    config_free(config);
    require(plan >= 0 && loop_init(&front.loop, 1) == 0, "no memory");
    orders_init(&front.orders, &front, cost.side);
    cost_start(&cost, plan, figures, listener);
    cost_connect(&cost, cost.front_bell.bell, cost.worker_bell.rope);
    COST_TURN_UNTIL(cost_is_ready(&cost), front_turn());
    for (int i = 0; i < COST_BATCH; i++)
        raw_client_connect(&clients[i].connection, port);
}

int main(int argc, char **argv)
{
    static const struct cost_play play = {.ask = ask, .side_turn = front_turn, .hear = hear};
    cost_open(&cost, argc, argv);
    ring_consumer_init(&requests, cost.lane.request_ring, cost.lane.n_entries);
    ring_producer_init(&replies, cost.lane.reply_ring, cost.lane.n_entries);
    serve();
    cost_run(&cost, &play);
    return 0;
}
