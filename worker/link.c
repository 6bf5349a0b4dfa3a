/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shm/clock.h"

#include "transport.h"

#define DEFAULT_CONNECT_NS (5 * CLOCK_S)

/* How long a last word (close-ok) may take to leave. */
#define LAST_WORD_NS CLOCK_S

struct link {
    enum link_state state;
    struct loop *loop;
    struct resolver *resolver;
    const struct link_config *config;
    const struct link_ops *ops;
    void *owner;
    struct connection connection;
    struct channel_table channels;
    struct transport transport;
    struct backoff backoff;
    struct loop_hook flush;
    struct loop_timer timer; /* what it is for depends on the state: on_timer() */
    struct resolver_question question;
    struct resolver_answer answer; /* of the host that is being tried */
    int nth_address;
    bool is_stopping; /* link_close() was called */
    bool was_up;      /* this connection was */
    uint64_t epoch;   /* how many were */
    uint64_t up_since_ns;
};

static const char *const state_names[LINK_N_STATES] = {
    [LINK_DOWN] = "down",
    [LINK_WAITING] = "waiting",
    [LINK_RESOLVING] = "resolving",
    [LINK_CONNECTING] = "connecting",
    [LINK_OPENING] = "opening",
    [LINK_UP] = "up",
    [LINK_CLOSING] = "closing",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << LINK_##state)
static const unsigned arrows[LINK_N_STATES] = {
    [LINK_DOWN] = TO(RESOLVING),
    [LINK_WAITING] = TO(RESOLVING) | TO(DOWN),
    [LINK_RESOLVING] = TO(CONNECTING) | TO(WAITING),
    [LINK_CONNECTING] = TO(OPENING) | TO(WAITING),
    [LINK_OPENING] = TO(UP) | TO(CLOSING),
    [LINK_UP] = TO(CLOSING),
    [LINK_CLOSING] = TO(WAITING),
};
#undef TO

static void enter(struct link *link, enum link_state state)
{
    assert(arrows[link->state] & (1u << state));
    link->state = state;
}

static uint64_t now_ns(const struct link *link)
{
    return loop_now_ns(link->loop);
}

static void set_timer(struct link *link, uint64_t due_ns)
{
    loop_timer_set(link->loop, &link->timer, due_ns);
}

/* ---- between two attempts ------------------------------------------------------------------- */

static uint32_t random_bits(void)
{
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) < 0)
        return (uint32_t)clock_now_ns(); /* a machine that has just booted: any spread will do */
    return bits;
}

/* WAITING for that long; from there on_timer() goes on, or stops when retries have run out. */
static void wait_for(struct link *link, uint64_t wait_ns)
{
    enter(link, LINK_WAITING);
    if (wait_ns == CLOCK_NEVER)
        link->is_stopping = true;
    set_timer(link, now_ns(link) + (link->is_stopping ? 0 : wait_ns));
}

static void attempt_failed(struct link *link, const struct connection_end *end)
{
    if (link->is_stopping) {
        wait_for(link, 0);
        return;
    }
    uint64_t wait_ns = backoff_failed(&link->backoff, random_bits());
    wait_for(link, wait_ns);
    link->ops->on_failed(
        link->owner, end, wait_ns == CLOCK_NEVER ? CLOCK_NEVER : now_ns(link) + wait_ns);
}

static void attempt_lost(struct link *link, int error, const char *what)
{
    struct connection_end end = {.reason = CONNECTION_END_LOST, .error = error};
    (void)snprintf(end.text, sizeof end.text, "%s: %s", what, strerror(error));
    attempt_failed(link, &end);
}

/* ---- finding and connecting ----------------------------------------------------------------- */

static uint64_t patience_ns(const struct link *link)
{
    return link->config->connect_ns ? link->config->connect_ns : DEFAULT_CONNECT_NS;
}

/* Tries the addresses from the nth on until one of them can at least be tried. */
static void connect_address(struct link *link)
{
    int r = -EADDRNOTAVAIL; /* a name without addresses */
    const struct link_host *host = link_host(link);
    for (; link->nth_address < link->answer.n_addresses; link->nth_address++) {
        const struct resolver_address *address = &link->answer.addresses[link->nth_address];
        const struct transport_goal goal = {
            .address = (const struct sockaddr *)&address->storage,
            .n_address = address->n_bytes,
            .peer = &host->peer,
            .port = host->port,
            .deadline_ns = now_ns(link) + patience_ns(link),
        };
        r = transport_connect(&link->transport, &goal);
        if (r == 0)
            return;
    }
    attempt_lost(link, -r, "connecting");
}

static void start_connecting(struct link *link)
{
    enter(link, LINK_CONNECTING);
    set_timer(link, CLOCK_NEVER); /* the transport has its own */
    link->nth_address = 0;
    connect_address(link);
}

