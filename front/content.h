/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an answer that succeeded, and its content type, by the output that was chosen.
 *
 * A lone message goes through as it stands in the lane, not copied: with a wrapper before and after
 * it where the output is JSON and the message is not an object. Several messages are merged into
 * one object (merge.h), in private memory, which is JSON whatever the output.
 */
#ifndef LEVERET_FRONT_CONTENT_H
#define LEVERET_FRONT_CONTENT_H

#include <stdbool.h>

#include "shm/cleanup.h"

#include "answer.h"

/* A publish that succeeded says nothing, in the output's way of saying so. */
void content_of_publish(struct answer *answer, enum plan_encoding output);

/* The same in the gateway's way: it has no data, and says so. */
void content_of_nothing(struct answer *answer, enum plan_encoding output, uint32_t n_backends);

/* The messages of the parts that delivered. False: they make no body, which is the worker's fault,
 * since it has checked them. */
bool content_of_deliveries(struct answer *answer, const struct answer_question *question) MUST_USE;

#endif
