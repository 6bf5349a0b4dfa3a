/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_fixture.h"
#include "shm/cleanup.h"

TestSuite(check, .init = fixture_enter, .fini = fixture_leave);

struct row {
    const char *text;
    int code, strict_code;
    const char *report;
};

#define ENDPOINTS(more)                                                                            \
    "{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":[{\"endpoint\":\"/"                      \
    "a\",\"method\":\"POST\","                                                                     \
    "\"backend\":[{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"x\"}}}]},"          \
    "{\"endpoint\":\"/a\",\"backend\":[{\"extra_config\":{\"backend/amqp/consumer\":"              \
    "{\"name\":\"q\",\"durable\":true,\"prefetch_count\":10}}}]}]" more "}"

static const struct row rows[] = {
    {"{\"version\":3,\"endpoints\":[]}", 0, 0, "f: 0 errors, 0 warnings\n"},
    {"{\"version\":3,\"endpoints\":[],\"x\":1}", 0, 1,
        "f:1:33: $.x: warning: unknown key: it has no effect\nf: 0 errors, 1 warning\n"},
    {"{\"version\":3,\"endpoints\":[],\"port\":true,\"x\":1,\"y\":1}", 1, 1,
        "f:1:36: $.port: error: must be an integer, not true\n"
        "f:1:45: $.x: warning: unknown key: it has no effect\n"
        "f:1:51: $.y: warning: unknown key: it has no effect\n"
        "f: 1 error, 2 warnings\n"},
    {ENDPOINTS(""), 0, 0,
        "f:1:47: $.endpoints[0]: note: POST /a: an accepted message is 200 {} and any other an "
        "error, "
        "where the gateway says 200 null\n"
        "f:1:153: $.endpoints[1]: note: GET /a: no message is 204 and a failure a problem, where "
        "the "
        "gateway says 500\n"
        "f: 0 errors, 0 warnings, 2 notes\n"},
    {ENDPOINTS(",\"extra_config\":{\"leveret\":{\"compatibility\":\"krakend\"}}"), 0, 0,
        "f: 0 errors, 0 warnings\n"},
};

/* The exit code; *report is the caller's to free. */
static int check(bool is_strict, char **report)
{
    size_t length;
    FILE *out = open_memstream(report, &length);
    int code = check_run(&(struct check){.path = "f", .is_strict = is_strict}, out);

    cr_assert_eq(fclose(out), 0);
    return code;
}

Test(check, says_what_it_found_and_how_many)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_free) char *report = NULL, *strict_report = NULL;

        fixture_write("f", rows[i].text, strlen(rows[i].text));
        cr_expect_eq(check(false, &report), rows[i].code, "%s", rows[i].text);
        cr_expect_eq(check(true, &strict_report), rows[i].strict_code, "%s", rows[i].text);
        cr_expect_str_eq(report, rows[i].report);
        cr_expect_str_eq(strict_report, rows[i].report, "strictness changes the code alone");
    }
}

Test(check, fails_without_a_file)
{
    CLEANUP(cleanup_free) char *report = NULL;

    cr_assert_eq(check(false, &report), 1);
    cr_assert_str_eq(report,
        "f:1:1: $: error: cannot be read: No such file or directory\nf: 1 error, 0 warnings\n");
}
