/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an answer that succeeded, and its content type, by the output that was chosen.
 *
 *   json              the message as an object
 *   json-collection   what the object has as its `collection`
 *   string            the string that it has as its `content`, as plain text
 *   no-op             the message's bytes, with its own content type
 *
 * An object without the member that the output looks for is shown whole, as JSON: what was taken
 * off its queue is not kept from whoever asked for it. Nothing is [] or an empty text.
 *
 * A lone message goes through as it stands in the lane, not copied: with a wrapper before and after
 * it where the output is JSON and the message is not an object. Several messages are merged into
 * one object (merge.h) in private memory; then flatmap_filter changes it (shm/flatmap.h), and then
 * `static` adds its members, in place of those that go by their names.
 */
#ifndef LEVERET_FRONT_CONTENT_H
#define LEVERET_FRONT_CONTENT_H

#include <stdbool.h>

#include "shm/cleanup.h"

#include "answer.h"

enum content_outcome {
    CONTENT_OK,
    CONTENT_HOLLOW,    /* the same: but it is an object without members, or null */
    CONTENT_NO_OBJECT, /* the messages make no body: the worker's fault, since it has checked them */
    CONTENT_TOO_LARGE  /* for flatmap_filter, or for one merged object */
};

/* What `static` adds to an answer: nothing unless its strategy says so. `is_success`: no backend
 * failed; `is_complete`: the answer says so. */
struct slice content_fixed(const struct plan *plan, const struct plan_endpoint *endpoint,
    bool is_success, bool is_complete);

/* A publish that succeeded says nothing, in the output's way of saying so. */
void content_of_publish(struct answer *answer, enum plan_encoding output);

/* The same in the gateway's way: it has no data, and says so. */
void content_of_nothing(struct answer *answer, enum plan_encoding output, uint32_t n_backends);

/* What `static` says where there is nothing else; not empty. */
void content_of_fixed(struct answer *answer, enum plan_encoding output, struct slice fixed,
    struct answer_memory memory);

/* The messages of the parts that delivered, and what `static` adds. */
enum content_outcome content_of_deliveries(
    struct answer *answer, const struct answer_question *question, struct slice fixed) MUST_USE;

#endif
