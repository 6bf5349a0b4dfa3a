/* SPDX-License-Identifier: Apache-2.0 */
#include "compatibility.h"

#include "shm/slot.h"

#include "content.h"

/* The gateway's status for each kind of problem; 0: it knows no such thing, or answers as we do. */
static const struct {
    int status;
    const char *text; /* its body, where it has one that says anything */
} rows[PROBLEM_N_KINDS] = {
    [PROBLEM_NOT_FOUND] = {404, "404 page not found"},
    [PROBLEM_WRONG_METHOD] = {405, "405 method not allowed"},
    /* it would have written these to the socket, and asked no more */
    [PROBLEM_INVALID_VALUE] = {200, NULL},
    [PROBLEM_UNROUTABLE] = {200, NULL},
    [PROBLEM_REJECTED] = {200, NULL},
    [PROBLEM_PARTIAL] = {200, NULL},
    [PROBLEM_OUTCOME_UNKNOWN] = {200, NULL},
    /* it knows one error */
    [PROBLEM_UNDECODABLE] = {500, NULL},
    [PROBLEM_BROKER_DOWN] = {500, NULL},
    [PROBLEM_BROKER_BLOCKED] = {500, NULL},
    [PROBLEM_BROKER_STALLED] = {500, NULL},
    [PROBLEM_BUSY] = {500, NULL},
    [PROBLEM_TOPOLOGY] = {500, NULL},
    [PROBLEM_WORKER_DOWN] = {500, NULL},
};

static void begin(struct answer *answer, int status, const char *outcome, bool is_completed)
{
    *answer = (struct answer){.status = status};
    answer_add(answer, "X-Krakend-Completed", slice_of(is_completed ? "true" : "false"));
    answer_add(answer, ANSWER_OUTCOME, slice_of(outcome));
}

void compatibility_of_publish(
    struct answer *answer, struct compatibility_form form, const char *outcome)
{
    begin(answer, 200, outcome, form.fixed_if_accepted.len > 0);
    if (form.fixed_if_accepted.len)
        content_of_fixed(answer, form.output, form.fixed_if_accepted, form.memory);
    else
        content_of_nothing(answer, form.output, form.n_backends);
}

void compatibility_of_empty(struct answer *answer)
{
    begin(answer, 500, outcome_name(OUTCOME_EMPTY), false);
}

bool compatibility_of_problem(
    struct answer *answer, struct compatibility_form form, enum problem_kind kind)
{
    if (!rows[kind].status)
        return false;
    if (rows[kind].status == 200) {
        compatibility_of_publish(answer, form, problem_name(kind));
        return true;
    }
    if (form.fixed_if_refused.len) {
        begin(answer, 200, problem_name(kind), false);
        content_of_fixed(answer, form.output, form.fixed_if_refused, form.memory);
        return true;
    }
    begin(answer, rows[kind].status, problem_name(kind), false);
    if (rows[kind].text) {
        answer_add(answer, "Content-Type", slice_of("text/plain"));
        answer_append(answer, slice_of(rows[kind].text));
    }
    return true;
}
