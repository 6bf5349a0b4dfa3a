/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file as `leveret check` reads it, and what `leveret run` makes of one that is sound: the plans of
 * both sides, joined, and the front's routes.
 *
 * A file is valid or has errors, never both, never neither; each finding is one printable line; and
 * what is valid can be served: no plan and no route of it is refused later.
 */
#include <ctype.h>
#include <sys/mman.h>

#include "config.h"
#include "config_file.h"
#include "differences.h"
#include "fuzz.h"
#include "plan_front.h"
#include "plan_worker.h"
#include "route.h"
#include "shm/cleanup.h"
#include "shm/plan.h"
#include "tests/support/require.h"

static void expect_lines(const char *report, size_t n)
{
    size_t n_lines = 0;
    for (const char *at = report; *at; at++) {
        fuzz_expect(*at == '\n' || !iscntrl((unsigned char)*at));
        n_lines += *at == '\n';
    }
    fuzz_expect(n_lines == n);
}

static void report(const struct findings *findings)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    require(out != NULL, "no memory");
    findings_print(findings, out);
    require(fclose(out) == 0, "no memory");
    fuzz_expect(strlen(text) == n);
    expect_lines(text, findings->n);
}

static void serve(const struct config *config)
{
    CLEANUP(cleanup_fd) int front = plan_front_new(config);
    CLEANUP(cleanup_fd) int worker = plan_worker_new(config);
    struct plan front_plan, worker_plan;
    struct route_table *routes;
    uint32_t culprit;
    fuzz_expect(front >= 0 && worker >= 0);
    fuzz_expect(plan_join(&front_plan, front, PLAN_FRONT) == 0);
    fuzz_expect(plan_join(&worker_plan, worker, PLAN_WORKER) == 0);
    fuzz_expect(route_table_new(&routes, &front_plan, &culprit) == 0);
    route_table_free(routes);
    plan_leave(&worker_plan);
    plan_leave(&front_plan);
}

static void check(const char *path)
{
    const struct overrides none = {.port = -1};
    CLEANUP(findings_done) struct findings findings = {0};
    CLEANUP(config_file_done) struct config_file file = {0};
    struct config *config = NULL;
    int outcome = config_load_file(path, &none, &file, &config, &findings);
    fuzz_expect(outcome == CONFIG_VALID || outcome == CONFIG_INVALID);
    fuzz_expect((outcome == CONFIG_VALID) == (findings.n_errors == 0));
    fuzz_expect((outcome == CONFIG_VALID) == (config != NULL));
    if (config) {
        differences_find(config, &findings);
        findings_locate(&findings, config->file, file.text, file.length);
        serve(config);
        config_free(config);
    }
    report(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[32];
    CLEANUP(cleanup_fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, bytes, n) == (ssize_t)n, "no memory");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* it fits */
    check(path);
    return 0;
}
