/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a confinement came to, as lines of the log: `confined`, and `not-confined` for each layer that
 * could not be had. The one thing of the shared ground that logs, since front and worker say it in
 * the same words, which the README gives; each calls it where it is confined.
 */
#ifndef LEVERET_SHM_CONFINEMENT_LOG_H
#define LEVERET_SHM_CONFINEMENT_LOG_H

#include "shm/confinement.h"

void confinement_log(const struct confinement_report *report);

#endif
