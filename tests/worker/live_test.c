/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's connection against a real RabbitMQ: each pitfall that only the real one can show. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "shm/clock.h"

#include "tests/support/alarm.h"
#include "tests/support/broker_control.h"

static struct caller caller;

static const struct topology_wish wish = {
    .exchange = {.name = "events"}, .queue = {.name = "inbox"}};

static void declare(void)
{
    static const char *const keys[] = {"k.#"};
    struct topology_wish bound = wish;
    bound.keys = keys;
    bound.n_keys = 1;
    caller_declare(&caller, &bound);
    CALLER_UNTIL(&caller, caller.topology_outcome == TOPOLOGY_COMPLETE);
}

static void publish(const char *key, const char *id, const void *body, size_t n_body)
{
    caller_publish(&caller, &(struct caller_message){
                                .exchange = "events",
                                .key = key,
                                .id = id,
                                .body = body,
                                .n_body = n_body,
                            });
}

static bool is_settled(uint64_t from, uint64_t to, char how)
{
    for (uint64_t tag = from; tag <= to; tag++)
        if (caller.settled[tag] != (uint8_t)how)
            return false;
    return true;
}

/* ---- logging in ------------------------------------------------------------------------------ */

Test(live, a_link_comes_up_by_name_and_says_good_bye)
{
    caller_init(&caller, "up", 0);
    cr_assert_eq(caller.n_failed, 0);
    caller_done(&caller);
    cr_assert_eq(caller.end.reason, CONNECTION_END_ASKED);
    cr_assert_eq(caller.n_stopped, 1);
}

Test(live, a_wrong_password_is_a_refusal)
{
    caller_init_as(&caller, "password", "wrong", NULL);
    CALLER_UNTIL(&caller, caller.n_failed == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_REFUSED);
    cr_assert_eq(caller.end.code, 403);
    cr_assert(strstr(caller.end.text, "ACCESS_REFUSED"), "%s", caller.end.text);
    caller_done(&caller);
}

Test(live, an_unknown_vhost_is_a_refusal)
{
    caller_init_as(&caller, "vhost", NULL, "no-such-vhost");
    CALLER_UNTIL(&caller, caller.n_failed == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_REFUSED);
    cr_assert_eq(caller.end.code, 530);
    cr_assert(strstr(caller.end.text, "no-such-vhost"), "%s", caller.end.text);
    caller_done(&caller);
}

/* ---- confirms and returns -------------------------------------------------------------------- */

Test(live, every_publish_of_a_batch_is_confirmed)
{
    caller_init(&caller, "confirm", 0);
    caller_open_confirmed(&caller);
    declare();
    for (int i = 0; i < 1000; i++)
        publish("k.1", "id", "x", 1);
    CALLER_UNTIL(&caller, is_settled(1, 1000, 'a'));
    cr_assert(caller.has_confirm_select);
    caller_done(&caller);
}

/* A persistent message waits for the disk, an unroutable one behind it does not. */
Test(live, confirms_come_out_of_order)
{
    struct topology_wish durable = wish;
    durable.exchange.is_durable = true;
    durable.queue.is_durable = true;
    static const char *const keys[] = {"k"};
    durable.keys = keys;
    durable.n_keys = 1;
    caller_init(&caller, "order", 0);
    caller_open_confirmed(&caller);
    caller_declare(&caller, &durable);
    CALLER_UNTIL(&caller, caller.topology_outcome == TOPOLOGY_COMPLETE);
    struct caller_message message = {.exchange = "events",
        .key = "k",
        .id = "1",
        .body = "x",
        .n_body = 1,
        .is_persistent = true};
    caller_publish(&caller, &message);
    message.key = "nowhere";
    message.id = "2";
    caller_publish(&caller, &message);
    CALLER_UNTIL(&caller, caller.settled[2]);
    cr_assert_eq(caller.settled[1], 0);
    CALLER_UNTIL(&caller, caller.settled[1] == 'a');
    caller_done(&caller);
}

Test(live, a_full_queue_that_rejects_nacks_and_tells_each_message_apart)
{
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("x-max-length"),
            .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 1}}},
        {.key = amqp_cstring_bytes("x-overflow"),
            .value = {.kind = AMQP_FIELD_KIND_UTF8,
                .value = {.bytes = amqp_cstring_bytes("reject-publish")}}},
    };
    amqp_table_t arguments = {.num_entries = 2, .entries = entries};
    struct topology_wish full = {.queue = {.name = "full", .arguments = &arguments}};
    caller_init(&caller, "nack", 0);
    caller_open_confirmed(&caller);
    caller_declare(&caller, &full);
    struct caller_message message = {
        .exchange = "", .key = "full", .id = "id", .body = "x", .n_body = 1};
    for (int i = 0; i < 10; i++)
        caller_publish(&caller, &message);
    CALLER_UNTIL(&caller, is_settled(1, 1, 'a') && is_settled(10, 10, 'n'));
    for (uint64_t tag = 1; tag <= 10; tag++)
        cr_assert_neq(caller.settled[tag], 0, "tag %lu", (unsigned long)tag);
    caller_done(&caller);
}

