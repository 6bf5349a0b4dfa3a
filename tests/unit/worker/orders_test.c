/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole worker but for its main(): the supervisor's messages over a real control socket, the
 * front over a real lane, a real loop, and a broker on loopback that knows the handshake.
 */
#include "fake_broker.h"
#include "fake_front.h"

#include <sys/eventfd.h>

#include "orders.h"
#include "shm/control.h"
#include "shm/doorbell.h"
#include "shm/log.h"
#include "shm/plan.h"

enum { PRODUCER, CONSUMER, CONFIRMED };

static struct orders orders;
static struct fake_broker broker;
static int supervisor;        /* its end of the control socket */
static bool is_last_consumer; /* of the queue, which is deleted with it; else it is another's */

/* The descriptors of one lane, as the supervisor has them. */
struct side {
    struct fake_front front;
    struct doorbell front_bell, worker_bell;
    int life;   /* in place of a pidfd: readable when the front is dead */
    int n_rung; /* how often the front was woken */
};

/* ---- the stage ---- */

static void tell(const struct control_message *message, const struct control_fds *fds)
{
    cr_assert_eq(control_send(supervisor, message, fds), 0);
}

static void set_up(void)
{
    int ends[2];
    turn_new(&LOOP_CONFIG_DEFAULT);
    cr_assert_eq(control_pair(ends), 0);
    supervisor = ends[0];
    fake_listen(&broker, 0);
    cr_assert_eq(orders_init(&orders, loop, ends[1]), 0);
}

TestSuite(orders, .init = set_up);

static void cleanup_builder(struct plan_builder **builder)
{
    plan_builder_free(*builder);
}

static int plan_new(uint16_t port)
{
    CLEANUP(cleanup_builder) struct plan_builder *builder = plan_builder_new(PLAN_WORKER);
    struct plan_host host = {.host = plan_add_string(builder, "127.0.0.1"),
        .tls = PLAN_NONE,
        .user = plan_add_string(builder, "me"),
        .password = plan_add_string(builder, "secret"),
        .port = port};
    struct plan_broker planned = {.name = plan_add_string(builder, "test"),
        .vhost = plan_add_string(builder, "/"),
        .hosts = plan_add_list(builder, &host, sizeof(host), 1),
        .backoff = PLAN_BACKOFF_CONSTANT};
    struct plan_backend backends[3] = {
        [PRODUCER] = {.verb = PLAN_PRODUCE,
            .tap = PLAN_NONE,
            .declare = PLAN_DECLARE_NONE,
            .name = plan_add_string(builder, "POST /p"),
            .target.exchange.name = plan_add_string(builder, "")},
        [CONSUMER] = {.verb = PLAN_CONSUME,
            .encoding = PLAN_STRING,
            .declare = PLAN_DECLARE_NONE,
            .max_body_bytes = 1000},
    };
    backends[CONFIRMED] = backends[PRODUCER];
    backends[CONFIRMED].is_confirmed = 1; /* this broker never confirms anything */
    struct plan_tap tap = {.worker = is_last_consumer ? 0 : 1,
        .prefetch_count = 10,
        .declare = PLAN_DECLARE_NONE,
        .name = plan_add_string(builder, "q"),
        .queue.is_auto_delete = is_last_consumer,
        .queue.name = plan_add_string(builder, "q")};
    struct plan_worker root = {.n_workers = 2,
        .backend_window = 4,
        .broker_window = 4,
        .drain_timeout_ns = 3 * CLOCK_S,
        .connection_name = plan_add_string(builder, "test"),
        .brokers = plan_add_list(builder, &planned, sizeof(planned), 1),
        .backends = plan_add_list(builder, backends, sizeof(backends[0]), 3),
        .taps = plan_add_list(builder, &tap, sizeof(tap), 1)};
    int fd = plan_builder_seal(builder, &root, sizeof(root));
    cr_assert_geq(fd, 0);
    return fd;
}

static bool has_heard(struct control_message *message)
{
    struct control_fds fds;
    return control_receive(supervisor, message, &fds) == CONTROL_OK;
}

/* Of one broker, three backends and one tap, as in the plan. */
static int figures_fd(void)
{
    const struct figures_shape shape = {
        .n_workers = 2, .n_brokers = 1, .n_backends = 3, .n_queues = 1};
    int fd = figures_new(FIGURES_WORKER, &shape);
    cr_assert_geq(fd, 0);
    return fd;
}

static void start(uint16_t port)
{
    struct control_message message;
    CLEANUP(cleanup_fd) int plan = plan_new(port);
    CLEANUP(cleanup_fd) int figures = figures_fd();
    tell(&(struct control_message){.kind = CONTROL_START, .log_level = LOG_PANIC},
        &(struct control_fds){.fd = {plan, figures, -1, -1}, .n = CONTROL_START_N_FDS});
    TURN_UNTIL(has_heard(&message));
    cr_assert_eq(message.kind, CONTROL_READY);
    cr_assert_eq(orders.state, ORDERS_SERVING);
}

