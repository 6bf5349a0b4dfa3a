/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's answers, for endpoints whose clients were written against it: status, header fields
 * and body as they were observed there, where ours would differ. Nothing but the answer's form
 * depends on this: it is given when ours would be, after the same confirm, and X-Leveret-Outcome
 * says what ours would have said.
 *
 *   publish accepted; unroutable; rejected; outcome unknown; a value that does not fit; partial:
 *        200 `null` (`{}` of several backends, `[]` as a collection)
 *   nothing was sent, no message came, a message that cannot be decoded:
 *        500 without a body
 *   no such path, no such method:
 *        404, 405 in plain text
 *
 * What `static` adds is the body of a publish, with 200 also where it failed and the strategy is
 * one for that.
 *
 * The last two are the service's affair, since they belong to no endpoint. X-Message-Id stays ours
 * to add: it asks nothing of a client that does not look. What the gateway has no answer for (a
 * message above max_body, `immediate`, a front that drains) is answered as ever.
 *
 * Pure, like answer.h.
 */
#ifndef LEVERET_FRONT_COMPATIBILITY_H
#define LEVERET_FRONT_COMPATIBILITY_H

#include "shm/cleanup.h"

#include "answer.h"

/* What the body of a publish depends on. */
struct compatibility_form {
    enum plan_encoding output;      /* never NEGOTIATE */
    uint32_t n_backends;            /* 0: there is no endpoint, so none of its problems either */
    struct slice fixed_if_accepted; /* what `static` adds to a publish that the gateway takes for */
    struct slice fixed_if_refused;  /* accepted, and to one that it does not */
    struct answer_memory memory;    /* unused where nothing is added */
};

/* The gateway's answer to what we call `kind`. False: it is no other than ours, and `answer` is
 * untouched. */
bool compatibility_of_problem(
    struct answer *answer, struct compatibility_form form, enum problem_kind kind) MUST_USE;

/* Every publish was accepted; `outcome` is what we call it. */
void compatibility_of_publish(
    struct answer *answer, struct compatibility_form form, const char *outcome);

/* The queue was listened to, and nothing came. */
void compatibility_of_empty(struct answer *answer);

#endif
