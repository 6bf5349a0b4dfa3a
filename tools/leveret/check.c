/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "check.h"
#include "config.h"
#include "differences.h"
#include "findings.h"
#include "shm/cleanup.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void summarize(const char *path, const struct findings *findings, FILE *out)
{
    fprintf(out, "%s: %zu error%s, %zu warning%s\n", path, findings->n_errors,
        plural(findings->n_errors), findings->n_warnings, plural(findings->n_warnings));
}

int check_run(const char *path, bool is_strict, FILE *out)
{
    const struct overrides none = {.port = -1};
    CLEANUP(findings_done) struct findings findings = {0};
    struct config *config = NULL;
    int outcome = config_load(path, &none, &config, &findings);

    if (outcome < 0) {
        fprintf(out, "%s: %s\n", path, strerror(-outcome));
        return 1;
    }
    findings_print(&findings, out);
    if (config)
        differences_print(config, out);
    config_free(config);
    summarize(path, &findings, out);
    return outcome == CONFIG_INVALID || (is_strict && findings.n_warnings > 0);
}
