/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one object of the file into one structure, as its table of keys says.
 *
 * Everything that can be wrong with a key alone is found here: its name, its version's spelling,
 * its type, its range, `${...}`, a setting that has nothing behind it yet. What two keys say to
 * each other is config_rules.h.
 *
 * Returned by all: 0 also when there were findings, -ENOMEM.
 */
#ifndef LEVERET_CONFIG_READ_H
#define LEVERET_CONFIG_READ_H

#include <stdbool.h>
#include <jansson.h>
#include "shm/cleanup.h"
#include "config.h"
#include "config_keys.h"
#include "config_path.h"
#include "config_pool.h"
#include "findings.h"

/* What is the same for the whole file. */
struct config_reading {
    const char *source; /* the file, or an environment variable */
    int version;        /* 2 or 3 */
    struct config_pool *pool;
    struct findings *findings;
    json_t *variables; /* a member for each variable of the environment that a string refers to */
    struct config_broker_tls **broker_tls; /* the configuration's list */
    json_t *ignore; /* a member for each namespace, by version 3's name, that may be dropped */
};

/* Sets every field of a level to its default. */
int config_read_defaults(const struct config_reading *reading, const struct config_level *level,
    void *fields) __attribute__((warn_unused_result));

/* Overwrites the fields whose keys `object` has. KEY_NESTED is left to the caller. */
int config_read_level(const struct config_reading *reading, const struct config_level *level,
    json_t *object, const struct config_path *path, void *fields)
    __attribute__((warn_unused_result));

/* Overwrites the scalar fields that an environment variable KRAKEND_<KEY> names. */
int config_read_environment(const struct config_reading *reading, const struct config_level *level,
    void *fields) __attribute__((warn_unused_result));

/*
 * The member of object with this name, if it is of this type; else NULL, with a finding when it is
 * there and of another one. null counts as absent.
 */
json_t *config_read_member(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, json_type type);

/* Adds a finding about the value at path. */
void config_report(const struct config_reading *reading, enum finding_severity severity,
    const struct config_path *path, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "an object", "a string" ... */
const char *config_type_name(json_type type);

#endif
