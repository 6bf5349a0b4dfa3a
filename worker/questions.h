/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a survey asks: one question for each exchange and queue that a backend of the plan relies
 * on by name. What would be declared is compared with what is there; what would be taken as given
 * is only looked for. The default exchange and a queue that the broker is to name raise none.
 */
#ifndef LEVERET_WORKER_QUESTIONS_H
#define LEVERET_WORKER_QUESTIONS_H

#include <stddef.h>
#include <stdint.h>

#include <leveret/survey.h>

#include "shm/cleanup.h"

#include "plan_reader.h"
#include "topology.h"

struct question {
    struct topology_wish wish; /* one exchange, or one queue; nothing is bound */
    uint32_t broker;
    uint32_t subject, index, part; /* as in survey_finding */
};

/* In the plan's order: of the backends that produce, then of the taps. Free *questions with free();
 * the wishes point into the reader's pool. -ENOMEM. */
int questions_new(struct plan_reader *plan_reader, const struct plan_worker *root,
    struct question **questions, size_t *n_questions) MUST_USE;

#endif
