/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a worker that does not come to its end. What it finds is the integration suite's.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "config.h"
#include "config_fixture.h"
#include "survey.h"

TestSuite(survey, .init = fixture_enter, .fini = fixture_leave);

static const char text[] =
    "{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":[{\"endpoint\":\"/"
    "a\",\"method\":\"POST\","
    "\"backend\":[{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"x\"}}}]}]}";

static void expect_broken_off(const char *path)
{
    struct program program;
    const struct overrides none = {.port = -1};
    CLEANUP(findings_done) struct findings findings = {0};
    struct config *config;

    fixture_write("f", text, strlen(text));
    cr_assert_eq(config_load("f", &none, &config, &findings), CONFIG_VALID);
    (void)snprintf(program.path, sizeof program.path, "%s", path);
    if (program_open(&program, path) < 0)
        program.fd = -1; /* it is not there */
    cr_assert_eq(survey_run(config, &program, &findings), 0);
    cleanup_fd(&program.fd);
    cr_assert_eq(findings.n, 1);
    cr_assert_eq(findings.n_errors, 1);
    cr_assert_str_eq(
        findings.items[0].message, "the brokers were not all asked: leveret-worker broke off");
    config_free(config);
}

Test(survey, says_that_the_worker_could_not_be_executed)
{
    expect_broken_off("/nowhere/leveret-worker");
}

Test(survey, says_that_the_worker_failed)
{
    expect_broken_off("/bin/false");
}
