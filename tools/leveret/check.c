/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "check.h"
#include "config.h"
#include "config_file.h"
#include "differences.h"
#include "findings.h"
#include "programs.h"
#include "shm/cleanup.h"
#include "survey.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void summarize(const char *path, const struct findings *findings, FILE *out)
{
    fprintf(out, "%s: %zu error%s, %zu warning%s", path, findings->n_errors,
        plural(findings->n_errors), findings->n_warnings, plural(findings->n_warnings));
    if (findings->n_notes > 0)
        fprintf(out, ", %zu note%s", findings->n_notes, plural(findings->n_notes));
    fputc('\n', out);
}

static bool is_bad(const struct findings *findings, bool is_strict)
{
    return findings->n_errors > 0 || (is_strict && findings->n_warnings > 0);
}

static void could_not_ask(
    const struct config *config, struct findings *findings, const char *reason)
{
    findings_add(findings, FINDING_ERROR,
        (struct finding_place){.source = config->file, .path = "$"},
        "the brokers were not asked: %s", reason);
}

static void ask_brokers(const struct config *config, struct findings *findings)
{
    char folder[PATH_MAX];
    CLEANUP(programs_close) struct programs programs = PROGRAMS_NONE;
    const char *missing;
    int error = programs_folder(folder);

    if (!error && programs_open(folder, &programs, &missing) < 0) {
        could_not_ask(config, findings, "leveret-worker is neither beside leveret nor installed");
        return;
    }
    if (!error)
        error = survey_run(config, &programs.worker, findings);
    if (error)
        could_not_ask(config, findings, strerror(-error));
}

/* The file's own verdict stands before the brokers' one. */
static int verdict(
    const struct check *check, const struct config *config, struct findings *findings)
{
    bool was_bad = is_bad(findings, check->is_strict);

    if (config && check->asks_brokers)
        ask_brokers(config, findings);
    if (was_bad)
        return CHECK_BAD;
    return is_bad(findings, check->is_strict) ? CHECK_REFUSED : CHECK_GOOD;
}

int check_run(const struct check *check, FILE *out)
{
    const struct overrides none = {.port = -1};
    CLEANUP(findings_done) struct findings findings = {0};
    CLEANUP(config_file_done) struct config_file file = {0};
    struct config *config = NULL;
    int outcome = config_load_file(check->path, &none, &file, &config, &findings), code;

    if (outcome < 0) {
        fprintf(out, "%s: %s\n", check->path, strerror(-outcome));
        return CHECK_BAD;
    }
    code = verdict(check, config, &findings);
    if (config) {
        differences_find(config, &findings);
        findings_locate(&findings, config->file, file.text, file.length);
    }
    findings_print(&findings, out);
    config_free(config);
    summarize(check->path, &findings, out);
    return code;
}
