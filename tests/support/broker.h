/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private RabbitMQ: a node on free ports of the loopback interface, with its own epmd, and its
 * data, logs and home in a temporary folder. It sees nothing of, and leaves nothing to, a broker
 * that the machine may run for somebody else.
 *
 *                      broker_freeze ──▶ frozen ──┐
 *   broker_new ──▶ up ◀── broker_thaw ────────────┘
 *                  │ ▲
 *                  │ └── broker_start ◀── down ◀── broker_stop (orderly), broker_kill (SIGKILL)
 *                  └──▶ broker_free, from any state
 *
 * It speaks TLS on a port of its own, with a certificate for localhost and 127.0.0.1, and lets in
 * with SASL EXTERNAL who shows a certificate of its authority's (verify_peer; it asks for none):
 *
 *   FOLDER/ca.pem                         the authority
 *   FOLDER/guest.pem, guest.key           a client's certificate, by the name of a user
 *   FOLDER/stranger.pem, stranger.key     the same, by nobody's
 *
 * It is up when it says that it has booted, and answers a connection with the first method of AMQP.
 * It has the management plugin, since a vhost is made there in milliseconds and by rabbitmqctl in
 * seconds. Ctrl-C in the terminal is not for it.
 */
#ifndef LEVERET_TESTS_BROKER_H
#define LEVERET_TESTS_BROKER_H

#include <stdint.h>
#include <sys/types.h>

struct broker;

/* Takes about five seconds, as broker_start does. Either returns at once, with a node that may not
 * be up, when the caller has blocked SIGINT or SIGTERM and one of them is pending. The node dies
 * with the calling thread. */
struct broker *broker_new(void);

/* One more node, which joins the cluster that `first` is in. To be freed before `first`, whose
 * cookie and epmd it shares. */
struct broker *broker_new_beside(const struct broker *first);
void broker_free(struct broker *broker);

void broker_start(struct broker *broker);
void broker_stop(struct broker *broker);
void broker_kill(struct broker *broker);
void broker_freeze(struct broker *broker);
void broker_thaw(struct broker *broker);

/* Up, from any state: what a failed test has left is no business of the next one. */
void broker_restore(struct broker *broker);

uint16_t broker_amqp_port(const struct broker *broker);
uint16_t broker_tls_port(const struct broker *broker);
uint16_t broker_management_port(const struct broker *broker);

/* The folder with the certificates. */
const char *broker_folder(const struct broker *broker);

/* The process to stop with SIGSTOP; 0 when it is down. */
pid_t broker_pid(const struct broker *broker);

#endif