static void on_resolved(void *owner, const struct resolver_answer *answer)
{
    struct link *link = owner;
    if (answer->error) {
        struct connection_end end = {.reason = CONNECTION_END_LOST, .error = EHOSTUNREACH};
        (void)snprintf(end.text, sizeof end.text, "resolving: %s", gai_strerror(answer->error));
        attempt_failed(link, &end);
        return;
    }
    link->answer = *answer;
    start_connecting(link);
}

static void attempt(struct link *link)
{
    const struct link_host *host = link_host(link);
    enter(link, LINK_RESOLVING);
    link->answer = (struct resolver_answer){.n_addresses = 1};
    if (resolver_parse(host->name, host->port, &link->answer.addresses[0])) {
        start_connecting(link);
        return;
    }
    set_timer(link, now_ns(link) + patience_ns(link));
    int r = resolver_ask(link->resolver, &link->question, host->name, host->port);
    if (r < 0)
        attempt_lost(link, -r, "resolving");
}

/* ---- the connection ------------------------------------------------------------------------- */

/* After whatever may have ended the connection. */
static void look_at_connection(struct link *link)
{
    if (link->connection.state == CONNECTION_CLOSING && link->state != LINK_CLOSING)
        enter(link, LINK_CLOSING);
    if (link->connection.state != CONNECTION_ENDED)
        return;
    if (link->state != LINK_CLOSING)
        enter(link, LINK_CLOSING);
    if (link->connection.has_last_word && !outbox_is_empty(&link->connection.outbox))
        set_timer(link, now_ns(link) + LAST_WORD_NS);
    else
        transport_close(&link->transport);
}

/* The hook of the loop's FLUSH phase: one send for all that the turn has queued. */
static bool flush(void *owner)
{
    struct link *link = owner;
    struct iovec iov[STREAM_MAX_IOV];
    if (link->state == LINK_UP)
        look_at_connection(link); /* who uses it may have ended it, in any callback */
    bool may_send = transport_may_send(&link->transport);
    int n = may_send ? outbox_take(&link->connection.outbox, iov, STREAM_MAX_IOV) : 0;
    if (n > 0) {
        connection_spoke(&link->connection, now_ns(link));
        transport_send(&link->transport, iov, n);
    }
    uint64_t next_ns = connection_next_ns(&link->connection);
    const struct deadline *set = &link->timer.deadline;
    if (next_ns != CLOCK_NEVER && (!deadline_is_set(set) || next_ns != set->at_ns))
        set_timer(link, next_ns);
    return false;
}

/* The kernel has let go: its channels, then the owner, are told while the outbox still says what
 * was taken; then everything is ready for the next connection. */
static void settle(struct link *link)
{
    struct connection_end end = link->connection.end;
    if (!link->was_up) {
        connection_reset(&link->connection);
        attempt_failed(link, &end);
        return;
    }
    link->was_up = false;
    channel_table_lost(&link->channels, &end);
    link->ops->on_down(link->owner, &end);
    connection_reset(&link->connection);
    wait_for(link, backoff_lost(&link->backoff, now_ns(link) - link->up_since_ns, random_bits()));
}

/* ---- what the transport says ------------------------------------------------------------------- */

static void on_connected(void *owner)
{
    struct link *link = owner;
    enter(link, LINK_OPENING);
    connection_start(&link->connection, &link_host(link)->login, now_ns(link));
}

static void on_bytes(void *owner, const uint8_t *bytes, size_t n_bytes)
{
    struct link *link = owner;
    if (link->connection.state == CONNECTION_ENDED)
        return; /* the last word is on its way */
    connection_input(&link->connection, bytes, n_bytes, now_ns(link));
    look_at_connection(link);
}

static void on_taken(void *owner, size_t n_bytes, bool is_done)
{
    struct link *link = owner;
    outbox_note_taken(&link->connection.outbox, n_bytes);
    if (is_done && link->transport.state == TRANSPORT_OPEN)
        look_at_connection(link);
}

static void on_closed(void *owner, const struct connection_end *end)
{
    struct link *link = owner;
    if (link->state == LINK_CONNECTING) {
        link->nth_address++;
        if (!link->is_stopping && link->nth_address < link->answer.n_addresses)
            connect_address(link);
        else
            attempt_failed(link, end);
        return;
    }
    connection_cut_off(&link->connection, end);
    if (link->state != LINK_CLOSING)
        enter(link, LINK_CLOSING);
    settle(link);
}

static const struct transport_ops transport_ops = {
    .on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_taken = on_taken,
    .on_closed = on_closed,
};

/* ---- what the connection says --------------------------------------------------------------- */

static void on_open(void *owner)
{
    struct link *link = owner;
    enter(link, LINK_UP);
    link->was_up = true;
    link->up_since_ns = now_ns(link);
    link->epoch++;
    link->ops->on_up(link->owner, link->epoch);
}

