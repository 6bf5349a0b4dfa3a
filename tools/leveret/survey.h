/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the brokers of a configuration say to it: leveret-worker asks them (<leveret/survey.h>), and
 * here each of its findings gets its place in the file and its gravity.
 *
 *   error     an endpoint would not work: no host leads to the broker, an exchange or a consumer's
 *             queue is not there or is another one, the user has no right to declare it
 *   warning   endpoints work: a host is away but not all, a producer's queue is another one, an
 *             exclusive queue is in use
 *   note      it is not there, and will be declared
 */
#ifndef LEVERET_TOOLS_SURVEY_H
#define LEVERET_TOOLS_SURVEY_H

#include "config.h"
#include "findings.h"
#include "programs.h"
#include "shm/cleanup.h"

/* Adds to findings, without lines: findings_locate(). That not all could be asked is a finding too.
 * 0; -ENOMEM, or another negative errno: there is no verdict. */
int survey_run(
    const struct config *config, const struct program *program, struct findings *findings) MUST_USE;

#endif
