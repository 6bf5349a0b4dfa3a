/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of GET /__health: the front runs and answers. It says nothing about brokers, as the
 * probes that ask for it expect.
 */
#ifndef LEVERET_FRONT_HEALTH_H
#define LEVERET_FRONT_HEALTH_H

#include <stddef.h>
#include <time.h>

#define HEALTH_PATH "/__health"

enum { HEALTH_MAX_BYTES = 128 };

/* {"agents":{},"now":"2026-01-31 12:00:00.123 +0000 UTC","status":"ok"}; its length. */
size_t health_write(const struct timespec *now, char out[HEALTH_MAX_BYTES]);

#endif
