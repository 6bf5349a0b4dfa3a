/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link to a broker that is kept up: it finds an address, connects (with TLS, where its host has
 * that), logs in, notices a loss and tries again, over all hosts in turn, with back-off (backoff.h). Its owner sees only up, down and
 * blocked, and the channels.
 *
 *          link_start           address              connected           open
 *   DOWN ────────────▶ RESOLVING ────────▶ CONNECTING ──────────▶ OPENING ──────▶ UP
 *    ▲                  │   ▲                  │                     │            │ link_close,
 *    │          failure │   │ back-off         │ failure             │ failure    │ any loss
 *    │                  ▼   │ is over          ▼                     ▼            ▼
 *    │                 WAITING ◀──────────── CLOSING ◀───────────────┴────────────┘
 *    │                    │                    │
 *    └────────────────────┴────────────────────┘ link_close, or no more retries
 *
 * CLOSING lasts until the kernel has let go of everything that was being sent: only then do on_down
 * and the channels' on_closed come, and by then the outbox's `taken` is final. So what to answer
 * for each message is certain: first byte at or after `taken`: never sent; before: unknown.
 *
 * Everything that was queued during a turn leaves in one send at its end.
 */
#ifndef LEVERET_WORKER_LINK_H
#define LEVERET_WORKER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "backoff.h"
#include "channel.h"
#include "connection.h"
#include "loop.h"
#include "resolver.h"
#include "tls.h"

enum link_state {
    LINK_DOWN,
    LINK_WAITING,
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_OPENING,
    LINK_UP,
    LINK_CLOSING,
    LINK_N_STATES
};

struct link_host {
    const char *name; /* or a numeric address */
    uint16_t port;
    struct connection_login login;
    struct tls_peer peer; /* all hosts of a link have a context, or none has */
};

struct link_config {
    const struct link_host *hosts; /* tried in this order, round and round */
    size_t n_hosts;                /* at least 1 */
    struct connection_config connection;
    struct backoff_config backoff; /* its n_hosts is the one above */
    uint64_t connect_ns; /* for one address to be resolved, and to accept, TLS included [5 s] */
};

/* link_close() and link_start() may be called from any of them, link_free() from on_stopped. */
struct link_ops {
    /* The connection is open; `epoch` rises by one with each. Open channels now. */
    void (*on_up)(void *owner, uint64_t epoch);
    /* It was up and is no more, its channels have been told. */
    void (*on_down)(void *owner, const struct connection_end *end);
    /* An attempt to come up has failed; the next one, if there is one, comes at retry_ns. */
    void (*on_failed)(void *owner, const struct connection_end *end, uint64_t retry_ns);
    /* The broker has stopped, or resumed, reading from us. */
    void (*on_blocked)(void *owner, bool is_blocked, const char *reason);
    /* DOWN for good: link_close() is done, or retries have run out. link_start() begins anew. */
    void (*on_stopped)(void *owner);
};

struct link;

const char *link_state_name(enum link_state state);

/* `config`, and what it points to, is borrowed for life. Free with link_free(). -ENOMEM, -EINVAL.
 */
int link_new(struct link **out, struct loop *loop, struct resolver *resolver,
    const struct link_config *config, const struct link_ops *ops, void *owner) MUST_USE;

/* Only when DOWN; NULL is fine. */
void link_free(struct link *link);

/* DOWN: begins to come up, at once. Nothing in other states. */
void link_start(struct link *link);

/* Says good-bye to the broker and stops: on_stopped comes, at most patience_ns later, after on_down
 * if it was up. What was queued before is sent. */
void link_close(struct link *link);

enum link_state link_state(const struct link *link);
static inline bool link_is_up(const struct link *link)
{
    return link_state(link) == LINK_UP;
}
bool link_is_blocked(const struct link *link);

/* How often it came up; the number that on_up told. */
uint64_t link_epoch(const struct link *link);

/* Which of the hosts it is at, or tried last. */
const struct link_host *link_host(const struct link *link);

/* For channel_open(), while up. */
struct channel_table *link_channels(struct link *link);

/* Offsets, room: outbox.h. Borrowed for life. */
const struct outbox *link_outbox(const struct link *link);

#endif
