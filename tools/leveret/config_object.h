/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the file that stay objects: a copy, with `${...}` replaced in every string.
 */
#ifndef LEVERET_CONFIG_OBJECT_H
#define LEVERET_CONFIG_OBJECT_H

#include "config_read.h"

/*
 * `type` is one of KEY_SCALARS, KEY_STRINGS and KEY_OBJECT. What such an object may not hold, and
 * what lies more than JSON_MAX_DEPTH deep, becomes a finding. *copy is in the pool. 0 or -ENOMEM.
 */
int config_object_read(const struct config_reading *reading, enum config_key_type type,
    json_t *object, const struct config_path *path, json_t **copy) MUST_USE;

#endif
