/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak [--seconds N] [--seed S] [--kill]: Leveret under a steady load, while everything around it
 * fails in random order; with --kill its own processes too. Run it through tools/soak.
 *
 * In the end nothing is out of order any more, and then all of this must hold, or it exits with 1:
 *
 *   - each request was answered before its deadline, except by a front that was away;
 *   - each status code was the truth (ledger.h), for queues of every kind;
 *   - nothing is unacked, and no slot is missing;
 *   - SIGTERM is obeyed with status 0, and no process is left (with_broker sees to that).
 *
 * The same seed plays the same faults in the same order; what they meet is up to the machine.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "house.h"
#include "schedule.h"
#include "tests/support/broker_control.h"
#include "tests/support/require.h"
#include "tests/support/settle.h"
#include "traffic.h"
#include "visitors.h"

enum { DEFAULT_SECONDS = 20, UP_MS = 60000, IDLE_MS = 60000, STEADY = 200, LARGE_MS = 10000 };

/* Its first cards are of many kinds, with and without --kill. */
static const uint64_t DEFAULT_SEED = 158235;

struct soak {
    uint64_t seconds, seed;
    bool has_kills;
    struct stage stage;
    struct traffic traffic;
    struct visitors *visitors;
    struct visitors_count visits;
    struct schedule schedule;
    uint64_t begun_ns;
};

static uint64_t number_of(const char *text, const char *name)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0')
        return number;
    (void)fprintf(stderr, "soak: %s is no number: %s\n", name, text);
    exit(2);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : number_of(text, name);
}

static void parse_arguments(struct soak *soak, int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'r'}, {"kill", no_argument, NULL, 'k'}, {0}};
    soak->seconds = setting("LEVERET_SOAK_SECONDS", DEFAULT_SECONDS);
    soak->seed = setting("LEVERET_SOAK_SEED", DEFAULT_SEED);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            soak->seconds = number_of(optarg, "--seconds");
            break;
        case 'r':
            soak->seed = number_of(optarg, "--seed");
            break;
        case 'k':
            soak->has_kills = true;
            break;
        default:
            (void)fprintf(stderr, "usage: soak [--seconds N] [--seed S] [--kill]\n");
            exit(2);
        }
    }
}

static void say(struct soak *soak, const char *what)
{
    uint64_t seconds = (clock_now_ns() - soak->begun_ns) / CLOCK_S;
    (void)printf("  %2" PRIu64 ":%02" PRIu64
                 "  %-42s %8d requests  %7d × 200  %6d × 503  %4d × 504  %4d × none\n",
        seconds / 60, seconds % 60, what, traffic_count(&soak->traffic, TRAFFIC_ALL),
        traffic_count(&soak->traffic, 200), traffic_count(&soak->traffic, 503),
        traffic_count(&soak->traffic, 504), traffic_count(&soak->traffic, 0));
}

static void on_fault(void *context, const char *what)
{
    say(context, what);
}

static void publish_large(struct stage *stage)
{
    char *body = malloc(VISITORS_LARGE_BYTES);
    require(body != NULL, "no memory");
    memset(body, 'L', VISITORS_LARGE_BYTES);
    for (int i = 0; i < VISITORS_N_LARGE; i++)
        amqp_client_publish(&stage->scene.amqp,
            &(struct amqp_client_message){.exchange = "soak",
                .routing_key = "large",
                .body = body,
                .body_bytes = VISITORS_LARGE_BYTES,
                .properties = &(amqp_basic_properties_t){
                    ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2}});
    free(body);
}

/* The others are declared by their consumers. */
static void declare_kept(struct amqp_client *amqp)
{
    amqp_client_declare_exchange(amqp, "soak", "topic", true);
    amqp_client_declare_queue(
        amqp, &(struct amqp_client_queue){.name = "kept", .is_durable = true});
    amqp_client_bind(amqp, "kept", "soak", "kept");
}

/* What the faults find: queues that outlive a killed broker, and a sidecar that serves them all. */
static void set_the_stage(struct soak *soak)
{
    struct stage *stage = &soak->stage;
    trouble_init(&stage->trouble);
    stage->dice.state = soak->seed;
    scene_open(&stage->scene, soak->has_kills ? "soak_kill" : "soak");
    declare_kept(&stage->scene.amqp);
    stage->relay = relay_new(broker_port());
    autofree char *url = format_text("amqp://guest:guest@127.0.0.1:%u/%s?heartbeat=2",
        relay_port(stage->relay), stage->scene.vhost.name);
    autofree char *text = scene_configuration("soak.json", url);
    scene_begin_with(&stage->scene, &(struct sidecar_options){.configuration = text});
    static const char *const consumed[] = {
        "classic", "quorum", "deleted", "visited", "large", "idle"};
    for (size_t i = 0; i < sizeof consumed / sizeof consumed[0]; i++)
        await(vhost_n_bindings(&stage->scene.vhost, consumed[i]) == 1, UP_MS, "%s is not bound",
            consumed[i]);
    publish_large(stage);
    settle_declarations();
    amqp_client_done(&stage->scene.amqp); /* the broker will not stay */
}

