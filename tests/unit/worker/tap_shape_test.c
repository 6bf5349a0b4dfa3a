/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap whose backends shape their messages, over a real lane: whose block is whose, and what
 * becomes of a message for whose new shape there is no room.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "desk.h"
#include "fake_front.h"
#include "shm/clock.h"
#include "tap.h"

enum { GROUPS, TARGETS, QUOTES, N_BACKENDS };

static struct fake_front front;
static struct desk *desk;
static struct plan plan;
static struct tap tap;
static uint64_t now_ns = 1000 * CLOCK_S;
static uint64_t last_delivery;
static int n_acked, n_requeued, n_discarded, n_spoiled;

/* ---- the stage ---- */

static void on_consume(void *owner, uint32_t consumer, uint16_t prefetch) {}

static void on_cancel(void *owner, uint32_t consumer) {}

static void on_ack(void *owner, uint64_t delivery_tag)
{
    n_acked++;
}

static void on_nack(void *owner, uint64_t delivery_tag, bool is_requeued)
{
    *(is_requeued ? &n_requeued : &n_discarded) += 1;
}

static void on_spoiled(void *owner, const struct tap_spoiled *spoiled)
{
    n_spoiled++;
}

static const struct tap_ops tap_ops = {on_consume, on_cancel, on_ack, on_nack, on_spoiled};

static void on_get(void *owner, struct desk_slot *slot)
{
    tap_get(&tap, slot, now_ns);
}

static void on_cancelled(void *owner, struct desk_slot *slot)
{
    tap_cancelled(&tap, slot, now_ns);
}

static void on_verdict(void *owner, struct desk_slot *slot, bool is_ack)
{
    tap_verdict(&tap, slot, is_ack);
}

static const struct desk_ops desk_ops = {on_get, on_get, on_cancelled, on_verdict};

static void make_plan(void)
{
    struct plan_builder *builder = plan_builder_new(PLAN_WORKER);
    struct plan_text group = plan_add_string(builder, "g"), name = plan_add_string(builder, "n");
    struct plan_list target = plan_add_list(builder, &name, sizeof name, 1);
    const struct plan_backend backends[N_BACKENDS] = {
        [GROUPS] = {.encoding = PLAN_JSON, .shape = {.group = group, .is_any = 1}},
        [TARGETS] = {.encoding = PLAN_JSON, .shape = {.target = target, .is_any = 1}},
        [QUOTES] = {.encoding = PLAN_STRING,
            .discards_malformed = 1,
            .shape = {.group = group, .is_any = 1}},
    };
    struct plan_worker root = {
        .backends = plan_add_list(builder, backends, sizeof *backends, N_BACKENDS)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof root);
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_WORKER), 0);
}

static void set_up(void)
{
    static const uint8_t verbs[N_BACKENDS] = {PLAN_CONSUME, PLAN_CONSUME, PLAN_CONSUME};
    static struct plan_backend backends[N_BACKENDS];
    struct desk_config desk_config = {.verbs = verbs, .n_backends = N_BACKENDS, .ops = &desk_ops};
    make_plan();
    const struct plan_worker *worker = plan.root;
    memcpy(backends, plan_items(&plan, worker->backends), sizeof backends);
    for (int i = 0; i < N_BACKENDS; i++)
        backends[i].max_body_bytes = 1 << 20;
    struct tap_config config = {
        .prefetch_count = 100, .backends = backends, .plan = &plan, .ops = &tap_ops};
    fake_front_open(&front);
    cr_assert_eq(desk_new(&desk, front.memory_fd, &desk_config), 0);
    cr_assert_eq(tap_init(&tap, &config), 0);
    tap_use_desk(&tap, desk);
    tap_opened(&tap, 7);
}

static void tear_down(void)
{
    tap_done(&tap);
    desk_free(desk);
    fake_front_close(&front);
    plan_leave(&plan);
}

TestSuite(tap_shape, .init = set_up, .fini = tear_down);

