/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a queue: what was posted towards it, what was answered for each message, in which
 * answers it came back, and what lay on the queue in the end. When they are closed they say whether
 * each status code was the truth.
 *
 *   ledger_init -> ledger_posts, ledger_gets (loads, also at the same time) -> ledger_drain
 *               -> ledger_close -> ledger_done
 *
 *   answer to the POST     then the message
 *   2xx                    was delivered, or is on the queue, under the message id of the answer
 *   4xx, 503               is nowhere
 *   502, 504, none         may be or not
 *
 * It is seen once, unless what went wrong between the delivery and its ack explains a second time.
 * Message i has a body of its own, "message i" and letters, whose length follows from i: one that
 * is cut or mixed with another is a strange one.
 */
#ifndef LEVERET_TESTS_LEDGER_H
#define LEVERET_TESTS_LEDGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/support/load.h"
#include "tests/support/scene.h"

enum { LEDGER_N_STATUSES = 600, LEDGER_ID_BYTES = 40, LEDGER_UNASKED = -1 };

/* What is known of one message. */
struct ledger_entry {
    char *body;               /* while its POST is under way */
    int status;               /* of the answer; 0: there was none; LEDGER_UNASKED: not yet */
    char id[LEDGER_ID_BYTES]; /* its message id, as the answer told it */
    int n_delivered;          /* how often in an answer that the client has read to its end */
    int n_cut;                /* how often in one that broke off behind its last byte */
    int n_queued;             /* how often it was on the queue in the end */
    bool is_misnamed;         /* it had another id there than in the answer */
    uint64_t delivered_ns;    /* when first */
};

struct ledger {
    pthread_mutex_t lock; /* of all that is below */
    struct ledger_entry **blocks;
    int n;
    size_t max_body;
    char *post_url, *get_url;
    int n_posts[LEDGER_N_STATUSES], n_gets[LEDGER_N_STATUSES]; /* answers by status; 0: none */
    int n_strange;                                             /* bodies that no message has */
    atomic_int n_answered; /* POSTs and GETs, for a test that acts in the middle of a load */
    /* A request was begun at the one time and had ended at the other; on a load's thread. NULL:
     * nobody wants to know. */
    void (*on_end)(
        void *context, uint64_t from_ns, uint64_t to_ns, const struct http_answer *answer);
    void *context;
};

/* `max_body`: bodies have from few bytes up to this many; 0: only few. */
void ledger_init(struct ledger *ledger, size_t max_body);
void ledger_done(struct ledger *ledger);

/* A load of POSTs to `path`, each a new message; one of GETs, each noting the message it gets. At
 * most one of either at a time; the number of requests is for the caller to set. */
struct load ledger_posts(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections);
struct load ledger_gets(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections);

/* Takes every message off the queue and notes it. */
void ledger_drain(struct ledger *ledger, struct amqp_client *amqp, const char *queue);

/* POSTs and GETs that were answered so, while loads run. */
int ledger_n_posts(struct ledger *ledger, int status);
int ledger_n_gets(struct ledger *ledger, int status);

/* How often message i was seen, in answers and on the queue. */
int ledger_n_seen(const struct ledger *ledger, int i);
int ledger_status(const struct ledger *ledger, int i);

struct ledger_rules {
    bool is_volatile; /* the queue was deleted meanwhile: nothing has to be there */
    int n_vanished; /* clients that did not wait for their answer, and may have taken a message along */
    /* Whether an ack sent soon after `delivered_ns` may have been lost; NULL: none can have been */
    bool (*may_come_again)(void *context, uint64_t delivered_ns);
    void *context;
};

/* How many messages break a sentence of the table above; all 0: the answers were true. */
struct ledger_verdict {
    int n_lost;      /* 2xx, and nowhere */
    int n_untrue;    /* 4xx or 503, and somewhere */
    int n_doubled;   /* seen more than once without an explanation */
    int n_misnamed;  /* told with an id that is not theirs */
    int n_strange;   /* that nobody sent */
    int n_taken;     /* that vanished clients must have taken along */
    int n_again;     /* seen more than once, explained */
    int n_unknown;   /* 502, 504 or no answer */
    int n_cut;       /* that nobody has but a client whose answer broke off behind the last byte */
    char first[160]; /* the first that breaks one, in words */
};
void ledger_close(
    struct ledger *ledger, const struct ledger_rules *rules, struct ledger_verdict *verdict);
bool ledger_is_true(const struct ledger_verdict *verdict);

#endif
