/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"

/* How long an alert may take to leave. */
#define LAST_WORD_NS CLOCK_S

static const char *const state_names[TRANSPORT_N_STATES] = {
    [TRANSPORT_IDLE] = "idle",
    [TRANSPORT_CONNECTING] = "connecting",
    [TRANSPORT_SHAKING] = "shaking",
    [TRANSPORT_OPEN] = "open",
    [TRANSPORT_LEAVING] = "leaving",
};

/* Bit t of arrows[s]: from state s to state t. */
#define TO(state) (1u << TRANSPORT_##state)
static const unsigned arrows[TRANSPORT_N_STATES] = {
    [TRANSPORT_IDLE] = TO(CONNECTING),
    [TRANSPORT_CONNECTING] = TO(SHAKING) | TO(OPEN) | TO(LEAVING),
    [TRANSPORT_SHAKING] = TO(OPEN) | TO(LEAVING),
    [TRANSPORT_OPEN] = TO(LEAVING),
    [TRANSPORT_LEAVING] = TO(IDLE),
};
#undef TO

static void enter(struct transport *transport, enum transport_state state)
{
    assert(arrows[transport->state] & (1u << state));
    transport->state = state;
}

static bool is_encrypted(const struct transport *transport)
{
    return transport->peer;
}

static void set_timer(struct transport *transport, uint64_t due_ns)
{
    loop_timer_set(transport->stream.loop, &transport->timer, due_ns);
}

/* ---- leaving -------------------------------------------------------------------------------- */

/* Sends what TLS has to say; false when that is nothing, or cannot be sent now. */
static bool say_pending(struct transport *transport)
{
    const uint8_t *bytes;
    size_t n = tls_pending(&transport->tls, &bytes);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    if (n == 0 || transport->stream.state != STREAM_OPEN || stream_is_sending(&transport->stream))
        return false;
    stream_send(&transport->stream, &iov, 1);
    return true;
}

static void leave(struct transport *transport, const struct connection_end *end)
{
    enter(transport, TRANSPORT_LEAVING);
    transport->end = *end;
    transport->n_rest = 0;
    set_timer(transport, loop_now_ns(transport->stream.loop) + LAST_WORD_NS);
    if (!say_pending(transport))
        stream_close(&transport->stream);
}

/* What is wrong with it, and the error that says why, if there is one. */
static void fail_tls(struct transport *transport, const char *what, int error)
{
    struct connection_end end = {.reason = CONNECTION_END_TLS, .error = error};
    int n = snprintf(end.text, sizeof end.text, "TLS with %.64s:%u: %.150s", transport->peer->name,
        transport->port, what);
    if (error)
        (void)snprintf(end.text + n, sizeof end.text - (size_t)n, ": %s", strerror(error));
    leave(transport, &end);
}

static void lose(struct transport *transport, int error, const char *what)
{
    struct connection_end end = {.reason = CONNECTION_END_LOST, .error = error};
    (void)snprintf(
        end.text, sizeof end.text, "%s%s%s", what, error ? ": " : "", error ? strerror(error) : "");
    leave(transport, &end);
}

