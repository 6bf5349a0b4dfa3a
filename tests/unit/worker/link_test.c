/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_broker.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

/* What the resolver's thread calls, in place of the C library's: names that do not depend on where
 * the test runs. Nobody listens on 127.0.0.2. */
int getaddrinfo(
    const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    static const char *const addresses[] = {"127.0.0.2", "127.0.0.1"};
    if (strcmp(name, "two-addresses.test") != 0)
        return EAI_NONAME;
    *found = NULL;
    for (int i = 1; i >= 0; i--) {
        struct {
            struct addrinfo info;
            struct sockaddr_in address;
        } *one = calloc(1, sizeof *one);
        one->address =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
        (void)inet_pton(AF_INET, addresses[i], &one->address.sin_addr);
        one->info = (struct addrinfo){.ai_family = AF_INET,
            .ai_addr = (struct sockaddr *)&one->address,
            .ai_addrlen = sizeof one->address,
            .ai_next = *found};
        *found = &one->info;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    while (found) {
        struct addrinfo *next = found->ai_next;
        free(found);
        found = next;
    }
}

static struct resolver *resolver;
static struct link *link_;
static struct fake_broker broker, second;
static struct link_host hosts[2];
static struct link_config config;

static int n_up, n_down, n_failed, n_stopped, n_blocked, n_channels_closed;
static uint64_t last_epoch, last_retry_ns;
static bool was_to_wait;
static struct connection_end last_end;
static bool stops_when_failed, stops_when_up, frees_when_stopped;
static uint64_t taken_when_down;

static void on_up(void *owner, uint64_t epoch)
{
    n_up++;
    last_epoch = epoch;
    cr_assert(link_is_up(link_));
    if (stops_when_up)
        link_close(link_);
}

static void on_down(void *owner, const struct connection_end *end)
{
    n_down++;
    last_end = *end;
    if (n_channels_closed > 0)
        cr_assert_eq(link_outbox(link_)->taken, taken_when_down, "still what it was");
}

static void on_failed(void *owner, const struct connection_end *end, uint64_t retry_ns)
{
    n_failed++;
    last_end = *end;
    last_retry_ns = retry_ns;
    was_to_wait = retry_ns > loop_now_ns(loop);
    if (stops_when_failed)
        link_close(link_);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    n_blocked++;
}

static void on_stopped(void *owner)
{
    n_stopped++;
    cr_assert_eq(link_state(link_), LINK_DOWN);
    if (frees_when_stopped) {
        link_free(link_);
        link_ = NULL;
    }
}

static const struct link_ops ops = {.on_up = on_up,
    .on_down = on_down,
    .on_failed = on_failed,
    .on_blocked = on_blocked,
    .on_stopped = on_stopped};

static void on_channel_open(struct channel *channel) {}

static void on_channel_closed(struct channel *channel, const struct channel_end *end)
{
    n_channels_closed++;
    taken_when_down = channel_taken(channel);
    cr_assert_eq(n_down, 0, "channels hear of it before the link's owner");
}

static const struct channel_ops channel_ops = {
    .on_open = on_channel_open, .on_closed = on_channel_closed};

static void set_up(void)
{
    turn_new(&LOOP_CONFIG_DEFAULT);
    cr_assert_eq(resolver_new(&resolver, loop), 0);
    fake_listen(&broker, 0);
    hosts[0] = (struct link_host){.name = "127.0.0.1",
        .port = broker.port,
        .login = {.user = "u", .password = "p", .vhost = "/"}};
    config = (struct link_config){
        .hosts = hosts, .n_hosts = 1, .connection = {.name = "test", .version = "1"}};
}

static void start(void)
{
    cr_assert_eq(link_new(&link_, loop, resolver, &config, &ops, NULL), 0);
    link_start(link_);
}

static void tear_down(void)
{
    if (link_) {
        n_stopped = 0;
        bool is_down = link_state(link_) == LINK_DOWN;
        link_close(link_);
        TURN_UNTIL(is_down || n_stopped == 1);
        link_free(link_);
    }
    fake_done(&broker);
    fake_done(&second);
    resolver_free(resolver);
    turn_once();
    turn_once();
    loop_free(loop);
}

TestSuite(link, .init = set_up, .fini = tear_down);

/* ---- up ------------------------------------------------------------------------------------- */

Test(link, it_comes_up_and_says_good_bye)
{
    start();
    cr_assert_eq(n_up, 0);
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(last_epoch, 1);
    link_close(link_);
    cr_assert_eq(link_state(link_), LINK_CLOSING);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(broker.n_closes, 1);
    cr_assert_eq(n_down, 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_ASKED);
    cr_assert_eq(n_failed, 0);
}

Test(link, the_addresses_of_a_name_are_tried_in_turn)
{
    hosts[0].name = "two-addresses.test";
    start();
    cr_assert_eq(link_state(link_), LINK_RESOLVING);
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(n_failed, 0, "they are one host");
}

Test(link, a_host_has_failed_when_all_its_addresses_have)
{
    hosts[0].name = "two-addresses.test";
    fake_go_away(&broker);
    start();
    TURN_UNTIL(n_failed == 1);
    cr_assert_eq(last_end.error, ECONNREFUSED);
}

Test(link, it_starts_before_its_broker_and_comes_up_when_that_does)
{
    uint16_t port = broker.port;
    fake_go_away(&broker);
    start();
    TURN_UNTIL(n_failed == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LOST);
    cr_assert_eq(last_end.error, ECONNREFUSED);
    cr_assert_eq(link_state(link_), LINK_WAITING);
    cr_assert(was_to_wait);
    fake_listen(&broker, port);
    TURN_UNTIL(n_up == 1);
    cr_assert_geq(clock_now_ns(), last_retry_ns);
}

Test(link, all_that_a_turn_queues_is_one_send)
{
    struct channel *channel;
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes("x")};
    amqp_basic_properties_t properties = {0};
    struct writer_message message = {.publish = &publish, .properties = &properties};
    for (int i = 0; i < 500; i++)
        cr_assert_eq(channel_message(channel, &message), 0);
    const struct outbox *outbox = link_outbox(link_);
    cr_assert_eq(outbox->handed_over, outbox->taken);
    uint64_t queued = outbox->queued;
    turn_once();
    cr_assert_eq(outbox->handed_over, queued, "with the kernel after one turn");
    TURN_UNTIL(broker.n_publishes == 500);
    cr_assert_eq(outbox->taken, queued);
}