/* A message with `n_fields` bytes of fields before its body; it meets the GET that waits. */
static uint64_t deliver(const char *fields, const char *body, size_t n_body)
{
    size_t n_fields = strlen(fields);
    struct tap_message message = {.delivery_tag = ++last_delivery,
        .consumer = tap.consumer,
        .n_fields = (uint32_t)n_fields,
        .n_body = (uint32_t)n_body,
        .block = desk_block_take(desk, n_fields + n_body)};
    cr_assert_neq(message.block, DESK_NO_BLOCK);
    memcpy(desk_block_bytes(desk, message.block), fields, n_fields);
    memcpy(desk_block_bytes(desk, message.block) + n_fields, body, n_body);
    tap_consume_ok(&tap, tap.consumer);
    tap_message(&tap, &message, now_ns);
    return message.block;
}

static void get(uint32_t backend)
{
    fake_front_get(&front, 1, backend);
    (void)desk_turn(desk);
    (void)tap_settle(&tap, now_ns);
}

static void acknowledge(void)
{
    fake_front_tell(&front, LANE_ACK, 1);
    (void)desk_turn(desk);
}

/* ---- */

Test(tap_shape, a_rebuilt_message_has_its_fields_and_a_block_of_its_own)
{
    get(GROUPS);
    uint64_t block = deliver("fields", " {\"a\":2.50} ", 12);
    fake_front_expect(&front, 1, OUTCOME_DELIVERED);
    fake_front_expect_body(&front, 1, "{\"g\":{\"a\":2.50}}");
    struct lane_ref fields = fake_front_reply(&front, 1)->fields;
    cr_assert_eq(fields.length, 6);
    cr_expect_arr_eq(lane_reply_bytes(&front.lane, fields), "fields", 6);
    cr_expect_neq(fields.offset, block);
    acknowledge();
    cr_expect_eq(n_acked, 1);
}

Test(tap_shape, a_target_is_delivered_in_the_block_in_which_it_came)
{
    get(TARGETS);
    uint64_t block = deliver("", "{\"a\":1,\"n\": {\"x\":1} }", 21);
    fake_front_expect(&front, 1, OUTCOME_DELIVERED);
    fake_front_expect_body(&front, 1, "{\"x\":1}");
    cr_expect_eq(fake_front_reply(&front, 1)->body.offset, block + 12);
    acknowledge();
}

Test(tap_shape, blocks_are_given_back_however_many_messages_pass)
{
    static char body[10000];
    int n = snprintf(body, sizeof body, "{\"a\":\"%09000d\"}", 0);
    for (int i = 0; i < 100; i++) {
        get(i % 2 ? GROUPS : TARGETS);
        (void)deliver("", body, (size_t)n);
        fake_front_expect(&front, 1, OUTCOME_DELIVERED);
        acknowledge();
    }
    cr_expect_eq(n_acked, 100);
}

Test(tap_shape, a_message_without_room_for_its_shape_is_held_and_its_get_is_busy)
{
    static char body[40000];
    int n = snprintf(body, sizeof body, "{\"a\":\"%039000d\"}", 0);
    get(GROUPS);
    (void)deliver("", body, (size_t)n);
    fake_front_expect(&front, 1, OUTCOME_BUSY);
    (void)tap_settle(&tap, now_ns);
    cr_expect_eq(n_requeued, 0);
    (void)tap_settle(&tap, now_ns + POISON_FIRST_NS);
    cr_expect_eq(n_requeued, 1);
    cr_expect_eq(n_spoiled, 0, "another time it may find room");
    cr_expect_neq(desk_block_take(desk, 60000), DESK_NO_BLOCK, "nothing of it is left");
}

Test(tap_shape, a_message_whose_shape_fits_no_block_is_too_large_and_never_discarded)
{
    static char body[20000];
    memset(body, 1, sizeof body); /* six bytes each as JSON */
    get(QUOTES);
    (void)deliver("", body, sizeof body);
    fake_front_expect(&front, 1, OUTCOME_TOO_LARGE);
    (void)tap_settle(&tap, now_ns + POISON_FIRST_NS);
    cr_expect_eq(n_discarded, 0);
    cr_expect_eq(n_spoiled, 1);
    cr_expect_eq(n_requeued, 1);
}