static bool is_ready(void)
{
    struct control_message message;
    (void)orders_turn(&orders);
    return has_heard(&message) && message.kind == CONTROL_READY;
}

/* In the place of another worker, which leaves when this one is ready. */
static void start_in_place_of_another(uint16_t port)
{
    CLEANUP(cleanup_fd) int plan = plan_new(port);
    CLEANUP(cleanup_fd) int figures = figures_fd();
    tell(&(struct control_message){.kind = CONTROL_START, .log_level = LOG_PANIC, .must_attach = 1},
        &(struct control_fds){.fd = {plan, figures, -1, -1}, .n = CONTROL_START_N_FDS});
    TURN_UNTIL(orders.state == ORDERS_STARTING);
}

static void offer(const struct side *side)
{
    struct control_fds fds = {.n = CONTROL_LANE_N_FDS};
    fds.fd[CONTROL_LANE_MEMORY] = side->front.memory_fd;
    fds.fd[CONTROL_LANE_BELL] = side->worker_bell.bell;
    fds.fd[CONTROL_LANE_ROPE] = side->front_bell.rope;
    fds.fd[CONTROL_LANE_PEER] = side->life;
    tell(&(struct control_message){.kind = CONTROL_LANE}, &fds);
}

/* The front sleeps in the loop of the worker: what is told to it ends the turn. */
static void on_front_rung(void *owner)
{
    struct side *side = owner;
    doorbell_hush(side->front_bell.bell);
    doorbell_park(side->front.lane.front);
    side->n_rung++;
}

static void open_side(struct side *side)
{
    *side = (struct side){0};
    fake_front_open(&side->front);
    cr_assert_eq(doorbell_new(&side->front_bell) | doorbell_new(&side->worker_bell), 0);
    side->life = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cr_assert(loop_watch_new(loop, side->front_bell.bell, on_front_rung, side));
    doorbell_park(side->front.lane.front);
    offer(side);
}

static void attach(struct side *side)
{
    const struct desk *before = orders.fronts.desk;
    open_side(side);
    TURN_UNTIL(orders.fronts.desk && orders.fronts.desk != before);
}

static void serve(struct side *side)
{
    start(broker.port);
    attach(side);
    TURN_UNTIL(broker.n_opened == 1);
}

static void end_front(struct side *side)
{
    cr_assert_eq(eventfd_write(side->life, 1), 0);
    TURN_UNTIL(!fronts_is_open(&orders.fronts));
}

/* As a front does: it pushes, and rings if the worker sleeps. */
static void post_to(struct side *side, uint32_t slot, uint32_t backend)
{
    struct message_field id = {MESSAGE_MESSAGE_ID, "", 0, "id", 2};
    struct slot_request request = fake_front_message(&side->front, slot, &id, 1, "body");
    request.backend = backend;
    fake_front_submit(&side->front, slot, &request);
    (void)doorbell_ring(side->front.lane.worker, side->worker_bell.rope);
}

static void post(struct side *side, uint32_t slot)
{
    post_to(side, slot, PRODUCER);
}

static void expect(struct side *side, uint32_t slot, enum outcome outcome)
{
    int n_rung = side->n_rung;
    TURN_UNTIL(side->n_rung > n_rung);
    fake_front_expect(&side->front, slot, outcome);
}

static void turn_to_the_end(void)
{
    uint64_t end_ns = clock_now_ns() + 10 * CLOCK_S;
    for (;;) {
        uint64_t wanted_ns = orders_turn(&orders);
        if (orders_are_done(&orders))
            return;
        cr_assert_lt(clock_now_ns(), end_ns, "it does not leave");
        cr_assert_eq(loop_turn(loop, wanted_ns < end_ns ? wanted_ns : end_ns), 0);
    }
}

static void drain(uint64_t deadline_ns)
{
    tell(&(struct control_message){.kind = CONTROL_DRAIN, .deadline_ns = deadline_ns},
        &(struct control_fds){0});
}

/* ---- a survey ---- */

static void survey(uint16_t port)
{
    CLEANUP(cleanup_fd) int plan = plan_new(port);
    tell(&(struct control_message){.kind = CONTROL_SURVEY, .log_level = LOG_PANIC},
        &(struct control_fds){.fd = {plan, -1, -1, -1}, .n = 1});
    TURN_UNTIL(orders.state == ORDERS_SURVEYING);
}

