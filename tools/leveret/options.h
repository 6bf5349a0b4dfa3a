/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: the commands of `leveret` and what they take. Nothing is read and nothing is
 * printed here.
 */
#ifndef LEVERET_OPTIONS_H
#define LEVERET_OPTIONS_H

#include <stdbool.h>

#include "shm/cleanup.h"

enum options_command {
    OPTIONS_RUN,
    OPTIONS_CHECK,
    OPTIONS_KEYS,
    OPTIONS_SCHEMA,
    OPTIONS_VERSION,
    OPTIONS_HELP, /* with `topic` */
};

struct options {
    enum options_command command;
    enum options_command topic; /* OPTIONS_HELP: of this one; itself: of all */
    const char *config;         /* run, check: the file. Borrowed from argv */
    int port;                   /* run: 0 = any free one, -1 = not said */
    int n_workers;              /* run: 0 = not said */
    const char *admin;          /* run: an address or "off"; NULL = not said. Borrowed from argv */
    int rehearsal;              /* run: of a heritage of this version; 0 = not said */
    bool is_strict;             /* check */
    bool asks_brokers;          /* check */
};

/* A sentence for the user, without a full stop. */
struct options_error {
    char text[160];
};

/* OPTIONS_BAD: *error says why and *options is untouched. */
enum options_outcome { OPTIONS_OK, OPTIONS_BAD };
enum options_outcome options_parse(
    int argc, char **argv, struct options *options, struct options_error *error) MUST_USE;

/* What `leveret --help`, or a command with it, prints. */
const char *options_help(enum options_command topic);

#endif
