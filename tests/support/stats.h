/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sidecar says of itself on its admin listener: its figures as JSON, and its probes.
 */
#ifndef LEVERET_TESTS_STATS_H
#define LEVERET_TESTS_STATS_H

#include <jansson.h>
#include <stdint.h>
#include "tests/support/sidecar.h"

/* GET /__stats/, which must be JSON; the caller lets go of it with json_decref(). */
json_t *stats_read(const struct sidecar *sidecar);

/* The element of the array whose member `key` is `value`; there must be one. Borrowed. */
json_t *stats_find(const json_t *stats, const char *array, const char *key, const char *value);
json_t *stats_endpoint(const json_t *stats, const char *endpoint); /* "POST /out" */

/* A number at a path of members between dots, such as "answered.200"; 0 where there is none. */
uint64_t stats_number(const json_t *object, const char *path);

/* The sum of all members of an object of numbers. */
uint64_t stats_sum(const json_t *object, const char *member);

/* Does GET `path` answer with 200, or with 503 and this reason in it? NULL: 200. */
int stats_probe_says(const struct sidecar *sidecar, const char *path, const char *reason);

#endif