Test(orders, asks_the_brokers_says_what_it_found_and_leaves)
{
    struct control_message message;
    uint16_t port = broker.port;
    fake_go_away(&broker);
    survey(port);
    turn_to_the_end();
    cr_assert(has_heard(&message));
    cr_assert_eq(message.kind, CONTROL_FINDING);
    cr_assert_eq(message.finding.subject, SURVEY_HOST);
    cr_assert_eq(message.finding.outcome, SURVEY_DOWN);
    cr_assert_not(has_heard(&message));
}

Test(orders, stops_asking_when_nobody_listens)
{
    broker.is_mute = true;
    survey(broker.port);
    close(supervisor);
    turn_to_the_end();
}

/* ---- starting ---- */

Test(orders, in_the_place_of_another_it_is_ready_when_its_connections_are_up)
{
    start_in_place_of_another(broker.port);
    cr_assert_not(is_ready());
    TURN_UNTIL(is_ready());
    cr_assert_eq(broker.n_opened, 1);
}

Test(orders, in_the_place_of_another_it_is_ready_when_there_is_no_broker)
{
    loop_watch_free(loop, broker.accepting);
    cr_assert_eq(close(broker.listener), 0);
    start_in_place_of_another(broker.port);
    TURN_UNTIL(is_ready());
}

static void wait_in_vain(void)
{
    broker.is_mute = true;
    start_in_place_of_another(broker.port);
    cr_assert_not(is_ready());
    cr_assert_eq(orders_turn(&orders), orders.attach_by_ns);
    orders.attach_by_ns = clock_now_ns(); /* the time is up */
}

Test(orders, in_the_place_of_another_it_is_ready_without_a_broker_that_does_not_answer)
{
    wait_in_vain();
    cr_assert(is_ready());
    cr_assert_eq(orders_turn(&orders), CLOCK_NEVER);
}

Test(orders, in_the_place_of_another_it_waits_for_a_queue_that_would_be_deleted)
{
    is_last_consumer = true;
    wait_in_vain();
    cr_assert_not(is_ready());
    cr_assert_eq(orders_turn(&orders), CLOCK_NEVER, "the broker will wake it");
}

Test(orders, in_the_place_of_another_it_can_be_told_to_leave_before_it_is_ready)
{
    broker.is_mute = true;
    start_in_place_of_another(broker.port);
    drain(clock_now_ns() + 60 * CLOCK_S);
    turn_to_the_end();
}

/* ---- serving ---- */

Test(orders, serves_a_front_and_rings_it_when_it_sleeps)
{
    struct side side;
    serve(&side);
    post(&side, 3);
    expect(&side, 3, OUTCOME_UNCONFIRMED);
    TURN_UNTIL(broker.n_publishes == 1);
    cr_assert_eq(side.n_rung, 1);
}

Test(orders, answers_while_its_broker_is_away)
{
    struct side side;
    uint16_t port = broker.port;
    fake_go_away(&broker);
    start(port);
    attach(&side);
    post(&side, 1);
    expect(&side, 1, OUTCOME_DOWN);
    fake_listen(&broker, port);
    uint32_t outcome = OUTCOME_DOWN;
    while (outcome == OUTCOME_DOWN) { /* until the link is up on this side too */
        TURN_UNTIL(broker.n_opened == 1);
        int n_rung = side.n_rung;
        post(&side, 1);
        TURN_UNTIL(side.n_rung > n_rung);
        cr_assert_eq(fake_front_done(&side.front), 1);
        outcome = fake_front_reply(&side.front, 1)->outcome;
    }
    cr_assert_eq(outcome, OUTCOME_UNCONFIRMED);
}

Test(orders, refuses_a_get_that_another_worker_serves)
{
    struct side side;
    serve(&side);
    fake_front_get(&side.front, 1, CONSUMER);
    (void)doorbell_ring(side.front.lane.worker, side.worker_bell.rope);
    expect(&side, 1, OUTCOME_INVALID);
}

Test(orders, serves_the_next_front_when_one_has_died)
{
    struct side first, second;
    serve(&first);
    end_front(&first);
    attach(&second);
    post(&second, 2);
    expect(&second, 2, OUTCOME_UNCONFIRMED);
    cr_assert_eq(broker.n_accepted, 1, "its connections do not care");
}

Test(orders, lets_the_publishes_of_a_dead_front_come_to_their_end)
{
    struct side first, second;
    serve(&first);
    post_to(&first, 1, CONFIRMED);
    TURN_UNTIL(fake_front_state(&first.front, 1) == SLOT_CLAIMED);
    end_front(&first);
    attach(&second);
    cr_assert_not(fronts_is_idle(&orders.fronts), "its body lies in the dead front's lane");
    fake_hang_up(&broker);
    TURN_UNTIL(broker.n_accepted == 2);
    TURN_UNTIL(fronts_is_idle(&orders.fronts));
    cr_assert_eq(fake_front_done(&first.front), UINT32_MAX, "nobody is told");
}

