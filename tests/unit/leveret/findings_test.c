/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "findings.h"
#include "shm/cleanup.h"

static void add(struct findings *findings, const char *path, const char *message)
{
    findings_add(findings, FINDING_ERROR, (struct finding_place){.source = "f", .path = path}, "%s",
        message);
}

static void expect_report(const struct findings *findings, const char *expected)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    findings_print(findings, out);
    cr_assert_eq(fclose(out), 0);
    cr_expect_str_eq(text, expected);
}

static void locate(struct findings *findings, const char *text)
{
    findings_locate(findings, "f", text, strlen(text));
}

Test(findings, have_the_place_of_their_value_and_stand_in_its_order)
{
    CLEANUP(findings_done) struct findings findings = {0};

    add(&findings, "$.b[1][\"x/y\"]", "fourth");
    add(&findings, "$", "first");
    add(&findings, "$.b[1]", "third");
    add(&findings, "$.a", "second");
    add(&findings, "$.b[1][\"x/y\"]", "fifth");
    locate(&findings, "{\n  \"a\": 1, \"b\": [0,\n\t{\"\u00e4\": 2, \"x/y\": null}]\n}\n");
    expect_report(&findings, "f:1:1: $: error: first\n"
                             "f:2:8: $.a: error: second\n"
                             "f:3:2: $.b[1]: error: third\n"
                             "f:3:18: $.b[1][\"x/y\"]: error: fourth\n"
                             "f:3:18: $.b[1][\"x/y\"]: error: fifth\n");
}

Test(findings, that_are_notes_are_counted_apart)
{
    CLEANUP(findings_done) struct findings findings = {0};

    findings_add(
        &findings, FINDING_NOTE, (struct finding_place){.source = "f", .path = "$.a"}, "is new");
    add(&findings, "$", "is wrong");
    locate(&findings, "{\"a\": 1}");
    cr_assert_eq(findings.n_notes, 1);
    cr_assert_eq(findings.n_errors, 1);
    cr_assert_eq(findings.n_warnings, 0);
    expect_report(&findings, "f:1:1: $: error: is wrong\n"
                             "f:1:7: $.a: note: is new\n");
}

Test(findings, whose_path_is_not_there_get_the_place_of_its_nearest_ancestor)
{
    CLEANUP(findings_done) struct findings findings = {0};

    add(&findings, "$.a.missing.deep", "one");
    add(&findings, "$.ab", "two");
    add(&findings, "$.a[0]", "three");
    locate(&findings, " {\"a\": {\"b\": 1},\n \"ab\": 2}");
    expect_report(&findings, "f:1:8: $.a.missing.deep: error: one\n"
                             "f:1:8: $.a[0]: error: three\n"
                             "f:2:8: $.ab: error: two\n");
}

Test(findings, of_another_source_do_not_get_a_place_in_this_text)
{
    CLEANUP(findings_done) struct findings findings = {0};

    findings_add(&findings, FINDING_WARNING,
        (struct finding_place){.source = "KRAKEND_PORT", .path = "$.port"}, "is odd");
    locate(&findings, "{\n\"port\": 1}");
    expect_report(&findings, "KRAKEND_PORT:1:1: $.port: warning: is odd\n");
}

Test(findings, reported_by_offset_keep_it)
{
    CLEANUP(findings_done) struct findings findings = {0};
    struct finding_place place = {.source = "f", .path = "$", .offset = 9, .has_offset = true};

    findings_add(&findings, FINDING_ERROR, place, "breaks off");
    locate(&findings, "{\n\n\"a\":  ");
    expect_report(&findings, "f:3:7: $: error: breaks off\n");
}

Test(findings, are_one_line_whatever_they_quote)
{
    CLEANUP(findings_done) struct findings findings = {0};
    char large[2000];

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    add(&findings, "$", "a\nb\x1b[2Jc\x7f");
    add(&findings, "$", large);
    locate(&findings, "{}");
    cr_assert_str_eq(findings.items[0].message, "a?b?[2Jc?");
    cr_assert_eq(strlen(findings.items[1].message), 500);
}

Test(findings, past_the_bound_are_counted_and_not_kept)
{
    CLEANUP(findings_done) struct findings findings = {0};
    CLEANUP(cleanup_free) char *text = NULL;
    size_t length;
    FILE *out;

    for (int i = 0; i < FINDINGS_MAX + 5; i++)
        add(&findings, "$", "again");
    cr_assert_eq(findings.n, FINDINGS_MAX);
    cr_assert_eq(findings.n_errors, FINDINGS_MAX + 5);
    locate(&findings, "{}");
    out = open_memstream(&text, &length);
    findings_print(&findings, out);
    cr_assert_eq(fclose(out), 0);
    cr_assert_not_null(strstr(text, "\n... and 5 more\n"));
}

Test(findings, of_a_text_that_is_no_json_stand_at_its_beginning)
{
    CLEANUP(findings_done) struct findings findings = {0};

    add(&findings, "$.a", "one");
    locate(&findings, "");
    expect_report(&findings, "f:1:1: $.a: error: one\n");
}
