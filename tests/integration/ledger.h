/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a load: message number i has the body "message i"; what was answered for it and how
 * often it was seen are counted, so that lost, doubled and invented messages show.
 */
#ifndef LEVERET_TESTS_LEDGER_H
#define LEVERET_TESTS_LEDGER_H

#include <stdatomic.h>
#include <stddef.h>
#include "tests/support/load.h"
#include "tests/support/scene.h"

struct ledger {
    int n;
    char *url;             /* where the load goes */
    char (*bodies)[32];    /* "message i" */
    int *statuses;         /* of the answer to request i; -1: none yet */
    int *n_seen;           /* how often message i came back in an answer or off the queue */
    atomic_int n_answered; /* for a test that acts in the middle of a load */
    int n_strange;         /* bodies that no message has */
};

void ledger_init(struct ledger *ledger, int n);
void ledger_done(struct ledger *ledger);

/* A load of POSTs to `path`, one for each message; of `n` GETs, each noting the message it gets. */
struct load ledger_posts(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections);
struct load ledger_gets(
    struct ledger *ledger, const struct scene *scene, const char *path, int n_connections);

/* Takes every message off the queue and notes it. */
void ledger_drain(struct ledger *ledger, struct amqp_client *amqp, const char *queue);

/* How many answers had this status. */
int ledger_count(const struct ledger *ledger, int status);

#endif