/* ---- hosts and back-off ---------------------------------------------------------------------- */

static void two_hosts(void)
{
    fake_listen(&second, 0);
    hosts[1] = hosts[0];
    hosts[1].port = second.port;
    config.n_hosts = 2;
}

Test(link, the_next_host_is_tried_at_once)
{
    two_hosts();
    fake_go_away(&broker);
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(n_failed, 1);
    cr_assert_not(was_to_wait, "without a back-off");
    cr_assert_eq(link_host(link_), &hosts[1]);
    cr_assert_eq(second.n_opened, 1);
}

Test(link, a_refused_login_is_told_as_one)
{
    broker.refusal = 403;
    start();
    TURN_UNTIL(n_failed == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_REFUSED);
    cr_assert_eq(last_end.code, 403);
    cr_assert_eq(n_up, 0);
    cr_assert_eq(n_down, 0);
    cr_assert_eq(broker.n_close_oks, 1, "its close was answered");
}

Test(link, retries_run_out_and_a_new_start_begins_anew)
{
    config.backoff.max_retries = 1;
    uint16_t port = broker.port;
    fake_go_away(&broker);
    start();
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_failed, 2);
    cr_assert_eq(last_retry_ns, CLOCK_NEVER);
    fake_listen(&broker, port);
    link_start(link_);
    TURN_UNTIL(n_up == 1);
}

