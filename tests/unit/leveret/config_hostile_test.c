/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that nobody wrote by hand: cut off, endless, deep, large, random. Each gets an answer.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_fixture.h"
#include "plan_topology.h"
#include "shm/cleanup.h"

TestSuite(config_hostile, .init = fixture_enter, .fini = fixture_leave);

static const struct overrides none = {.port = -1};

static const char good[] =
    "{\"version\":3,\"host\":[\"amqp://u:p@h\"],\"endpoints\":[{\"endpoint\":\"/a/"
    "{b}\",\"backend\":["
    "{\"extra_config\":{\"backend/amqp/producer\":{\"exchange\":\"e\",\"routing_key\":\"B\"},"
    "\"leveret\":{\"queue_arguments\":{\"x\":1.5}}}}]}]}";

/* A text that grows. */
struct growing {
    char *bytes;
    size_t length;
    FILE *out;
};

static void growing_init(struct growing *text)
{
    text->out = open_memstream(&text->bytes, &text->length);
    cr_assert_not_null(text->out);
}

static struct loaded growing_load(struct growing *text)
{
    struct loaded loaded;

    cr_assert_eq(fclose(text->out), 0);
    loaded = fixture_load_bytes(text->bytes, text->length, &none);
    free(text->bytes);
    return loaded;
}

Test(config_hostile, a_file_cut_off_anywhere_is_an_error_at_its_end)
{
    for (size_t n = 0; n < strlen(good); n++) {
        struct loaded loaded = fixture_load_bytes(good, n, &none);
        char report[100];

        (void)snprintf(report, sizeof report,
            "f:1:%zu: $: error: breaks off: this is not the end of a JSON text\n", n + 1);
        cr_assert_eq(loaded.outcome, CONFIG_INVALID);
        cr_assert_str_eq(loaded.report, report);
        loaded_done(&loaded);
    }
}

Test(config_hostile, a_file_with_any_byte_replaced_is_read_or_refused)
{
    static const char bytes[] = {'\0', '"', '{', '}', '[', ']', ',', '\\', '$', '0', 'x', '\xff'};
    size_t n_refused = 0;

    for (size_t i = 0; i < strlen(good); i++)
        for (size_t j = 0; j < sizeof bytes; j++) {
            char text[sizeof good];
            struct loaded loaded;

            memcpy(text, good, sizeof good);
            text[i] = bytes[j];
            loaded = fixture_load_bytes(text, strlen(good), &none);
            cr_assert_eq(loaded.outcome == CONFIG_VALID, loaded.findings.n_errors == 0);
            cr_assert_eq(loaded.outcome == CONFIG_VALID, loaded.config != NULL);
            n_refused += loaded.outcome == CONFIG_INVALID;
            loaded_done(&loaded);
        }
    cr_assert_gt(n_refused, 1000);
}

Test(config_hostile, a_file_past_the_bound_is_not_read)
{
    size_t length = 10 << 20;
    CLEANUP(cleanup_free) char *bytes = malloc(length);
    struct loaded loaded;

    memset(bytes, ' ', length);
    memcpy(bytes, good, strlen(good));
    loaded = fixture_load_bytes(bytes, length, &none);
    cr_expect_str_eq(
        loaded.report, "f:1:1: $: error: has more than 8 MiB, which is more than is read\n");
    loaded_done(&loaded);
    loaded = fixture_load_bytes(bytes, CONFIG_FILE_BYTES_MAX, &none);
    cr_expect_str_eq(loaded.report, "", "the bound itself is read");
    loaded_done(&loaded);
}

Test(config_hostile, a_file_without_end_is_not_read_to_its_end)
{
    struct config *config = NULL;
    CLEANUP(findings_done) struct findings findings = {0};

    cr_assert_eq(config_load("/dev/zero", &none, &config, &findings), CONFIG_INVALID);
    cr_assert_str_eq(findings.items[0].message, "has more than 8 MiB, which is more than is read");
    cr_assert_null(config);
}

