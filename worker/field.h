/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field tables (AMQP 0-9-1, 4.2.5.5, with RabbitMQ's kinds of fields) looked at before anything
 * recurses into them: on the way in their nesting, on the way out their keys.
 */
#ifndef LEVERET_WORKER_FIELD_H
#define LEVERET_WORKER_FIELD_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#define FIELD_MAX_DEPTH 32 /* tables and arrays in one another */

/* The encoded table at the front of `bytes`, length word included: 0 when it is well-formed and not
 * nested deeper than FIELD_MAX_DEPTH, else -EPROTO. Takes time linear in its length and no memory.
 */
int field_check_encoded(const uint8_t *bytes, size_t n_bytes) MUST_USE;

/* Can the encoder write it as it is meant: keys up to 255 bytes, nesting as above? */
bool field_is_encodable(const amqp_table_t *table);

#endif
