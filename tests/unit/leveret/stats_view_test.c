/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages as a person sees them. The texts that are expected lie in pages/, beside the JSON that they
 * are made of; whoever changes the form looks at them, and writes them anew with PAGES_WRITE=1.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats_page.h"
#include "stats_view.h"

static const char url[] = "http://127.0.0.1:8090";

static json_t *load(const char *name)
{
    char path[512];
    json_error_t error;
    (void)snprintf(path, sizeof(path), "%s/%s", PAGES, name);
    json_t *page = json_load_file(path, 0, &error);
    cr_assert(page, "%s:%d: %s", path, error.line, error.text);
    return page;
}

/* What the view writes; the caller frees it. */
static char *write_view(const struct stats_view *view)
{
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    cr_assert(out);
    cr_assert_eq(stats_view_write(view, out), 0);
    cr_assert_eq(fclose(out), 0);
    return text;
}

static char *write_json(const char *json, unsigned width)
{
    json_t *page = json_loads(json, 0, NULL);
    cr_assert(page, "%s", json);
    const struct stats_view view = {
        .page = node_of(page, NULL), .url = url, .canvas = {.width = width}};
    char *text = write_view(&view);
    json_decref(page);
    return text;
}

static void expect_file(const char *name, const struct stats_view *view)
{
    char path[512];
    CLEANUP(cleanup_free) char *text = write_view(view);
    CLEANUP(cleanup_free) char *expected = calloc(1, 65536);
    (void)snprintf(path, sizeof(path), "%s/%s", PAGES, name);
    bool is_writing = getenv("PAGES_WRITE") != NULL;
    CLEANUP(cleanup_file) FILE *file = fopen(path, is_writing ? "we" : "re");
    cr_assert(file, "%s", path);
    if (is_writing)
        cr_assert_eq(fputs(text, file) >= 0, 1);
    else
        (void)fread(expected, 1, 65535, file);
    cr_assert_str_eq(is_writing ? expected : text, expected, "%s is not:\n%s", path, text);
}

static void expect_view(const char *name, unsigned width, bool is_live, unsigned height)
{
    json_t *earlier = load("earlier.json"), *later = load("later.json");
    const struct stats_view view = {
        .page = node_of(later, is_live ? earlier : NULL),
        .url = url,
        .canvas = {.width = width},
        .height = height,
        .is_live = is_live,
    };
    expect_file(name, &view);
    json_decref(earlier);
    json_decref(later);
}

Test(stats_view, shows_totals_once)
{
    expect_view("once.80", 80, false, 0);
    expect_view("once.120", 120, false, 0);
}

Test(stats_view, shows_rates_live)
{
    expect_view("live.80", 80, true, 0);
    expect_view("live.120", 120, true, 0);
}

