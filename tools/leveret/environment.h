/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of our environment a child gets that is not to know what the configuration knows from there.
 * `host` is often "${AMQP_URL}": a front that inherited that variable would hold the password which
 * its plan is without.
 */
#ifndef LEVERET_ENVIRONMENT_H
#define LEVERET_ENVIRONMENT_H

#include <jansson.h>

#include "shm/cleanup.h"

/* Ours without the variables that are members of `names`. The array is the caller's to free, its
 * strings stay the environment's. NULL: no memory. */
char **environment_without(json_t *names) MUST_USE;

#endif