static void on_timer(void *owner)
{
    struct transport *transport = owner;
    if (transport->state == TRANSPORT_SHAKING)
        fail_tls(transport, "the handshake does not come to its end in time", 0);
    else
        stream_close(&transport->stream);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static void on_secured(struct transport *transport)
{
    set_timer(transport, CLOCK_NEVER);
    enter(transport, TRANSPORT_OPEN);
    transport->ops->on_connected(transport->owner);
}

static void shake(struct transport *transport)
{
    switch (tls_shake(&transport->tls)) {
    case TLS_DONE:
        on_secured(transport);
        break;
    case TLS_MORE:
        break;
    default:
        fail_tls(transport, transport->tls.error, 0);
        break;
    }
}

/* All that can be read of what was fed; whoever hears it may close the transport. */
static void read_all(struct transport *transport)
{
    const uint8_t *bytes;
    size_t n_bytes;
    while (transport->state == TRANSPORT_OPEN) {
        switch (tls_read(&transport->tls, &bytes, &n_bytes)) {
        case TLS_DONE:
            transport->ops->on_bytes(transport->owner, bytes, n_bytes);
            break;
        case TLS_MORE:
            return;
        case TLS_CLOSED:
            tls_close(&transport->tls);
            lose(transport, 0, "the peer closed the connection");
            break;
        case TLS_FAILED:
            fail_tls(transport, transport->tls.error, 0);
            break;
        }
    }
}

/* Nothing is being sent. */
static void encrypt_rest(struct transport *transport)
{
    if (tls_write(&transport->tls, &transport->rest, &transport->n_rest) == TLS_FAILED)
        fail_tls(transport, transport->tls.error, 0);
    else
        (void)say_pending(transport); /* nothing: the message is done, or waits for the peer */
}

/* Answers of the handshake, and those that a peer may want later. */
static void say_answers(struct transport *transport)
{
    if (transport->state != TRANSPORT_LEAVING)
        (void)say_pending(transport); /* most often there are none */
}

static void on_records(struct transport *transport, const uint8_t *bytes, size_t n_bytes)
{
    tls_feed(&transport->tls, bytes, n_bytes);
    if (transport->state == TRANSPORT_SHAKING)
        shake(transport);
    read_all(transport);
    if (transport->state == TRANSPORT_OPEN && transport->n_rest > 0 &&
        !stream_is_sending(&transport->stream))
        encrypt_rest(transport); /* which waited for these bytes */
    else
        say_answers(transport);
}

/* What was being sent has left. */
static void say_more(struct transport *transport)
{
    if (transport->state == TRANSPORT_OPEN)
        encrypt_rest(transport);
    else if (!say_pending(transport) && transport->state == TRANSPORT_LEAVING)
        stream_close(&transport->stream);
}

static void on_records_taken(struct transport *transport, size_t n_bytes, bool is_done)
{
    size_t n_plain = tls_taken(&transport->tls, n_bytes);
    bool is_whole = transport->n_rest == 0 && !tls_holds_more(&transport->tls);
    if (is_done)
        say_more(transport);
    if (n_plain > 0)
        transport->ops->on_taken(transport->owner, n_plain, is_whole);
}

/* ---- what the stream says ------------------------------------------------------------------- */

static void on_connected(void *owner)
{
    struct transport *transport = owner;
    if (!is_encrypted(transport)) {
        enter(transport, TRANSPORT_OPEN);
        transport->ops->on_connected(transport->owner);
        return;
    }
    enter(transport, TRANSPORT_SHAKING);
    set_timer(transport, transport->deadline_ns);
    shake(transport);
    say_answers(transport);
}

static void on_bytes(void *owner, const uint8_t *bytes, size_t n_bytes)
{
    struct transport *transport = owner;
    if (transport->state == TRANSPORT_LEAVING)
        return; /* nobody listens any more */
    if (is_encrypted(transport))
        on_records(transport, bytes, n_bytes);
    else
        transport->ops->on_bytes(transport->owner, bytes, n_bytes);
}

static void on_taken(void *owner, size_t n_bytes, bool is_done)
{
    struct transport *transport = owner;
    if (is_encrypted(transport))
        on_records_taken(transport, n_bytes, is_done);
    else
        transport->ops->on_taken(transport->owner, n_bytes, is_done);
}

static void on_closed(void *owner, int error, const char *what)
{
    struct transport *transport = owner;
    if (transport->state == TRANSPORT_SHAKING)
        fail_tls(transport, "the connection was closed in the handshake", error);
    else if (transport->state != TRANSPORT_LEAVING)
        lose(transport, error, what);
    set_timer(transport, CLOCK_NEVER);
    tls_stop(&transport->tls);
    enter(transport, TRANSPORT_IDLE);
    struct connection_end end = transport->end; /* the owner may connect again at once */
    transport->ops->on_closed(transport->owner, &end);
}

static const struct stream_ops stream_ops = {
    .on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_taken = on_taken,
    .on_closed = on_closed,
};

/* ---- the public face ------------------------------------------------------------------------ */

const char *transport_state_name(enum transport_state state)
{
    return state_names[state];
}

int transport_init(struct transport *transport, struct loop *loop, const struct transport_ops *ops,
    void *owner, bool may_encrypt)
{
    *transport = (struct transport){
        .ops = ops,
        .owner = owner,
        .timer = {.on_due = on_timer, .owner = transport},
    };
    stream_init(&transport->stream, loop, &stream_ops, transport);
    return may_encrypt ? tls_init(&transport->tls) : 0;
}

void transport_done(struct transport *transport)
{
    assert(transport->state == TRANSPORT_IDLE);
    tls_done(&transport->tls);
}

int transport_connect(struct transport *transport, const struct transport_goal *goal)
{
    assert(transport->state == TRANSPORT_IDLE);
    transport->peer = goal->peer && goal->peer->context ? goal->peer : NULL;
    int r = is_encrypted(transport) ? tls_start(&transport->tls, transport->peer) : 0;
    if (r < 0)
        return r;
    r = stream_connect(&transport->stream, goal->address, goal->n_address, goal->deadline_ns);
    if (r < 0) {
        tls_stop(&transport->tls);
        return r;
    }
    transport->port = goal->port;
    transport->deadline_ns = goal->deadline_ns;
    transport->n_rest = 0;
    enter(transport, TRANSPORT_CONNECTING);
    return 0;
}

void transport_send(struct transport *transport, const struct iovec *iov, int n_iov)
{
    assert(transport_may_send(transport) && n_iov > 0 && n_iov <= STREAM_MAX_IOV);
    if (!is_encrypted(transport)) {
        stream_send(&transport->stream, iov, n_iov);
        return;
    }
    memcpy(transport->iov, iov, (size_t)n_iov * sizeof *iov);
    transport->rest = transport->iov;
    transport->n_rest = n_iov;
    encrypt_rest(transport);
}

void transport_close(struct transport *transport)
{
    static const struct connection_end closed = {.reason = CONNECTION_END_LOST, .text = "closed"};
    if (transport->state == TRANSPORT_IDLE || transport->state == TRANSPORT_LEAVING)
        return;
    if (transport->state == TRANSPORT_OPEN && is_encrypted(transport))
        tls_close(&transport->tls);
    leave(transport, &closed);
}
