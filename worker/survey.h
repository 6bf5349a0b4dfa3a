/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the brokers of a plan what they have (<leveret/survey.h>) and changes nothing there.
 *
 * All hosts of all brokers are called at the same time. The first of a broker's hosts to be there
 * is asked its questions (questions.h), one after the other, so that a refusal that costs the
 * whole connection is known by what it was for; the others are only greeted.
 *
 *           up, the first of its broker           nothing is left to ask, or it was lost
 *   CALLING ──────────────────────────▶ ASKING ──────────────────────────────────────────▶ LEAVING
 *      │                                 │  ▲ a question that the broker closes the         │
 *      │                                 └──┘ connection for: it is called again            ▼
 *      └── no connection, or up and not the first ─────────────────────────────────────▶  GONE
 *
 * It ends whatever the brokers do: resolving, connecting, the handshake and each answer have the
 * time that the plan gives a connection.
 */
#ifndef LEVERET_WORKER_SURVEY_H
#define LEVERET_WORKER_SURVEY_H

#include <stdbool.h>

#include <leveret/survey.h>

#include "shm/cleanup.h"
#include "shm/plan.h"

#include "loop.h"

struct survey;

struct survey_config {
    const struct plan *plan; /* of a worker; borrowed for life, like the loop */
    struct loop *loop;
    /* For each thing that is not as it should be. */
    void (*on_finding)(void *owner, const struct survey_finding *finding);
    void *owner;
};

/* Begins at once. -ENOMEM, or what resolver_new() says. */
int survey_new(struct survey **out, const struct survey_config *config) MUST_USE;

/* All was asked, and all connections are closed. */
bool survey_is_done(const struct survey *survey);

/* When it is done; NULL is fine. */
void survey_free(struct survey *survey);

#endif
