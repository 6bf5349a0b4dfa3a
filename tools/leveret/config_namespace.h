/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra_config: an object of namespaces. Those that belong to Leveret are read by their tables;
 * the others go to config_foreign.h.
 */
#ifndef LEVERET_CONFIG_NAMESPACE_H
#define LEVERET_CONFIG_NAMESPACE_H

#include "config_read.h"

#define NAMESPACE_CONSUMER "backend/amqp/consumer"
#define NAMESPACE_PRODUCER "backend/amqp/producer"
#define NAMESPACE_PROXY "proxy"
#define NAMESPACE_LEVERET "leveret"

/* A namespace that is read here: version 3's name, its table, and where its fields go. */
struct config_namespace {
    const char *name;
    const struct config_level *level;
    void *fields;
    const char *path; /* where it was found, in the pool; NULL: it is not there */
};

/*
 * Reads object.extra_config; path is the object's. Namespaces may come in either version's name;
 * the same one twice is an error. 0 or -ENOMEM.
 */
int config_namespace_read(const struct config_reading *reading, const json_t *object,
    const struct config_path *path, struct config_namespace *ours, size_t n_ours) MUST_USE;

/* Whether object.extra_config has this namespace, by either name. Says nothing about errors. */
bool config_namespace_is_there(const json_t *object, const char *name);

#endif
