/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link to the run's RabbitMQ with one channel, and all that is heard on it: what the worker's own
 * parts do with it comes later, here it is counted.
 */
#ifndef LEVERET_TESTS_WORKER_CALLER_H
#define LEVERET_TESTS_WORKER_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "topology.h"

#include "tests/support/vhost.h"

enum { CALLER_MAX_CONFIRMS = 4096, CALLER_MAX_BODY = 1 << 20 };

struct caller {
    struct loop *loop;
    struct resolver *resolver;
    struct link *link;
    struct vhost vhost;
    struct link_host host;
    struct link_config config;
    struct channel *channel;
    struct topology topology;
    /* what was heard */
    int n_up, n_down, n_failed, n_stopped, n_blocked;
    struct connection_end end; /* of the connection, the last time */
    char blocked_reason[64];
    int n_channel_open, n_channel_closed;
    uint16_t channel_code;
    char channel_text[CONNECTION_TEXT_BYTES];
    bool has_confirm_select, has_consume;
    enum topology_outcome topology_outcome;
    int n_acks, n_nacks, n_multiple;      /* methods */
    uint8_t settled[CALLER_MAX_CONFIRMS]; /* by tag: 'a', 'n' or 0 */
    uint64_t highest_tag;
    int n_returns, n_deliveries, n_contents;
    char returned_id[64];
    char order[256]; /* r, a, n as they came */
    uint64_t body_size, last_delivery_tag;
    uint32_t n_bodies;
    uint8_t body[CALLER_MAX_BODY];
    uint64_t n_body;
};

/* A vhost of that name, and a link to it that is up; `heartbeat_s` as in connection.h. */
void caller_init(struct caller *caller, const char *test, uint16_t heartbeat_s);

/* The same without waiting for the link, and with another login: NULL is the right one. */
void caller_init_as(
    struct caller *caller, const char *test, const char *password, const char *vhost);
void caller_done(struct caller *caller);

/* Opens the channel, without waiting. */
void caller_open(struct caller *caller);

/* ... in confirm mode. */
void caller_open_confirmed(struct caller *caller);

void caller_declare(struct caller *caller, const struct topology_wish *wish);

/* To the exchange, with an id. */
struct caller_message {
    const char *exchange, *key, *id;
    const void *body;
    size_t n_body;
    bool is_immediate, is_persistent;
};
void caller_publish(struct caller *caller, const struct caller_message *message);

void caller_consume(struct caller *caller, const char *queue);

/* One turn of the loop, at most until `until_ns`. */
void caller_turn(struct caller *caller, uint64_t until_ns);

#define CALLER_UNTIL(caller, condition)                                                            \
    do {                                                                                           \
        uint64_t caller_end_ns = clock_now_ns() + 30 * CLOCK_S;                                    \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_now_ns(), caller_end_ns, "never came: %s", #condition);             \
            caller_turn(caller, caller_end_ns);                                                    \
        }                                                                                          \
    } while (0)

#endif