static void play(struct soak *soak)
{
    struct stage *stage = &soak->stage;
    soak->begun_ns = clock_now_ns();
    traffic_begin(&soak->traffic, &stage->scene, &stage->trouble);
    soak->visitors = visitors_begin(stage->scene.sidecar.port, soak->seed + 1);
    await(traffic_count(&soak->traffic, 200) >= STEADY, UP_MS, "the load does not begin");
    soak->schedule = (struct schedule){
        .stage = stage, .has_kills = soak->has_kills, .on_fault = on_fault, .context = soak};
    schedule_play(&soak->schedule, soak->begun_ns + soak->seconds * CLOCK_S);
    say(soak, "nothing is out of order any more");
    int n_before = traffic_count(&soak->traffic, 200);
    await(traffic_count(&soak->traffic, 200) >= n_before + STEADY, UP_MS, "it does not recover");
    visitors_end(soak->visitors);
    traffic_end(&soak->traffic);
    say(soak, "every request has ended");
}

/* A queue that the broker has not counted yet may have any number; one that was deleted has none. */
static int n_unacked(const struct vhost *vhost)
{
    int n = vhost_n_unacked(vhost, "large") != 0;
    for (int i = 0; i < TRAFFIC_N; i++) {
        int n_here = vhost_n_unacked(vhost, traffic_name(i));
        n += n_here >= 0 ? n_here : i != TRAFFIC_DELETED;
    }
    return n;
}

static int n_large(struct amqp_client *amqp)
{
    struct amqp_received received;
    int n = 0;
    while (n < VISITORS_N_LARGE && amqp_client_take(amqp, "large", LARGE_MS, &received)) {
        n += received.message.body.len == VISITORS_LARGE_BYTES;
        amqp_received_done(&received);
    }
    return n;
}

/* With the sidecar still there, so that what it kept to itself is missing. */
static bool judge(struct soak *soak)
{
    struct stage *stage = &soak->stage;
    struct house house;
    await(n_unacked(&stage->scene.vhost) == 0, IDLE_MS, "%d messages stay unacked",
        n_unacked(&stage->scene.vhost));
    amqp_client_init(&stage->scene.amqp, stage->scene.vhost.url);
    traffic_drain(&soak->traffic, &stage->scene.amqp);
    int n_whole = n_large(&stage->scene.amqp);
    say(soak, "the queues are read out");
    house_fill(stage, &house);
    sidecar_stop(&stage->scene.sidecar);
    say(soak, "the sidecar has left");

    visitors_count(soak->visitors, &soak->visits);
    bool is_true = traffic_close(&soak->traffic, soak->visits.n_vanished);
    (void)printf("\n  %d clients came to vanish, %d of them while they waited for a message\n"
                 "  %d of %d large messages are there, that no client has read to its end\n"
                 "  %d requests at the same time: %d without room, %d without answer\n",
        soak->visits.n, soak->visits.n_vanished, n_whole, VISITORS_N_LARGE, house.n_asked,
        house.n_refused, house.n_silent);
    return is_true && n_whole == VISITORS_N_LARGE && house.n_refused == 0 && house.n_silent == 0;
}

static void clear_the_stage(struct soak *soak)
{
    visitors_free(soak->visitors);
    traffic_done(&soak->traffic);
    relay_free(soak->stage.relay);
    scene_close(&soak->stage.scene);
}

int main(int argc, char **argv)
{
    static struct soak soak;
    parse_arguments(&soak, argc, argv);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* without it the lines come late, no more */
    (void)printf("soak: %" PRIu64 " s of faults%s, seed %" PRIu64 "\n\n", soak.seconds,
        soak.has_kills ? " and kills" : "", soak.seed);
    set_the_stage(&soak);
    play(&soak);
    bool is_true = judge(&soak);
    (void)printf("\n");
    schedule_print(&soak.schedule);
    (void)printf("\nsoak: %s: %d requests, %d faults, seed %" PRIu64 "\n",
        is_true ? "all true" : "NOT TRUE", traffic_count(&soak.traffic, TRAFFIC_ALL),
        schedule_n_faults(&soak.schedule), soak.seed);
    clear_the_stage(&soak);
    return is_true ? 0 : 1;
}