Test(config_hostile, what_is_no_readable_file_is_named)
{
    static const char *const rows[][2] = {
        {"absent", "cannot be read: No such file or directory"},
        {".", "cannot be read: Is a directory"},
        {"loop", "cannot be read: Too many levels of symbolic links"},
    };

    cr_assert_eq(symlink("loop", "loop"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *config = NULL;
        CLEANUP(findings_done) struct findings findings = {0};

        cr_expect_eq(config_load(rows[i][0], &none, &config, &findings), CONFIG_INVALID);
        cr_assert_eq(findings.n, 1);
        cr_expect_str_eq(findings.items[0].source, rows[i][0]);
        cr_expect_str_eq(findings.items[0].message, rows[i][1]);
        cr_expect_eq(findings.items[0].line, 1);
    }
}

static void put(struct growing *text, const char *piece, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fputs(piece, text->out);
}

Test(config_hostile, a_deep_file_is_refused_where_it_becomes_too_deep)
{
    struct growing text;
    struct loaded loaded;

    growing_init(&text);
    put(&text, "[", 100000);
    put(&text, "]", 100000);
    loaded = growing_load(&text);
    cr_expect_str_eq(loaded.report, "f:1:513: $: error: is nested deeper than 512 levels\n");
    loaded_done(&loaded);
}

Test(config_hostile, a_deep_value_of_an_unknown_key_is_one_warning)
{
    struct growing text;
    struct loaded loaded;

    growing_init(&text);
    fputs("{\"version\":3,\"endpoints\":[],\"x\":", text.out);
    put(&text, "{\"y\":", 500);
    fputs("1", text.out);
    put(&text, "}", 501);
    loaded = growing_load(&text);
    cr_expect_str_eq(loaded.report, "f:1:33: $.x: warning: unknown key: it has no effect\n");
    loaded_done(&loaded);
}

Test(config_hostile, two_thousand_endpoints_are_read_and_share_what_they_can)
{
    struct growing text;
    struct loaded loaded;

    growing_init(&text);
    fputs("{\"version\":3,\"endpoints\":[", text.out);
    for (int i = 0; i < 2000; i++)
        fprintf(text.out,
            "%s\n{\"endpoint\":\"/e/%d/{id}\",\"backend\":[{\"host\":[\"amqp://"
            "h%d\"],\"extra_config\":"
            "{\"backend/amqp/consumer\":{\"name\":\"q%d\",\"exchange\":\"e\"}}}]}",
            i ? "," : "", i, i % 5, i % 500);
    fputs("]}", text.out);
    loaded = growing_load(&text);
    cr_assert_str_eq(loaded.report, "");
    cr_expect_eq(loaded.config->n_endpoints, 2000);
    cr_expect_eq(loaded.config->topology->n_brokers, 5);
    cr_expect_eq(loaded.config->topology->n_taps, 500);
    loaded_done(&loaded);
}

Test(config_hostile, ten_thousand_findings_each_have_their_place)
{
    struct growing text;
    struct loaded loaded;

    growing_init(&text);
    fputs("{\"version\":3,\"endpoints\":[", text.out);
    for (int i = 0; i < 10000; i++)
        fprintf(text.out, "%s\n{\"endpoint\":\"/a\"}", i ? "," : "");
    fputs("]}", text.out);
    loaded = growing_load(&text);
    cr_expect_eq(loaded.findings.n_warnings, 10000, "no AMQP backend");
    cr_expect_eq(loaded.findings.n_errors, 9999, "the same route");
    cr_assert_eq(loaded.findings.n, FINDINGS_MAX);
    for (size_t i = 0; i < FINDINGS_MAX; i++)
        cr_assert_geq(loaded.findings.items[i].line, 2);
    loaded_done(&loaded);
}

Test(config_hostile, a_key_of_a_megabyte_is_cut_in_the_report)
{
    struct growing text;
    struct loaded loaded;

    growing_init(&text);
    fputs("{\"version\":3,\"endpoints\":[],\n\"", text.out);
    put(&text, "k", 1 << 20);
    fputs("\":{}}", text.out);
    loaded = growing_load(&text);
    cr_expect_lt(strlen(loaded.report), 300);
    cr_expect_eq(strncmp(loaded.report, "f:2:1048580: $.kkkk", 19), 0, "%s", loaded.report);
    loaded_done(&loaded);
}
