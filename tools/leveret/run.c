/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "outfit.h"
#include "shm/confinement.h"
#include "supervisor.h"
#include "upgrade.h"

#define TRIAL_NS (UPGRADE_REHEARSAL_NS / 2) /* of all that a rehearsal executes */

/* What a configuration is made of, the first and every later one. */
struct source {
    const struct options *options;
    struct programs programs;
    struct listeners listeners;
};

static bool find_programs(struct programs *programs)
{
    char folder[PATH_MAX];
    const char *missing;
    int error = programs_folder(folder);
    if (error)
        log_line(LOG_FATAL, "no-programs", "reason=\"%s\"", strerror(-error));
    else if (programs_open(folder, programs, &missing) == 0)
        return true;
    else
        log_line(LOG_FATAL, "no-programs",
            "program=%s reason=\"neither beside leveret nor installed\"", missing);
    return false;
}

/* Whoever opens a pipe waits for its other end, and nothing may keep the supervisor waiting. */
static bool can_be_read_again(const char *file)
{
    struct stat stat_now;
    if (stat(file, &stat_now) < 0 || S_ISREG(stat_now.st_mode))
        return true; /* one that is not there is told as such by who reads it */
    log_line(LOG_ERROR, "not-configured",
        "file=%s reason=\"it is a pipe or the like, and can be read but once\"", file);
    return false;
}

/* It holds the credentials of the file from now on, and of the next one. */
static void protect(const struct outfit *outfit)
{
    int error = outfit->is_confined ? confine_core() : 0;
    if (error)
        log_line(LOG_WARN, "not-confined", "layer=core reason=\"%s\"", strerror(-error));
}

static struct outfit *renew(void *owner)
{
    struct source *source = owner;
    if (!can_be_read_again(source->options->config))
        return NULL;
    struct outfit *outfit =
        outfit_new(source->options, &source->programs, &source->listeners, LOG_ERROR);
    if (outfit)
        protect(outfit);
    return outfit;
}

static bool can_start(const struct program *program, uint64_t deadline_ns)
{
    int status;
    int trial = program_try(program, "--version", deadline_ns, &status);
    if (trial == PROGRAM_FAILS)
        log_line(LOG_FATAL, "no-successor",
            "program=%s reason=\"it does not start: it ended with %d\"", program->path, status);
    else if (trial != PROGRAM_STARTS)
        log_line(LOG_FATAL, "no-successor", "program=%s reason=\"%s\"", program->path,
            trial < 0 ? strerror(-trial) : "asked for its version, it does not end");
    return trial == PROGRAM_STARTS;
}

static bool can_all_start(const struct programs *programs)
{
    uint64_t deadline_ns = clock_now_ns() + TRIAL_NS;
    return can_start(&programs->front, deadline_ns) && can_start(&programs->worker, deadline_ns);
}

/* Whether this program could do what run() does in another's place. */
static int rehearse(const struct options *options)
{
    if (options->rehearsal != (int)HERITAGE_VERSION) {
        log_line(LOG_FATAL, "no-successor", "reason=\"a heritage of version %d is not understood\"",
            options->rehearsal);
        return EXIT_FAILURE;
    }
    CLEANUP(programs_close) struct programs programs = PROGRAMS_NONE;
    bool can_be = can_be_read_again(options->config) && find_programs(&programs) &&
                  can_all_start(&programs) && outfit_can_be_made(options, &programs);
    return can_be ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct outfit *take_over(const struct heritage *heritage, struct listeners *listeners)
{
    struct outfit *first = outfit_inherit(heritage, listeners);
    if (!first) {
        log_line(LOG_FATAL, "no-successor", "reason=\"%s\"", strerror(ENOMEM));
        return NULL;
    }
    log_open("supervisor", first->log_level, first->log_format);
    log_line(LOG_INFO, "upgraded",
        "version=" LEVERET_VERSION " pid=%d: generation=%u serves until "
        "its successor does",
        getpid(), heritage->generation);
    return first;
}

/* What serves first: what another program in our place has left, or what the file says. */
static enum heritage_outcome begin(
    struct source *source, struct heritage *heritage, struct outfit **first)
{
    enum heritage_outcome outcome = heritage_take(heritage);
    if (outcome == HERITAGE_TAKEN)
        *first = take_over(heritage, &source->listeners);
    else if (outcome == HERITAGE_NONE)
        *first = outfit_new(source->options, &source->programs, &source->listeners, LOG_FATAL);
    else
        log_line(LOG_FATAL, "no-successor", "reason=\"the heritage is not understood\"");
    return outcome;
}

int run(const struct options *options, char *const *argv)
{
    static struct heritage heritage; /* large for a stack */
    struct source source = {.options = options, .programs = PROGRAMS_NONE};
    struct outfit *first = NULL;
    log_open("supervisor", LOG_INFO, LOG_TEXT);
    if (options->rehearsal)
        return rehearse(options);
    if (!find_programs(&source.programs))
        return EXIT_FAILURE;
    enum heritage_outcome outcome = begin(&source, &heritage, &first);
    if (!first)
        return EXIT_FAILURE;
    protect(first);
    const struct supervisor_setup setup = {
        .outfit = first,
        .heritage = outcome == HERITAGE_TAKEN ? &heritage : NULL,
        .argv = argv,
        .renew = renew,
        .owner = &source,
        .patience = SUPERVISOR_PATIENCE,
    };
    int result = supervisor_run(&setup);
    if (result < 0)
        log_line(LOG_FATAL, "supervisor-failed", "reason=\"%s\"", strerror(-result));
    log_close();
    return result == SUPERVISOR_DRAINED ? EXIT_SUCCESS : EXIT_FAILURE;
}
