/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command: reads its line and does what it says. Exit status 2: the line makes no sense.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "keys.h"
#include "options.h"
#include "probe.h"
#include "run.h"
#include "schema.h"
#include "stats.h"

enum { EXIT_NONSENSE = 2 };

/* Whoever started us without one of them must not find a socket in its place. They are inherited,
 * so they alone are not closed on exec. */
static bool are_standard_descriptors_open(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* A text that was asked for and could not be written is a failure. */
static int finish(int status)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? status : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options;
    struct options_error error;
    if (!are_standard_descriptors_open())
        return EXIT_FAILURE;
    if (options_parse(argc, argv, &options, &error) == OPTIONS_BAD) {
        (void)fprintf(stderr, "leveret: %s\nTry `leveret --help`.\n", error.text);
        return EXIT_NONSENSE;
    }
    switch (options.command) {
    case OPTIONS_RUN:
        return run(&options, argv);
    case OPTIONS_CHECK:
        return finish(check_run(&(struct check){.path = options.config,
                                    .is_strict = options.is_strict,
                                    .asks_brokers = options.asks_brokers},
            stdout));
    case OPTIONS_KEYS:
        keys_print(stdout); /* finish() knows whether it was written */
        break;
    case OPTIONS_SCHEMA:
        return finish(schema_print(stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    case OPTIONS_STATS:
        return finish(stats_run(&options));
    case OPTIONS_PROBE:
        return finish(probe_run(&options));
    case OPTIONS_VERSION:
        (void)puts("leveret " LEVERET_VERSION);
        break;
    case OPTIONS_HELP:
        (void)fputs(options_help(options.topic), stdout);
        break;
    }
    return finish(EXIT_SUCCESS);
}