Test(link, a_broker_that_accepts_and_says_nothing_is_given_up)
{
    broker.is_mute = true;
    config.connection.patience_ns = 20 * CLOCK_MS;
    start();
    TURN_UNTIL(n_failed == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LATE);
}

Test(link, a_name_that_does_not_exist_is_a_failure_that_names_it)
{
    hosts[0].name = "no-such-host.invalid";
    start();
    TURN_UNTIL(n_failed == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LOST);
    cr_assert(strstr(last_end.text, "resolving: "), "%s", last_end.text);
}

/* ---- loss ----------------------------------------------------------------------------------- */

Test(link, a_lost_connection_is_told_and_replaced)
{
    struct channel *channel;
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    uint64_t epoch = channel->epoch;
    turn_once();
    fake_reset(&broker);
    TURN_UNTIL(n_down == 1);
    cr_assert_eq(n_channels_closed, 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LOST);
    cr_assert_not(link_is_up(link_));
    TURN_UNTIL(n_up == 2);
    cr_assert_eq(last_epoch, 2);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    cr_assert_gt(channel->epoch, epoch);
}

Test(link, a_broker_that_closes_is_answered_and_told_in_its_words)
{
    start();
    TURN_UNTIL(n_up == 1);
    fake_close(&broker, 320, "CONNECTION_FORCED - shutdown");
    fake_flush(&broker);
    TURN_UNTIL(n_down == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_BROKER);
    cr_assert_eq(last_end.code, 320);
    cr_assert_str_eq(last_end.text, "CONNECTION_FORCED - shutdown");
    TURN_UNTIL(broker.n_close_oks == 1);
}

Test(link, a_broker_that_breaks_the_protocol_is_left)
{
    start();
    TURN_UNTIL(n_up == 1);
    put_body(&fake_says, 7, "what?", 5);
    fake_flush(&broker);
    TURN_UNTIL(n_down == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_VIOLATION);
    TURN_UNTIL(broker.n_closes == 1);
}

/* SENT, but what became of it: the offsets at the time of on_closed are final. */
Test(link, what_a_deaf_broker_did_not_take_is_told_from_what_it_may_have)
{
    static uint8_t body[1 << 20];
    enum { N = 64 };
    uint64_t first_byte[N];
    struct channel *channel;
    broker.is_deaf = true;
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes("x")};
    amqp_basic_properties_t properties = {0};
    struct iovec piece = {.iov_base = body, .iov_len = sizeof body};
    struct writer_message message = {
        .publish = &publish, .properties = &properties, .body = &piece, .n_body = 1};
    for (int i = 0; i < N; i++) {
        first_byte[i] = channel_offset(channel);
        cr_assert_eq(channel_message(channel, &message), 0);
    }
    for (int i = 0; i < 20; i++)
        turn_once();
    fake_reset(&broker);
    TURN_UNTIL(n_down == 1);
    cr_assert_lt(first_byte[0], taken_when_down, "the first one may have arrived");
    cr_assert_geq(first_byte[N - 1], taken_when_down, "the last one cannot");
    cr_assert_eq(link_outbox(link_)->taken, link_outbox(link_)->queued, "all is forgotten");
}

/* Not by bytes nor by time, but by who uses it: here by closing a channel without room for the
 * word. */
Test(link, a_connection_that_its_user_ended_is_left_too)
{
    struct channel *channel;
    broker.is_deaf = true;
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    TURN_UNTIL(outbox_is_empty(link_outbox(link_)));
    uint64_t taken = link_outbox(link_)->taken;
    amqp_basic_ack_t ack = {.delivery_tag = 1};
    while (channel_method(channel, AMQP_BASIC_ACK_METHOD, &ack) == 0)
        ;
    channel_close(channel);
    TURN_UNTIL(n_down == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LOST);
    cr_assert_eq(taken_when_down, taken, "nothing is sent after the end");
}