Test(orders, takes_another_lane_for_the_news_that_the_front_is_dead)
{
    struct side first, second;
    serve(&first);
    attach(&second);
    post(&second, 2);
    expect(&second, 2, OUTCOME_UNCONFIRMED);
    post(&first, 1);
    turn_once();
    turn_once();
    cr_assert_eq(fake_front_state(&first.front, 1), SLOT_READY, "nobody listens there");
}

Test(orders, complains_once_about_a_front_that_lies_and_serves_its_successor)
{
    struct side liar, honest;
    struct control_message message;
    serve(&liar);
    fake_front_push(&liar.front, LANE_ENTRY(LANE_SUBMIT, 4711, 1));
    (void)doorbell_ring(liar.front.lane.worker, liar.worker_bell.rope);
    TURN_UNTIL(has_heard(&message));
    cr_assert_eq(message.kind, CONTROL_COMPLAINT);
    cr_assert_str_eq(message.reason, "an entry names a slot that is not there");
    turn_once();
    cr_assert_not(has_heard(&message));
    attach(&honest);
    post(&honest, 2);
    expect(&honest, 2, OUTCOME_UNCONFIRMED);
}

Test(orders, complains_about_a_lane_that_is_none_and_lives_on)
{
    struct side side, other;
    struct control_message message;
    CLEANUP(cleanup_fd) int plan = plan_new(1);
    start(broker.port);
    fake_front_open(&side.front);
    cleanup_fd(&side.front.memory_fd);
    side.front.memory_fd = plan;
    cr_assert_eq(doorbell_new(&side.front_bell) | doorbell_new(&side.worker_bell), 0);
    side.life = eventfd(0, EFD_CLOEXEC);
    offer(&side);
    TURN_UNTIL(has_heard(&message));
    cr_assert_eq(message.kind, CONTROL_COMPLAINT, "nobody else would ever know");
    attach(&other);
    TURN_UNTIL(broker.n_opened == 1);
    post(&other, 2);
    expect(&other, 2, OUTCOME_UNCONFIRMED);
}

Test(orders, drops_what_comes_out_of_turn)
{
    struct side early, side;
    open_side(&early); /* before START */
    turn_once();
    cr_assert_eq(orders.state, ORDERS_NEW);
    serve(&side);
    tell(&(struct control_message){.kind = CONTROL_READY}, &(struct control_fds){0});
    post(&side, 2);
    expect(&side, 2, OUTCOME_UNCONFIRMED);
}

/* ---- leaving ---- */

Test(orders, drains_when_the_front_is_gone_and_says_good_bye_to_its_broker)
{
    struct side side;
    serve(&side);
    drain(clock_now_ns() + 60 * CLOCK_S);
    TURN_UNTIL(orders.state == ORDERS_DRAINING);
    post(&side, 1); /* the front is draining too */
    expect(&side, 1, OUTCOME_UNCONFIRMED);
    cr_assert_not(orders_are_done(&orders));
    cr_assert_eq(eventfd_write(side.life, 1), 0);
    turn_to_the_end();
    cr_assert_eq(broker.n_closes, 1);
}

/* This broker never confirms, like one that is frozen. */
Test(orders, leaves_soon_when_nobody_waits_for_what_is_missing)
{
    struct side side;
    serve(&side);
    post_to(&side, 3, CONFIRMED);
    TURN_UNTIL(fake_front_state(&side.front, 3) == SLOT_CLAIMED);
    end_front(&side);
    drain(clock_now_ns() + 3600 * CLOCK_S);
    turn_to_the_end();
    cr_assert_not(fronts_is_idle(&orders.fronts), "the confirm has come after all");
}

Test(orders, leaves_when_the_time_is_up_whatever_is_left)
{
    struct side side;
    broker.is_deaf = true;
    serve(&side);
    drain(clock_now_ns() + 50 * CLOCK_MS);
    turn_to_the_end();
    cr_assert(fronts_is_open(&orders.fronts));
}

Test(orders, drains_when_the_supervisor_is_gone)
{
    struct side side;
    serve(&side);
    cleanup_fd(&supervisor);
    TURN_UNTIL(orders.state == ORDERS_DRAINING);
    cr_assert_gt(orders.until_ns, clock_now_ns() + CLOCK_S, "the front needs the plan's time");
    cr_assert_eq(eventfd_write(side.life, 1), 0);
    turn_to_the_end();
    cr_assert_eq(broker.n_closes, 1);
}

Test(orders, leaves_at_once_when_nothing_was_begun)
{
    drain(clock_now_ns() + 60 * CLOCK_S);
    turn_to_the_end();
}
