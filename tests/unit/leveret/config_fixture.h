/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration from a text: written to a file named "f" in a folder of its own, where the test
 * then stands, and loaded from there.
 */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include "config.h"

struct loaded {
    int outcome;
    struct config *config; /* NULL unless CONFIG_VALID */
    struct findings findings;
    char *report; /* as findings_print() has it */
};

void fixture_enter(void); /* .init of a suite */
void fixture_leave(void); /* .fini */

void fixture_write(const char *name, const void *bytes, size_t length);
struct loaded fixture_load(const char *text);
struct loaded fixture_load_bytes(
    const void *bytes, size_t length, const struct overrides *overrides);
void loaded_done(struct loaded *loaded);

/* A file with these endpoints, with one consumer or producer that has these members besides. */
#define FILE_OF(service, endpoints) "{\"version\": 3," service "\"endpoints\": [" endpoints "]}"
#define ENDPOINT_OF(path, members, backends)                                                       \
    "{\"endpoint\": \"" path "\"," members "\"backend\": [" backends "]}"
#define BACKEND_OF(members, namespace, keys)                                                       \
    "{\"host\": [\"amqp://h\"]," members "\"extra_config\": {\"" namespace "\": {" keys "}}}"
#define CONSUMER(keys) BACKEND_OF("", "backend/amqp/consumer", keys)
#define PRODUCER(keys) BACKEND_OF("", "backend/amqp/producer", keys)

#endif
