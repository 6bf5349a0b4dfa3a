/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Erlang that the run's broker evaluates inside itself: for what neither AMQP nor the management
 * API can set or wait for.
 */
#ifndef LEVERET_TESTS_ERLANG_H
#define LEVERET_TESTS_ERLANG_H

/* Returns when it is evaluated; what is not true there (a failed match) ends the test. Takes a
 * second or two, since rabbitmqctl does it. */
void erlang_evaluate(const char *script);

#endif
