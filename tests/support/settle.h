/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a killed broker still has. RabbitMQ 3 keeps exchanges, queues and bindings in Mnesia, which
 * logs such a declaration in two parts: the change, which is on disk before declare-ok goes out,
 * and the decision that makes it count, which takes its way through another process and may stay
 * in a cache for two seconds. A node that is killed in between presumes an abort when it comes
 * back: the queue is gone, durable as it was, with the messages that it had confirmed.
 */
#ifndef LEVERET_TESTS_SETTLE_H
#define LEVERET_TESTS_SETTLE_H

/* Returns when all that was declared before outlives SIGKILL. Takes as long as erlang_evaluate().
 */
void settle_declarations(void);

#endif
