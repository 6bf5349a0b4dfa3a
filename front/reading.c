/* SPDX-License-Identifier: Apache-2.0 */
#include "reading.h"

#include <assert.h>

#include "shm/slot.h"

#define NO_PROBLEM PROBLEM_N_KINDS

static const struct reading readings[OUTCOME_NOT_ASKED + 1] = {
    [OUTCOME_NONE] = {PROBLEM_INTERNAL, false, false, ""},
    [OUTCOME_CONFIRMED] = {NO_PROBLEM, false, false, ""},
    [OUTCOME_UNCONFIRMED] = {NO_PROBLEM, false, false, ""},
    [OUTCOME_UNROUTABLE] = {PROBLEM_UNROUTABLE, false, false, "The message is on no queue."},
    [OUTCOME_NACKED] = {PROBLEM_REJECTED, false, false,
        "Not every queue took the message; another one may hold it."},
    [OUTCOME_UNKNOWN] = {PROBLEM_OUTCOME_UNKNOWN, false, false,
        "The message may be on its queue or not. Sending it again may make it two."},
    [OUTCOME_REJECTED] = {PROBLEM_REJECTED, false, false, "The broker refused the message."},
    [OUTCOME_DELIVERED] = {NO_PROBLEM, false, false, ""},
    [OUTCOME_UNDECODABLE] = {PROBLEM_UNDECODABLE, true, false, "It stays on its queue."},
    [OUTCOME_TOO_LARGE] = {PROBLEM_TOO_LARGE, true, false, "It stays on its queue."},
    [OUTCOME_EMPTY] = {PROBLEM_BROKER_DOWN, true, true, "The queue was not being listened to."},
    [OUTCOME_CANCELLED] = {PROBLEM_BUSY, true, true, "It was not sent in time."},
    [OUTCOME_DOWN] = {PROBLEM_BROKER_DOWN, true, true, "Nothing was sent."},
    [OUTCOME_BLOCKED] = {PROBLEM_BROKER_BLOCKED, true, true, "Nothing was sent."},
    [OUTCOME_STALLED] = {PROBLEM_BROKER_STALLED, true, true, "Nothing was sent."},
    [OUTCOME_BUSY] = {PROBLEM_BUSY, true, true, "Nothing was sent."},
    [OUTCOME_TOPOLOGY] = {PROBLEM_TOPOLOGY, true, false, "Nothing was sent."},
    [OUTCOME_INVALID] = {PROBLEM_INVALID_VALUE, true, false, "Nothing was sent."},
    [OUTCOME_UNSUPPORTED] = {PROBLEM_UNSUPPORTED, true, false, "Nothing was sent."},
    [OUTCOME_NO_WORKER] = {PROBLEM_WORKER_DOWN, true, true, "Nothing was sent."},
    [OUTCOME_NOT_ASKED] = {PROBLEM_PARTIAL, true, false, "A backend before it failed."},
};

const struct reading *reading_of(const struct part *part)
{
    enum outcome outcome = part->reply.outcome;
    assert(part_is_settled(part) && outcome <= OUTCOME_NOT_ASKED);
    if (outcome == OUTCOME_CANCELLED && part->plan->verb == PLAN_CONSUME)
        outcome = OUTCOME_EMPTY;
    return &readings[outcome];
}

bool reading_is_empty(const struct part *part)
{
    enum outcome outcome = part->reply.outcome;
    return part->plan->verb == PLAN_CONSUME && part->reply.is_listening &&
           (outcome == OUTCOME_EMPTY || outcome == OUTCOME_CANCELLED);
}

const char *reading_name(enum outcome outcome)
{
    if (outcome == OUTCOME_NO_WORKER)
        return problem_name(PROBLEM_WORKER_DOWN);
    return outcome == OUTCOME_NOT_ASKED ? "not-asked" : outcome_name(outcome);
}
