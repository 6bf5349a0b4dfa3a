/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP ports on the loopback interface that nobody else has: not the kernel (they lie below the
 * range it gives to outgoing connections), not another test running at the same time (each holds
 * its port under a name in the abstract socket name space until it ends).
 */
#ifndef LEVERET_TESTS_PORT_H
#define LEVERET_TESTS_PORT_H

#include <stdint.h>

/* Free now, and this process's until it ends. Nothing listens on it yet. */
uint16_t port_reserve(void);

/* A connected socket to 127.0.0.1, or -1 when nobody accepts there. The caller closes it. */
int port_connect(uint16_t port);

#endif
