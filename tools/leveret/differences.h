/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose clients will see other answers than the gateway's: every endpoint with an AMQP backend that
 * is without "compatibility": "krakend". That is news for whoever moves a file over, not a fault in
 * it: it is a note of `leveret check` and told at the start, and fails no strict check.
 */
#ifndef LEVERET_DIFFERENCES_H
#define LEVERET_DIFFERENCES_H

#include "config.h"

/* In one sentence, how the answers of the endpoint differ; NULL: they do not. */
const char *differences_of(const struct config_endpoint *endpoint);

/* A note for each that differs. */
void differences_find(const struct config *config, struct findings *findings);

/* The same in the log, where the first ones stand for all when there are many. */
void differences_log(const struct config *config);

#endif