Test(live, a_return_comes_before_its_own_ack_and_has_no_body_frame_when_empty)
{
    caller_init(&caller, "return", 0);
    caller_open_confirmed(&caller);
    declare();
    publish("nowhere", "lost-1", NULL, 0);
    CALLER_UNTIL(&caller, caller.settled[1] == 'a');
    cr_assert_str_eq(caller.order, "ra");
    cr_assert_eq(caller.n_contents, 1);
    cr_assert_eq(caller.body_size, 0);
    cr_assert_str_eq(caller.returned_id, "lost-1");
    publish("nowhere", "lost-2", "body", 4);
    CALLER_UNTIL(&caller, caller.settled[2] == 'a');
    cr_assert_str_eq(caller.order, "rara");
    cr_assert_str_eq(caller.returned_id, "lost-2");
    cr_assert_eq(caller.n_body, 4);
    caller_done(&caller);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

Test(live, bodies_of_every_size_come_back_byte_for_byte)
{
    static const size_t sizes[] = {
        0, 1, 4095, 4096, 4097, 131063, 131064, 131065, 300000, CALLER_MAX_BODY};
    static uint8_t body[CALLER_MAX_BODY];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 2654435761u >> 11);
    caller_init(&caller, "bodies", 0);
    caller_open(&caller);
    declare();
    caller_consume(&caller, "inbox");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        publish("k", "id", body, sizes[i]);
        CALLER_UNTIL(&caller, caller.n_contents == (int)i + 1 && caller.n_body == sizes[i]);
        cr_assert_eq(caller.body_size, sizes[i]);
        cr_assert_eq(memcmp(caller.body, body, sizes[i]), 0, "%zu bytes", sizes[i]);
    }
    caller_done(&caller);
}

Test(live, many_deliveries_arrive_complete_over_fragmented_input)
{
    enum { ROUNDS = 20, PER_ROUND = 1000 };
    static uint8_t body[1024];
    caller_init(&caller, "many", 0);
    caller_open(&caller);
    declare();
    caller_consume(&caller, "inbox");
    for (int round = 1; round <= ROUNDS; round++) {
        memset(body, round, sizeof body);
        for (int i = 0; i < PER_ROUND; i++) {
            publish("k", "id", body, sizeof body);
            if (i % 500 == 499)
                caller_turn(&caller, clock_now_ns());
        }
        CALLER_UNTIL(&caller, caller.n_bodies == (uint32_t)(round * PER_ROUND));
        cr_assert_eq(memcmp(caller.body, body, sizeof body), 0);
    }
    cr_assert_eq(caller.last_delivery_tag, ROUNDS * PER_ROUND);
    caller_done(&caller);
}

/* ---- errors of a channel, errors of the connection ------------------------------------------- */

Test(live, publishing_to_a_missing_exchange_costs_the_channel_alone)
{
    caller_init(&caller, "missing", 0);
    caller_open_confirmed(&caller);
    struct caller_message message = {
        .exchange = "no-such-exchange", .key = "k", .id = "id", .body = "x", .n_body = 1};
    caller_publish(&caller, &message);
    CALLER_UNTIL(&caller, caller.n_channel_closed == 1);
    cr_assert_eq(caller.channel_code, 404);
    cr_assert(strstr(caller.channel_text, "no-such-exchange"), "%s", caller.channel_text);
    caller_open_confirmed(&caller);
    cr_assert_eq(caller.channel->number, 1, "its number is free again");
    declare();
    publish("k", "id", "x", 1);
    CALLER_UNTIL(&caller, caller.settled[1] == 'a');
    cr_assert_eq(caller.n_down, 0);
    caller_done(&caller);
}

Test(live, an_exchange_of_another_type_is_refused_in_the_brokers_words)
{
    struct topology_wish other = {.exchange = {.name = "events", .type = "direct"}};
    caller_init(&caller, "type", 0);
    caller_open(&caller);
    declare();
    caller_declare(&caller, &other);
    CALLER_UNTIL(&caller, caller.n_channel_closed == 1);
    cr_assert_eq(caller.channel_code, 406);
    cr_assert(strstr(caller.channel_text, "inequivalent arg 'type'"), "%s", caller.channel_text);
    cr_assert_eq(caller.topology.state, TOPOLOGY_PENDING);
    caller_done(&caller);
}

