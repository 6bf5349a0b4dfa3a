/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of the file as text in a plan.
 */
#ifndef LEVERET_PLAN_JSON_H
#define LEVERET_PLAN_JSON_H

#include <jansson.h>
#include "shm/plan.h"

/* `value` without white space; a number with a fraction in the fewest digits that mean it. -ENOMEM.
 */
int plan_add_json(struct plan_builder *builder, json_t *value, struct plan_text *text) MUST_USE;

#endif