static void on_frame(void *owner, const struct frame *frame)
{
    struct link *link = owner;
    channel_table_input(&link->channels, frame);
}

static void on_blocked(void *owner, bool is_blocked, const char *reason)
{
    struct link *link = owner;
    link->ops->on_blocked(link->owner, is_blocked, reason);
}

static const struct connection_ops connection_ops = {
    .on_open = on_open,
    .on_frame = on_frame,
    .on_blocked = on_blocked,
};

/* ---- time ----------------------------------------------------------------------------------- */

static void stop(struct link *link)
{
    enter(link, LINK_DOWN);
    link->is_stopping = false;
    link->ops->on_stopped(link->owner);
}

static void on_connection_timer(struct link *link)
{
    if (link->connection.state == CONNECTION_ENDED) {
        transport_close(&link->transport); /* the last word did not leave in time */
        return;
    }
    connection_tick(&link->connection, now_ns(link));
    look_at_connection(link);
}

static void on_timer(void *owner)
{
    struct link *link = owner;
    switch (link->state) {
    case LINK_WAITING:
        if (link->is_stopping)
            stop(link);
        else
            attempt(link);
        break;
    case LINK_RESOLVING:
        resolver_cancel(&link->question);
        attempt_lost(link, ETIMEDOUT, "resolving");
        break;
    case LINK_OPENING:
    case LINK_UP:
    case LINK_CLOSING:
        on_connection_timer(link);
        break;
    default:
        break;
    }
}

/* ---- the public face ------------------------------------------------------------------------ */

const char *link_state_name(enum link_state state)
{
    return state_names[state];
}

static int init_parts(struct link *link)
{
    bool may_encrypt = link->config->hosts[0].peer.context;
    int r = transport_init(&link->transport, link->loop, &transport_ops, link, may_encrypt);
    if (r < 0)
        return r;
    r = connection_init(&link->connection, &link->config->connection, &connection_ops, link);
    if (r < 0)
        goto no_connection;
    r = channel_table_init(&link->channels, &link->connection, link->connection.config.channel_max);
    if (r == 0)
        return 0;
    connection_done(&link->connection);
no_connection:
    transport_done(&link->transport);
    return r;
}

int link_new(struct link **out, struct loop *loop, struct resolver *resolver,
    const struct link_config *config, const struct link_ops *ops, void *owner)
{
    if (config->n_hosts == 0)
        return -EINVAL;
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    link->loop = loop;
    link->resolver = resolver;
    link->config = config;
    link->ops = ops;
    link->owner = owner;
    link->timer = (struct loop_timer){.on_due = on_timer, .owner = link};
    link->flush = (struct loop_hook){.run = flush, .owner = link};
    link->question = (struct resolver_question){.on_resolved = on_resolved, .owner = link};
    struct backoff_config backoff = config->backoff;
    backoff.n_hosts = (uint32_t)config->n_hosts;
    backoff_init(&link->backoff, &backoff);
    int r = init_parts(link);
    if (r < 0) {
        free(link);
        return r;
    }
    loop_hook_add(loop, LOOP_FLUSH, &link->flush);
    *out = link;
    return 0;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    assert(link->state == LINK_DOWN);
    loop_hook_remove(link->loop, LOOP_FLUSH, &link->flush);
    set_timer(link, CLOCK_NEVER);
    channel_table_done(&link->channels);
    connection_done(&link->connection);
    transport_done(&link->transport);
    free(link);
}

void link_start(struct link *link)
{
    if (link->state != LINK_DOWN)
        return;
    backoff_reset(&link->backoff);
    attempt(link);
}

void link_close(struct link *link)
{
    if (link->state == LINK_DOWN || link->is_stopping)
        return;
    link->is_stopping = true;
    switch (link->state) {
    case LINK_RESOLVING:
        resolver_cancel(&link->question);
        wait_for(link, 0);
        break;
    case LINK_WAITING:
        set_timer(link, now_ns(link));
        break;
    case LINK_CONNECTING:
        transport_close(&link->transport);
        break;
    default:
        connection_close(&link->connection, now_ns(link));
        look_at_connection(link);
        break;
    }
}

enum link_state link_state(const struct link *link)
{
    return link->state;
}

bool link_is_blocked(const struct link *link)
{
    return link->connection.is_blocked;
}

uint64_t link_epoch(const struct link *link)
{
    return link->epoch;
}

const struct link_host *link_host(const struct link *link)
{
    return &link->config->hosts[link->backoff.nth_host];
}

struct channel_table *link_channels(struct link *link)
{
    return &link->channels;
}

const struct outbox *link_outbox(const struct link *link)
{
    return &link->connection.outbox;
}
