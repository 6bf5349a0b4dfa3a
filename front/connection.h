/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of clients: how many there may be, how long each may take, and whether somebody
 * is still at the other end. That is what the HTTP library leaves out: it neither sees a client go
 * while a reply is pending nor limits anything by a monotonic clock.
 *
 *   IDLE ─first byte─▶ HEAD ─empty line─▶ BODY ─▶ (a visit: visit.h) ─▶ IDLE
 *
 * A sweep looks at all connections some times a second and moves those that have no visit along
 * these phases; one that stays in a phase longer than its time-out gets a 408 (none when IDLE) and
 * is shut down, on which the library closes it. While there is a visit, time is the visit's affair.
 * Over TLS (tls.h) the handshake and the silence before the first request have together as long as
 * a head may take, and what is shut down gets no answer.
 *
 * A drain closes a connection with its next answer. One that is idle is given a moment before it is
 * closed, since a request may be on its way that would be lost with it; one that has said nothing
 * yet is given longer, since somebody has just come. The last call closes them all.
 *
 * Heads and bodies grow on the heap before the library asks whether they may. The sweep does: too
 * large a head gets a 431, a body that is or will be larger than its endpoint takes a 413, and when
 * all together are past the budget the largest get a 503.
 */
#ifndef LEVERET_FRONT_CONNECTION_H
#define LEVERET_FRONT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <h2o.h>

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "heap.h"
#include "problem.h"
#include "slice.h"
#include "timer.h"

enum { CONNECTION_PEER_BYTES = 64 };

enum connection_phase { CONNECTION_IDLE, CONNECTION_HEAD, CONNECTION_BODY, CONNECTION_WRITING };

/* What is to be seen at the other end of a socket. */
enum peer_state {
    PEER_THERE,
    PEER_LEAVING, /* one side has ended; perhaps it still reads, perhaps it is gone */
    PEER_GONE
};

struct visit;
struct connections;

struct connection {
    h2o_socket_t *socket;
    struct connections *all;
    struct visit *visit;            /* the request that is being served, or NULL */
    const SSL *session;             /* of TLS, once it stands; or NULL */
    struct connection *next, *prev; /* open: in a ring with `all`; free: next alone */
    uint64_t since_ns;              /* of the phase */
    size_t most_bytes;              /* BODY: what the request may have, head included */
    enum connection_phase phase;
    bool is_ended;        /* we send no more */
    bool is_shut;         /* nothing is done for it any more, whatever it still says */
    bool was_served;      /* at least once */
    uint8_t n_peer_bytes; /* 0: no address, a unix socket */
    char peer[CONNECTION_PEER_BYTES];
};

struct connections {
    struct connection *items, *free;
    struct connection open; /* the ring's anchor */
    struct deadlines *timers;
    struct timer sweep;
    struct heap heap;
    const struct plan_front *plan;
    uint64_t budget_bytes; /* of what is being read */
    uint32_t n_open, max_open;
    bool is_draining;
    uint64_t idle_ns, silent_ns; /* how long one may be idle that was served, or never was */
    /* How many bytes a request with this head may have; 0: it says that it will have more. */
    size_t (*bound)(void *owner, const char *bytes, size_t n);
    /* There is room for one more again. */
    void (*on_room)(void *owner);
    /* Now and then, of each visit. */
    void (*on_visit)(struct visit *visit, uint64_t now_ns);
    /* One was refused for this before the library had the whole request. */
    void (*on_refused)(void *owner, const struct connection *connection, enum problem_kind problem);
    void *owner;
};

/* Room for `max_open` of them, and for some bodies of `largest_body` at a time. 0 or -ENOMEM. The
 * caller sets the callbacks. */
int connections_init(struct connections *all, const struct plan_front *plan, uint32_t max_open,
    struct deadlines *timers, uint64_t largest_body) MUST_USE;

/* Let at least `bytes` be read at a time. */
void connections_allow(struct connections *all, uint64_t bytes);

static inline bool connections_are_full(const struct connections *all)
{
    return all->n_open >= all->max_open;
}

/* A record for a socket that was just accepted; it ends with the socket. There must be room. */
struct connection *connection_open(struct connections *all, h2o_socket_t *socket);

/* The record of an accepted socket. */
struct connection *connection_of(h2o_socket_t *socket);

/* A visit begins (the library reads no more), or ends with NULL. */
void connection_serve(struct connection *connection, struct visit *visit);

/* Close those that have been idle for long, now and from now on. */
void connections_drain(struct connections *all);

/* Close whichever is idle, at once. */
void connections_last_call(struct connections *all);

/* Look at the socket's other end. One system call. */
enum peer_state connection_peer_state(const struct connection *connection);

/* Whether it can be asked at all: nothing goes into TLS past the library. */
bool connection_can_ask(const struct connection *connection);

/* PEER_LEAVING while a request of HTTP/1.1 waits: write an interim answer, 100, which a client that
 * reads discards (RFC 9110, 15.2.1), while the kernel of one that has closed answers with a reset.
 * Nothing of the answer may have been written. */
void connection_ask(struct connection *connection);

/* The last byte was written: say so to the peer, who may still read what is on its way. Over TLS the
 * library will. */
void connection_end(struct connection *connection);

/* Bytes that the peer's side has not acknowledged (TCP) or read (unix). */
size_t connection_unacknowledged(const struct connection *connection);

/* End it: the library notices and closes it, from its own callbacks. What had come before may still
 * be read and make a request: it must not be served. */
void connection_shut(struct connection *connection);

#endif
