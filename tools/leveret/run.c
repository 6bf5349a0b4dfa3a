/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <string.h>

#include "outfit.h"
#include "supervisor.h"

/* What a configuration is made of, the first and every later one. */
struct source {
    const struct options *options;
    struct listeners listeners;
};

static struct outfit *renew(void *owner)
{
    struct source *source = owner;
    return outfit_new(source->options, &source->listeners, LOG_ERROR);
}

int run(const struct options *options)
{
    struct source source = {.options = options};
    log_open("supervisor", LOG_INFO, LOG_TEXT);
    struct outfit *first = outfit_new(options, &source.listeners, LOG_FATAL);
    if (!first)
        return EXIT_FAILURE;
    const struct supervisor_setup setup = {
        .outfit = first,
        .renew = renew,
        .owner = &source,
        .patience = SUPERVISOR_PATIENCE,
    };
    int outcome = supervisor_run(&setup);
    if (outcome < 0)
        log_line(LOG_FATAL, "supervisor-failed", "reason=\"%s\"", strerror(-outcome));
    return outcome == SUPERVISOR_DRAINED ? EXIT_SUCCESS : EXIT_FAILURE;
}
