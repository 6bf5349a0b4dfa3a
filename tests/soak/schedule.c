/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <stdio.h>
#include "kills.h"
#include "tests/support/alarm.h"
#include "tests/support/broker_control.h"
#include "tests/support/require.h"
#include "traffic.h"

enum { NONE = -1, CLOSE_MS = 20000 };

static void stop_broker(struct stage *stage)
{
    broker_do(BROKER_STOP);
}

static void kill_broker(struct stage *stage)
{
    broker_do(BROKER_KILL);
}

static void start_broker(struct stage *stage)
{
    broker_do(BROKER_START);
}

static void freeze_broker(struct stage *stage)
{
    broker_do(BROKER_FREEZE);
}

static void thaw_broker(struct stage *stage)
{
    broker_do(BROKER_THAW);
}

static void raise_alarm(struct stage *stage)
{
    alarm_raise();
}

static void clear_alarm(struct stage *stage)
{
    alarm_clear();
}

static void hush(struct stage *stage)
{
    relay_hush(stage->relay);
}

static void speak(struct stage *stage)
{
    relay_speak(stage->relay);
}

static void cut(struct stage *stage)
{
    relay_cut(stage->relay);
}

/* There may be none in this moment: it has just lost them in another way. */
static void close_connections(struct stage *stage)
{
    (void)vhost_close_connections(&stage->scene.vhost);
}

static void delete_queue(struct stage *stage)
{
    struct amqp_client client;
    amqp_client_init(&client, stage->scene.vhost.url);
    amqp_client_delete_queue(&client, traffic_name(TRAFFIC_DELETED));
    amqp_client_done(&client);
}

/* An `end` makes it last between `least_ms` and `most_ms`. */
static const struct fault {
    const char *what;
    void (*begin)(struct stage *stage), (*end)(struct stage *stage);
    int least_ms, most_ms, n_cards;
    bool is_kill, needs_broker;
} faults[] = {
    {"RabbitMQ is stopped and started again", stop_broker, start_broker, 100, 2000, 1, false, true},
    {"RabbitMQ is killed and started again", kill_broker, start_broker, 100, 2000, 1, false, true},
    {"RabbitMQ stands still", freeze_broker, thaw_broker, 100, 3500, 3, false, true},
    {"RabbitMQ is short of memory", raise_alarm, clear_alarm, 500, 3000, 1, false, true},
    {"the network drops every packet", hush, speak, 500, 6000, 3, false, true},
    {"every connection to RabbitMQ is reset", cut, NULL, 0, 0, 5, false, false},
    {"RabbitMQ closes every connection", close_connections, NULL, 0, 0, 3, false, true},
    {"a queue is deleted", delete_queue, NULL, 0, 0, 3, false, true},
    {"a worker is killed", kills_worker, NULL, 0, 0, 4, true, false},
    {"a worker crashes", kills_crash_worker, NULL, 0, 0, 2, true, false},
    {"a worker hangs", kills_hang_worker, NULL, 0, 0, 1, true, false},
    {"the front is killed", kills_front, NULL, 0, 0, 3, true, false},
    {"the front crashes", kills_crash_front, NULL, 0, 0, 2, true, false},
    {"the front hangs", kills_hang_front, NULL, 0, 0, 1, true, false},
    {"the supervisor is killed", kills_supervisor, NULL, 0, 0, 1, true, false},
    {"the supervisor crashes", kills_crash_supervisor, NULL, 0, 0, 1, true, false},
    {"the configuration is loaded again", kills_reload, NULL, 0, 0, 2, true, true},
    {"the supervisor stands still", kills_freeze_supervisor, NULL, 0, 0, 1, true, false},
};

enum { N_FAULTS = sizeof faults / sizeof faults[0] };

_Static_assert((int)N_FAULTS <= (int)SCHEDULE_MAX_FAULTS, "a count for each");

static void shuffle(struct schedule *schedule)
{
    int n = 0;
    for (int i = 0; i < N_FAULTS; i++)
        for (int card = 0; card < faults[i].n_cards; card++)
            if (schedule->has_kills || !faults[i].is_kill)
                schedule->deck[n++] = i;
    require(n <= SCHEDULE_MAX_CARDS, "too many cards");
    for (int i = n - 1; i > 0; i--) {
        int other = (int)dice_between(&schedule->stage->dice, 0, (uint64_t)i);
        int card = schedule->deck[i];
        schedule->deck[i] = schedule->deck[other];
        schedule->deck[other] = card;
    }
    schedule->n_left = n;
}

static void end_lasting(struct schedule *schedule)
{
    if (schedule->lasting == NONE)
        return;
    faults[schedule->lasting].end(schedule->stage);
    trouble_end(&schedule->stage->trouble, schedule->span);
    schedule->lasting = NONE;
}

static void pause_until(uint64_t deadline_ns)
{
    while (clock_now_ns() < deadline_ns)
        (void)poll(NULL, 0, clock_wait_ms(clock_now_ns(), deadline_ns, 1000)); /* the schedule */
}

static void play(struct schedule *schedule, int card)
{
    const struct fault *fault = &faults[card];
    struct stage *stage = schedule->stage;
    if (fault->needs_broker && schedule->lasting != NONE) {
        pause_until(schedule->until_ns);
        end_lasting(schedule);
    }
    schedule->on_fault(schedule->context, fault->what);
    schedule->n_played[card]++;
    int span = trouble_begin(&stage->trouble, TROUBLE_ACKS);
    fault->begin(stage);
    if (fault->end == NULL) {
        trouble_end(&stage->trouble, span);
        return;
    }
    schedule->span = span;
    schedule->lasting = card;
    schedule->until_ns = deadline_in_ms(
        dice_between(&stage->dice, (uint64_t)fault->least_ms, (uint64_t)fault->most_ms));
}

void schedule_play(struct schedule *schedule, uint64_t until_ns)
{
    struct dice *dice = &schedule->stage->dice;
    schedule->lasting = NONE;
    while (clock_now_ns() < until_ns) {
        if (schedule->n_left == 0)
            shuffle(schedule);
        play(schedule, schedule->deck[--schedule->n_left]);
        uint64_t most_ms = dice_between(dice, 200, 3000); /* often in a row, at times alone */
        pause_until(deadline_in_ms(dice_between(dice, 50, most_ms)));
        if (schedule->lasting != NONE && clock_now_ns() >= schedule->until_ns)
            end_lasting(schedule);
    }
    end_lasting(schedule);
}

int schedule_n_faults(const struct schedule *schedule)
{
    int n = 0;
    for (int i = 0; i < N_FAULTS; i++)
        n += schedule->n_played[i];
    return n;
}

void schedule_print(const struct schedule *schedule)
{
    for (int i = 0; i < N_FAULTS; i++)
        if (schedule->n_played[i] > 0)
            (void)printf("  %4d × %s\n", schedule->n_played[i], faults[i].what);
}