Test(live, a_queue_without_a_name_is_named_by_the_broker)
{
    static const char *const keys[] = {"k"};
    struct topology_wish nameless = wish;
    nameless.queue.name = "";
    nameless.queue.is_exclusive = true;
    nameless.keys = keys;
    nameless.n_keys = 1;
    caller_init(&caller, "nameless", 0);
    caller_open_confirmed(&caller);
    caller_declare(&caller, &nameless);
    CALLER_UNTIL(&caller, caller.topology_outcome == TOPOLOGY_COMPLETE);
    cr_assert_eq(strncmp(caller.topology.queue, "amq.gen-", 8), 0, "%s", caller.topology.queue);
    publish("k", "id", "x", 1);
    CALLER_UNTIL(&caller, caller.settled[1] == 'a');
    cr_assert_eq(caller.n_returns, 0, "it was bound");
    caller_done(&caller);
}

/* RabbitMQ has not had it since 3.0. */
Test(live, immediate_costs_the_connection_which_comes_back)
{
    caller_init(&caller, "immediate", 0);
    caller_open(&caller);
    declare();
    caller_publish(&caller, &(struct caller_message){.exchange = "events",
                                .key = "k",
                                .id = "id",
                                .body = "x",
                                .n_body = 1,
                                .is_immediate = true});
    CALLER_UNTIL(&caller, caller.n_down == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_BROKER);
    cr_assert_eq(caller.end.code, 540);
    cr_assert_eq(caller.end.method, AMQP_BASIC_PUBLISH_METHOD);
    cr_assert_eq(caller.n_channel_closed, 1);
    CALLER_UNTIL(&caller, caller.n_up == 2);
    caller_done(&caller);
}

/* ---- alarms ---------------------------------------------------------------------------------- */

/* The announced capability, and an outbox that keeps what the broker does not read. */
Test(live, an_alarm_blocks_who_publishes_and_its_end_lets_the_message_through)
{
    caller_init(&caller, "alarm", 0);
    caller_open_confirmed(&caller);
    declare();
    alarm_raise();
    publish("k", "id", "x", 1);
    CALLER_UNTIL(&caller, caller.n_blocked == 1);
    cr_assert(link_is_blocked(caller.link));
    cr_assert_str_eq(caller.blocked_reason, "low on memory");
    cr_assert(link_is_up(caller.link));
    cr_assert_eq(caller.settled[1], 0);
    alarm_clear();
    CALLER_UNTIL(&caller, caller.n_blocked == 2);
    cr_assert_not(link_is_blocked(caller.link));
    CALLER_UNTIL(&caller, caller.settled[1] == 'a');
    caller_done(&caller);
}

/* ---- heartbeats, outages --------------------------------------------------------------------- */

/* Without ours RabbitMQ resets the connection after three intervals, without its own we leave. */
Test(live, heartbeats_both_ways_keep_an_idle_connection)
{
    caller_init(&caller, "idle", 1);
    uint64_t end_ns = clock_now_ns() + 5 * CLOCK_S;
    while (clock_now_ns() < end_ns)
        caller_turn(&caller, end_ns);
    cr_assert_eq(caller.n_down, 0);
    cr_assert(link_is_up(caller.link));
    caller_done(&caller);
}

Test(live, a_frozen_broker_is_given_up_and_found_again)
{
    caller_init(&caller, "frozen", 1);
    broker_do(BROKER_FREEZE);
    CALLER_UNTIL(&caller, caller.n_down == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_SILENCE);
    broker_do(BROKER_THAW);
    CALLER_UNTIL(&caller, caller.n_up == 2);
    caller_done(&caller);
}

Test(live, a_killed_broker_is_noticed_at_once_and_found_again)
{
    caller_init(&caller, "killed", 0);
    caller_open(&caller);
    broker_do(BROKER_KILL);
    CALLER_UNTIL(&caller, caller.n_down == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_LOST, "it was not missed, but seen to go");
    cr_assert_eq(caller.n_channel_closed, 1);
    CALLER_UNTIL(&caller, caller.n_failed >= 1);
    broker_do(BROKER_START);
    CALLER_UNTIL(&caller, caller.n_up == 2);
    cr_assert_eq(link_epoch(caller.link), 2);
    caller_done(&caller);
}

Test(live, a_connection_that_the_broker_closes_is_told_with_320)
{
    caller_init(&caller, "forced", 0);
    /* the management interface lists a connection a little after it was made */
    uint64_t end_ns = clock_now_ns() + 20 * CLOCK_S;
    while (vhost_close_connections(&caller.vhost) == 0) {
        cr_assert_lt(clock_now_ns(), end_ns);
        caller_turn(&caller, clock_now_ns() + 20 * CLOCK_MS);
    }
    CALLER_UNTIL(&caller, caller.n_down == 1);
    cr_assert_eq(caller.end.reason, CONNECTION_END_BROKER);
    cr_assert_eq(caller.end.code, 320);
    CALLER_UNTIL(&caller, caller.n_up == 2);
    caller_done(&caller);
}
