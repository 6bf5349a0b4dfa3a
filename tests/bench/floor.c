/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor BODY_BYTES: what no sidecar of this shape can be cheaper than, as one line of JSON on stdout.
 *
 *   hop_ns        a slot from SUBMIT to FREE through a lane, one thread playing both sides: the rings
 *                 and the slot's words, nobody sleeps
 *   hop_p50_us    the same between two processes of which one always sleeps: two bells rung, two
 *   hop_p99_us    wake-ups
 *   hop_cpu_us    what both spent on such a round trip
 *   copy_us       one copy of a body into memory that is not in a cache
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "shm/doorbell.h"
#include "shm/lane.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "tests/support/require.h"

enum { N_ALONE = 1000000, N_ROUND_TRIPS = 10000, COPIED_BYTES = 512 << 20, AREA_BYTES = 64 << 20 };

struct side {
    struct lane_side *shared;
    struct ring_producer out;
    struct ring_consumer in;
    int bell, other_rope;
};

static struct lane lane;
static struct side front, worker;
static uint64_t took_ns[N_ROUND_TRIPS];

/* ---- the lane ---- */

static void lane_open(void)
{
    const struct lane_size size = {
        .n_slots = 64, .request_area_bytes = 1 << 16, .reply_area_bytes = 1 << 16};
    struct doorbell front_bell, worker_bell;
    CLEANUP(cleanup_fd) int memory = lane_new(&size);
    require(memory >= 0 && lane_join(&lane, memory) == 0, "lane");
    require(doorbell_new(&front_bell) == 0 && doorbell_new(&worker_bell) == 0, "bells");
    front = (struct side){
        .shared = lane.front, .bell = front_bell.bell, .other_rope = worker_bell.rope};
    worker = (struct side){
        .shared = lane.worker, .bell = worker_bell.bell, .other_rope = front_bell.rope};
    ring_producer_init(&front.out, lane.request_ring, lane.n_entries);
    ring_consumer_init(&front.in, lane.reply_ring, lane.n_entries);
    ring_producer_init(&worker.out, lane.reply_ring, lane.n_entries);
    ring_consumer_init(&worker.in, lane.request_ring, lane.n_entries);
}

static void push(struct side *side, enum lane_op op, uint32_t generation)
{
    require(ring_push(&side->out, LANE_ENTRY(op, 0, generation)) == RING_OK, "no room");
}

static void ask(uint32_t generation)
{
    slot_ready(&lane.slots[0], generation);
    push(&front, LANE_SUBMIT, generation);
}

static void answer(uint64_t entry)
{
    uint32_t generation = LANE_ENTRY_GENERATION(entry);
    require(slot_move(&lane.slots[0], generation, SLOT_READY, SLOT_CLAIMED) &&
                slot_move(&lane.slots[0], generation, SLOT_CLAIMED, SLOT_SENT) &&
                slot_move(&lane.slots[0], generation, SLOT_SENT, SLOT_DONE),
        "the slot is not where it should be");
    push(&worker, LANE_DONE, generation);
}

static void hear(uint64_t entry)
{
    slot_free(&lane.slots[0], LANE_ENTRY_GENERATION(entry));
}

static uint64_t take(struct side *side)
{
    uint64_t entry;
    require(ring_pop(&side->in, &entry) == RING_OK, "nothing was pushed");
    return entry;
}

/* ---- the hop ---- */

static double hop_alone_ns(void)
{
    uint64_t begin_ns = clock_now_ns();
    for (uint32_t i = 1; i <= N_ALONE; i++) {
        ask(i);
        answer(take(&worker));
        hear(take(&front));
    }
    return (double)(clock_now_ns() - begin_ns) / N_ALONE;
}

/* Sleeps until something is pushed. */
static uint64_t await_entry(struct side *side)
{
    uint64_t entry;
    while (ring_pop(&side->in, &entry) != RING_OK) {
        struct pollfd bell = {.fd = side->bell, .events = POLLIN};
        doorbell_park(side->shared);
        if (ring_is_empty(&side->in) && poll(&bell, 1, -1) == 1)
            doorbell_hush(side->bell);
        doorbell_unpark(side->shared);
    }
    return entry;
}

static pid_t worker_start(void)
{
    pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it is there for whoever started it alone */
    for (;;) {
        answer(await_entry(&worker));
        (void)doorbell_ring(lane.front, worker.other_rope); /* it may be awake still */
    }
}

static uint64_t cpu_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * CLOCK_S + (uint64_t)time->tv_usec * 1000;
}

static uint64_t spent_ns(const struct rusage *usage)
{
    return cpu_ns(&usage->ru_utime) + cpu_ns(&usage->ru_stime);
}

static int by_value(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Fills took_ns, sorted; returns what a round trip cost both. */
static double hop_between_processes(void)
{
    struct rusage before, after, child;
    pid_t pid = worker_start();
    (void)getrusage(RUSAGE_SELF, &before); /* cannot fail */
    for (uint32_t i = 0; i < N_ROUND_TRIPS; i++) {
        uint64_t begin_ns = clock_now_ns();
        ask(N_ALONE + 1 + i);
        (void)doorbell_ring(lane.worker, front.other_rope); /* it may be awake still */
        hear(await_entry(&front));
        took_ns[i] = clock_now_ns() - begin_ns;
    }
    (void)getrusage(RUSAGE_SELF, &after);
    require(kill(pid, SIGKILL) == 0 && wait4(pid, NULL, 0, &child) == pid, "the worker is gone");
    qsort(took_ns, N_ROUND_TRIPS, sizeof took_ns[0], by_value);
    return (double)(spent_ns(&after) - spent_ns(&before) + spent_ns(&child)) / N_ROUND_TRIPS;
}

/* ---- the copy ---- */

static double copy_us(size_t n_body)
{
    char *from = malloc(AREA_BYTES), *to = malloc(AREA_BYTES);
    require(from != NULL && to != NULL && n_body > 0 && n_body <= AREA_BYTES, "no room");
    memset(from, 'x', AREA_BYTES);
    memset(to, 'y', AREA_BYTES);
    size_t n = COPIED_BYTES / n_body, n_places = AREA_BYTES / n_body;
    uint64_t begin_ns = clock_now_ns();
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i % n_places * n_body, from + i % n_places * n_body, n_body);
        __asm__ volatile("" ::: "memory"); /* or it would be left out */
    }
    double us = (double)(clock_now_ns() - begin_ns) / 1000 / (double)n;
    free(from);
    free(to);
    return us;
}

int main(int argc, char **argv)
{
    require(argc == 2, "usage: floor BODY_BYTES");
    lane_open();
    double alone_ns = hop_alone_ns();
    double both_ns = hop_between_processes();
    int n = printf("{\"hop_ns\": %.1f, \"hop_p50_us\": %.2f, \"hop_p99_us\": %.2f, "
                   "\"hop_cpu_us\": %.2f, \"copy_us\": %.2f}\n",
        alone_ns, (double)took_ns[N_ROUND_TRIPS / 2] / 1000,
        (double)took_ns[N_ROUND_TRIPS * 99 / 100] / 1000, both_ns / 1000,
        copy_us(strtoul(argv[1], NULL, 10)));
    return n > 0 && fflush(stdout) == 0 ? 0 : 1;
}
