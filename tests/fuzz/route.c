/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of routes and what is asked of it, as lines: "METHOD PATTERN" each up to an empty one, then
 * "METHOD PATH" each.
 *
 * The table must agree with another way to match, pattern by pattern, that is as slow as it is plain;
 * and a redirect must lead to the endpoint that it was given for.
 */
#include "fuzz.h"
#include "route.h"
#include "segment.h"
#include "shm/cleanup.h"
#include "tests/support/require.h"

enum { MAX_ENDPOINTS = 64, MAX_QUESTIONS = 32 };

struct question {
    struct slice method, target;
};

struct table {
    struct question rows[MAX_ENDPOINTS]; /* in memory of the input's */
    uint32_t n;
    struct plan plan;
    struct route_table *routes;
};

static struct question question_of(struct fuzz_input line)
{
    const uint8_t *blank = line.n ? memchr(line.at, ' ', line.n) : NULL;
    size_t n_method = blank ? (size_t)(blank - line.at) : line.n, n_skipped = n_method + !!blank;
    return (struct question){
        .method = {(const char *)line.at, n_method},
        .target = {(const char *)line.at + n_skipped, line.n - n_skipped},
    };
}

/* ---- the plain way ---- */

/* Does the segment fit that of a pattern, "text", "{name}" or "text{name}"? */
static bool segment_fits(struct slice pattern, struct slice segment, bool *is_parameter)
{
    const char *brace = pattern.len ? memchr(pattern.at, '{', pattern.len) : NULL;
    size_t n_text = brace ? (size_t)(brace - pattern.at) : pattern.len;
    *is_parameter = brace != NULL;
    if (!brace)
        return slice_equals(pattern, segment);
    return (n_text == 0 || segment.len > n_text) && segment.len >= n_text &&
           (n_text == 0 || memcmp(pattern.at, segment.at, n_text) == 0);
}

/* How many parameters that takes; -1: the pattern does not fit. */
static int pattern_fits(struct slice pattern, struct slice path)
{
    int n_parameters = 0;
    struct slice wanted, found, decoded;
    while (segment_next(&pattern, &wanted)) {
        bool is_parameter;
        if (!segment_next(&path, &found))
            return -1;
        CLEANUP(cleanup_free) char *room = malloc(found.len + 1);
        require(room != NULL, "no memory");
        fuzz_expect(segment_decode(found, room, &decoded) == SEGMENT_OK);
        bool is_last = pattern.len == 0;
        if (!segment_fits(wanted, decoded, &is_parameter) ||
            (is_last && is_parameter && decoded.len == 0))
            return -1;
        n_parameters += is_parameter;
    }
    return segment_next(&path, &found) ? -1 : n_parameters;
}

/* How many patterns of this method, or of others, fit. */
static uint32_t n_fitting(const struct table *table, const struct question *asked, bool of_method)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < table->n; i++)
        n += slice_equals(table->rows[i].method, asked->method) == of_method &&
             pattern_fits(table->rows[i].target, asked->target) >= 0;
    return n;
}

/* ---- the table ---- */

static void expect_inside(struct slice inner, const char *scratch, size_t n)
{
    fuzz_expect(inner.len == 0 || (inner.at >= scratch && inner.at + inner.len <= scratch + n));
}

static void expect_found(const struct table *table, const struct question *asked,
    const struct route_match *match, const char *scratch)
{
    fuzz_expect(match->endpoint < table->n);
    const struct question *row = &table->rows[match->endpoint];
    fuzz_expect(slice_equals(row->method, asked->method));
    fuzz_expect(pattern_fits(row->target, asked->target) == (int)match->n_parameters);
    for (uint32_t i = 0; i < match->n_parameters; i++)
        expect_inside(match->parameters[i], scratch, asked->target.len);
}

static void expect_redirect(
    const struct table *table, const struct question *asked, const struct route_match *match)
{
    struct slice to = match->location;
    struct route_match there;
    CLEANUP(cleanup_free) char *scratch = malloc(to.len + 1);
    require(scratch != NULL, "no memory");
    fuzz_expect(to.len > 0 && to.at[0] == '/');
    fuzz_expect(to.len == 1 || (to.at[1] != '/' && to.at[1] != '\\'));
    fuzz_expect(route_find(table->routes, asked->method, to, scratch, &there) == ROUTE_FOUND);
    fuzz_expect(there.endpoint == match->endpoint);
    fuzz_expect(n_fitting(table, asked, true) == 0);
}

/* The path is not there for the method, but as it is or without a slash at its end for others. */
static void expect_others(
    const struct table *table, const struct question *asked, const char *allow, size_t n_allow)
{
    struct question shorter = *asked;
    if (shorter.target.at[shorter.target.len - 1] == '/')
        shorter.target.len--;
    fuzz_expect(strnlen(allow, n_allow) < n_allow);
    fuzz_expect(n_fitting(table, asked, true) == 0);
    fuzz_expect(n_fitting(table, asked, false) + n_fitting(table, &shorter, false) > 0);
}

static void ask(const struct table *table, const struct question *asked)
{
    struct route_match match;
    CLEANUP(cleanup_free) char *scratch = malloc(asked->target.len);
    require(scratch != NULL, "no memory");
    switch (route_find(table->routes, asked->method, asked->target, scratch, &match)) {
    case ROUTE_FOUND:
        expect_found(table, asked, &match, scratch);
        return;
    case ROUTE_NOT_FOUND:
        fuzz_expect(n_fitting(table, asked, true) == 0 && n_fitting(table, asked, false) == 0);
        return;
    case ROUTE_WRONG_METHOD:
        expect_others(table, asked, match.allow, sizeof match.allow);
        return;
    case ROUTE_REDIRECT:
        expect_inside(match.location, scratch, asked->target.len);
        expect_redirect(table, asked, &match);
        return;
    case ROUTE_BAD_ESCAPE:
        fuzz_expect(memchr(asked->target.at, '%', asked->target.len) != NULL);
        return;
    }
}

static void rows_read(struct table *table, struct fuzz_input *input)
{
    while (input->n && table->n < MAX_ENDPOINTS) {
        struct fuzz_input line = fuzz_line(input);
        if (!line.n)
            return;
        table->rows[table->n++] = question_of(line);
    }
}

/* False: the patterns make no table. */
static bool table_make(struct table *table)
{
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_endpoint endpoints[MAX_ENDPOINTS] = {0};
    uint32_t culprit;
    for (uint32_t i = 0; i < table->n; i++) {
        const struct question *row = &table->rows[i];
        endpoints[i].method = plan_add_text(builder, row->method.at, row->method.len);
        endpoints[i].pattern = plan_add_text(builder, row->target.at, row->target.len);
    }
    struct plan_front root = {
        .endpoints = plan_add_list(builder, endpoints, sizeof *endpoints, table->n)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof root);
    plan_builder_free(builder);
    require(fd >= 0 && plan_join(&table->plan, fd, PLAN_FRONT) == 0, "no plan");
    return route_table_new(&table->routes, &table->plan, &culprit) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_input input = {bytes, n};
    struct table table = {0};
    if (n && memchr(bytes, '\0', n))
        return 0; /* the file cannot have one, nor a head that is sound */
    rows_read(&table, &input);
    bool is_made = table_make(&table);
    for (int i = 0; is_made && input.n && i < MAX_QUESTIONS; i++) {
        struct question asked = question_of(fuzz_line(&input));
        if (asked.target.len && asked.target.at[0] == '/')
            ask(&table, &asked);
    }
    if (is_made)
        route_table_free(table.routes);
    plan_leave(&table.plan);
    return 0;
}
