/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers' plan: brokers with their credentials, exchanges, queues, and nothing about HTTP.
 */
#ifndef LEVERET_PLAN_WORKER_H
#define LEVERET_PLAN_WORKER_H

#include "config.h"
#include "shm/cleanup.h"

/* A sealed memfd of the caller's, for plan_join(fd, PLAN_WORKER); or a negative errno. */
int plan_worker_new(const struct config *config) MUST_USE;

#endif