static size_t n_lines(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

Test(stats_view, shortens_the_longest_tables_to_fit_the_screen)
{
    expect_view("live.32_lines", 80, true, 32);
    json_t *page = load("later.json");
    struct stats_view view = {
        .page = node_of(page, NULL), .url = url, .canvas = {.width = 80}, .is_live = true};
    for (view.height = 31; view.height < 60; view.height++) {
        CLEANUP(cleanup_free) char *text = write_view(&view);
        cr_assert_leq(n_lines(text), view.height, "%u:\n%s", view.height, text);
    }
    json_decref(page);
}

Test(stats_view, says_what_keeps_it_from_a_newer_page)
{
    json_t *page = load("later.json");
    const struct stats_view view = {.page = node_of(page, NULL),
        .url = url,
        .trouble = "12s old: nobody listens at x\x1b[2J",
        .canvas = {.width = 80}};
    CLEANUP(cleanup_free) char *text = write_view(&view);
    cr_assert(strstr(text, "\n12s old: nobody listens at x\\x1b[2J\n"), "%s", text);
    json_decref(page);
}

Test(stats_view, no_line_is_wider_than_the_canvas)
{
    json_t *page = load("later.json");
    struct stats_view view = {.page = node_of(page, NULL), .url = url};
    for (view.canvas.width = 40; view.canvas.width < 200; view.canvas.width++) {
        CLEANUP(cleanup_free) char *text = write_view(&view);
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
            cr_assert_leq(
                (size_t)(end - line), (size_t)view.canvas.width, "%.*s", (int)(end - line), line);
    }
    json_decref(page);
}

/* ---- what a page may be ---- */

Test(stats_view, what_is_not_there_is_not_known)
{
    CLEANUP(cleanup_free) char *nothing = write_json("{}", 80);
    cr_assert_str_eq(nothing, "leveret  HANGS  up -  generation -\n"
                              "leveret   configuration   http://127.0.0.1:8090\n"
                              "connections - open of -, - accepted\n");
    CLEANUP(cleanup_free)
    char *empty = write_json("{\"endpoints\":[{}],\"queues\":[{}],\"workers\":[{\"connections\":[{}"
                             "]}],\"processes\":[{}]}",
        80);
    cr_assert_null(strstr(empty, "nan"), "%s", empty);
    cr_assert_null(strstr(empty, "ENDPOINT"), "%s", empty);
    cr_assert(
        strstr(empty, "\nPROCESS         PID  STATE          UP  RESTARTS      CPU    MEMORY"),
        "%s", empty);
}

Test(stats_view, what_is_of_another_kind_is_not_known)
{
    CLEANUP(cleanup_free)
    char *text = write_json(
        "{\"service\":[],\"front\":7,\"endpoints\":{\"a\":1},\"queues\":[1,null,\"x\"],"
        "\"workers\":[{\"lane\":null,\"worker\":\"0\"}],\"processes\":"
        "[{\"name\":7,\"pid\":\"1\",\"rss_bytes\":-5,\"cpu_ns\":1e308,\"restarts\":[]}]}",
        80);
    cr_assert_null(strstr(text, "nan"), "%s", text);
    cr_assert(strstr(text, "no lane"), "%s", text);
}

Test(stats_view, empty_lists_have_no_tables)
{
    CLEANUP(cleanup_free)
    char *text = write_json("{\"service\":{\"name\":\"a\",\"live\":true,\"started\":true,\"ready\":"
                            "true,\"reasons\":[]},"
                            "\"processes\":[],\"workers\":[],\"endpoints\":[],\"queues\":[]}",
        80);
    cr_assert_eq(n_lines(text), 3, "%s", text);
    cr_assert(strstr(text, "a  READY  up -"), "%s", text);
}

Test(stats_view, a_service_is_in_one_of_five_states)
{
    static const char *const cases[][2] = {
        {"{\"service\":{\"live\":true,\"started\":true,\"ready\":true,\"draining\":true}}",
            "DRAINING"},
        {"{\"service\":{\"live\":false,\"started\":true,\"ready\":true}}", "HANGS"},
        {"{\"service\":{\"live\":true,\"started\":true,\"ready\":true}}", "READY"},
        {"{\"service\":{\"live\":true,\"started\":true,\"ready\":false}}", "NOT READY"},
        {"{\"service\":{\"live\":true,\"started\":false,\"ready\":false}}", "STARTING"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[64];
        CLEANUP(cleanup_free) char *text = write_json(cases[i][0], 80);
        (void)snprintf(expected, sizeof(expected), "leveret  %s  up", cases[i][1]);
        cr_assert_eq(strncmp(text, expected, strlen(expected)), 0, "%s", text);
    }
}

Test(stats_view, nothing_in_a_page_reaches_the_terminal_as_a_command)
{
    CLEANUP(cleanup_free)
    char *text = write_json(
        "{\"service\":{\"name\":\"a\\u001b[31m\\u009b2J\\r\\n\",\"build\":\"\\u0007\",\"reasons\":["
        "{"
        "\"reason\":\"\\u001b]0;x\\u0007\",\"endpoint\":\"\\u202e\",\"detail\":\"\\t\"}]},"
        "\"endpoints\":[{\"endpoint\":\"G\\u001b\",\"accepted\":1,\"answered\":{\"5\\u001b\":1},"
        "\"backends\":[{\"backend\":\"\\u001b\",\"outcomes\":{\"\\u001b\":1}}]}],"
        "\"workers\":[{\"io\":\"\\u001b\",\"has_lane\":true,\"connections\":[{\"broker\":"
        "\"\\u001b\","
        "\"use\":\"\\u001b\",\"queue\":\"\\u001b\",\"state\":\"\\u001b\",\"last_error\":"
        "\"\\u001b\"}]"
        "}],\"queues\":[{\"queue\":\"\\u001b\",\"state\":\"\\u001b\",\"broker\":\"\\u001b\"}],"
        "\"processes\":[{\"name\":\"\\u001b\",\"state\":\"\\u001b\",\"last_words\":"
        "\"\\u001b\\u007f\"}]"
        "}",
        120);
    for (const char *c = text; *c; c++)
        cr_assert((*c >= ' ' && *c <= '~') || *c == '\n', "byte %x in %s", (unsigned char)*c, text);
    cr_assert(strstr(text, "a\\x1b[31m\\xc2\\x9b2J\\x0d\\x0a  HANGS"), "%s", text);
}

Test(stats_view, two_thousand_endpoints_are_all_shown_or_the_busiest)
{
    json_t *page = load("later.json"), *list = json_array();
    for (int i = 0; i < 2000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "POST /bulk/%d", i);
        cr_assert_eq(json_array_append_new(
                         list, json_pack("{sssi}", "endpoint", name, "accepted", i * 7919 % 2000)),
            0);
    }
    cr_assert_eq(json_object_set_new(page, "endpoints", list), 0);
    struct stats_view view = {.page = node_of(page, NULL), .url = url, .canvas = {.width = 80}};
    CLEANUP(cleanup_free) char *all = write_view(&view);
    cr_assert(strstr(all, "\nPOST /bulk/0 ") && strstr(all, "\nPOST /bulk/1999 "));
    view.height = 40;
    CLEANUP(cleanup_free) char *some = write_view(&view);
    cr_assert_leq(n_lines(some), 40);
    cr_assert(strstr(some, "and 1993 more") || strstr(some, "and 199"), "%s", some);
    cr_assert(strstr(some, " 1999     -"), "%s", some);
    cr_assert_null(strstr(some, " 1000     -"), "%s", some);
    json_decref(page);
}

/* ---- two pages ---- */

static double rate(const char *before, const char *now)
{
    json_t *first = json_loads(before, 0, NULL), *second = json_loads(now, 0, NULL);
    cr_assert(first && second);
    double found = node_rate(node_member(node_of(second, first), "front"), "n");
    json_decref(first);
    json_decref(second);
    return found;
}

#define PAGE(ns, generation, started, n)                                                           \
    "{\"monotonic_ns\":" ns ",\"service\":{\"generation\":" generation                             \
    ",\"started_unix_ms\":" started "},\"front\":{\"n\":" n "}}"

Test(stats_page, a_rate_is_of_two_pages_of_one_generation)
{
    const char *before = PAGE("0", "1", "5", "10");
    cr_assert_eq(rate(before, PAGE("2000000000", "1", "5", "13")), 1.5);
    cr_assert(isnan(rate(before, PAGE("2000000000", "2", "5", "13"))), "another generation");
    cr_assert(isnan(rate(before, PAGE("2000000000", "1", "6", "13"))), "another life");
    cr_assert(isnan(rate(before, PAGE("2000000000", "1", "5", "9"))), "no counter falls");
    cr_assert(isnan(rate(before, PAGE("0", "1", "5", "13"))), "no time between them");
    cr_assert(isnan(rate("{}", PAGE("7", "1", "5", "13"))));
}

Test(stats_page, an_element_is_the_same_if_its_key_is)
{
    json_t *before = json_loads("{\"l\":[{\"k\":\"a\",\"n\":1},{\"k\":\"b\"}]}", 0, NULL);
    json_t *now =
        json_loads("{\"l\":[{\"k\":\"a\",\"n\":2},{\"k\":\"c\"},{\"k\":\"d\"}]}", 0, NULL);
    struct node list = node_member((struct node){.now = now, .before = before, .seconds = 1}, "l");
    cr_assert_eq(node_n_elements(list), 3);
    cr_assert_eq(node_rate(node_element(list, 0, "k"), "n"), 1);
    cr_assert_null(node_element(list, 1, "k").before);
    cr_assert_not_null(node_element(list, 1, NULL).before);
    cr_assert_null(node_element(list, 2, "k").before);
    cr_assert_null(node_element(list, 3, "k").now);
    json_decref(before);
    json_decref(now);
}

/* The sentence, or "" when it is a page. */
static const char *read_page(int status, const char *body)
{
    static struct admin_failure failure;
    char copy[8192];
    (void)snprintf(copy, sizeof(copy), "%s", body);
    const struct admin_answer answer = {.status = status, .body = copy, .body_bytes = strlen(body)};
    json_t *page = NULL;
    failure.text[0] = '\0';
    enum admin_outcome outcome = stats_page_read(&answer, url, &page, &failure);
    if (outcome == ADMIN_ANSWERED)
        outcome = stats_page_check(page, url, &failure);
    json_decref(page);
    cr_assert_eq(outcome == ADMIN_FAILED, failure.text[0] != '\0');
    return failure.text;
}

Test(stats_page, what_is_no_page_of_a_sidecar_is_told)
{
    char deep[8192];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    cr_expect_str_eq(read_page(200, "{\"version\":1}"), "");
    cr_expect_str_eq(read_page(404, "{\"version\":1}"),
        "http://127.0.0.1:8090 has no figures: it answered 404. Is it the admin listener of a "
        "sidecar?");
    cr_expect(strstr(read_page(200, "<html>"),
        "http://127.0.0.1:8090 is no sidecar: what it answered is not JSON (line 1: "));
    cr_expect_str_eq(read_page(200, "{\"version\":1,"),
        "http://127.0.0.1:8090 broke off in the middle of its figures");
    cr_expect_str_eq(read_page(200, "{\"hello\":1}"),
        "http://127.0.0.1:8090 is no sidecar: it answered with other JSON");
    cr_expect_str_eq(
        read_page(200, "[1]"), "http://127.0.0.1:8090 is no sidecar: it answered with other JSON");
    cr_expect_str_eq(read_page(200, "{\"version\":2}"),
        "http://127.0.0.1:8090 has figures of version 2, this program knows 1");
    cr_expect(strstr(read_page(200, deep), "is not JSON"), "%s", read_page(200, deep));
}
