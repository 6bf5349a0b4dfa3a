/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/hostile.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/support/child.h"
#include "tests/support/require.h"
#include "tests/support/stats.h"

enum {
    BACKOFF_MS = 1000,      /* as the configurations have it */
    BACKOFF_SLACK_MS = 100, /* between the sidecar's end of a connection and ours */
    N_FIRST = 3,            /* rows after which a worker has all the memory that rows need */
    MAX_GROWTH_KIB = 8192,
    N_LOGGED = 5 /* lines of one kind that the log takes before it counts them instead */
};

static struct bytes says;

/* ---- the figures of the connection that the rows are about ---- */

/* A broker has one for each use, and here only one of them is wanted. */
static json_t *find_connection(const struct hostile *hostile, const json_t *stats)
{
    autofree char *broker = format_text("127.0.0.1:%u/", hostile->play.door.port);
    json_t *worker = json_array_get(json_object_get(stats, "workers"), 0);
    json_t *list = json_object_get(worker, "connections");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *each = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(each, "broker")), broker) == 0 &&
            stats_number(each, "ups") + stats_number(each, "failures") > 0)
            return each;
    }
    return NULL;
}

static int n_ups(const struct hostile *hostile)
{
    json_t *stats = stats_read(&hostile->play.scene.sidecar);
    json_t *connection = find_connection(hostile, stats);
    int n = connection != NULL ? (int)stats_number(connection, "ups") : 0;
    json_decref(stats);
    return n;
}

static bool has_last_error(const struct hostile *hostile, const char *reason)
{
    json_t *stats = stats_read(&hostile->play.scene.sidecar);
    json_t *connection = find_connection(hostile, stats);
    const char *text = json_string_value(json_object_get(connection, "last_error"));
    bool has = text != NULL && strstr(text, reason) != NULL;
    json_decref(stats);
    return has;
}

void hostile_await_end(const struct hostile *hostile, const char *reason)
{
    await(has_last_error(hostile, reason), AMQP_PEER_TIMEOUT_MS, "it does not say \"%s\"", reason);
}

/* ---- the end of a row ---- */

static void await_up(struct hostile *hostile)
{
    hostile->play.n_up++;
    await(n_ups(hostile) >= hostile->play.n_up, AMQP_PEER_TIMEOUT_MS, "it does not know it is in");
}

static void expect_well(struct hostile *hostile)
{
    play_expect_works(&hostile->well, "/well/meanwhile");
}

static void weigh(struct hostile *hostile)
{
    if (++hostile->n_done == N_FIRST)
        hostile->worker_kib = process_own_kib(hostile->worker);
}

/* Its way out has been heard, and now comes its end. */
static void expect_left(struct hostile *hostile, const struct hostile_row *row)
{
    struct pollfd knocks = {.fd = hostile->play.door.fd, .events = POLLIN};
    (void)amqp_peer_expect(&hostile->play.peer, 0);
    uint64_t left_ns = clock_now_ns();
    amqp_peer_hang_up(&hostile->play.peer);
    hostile_await_end(hostile, row->reason);
    if (hostile->n_done < N_LOGGED)
        sidecar_await_log(&hostile->play.scene.sidecar, row->reason);
    expect_well(hostile);
    cr_assert_eq(poll(&knocks, 1, AMQP_PEER_TIMEOUT_MS), 1, "%s: it does not come back", row->name);
    uint64_t away_ms = (clock_now_ns() - left_ns) / CLOCK_MS;
    cr_assert_geq(
        away_ms, BACKOFF_MS - BACKOFF_SLACK_MS, "%s: back after %d ms", row->name, (int)away_ms);
}

static void expect_closed_with(struct hostile *hostile, const struct hostile_row *row)
{
    struct amqp_heard close = amqp_peer_expect(&hostile->play.peer, AMQP_CONNECTION_CLOSE_METHOD);
    cr_assert_eq(close.code, row->code, "%s: closed with %u", row->name, close.code);
    cr_assert_not_null(strstr(close.name, row->reason), "%s: \"%s\"", row->name, close.name);
}

static void say(struct hostile *hostile, const struct hostile_row *row, const struct amqp_heard *at)
{
    says.n = 0;
    printf("# %s\n", row->name);
    if (row->put != NULL)
        row->put(&says, at);
    amqp_peer_send(&hostile->play.peer, says.at, says.n);
}

void hostile_accept(struct hostile *hostile)
{
    amqp_peer_accept(&hostile->play.peer, &hostile->play.door);
    await_up(hostile);
}

/* ---- the stages ---- */

