/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_expand.h"
#include "config_fixture.h"

TestSuite(config_expand, .init = fixture_enter, .fini = fixture_leave);

#define N(rows) (sizeof(rows) / sizeof *(rows))

struct row {
    const char *text, *expanded, *complaint;
};

static const struct row rows[] = {
    {"", "", NULL},
    {"plain $ and { and }", "plain $ and { and }", NULL},
    {"$HOST", "$HOST", NULL},
    {"${HOST}", "rabbit", NULL},
    {"amqp://${HOST}:${PORT:-5672}/", "amqp://rabbit:5672/", NULL},
    {"${HOST:-other}", "rabbit", NULL},
    {"${EMPTY}", "", NULL},
    {"${EMPTY:-full}", "full", NULL},
    {"${NOWHERE:-}", "", NULL},
    {"${NOWHERE:-a:-b}", "a:-b", NULL},
    {"${NESTED}", "${HOST}", NULL},
    {"x${file:secret}y", "xs3cr3ty", NULL},
    {"${NOWHERE}", NULL, "${NOWHERE} is not set and has no default"},
    {"${HOST} ${NOWHERE}", NULL, "${NOWHERE} is not set and has no default"},
    {"${HOST", NULL, "${ without its }"},
    {"${}", NULL, "${} names neither a variable nor a file:"},
    {"${1A}", NULL, "${1A} names neither a variable nor a file:"},
    {"${A B:-c}", NULL, "${A B} names neither a variable nor a file:"},
    {"${file:absent}", NULL, "${file:absent} cannot be read: No such file or directory"},
    {"${file:.}", NULL, "${file:.} cannot be read: Invalid argument"},
    {"${file:fifo}", NULL, "${file:fifo} cannot be read: Invalid argument"},
    {"${file:nul}", NULL,
        "${file:nul} cannot be read: Invalid or incomplete multibyte or wide character"},
    {"${file:large}", NULL, "${file:large} cannot be read: File too large"},
};

static void make_files(void)
{
    static char large[CONFIG_EXPAND_FILE_MAX + 1];

    memset(large, 'x', sizeof large);
    fixture_write("secret", "s3cr3t\r\n\n", 9);
    fixture_write("nul", "a\0b", 3);
    fixture_write("large", large, sizeof large);
    cr_assert_eq(mkfifo("fifo", 0600), 0);
}

Test(config_expand, replaces_references_or_says_why_not)
{
    struct config_pool *pool = config_pool_new();
    json_t *variables = json_object();

    make_files();
    cr_assert_eq(setenv("HOST", "rabbit", 1), 0);
    cr_assert_eq(setenv("EMPTY", "", 1), 0);
    cr_assert_eq(setenv("NESTED", "${HOST}", 1), 0);
    cr_assert_eq(unsetenv("PORT"), 0);
    cr_assert_eq(unsetenv("NOWHERE"), 0);
    for (size_t i = 0; i < N(rows); i++) {
        struct config_expanded expanded;

        cr_assert_eq(config_expand(pool, variables, rows[i].text, &expanded), 0);
        cr_expect_eq(!!expanded.text, !!rows[i].expanded, "%s", rows[i].text);
        cr_expect_eq(!!expanded.complaint, !!rows[i].complaint, "%s", rows[i].text);
        if (expanded.text && rows[i].expanded)
            cr_expect_str_eq(expanded.text, rows[i].expanded);
        if (expanded.complaint && rows[i].complaint)
            cr_expect_str_eq(expanded.complaint, rows[i].complaint);
    }
    cr_expect_not_null(json_object_get(variables, "HOST"));
    cr_expect_not_null(json_object_get(variables, "NESTED"));
    cr_expect_not_null(json_object_get(variables, "PORT"), "also where it is not set");
    cr_expect_eq(json_object_size(variables), 5, "and EMPTY, and NOWHERE, and no file");
    json_decref(variables);
    config_pool_free(pool);
}

Test(config_expand, a_file_of_the_largest_size_is_taken_whole)
{
    static char bytes[CONFIG_EXPAND_FILE_MAX];
    struct config_pool *pool = config_pool_new();
    struct config_expanded expanded;

    memset(bytes, 'x', sizeof bytes);
    fixture_write("exact", bytes, sizeof bytes);
    cr_assert_eq(config_expand(pool, NULL, "${file:exact}", &expanded), 0);
    cr_assert_eq(strlen(expanded.text), sizeof bytes);
    config_pool_free(pool);
}
