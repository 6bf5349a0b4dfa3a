/* SPDX-License-Identifier: Apache-2.0 */
#include "cost.h"

#include <string.h>
#include <sys/eventfd.h>
#include "findings.h"
#include "plan_topology.h"
#include "shm/control.h"
#include "tests/support/require.h"

static_assert(sizeof COST_BODY - 1 == 120, "the body that every line of the bench has");

void cost_open(struct cost *cost, int argc, char **argv)
{
    const struct lane_size size = {
        .n_slots = 256, .request_area_bytes = 1 << 20, .reply_area_bytes = 1 << 20};
    int ends[2];
    require(argc == 4, "usage: %s produce|consume ROUNDS FILE", argv[0]);
    bool is_consume = strcmp(argv[1], "consume") == 0;
    require(is_consume || strcmp(argv[1], "produce") == 0, "%s is no request", argv[1]);
    *cost = (struct cost){
        .request = is_consume ? COST_CONSUME : COST_PRODUCE,
        .n_rounds = (uint32_t)strtoul(argv[2], NULL, 10),
        .file = argv[3],
        .memory = lane_new(&size),
    };
    require(cost->memory >= 0 && lane_join(&cost->lane, cost->memory) == 0, "lane");
    require(doorbell_new(&cost->front_bell) == 0 && doorbell_new(&cost->worker_bell) == 0, "bells");
    require(control_pair(ends) == 0, "control");
    cost->supervisor = ends[0];
    cost->side = ends[1];
}

struct config *cost_configuration(const struct cost *cost)
{
    const struct overrides none = {.port = -1};
    struct config *config;
    struct findings findings = {0};
    int outcome = config_load(cost->file, &none, &config, &findings);
    require(outcome == CONFIG_VALID, "%s: %s", cost->file,
        findings.n > 0 ? findings.items[0].message : "no memory");
    findings_done(&findings);
    return config;
}

static void tell(struct cost *cost, const struct control_message *message, struct control_fds fds)
{
    require(control_send(cost->supervisor, message, &fds) == 0, "control");
}

int cost_figures(const struct config *config, enum figures_kind kind)
{
    const struct figures_shape shape = {.n_endpoints = (uint32_t)config->n_endpoints,
        .n_workers = (uint32_t)config->workers,
        .n_brokers = config->topology->n_brokers,
        .n_backends = config->topology->n_backends,
        .n_queues = config->topology->n_taps};
    int fd = figures_new(kind, &shape);
    require(fd >= 0, "figures");
    return fd;
}

void cost_start(struct cost *cost, int plan, int figures, int listener)
{
    const bool listens = listener >= 0;
    tell(cost,
        &(struct control_message){
            .kind = CONTROL_START, .log_level = LOG_ERROR, .n_listeners = listens, .n_lanes = 1},
        (struct control_fds){.fd = {plan, figures, -1, -1}, .n = CONTROL_START_N_FDS});
    if (listens)
        tell(cost, &(struct control_message){.kind = CONTROL_LISTENER},
            (struct control_fds){.fd = {listener, -1, -1, -1}, .n = 1});
}

/* In place of the peer's pidfd, which valgrind 3.19 does not know: readable when it is dead. */
static int life_new(void)
{
    int life = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    require(life >= 0, "eventfd");
    return life;
}

void cost_connect(struct cost *cost, int bell, int rope)
{
    CLEANUP(cleanup_fd) int life = life_new();
    struct control_fds fds = {.n = CONTROL_LANE_N_FDS};
    fds.fd[CONTROL_LANE_MEMORY] = cost->memory;
    fds.fd[CONTROL_LANE_BELL] = bell;
    fds.fd[CONTROL_LANE_ROPE] = rope;
    fds.fd[CONTROL_LANE_PEER] = life;
    tell(cost, &(struct control_message){.kind = CONTROL_LANE}, fds);
}

bool cost_is_ready(struct cost *cost)
{
    struct control_message message;
    CLEANUP(control_fds_close) struct control_fds fds = {.n = 0};
    return control_receive(cost->supervisor, &message, &fds) == CONTROL_OK &&
           message.kind == CONTROL_READY;
}

/* By this name valgrind finds what to count, so it must stay a function. */
static __attribute__((noinline, noclone)) void counted_turn(const struct cost_play *play)
{
    play->side_turn();
}

static void play_round(const struct cost_play *play, bool is_counted)
{
    bool is_answered = false;
    play->ask();
    for (int i = 0; !is_answered; i++) {
        require(i < COST_TURNS, "a request without an answer");
        if (is_counted)
            counted_turn(play);
        else
            play->side_turn();
        is_answered = play->hear();
    }
}

void cost_run(const struct cost *cost, const struct cost_play *play)
{
    for (uint32_t i = 0; i < COST_WARM_UP + cost->n_rounds; i++)
        play_round(play, i >= COST_WARM_UP);
}