static void shake_hands(struct hostile *hostile, const struct hostile_row *row)
{
    struct play *play = &hostile->play;
    amqp_peer_accept_until(&play->peer, &play->door, row->stage);
    say(hostile, row, NULL);
    if (row->reason == NULL) {
        await_up(hostile);
        play_expect_works(play, "/out/borne");
        amqp_peer_hang_up(&play->peer);
        return;
    }
    if (row->code != 0)
        expect_closed_with(hostile, row);
    expect_left(hostile, row);
    struct play_request refused = play_post(play, "/out/refused");
    play_expect(&refused, 503, "broker-down");
}

void hostile_handshakes(struct hostile *hostile, const struct hostile_row *rows, size_t n)
{
    amqp_peer_hang_up(&hostile->play.peer);
    for (size_t i = 0; i < n; i++) {
        shake_hands(hostile, &rows[i]);
        weigh(hostile);
    }
    hostile_accept(hostile);
}

static void publish(struct hostile *hostile, const struct hostile_row *row)
{
    struct play *play = &hostile->play;
    struct amqp_heard at;
    struct play_request request = play_publish(play, "/out/in-flight", &at);
    say(hostile, row, &at);
    if (row->reason != NULL) {
        expect_closed_with(hostile, row);
        play_expect(&request, row->status != 0 ? row->status : 504,
            row->status != 0 ? row->kind : "outcome-unknown");
        expect_left(hostile, row);
        hostile_accept(hostile);
        return;
    }
    if (row->status == 0)
        amqp_peer_ack(&play->peer, &at, false);
    play_expect(&request, row->status != 0 ? row->status : 200, row->kind);
    play_expect_works(play, "/out/borne");
}

void hostile_publishes(struct hostile *hostile, const struct hostile_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        publish(hostile, &rows[i]);
        weigh(hostile);
    }
    play_expect_works(&hostile->play, "/out/afterwards");
}

uint64_t hostile_next_tag(void)
{
    static uint64_t last;
    return ++last;
}

static struct amqp_heard await_consumer(struct hostile *hostile)
{
    return amqp_peer_expect(&hostile->play.peer, AMQP_BASIC_CONSUME_METHOD);
}

static void expect_answer(struct play_request *get, int status, const char *body)
{
    struct http_answer answer = play_answer(get);
    expect_status(&answer, status);
    if (body != NULL)
        expect_body(&answer, body);
    http_answer_done(&answer);
}

static void expect_ack(struct hostile *hostile)
{
    (void)amqp_peer_expect(&hostile->play.peer, AMQP_BASIC_CANCEL_METHOD);
    (void)amqp_peer_expect(&hostile->play.peer, AMQP_BASIC_ACK_METHOD);
}

static void get(struct hostile *hostile, const struct hostile_row *row)
{
    struct play_request request = play_get(&hostile->play, "/in");
    struct amqp_heard at = await_consumer(hostile);
    say(hostile, row, &at);
    if (row->reason != NULL) {
        expect_closed_with(hostile, row);
        expect_left(hostile, row);
        hostile_accept(hostile);
    }
    if (row->status != 0) {
        expect_answer(&request, row->status, row->body);
    } else {
        if (row->reason != NULL)
            at = await_consumer(hostile);
        amqp_peer_deliver(&hostile->play.peer, &at, hostile_next_tag(), row->name);
        expect_answer(&request, 200, row->name);
    }
    if (row->status == 0 || row->reason == NULL)
        expect_ack(hostile);
}

void hostile_gets(struct hostile *hostile, const struct hostile_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        get(hostile, &rows[i]);
        weigh(hostile);
    }
}

/* ---- a life ---- */

void hostile_begin(struct hostile *hostile, const char *name, const char *configuration)
{
    struct play *play = &hostile->play, *well = &hostile->well;
    amqp_door_open(&play->door, NULL);
    amqp_door_open(&well->door, NULL);
    autofree char *open = scene_configuration(configuration, play->door.url);
    autofree char *text = scene_replace(open, "@WELL@", well->door.url);
    autofree char *unique = format_text("hostile_%s-%d", name, (int)getpid());
    sidecar_start(
        &play->scene.sidecar, &(struct sidecar_options){.name = unique, .configuration = text});
    well->scene = play->scene;
    amqp_peer_accept(&well->peer, &well->door);
    hostile_accept(hostile);
    expect_well(hostile);
    hostile->worker = sidecar_worker(&play->scene.sidecar);
    hostile->worker_kib = process_own_kib(hostile->worker);
}

void hostile_end(struct hostile *hostile)
{
    expect_well(hostile);
    cr_assert_eq(sidecar_worker(&hostile->play.scene.sidecar), hostile->worker, "it died");
    long growth_kib = process_own_kib(hostile->worker) - hostile->worker_kib;
    printf("# %d rows, the worker has grown by %ld KiB\n", hostile->n_done, growth_kib);
    cr_assert_lt(growth_kib, MAX_GROWTH_KIB);
    amqp_door_close(&hostile->well.door);
    amqp_peer_hang_up(&hostile->well.peer);
    play_end(&hostile->play);
}
