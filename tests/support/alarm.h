/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory alarm of the run's broker: while it is on, RabbitMQ says connection.blocked to whoever
 * publishes, and reads nothing more from there. It is on for every test of the run.
 */
#ifndef LEVERET_TESTS_ALARM_H
#define LEVERET_TESTS_ALARM_H

/* Each takes a second or two, since it is asked for through rabbitmqctl. */
void alarm_raise(void);
void alarm_clear(void);

#endif
