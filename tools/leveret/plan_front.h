/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's plan: routes, parameters and answers, and nothing about a broker.
 */
#ifndef LEVERET_PLAN_FRONT_H
#define LEVERET_PLAN_FRONT_H

#include "config.h"
#include "shm/cleanup.h"

/* A sealed memfd of the caller's, for plan_join(fd, PLAN_FRONT); or a negative errno. */
int plan_front_new(const struct config *config) MUST_USE;

#endif