/* The broker complains while messages wait behind a send that does not move: they stay unsent. */
Test(link, nothing_that_waits_is_sent_once_the_broker_has_closed)
{
    static uint8_t body[32 << 20];
    struct channel *channel;
    broker.is_deaf = true;
    start();
    TURN_UNTIL(n_up == 1);
    cr_assert_eq(channel_open(link_channels(link_), &channel_ops, NULL, &channel), 0);
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes("x")};
    amqp_basic_properties_t properties = {0};
    struct iovec piece = {.iov_base = body, .iov_len = sizeof body};
    struct writer_message message = {
        .publish = &publish, .properties = &properties, .body = &piece, .n_body = 1};
    cr_assert_eq(channel_message(channel, &message), 0);
    turn_once();
    turn_once();
    uint64_t waiting = channel_offset(channel);
    cr_assert_eq(channel_message(channel, &message), 0);
    fake_close(&broker, 320, "CONNECTION_FORCED");
    fake_flush(&broker);
    TURN_UNTIL(n_down == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_BROKER);
    cr_assert_geq(waiting, taken_when_down);
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

Test(link, heartbeats_are_sent_and_a_silent_broker_is_left)
{
    broker.heartbeat_s = 1;
    uint64_t start_ns = clock_now_ns();
    start();
    TURN_UNTIL(n_up == 1);
    TURN_UNTIL(n_down == 1); /* the fake one never sends any */
    cr_assert_eq(last_end.reason, CONNECTION_END_SILENCE);
    cr_assert_geq(clock_now_ns() - start_ns, 2 * CLOCK_S);
    cr_assert_geq(broker.n_heartbeats, 1);
}

/* ---- stopping at any time -------------------------------------------------------------------- */

Test(link, it_may_be_stopped_and_freed_from_its_callbacks)
{
    stops_when_up = true;
    frees_when_stopped = true;
    start();
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_up, 1);
    cr_assert_eq(n_down, 1);
}

static int n_resolved;

static void on_resolved(void *owner, const struct resolver_answer *answer)
{
    n_resolved++;
}

Test(link, it_may_be_stopped_while_it_resolves)
{
    struct resolver_question later = {.on_resolved = on_resolved};
    hosts[0].name = "two-addresses.test";
    start();
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(resolver_ask(resolver, &later, "two-addresses.test", 1), 0);
    TURN_UNTIL(n_resolved == 1); /* the link's answer came before that one */
    cr_assert_eq(n_up + n_down + n_failed, 0);
}

Test(link, it_may_be_stopped_while_it_connects)
{
    start();
    cr_assert_eq(link_state(link_), LINK_CONNECTING);
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_up + n_down + n_failed, 0);
}

Test(link, it_may_be_stopped_during_the_handshake)
{
    broker.is_mute = true;
    start();
    TURN_UNTIL(link_state(link_) == LINK_OPENING);
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_up + n_down + n_failed, 0);
}

Test(link, it_may_be_stopped_while_it_waits)
{
    fake_go_away(&broker);
    start();
    TURN_UNTIL(n_failed == 1);
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_failed, 1);
}

Test(link, it_may_be_stopped_from_on_failed)
{
    stops_when_failed = true;
    hosts[0].name = "no-such-host.invalid";
    start();
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(n_failed, 1);
}

Test(link, a_stop_during_the_handshake_of_a_broker_that_never_answers_ends)
{
    broker.is_deaf = true;
    config.connection.patience_ns = 50 * CLOCK_MS;
    start();
    TURN_UNTIL(n_up == 1);
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    cr_assert_eq(last_end.reason, CONNECTION_END_LATE);
}

Test(link, stopping_twice_stops_once)
{
    start();
    TURN_UNTIL(n_up == 1);
    link_close(link_);
    link_close(link_);
    TURN_UNTIL(n_stopped == 1);
    turn_once();
    cr_assert_eq(n_stopped, 1);
    link_close(link_);
    turn_once();
    cr_assert_eq(n_stopped, 1);
}
