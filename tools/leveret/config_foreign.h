/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and namespaces that belong to the gateway and not to us. Nothing is dropped silently:
 *
 *   accepted   it says nothing about our work: telemetry, documentation, comments, HTTP clients
 *   warned     it does something that is not done here: rate limits, modifiers, plugins
 *   refused    it protects: access control, validation. Dropped, it would leave an endpoint open;
 *              so it is an error unless leveret.ignore names it
 *
 * What is in no list is an unknown key: a warning.
 */
#ifndef LEVERET_CONFIG_FOREIGN_H
#define LEVERET_CONFIG_FOREIGN_H

#include "config_read.h"

/* A key of this level that is not in its table. */
void config_foreign_key(const struct config_reading *reading, const struct config_level *level,
    const json_t *value, const struct config_path *path);

/* A namespace of an extra_config that is not ours: path->key. */
void config_foreign_namespace(const struct config_reading *reading, const struct config_path *path);

/* The version 3 name of a namespace; the same pointer when it has no other, or none that we know.
 */
const char *config_foreign_alias(const char *name);

/* The other way round, without the "github.com/" that stands before it; NULL: it has no other. */
const char *config_foreign_v2_name(const char *name);

#endif
