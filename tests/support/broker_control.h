/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One broker for a whole run of tests: with_broker owns it, the tests are its descendants and ask
 * for what they need over a Unix socket. One packet names an action and a node; the answer comes
 * when it is done. A broker has one node, or several that form a cluster.
 *
 * A test that stops the broker stops it for every test of the run, so such tests have a run of
 * their own, one at a time.
 */
#ifndef LEVERET_TESTS_BROKER_CONTROL_H
#define LEVERET_TESTS_BROKER_CONTROL_H

#include <stdint.h>
#include "tests/support/broker.h"

enum broker_action {
    BROKER_START,
    BROKER_STOP,
    BROKER_KILL,
    BROKER_FREEZE,
    BROKER_THAW,
    BROKER_RESTORE,
    BROKER_N_ACTIONS
};

enum { BROKER_MAX_NODES = 3 };

/* with_broker: a listening socket whose name the tests find in their environment. */
int broker_control_listen(void);

/* with_broker: serves one connection to its end. */
void broker_control_serve(int listener, struct broker *const *nodes, int n_nodes);

/* with_broker: puts where the nodes are into the environment of what it starts next. */
void broker_control_export(struct broker *const *nodes, int n_nodes);

/* A test: which node the following are about, also in other files of support; 0 at first. */
void broker_turn_to(int node);

/* A test: has the action done. */
void broker_do(enum broker_action action);

/* A test: where the node is, from the environment. */
uint16_t broker_port(void);
uint16_t broker_amqps_port(void);
uint16_t broker_http_port(void);

/* The same: the folder in which its certificates are (broker.h). */
const char *broker_certificates(void);

#endif
