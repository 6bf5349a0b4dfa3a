/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: the commands of `leveret` and what they take. No file is read and nothing is
 * printed here; of the environment, LEVERET_ADMIN stands in for an --url that is not said.
 */
#ifndef LEVERET_OPTIONS_H
#define LEVERET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin_address.h"
#include "shm/cleanup.h"

enum options_command {
    OPTIONS_RUN,
    OPTIONS_CHECK,
    OPTIONS_KEYS,
    OPTIONS_SCHEMA,
    OPTIONS_STATS,
    OPTIONS_PROBE,
    OPTIONS_VERSION,
    OPTIONS_HELP, /* with `topic` */
};

enum probe_kind { PROBE_LIVE, PROBE_READY, PROBE_STARTUP, N_PROBES };

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
    struct admin_address whom;  /* stats, probe: whom to ask */
    const char *token;          /* stats, probe: what to show; NULL: nothing. The environment's */
    bool is_live;               /* stats: again and again */
    uint64_t interval_ns;       /* stats: from one page to the next */
    bool is_raw;                /* stats: the JSON as it came */
    enum probe_kind probe;      /* probe */
    uint64_t timeout_ns;        /* probe: for the answer */
    bool is_verbose;            /* probe: says so when all is well */
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
