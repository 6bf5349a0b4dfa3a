/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret schema`: the configuration as a JSON Schema (draft 2020-12), for editors. All of it
 * comes from config_keys.h and config_place.h.
 *
 * What the schema refuses, `leveret check` calls an error at the same place; not the other way
 * round, since what two keys say to each other and what a name stands for are beyond a schema. Keys
 * that are not Leveret's are allowed everywhere, and an endpoint whose backends are not AMQP is
 * left alone.
 */
#ifndef LEVERET_SCHEMA_H
#define LEVERET_SCHEMA_H

#include <stdio.h>
#include "shm/cleanup.h"

/* 0, -ENOMEM, or -EIO: out took not all of it. */
int schema_print(FILE *out) MUST_USE;

#endif
