/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "trace.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define IDS "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

static char room[TRACE_STATE_BYTES];

static bool is_taken(struct slice parent)
{
    struct trace trace = trace_of(parent, slice_of("a=1"), room);
    cr_expect_eq(trace.parent.len > 0, trace.state.len > 0, "a state without a parent");
    cr_expect(!trace.parent.len || slice_equals(trace.parent, parent));
    return trace.parent.len > 0;
}

Test(trace, a_parent_is_taken_as_it_is_or_not_at_all)
{
    static const struct {
        const char *text;
        bool is_taken;
    } cases[] = {
        {PARENT, true},
        {"00-" IDS "-00", true},
        {"00-" IDS "-ff", true},
        {"cc-" IDS "-01", true},
        {"cc-" IDS "-01-what-the-future-will-be-like", true},
        {"cc-" IDS "-01.what", false},
        {"00-" IDS "-01-what", false},
        {"00-" IDS "-01 ", false},
        {"ff-" IDS "-01", false},
        {"0-" IDS "-01", false},
        {".0-" IDS "-01", false},
        {"00-" IDS "-1", false},
        {"00-" IDS "-0", false},
        {"00-" IDS "-.0", false},
        {"00-" IDS, false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", false},
        {"00_" IDS "-01", false},
        {"00-" IDS "_01", false},
        {"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(is_taken(slice_of(cases[i].text)), cases[i].is_taken, "%s", cases[i].text);
}

static struct slice state_of(struct slice state)
{
    return trace_of(slice_of(PARENT), state, room).state;
}

Test(trace, a_state_is_taken_as_it_is_or_not_at_all)
{
    static const char *const good[] = {"a=1", "a=1,b=2", "a=1, b=2\t,\tc=3", "a=1,,b=2", ",a=1,",
        "a-b_c*d/e0=1", "0tenant@system=1", "a= 1", "a=~!\"#$%&'()*+-./:;<>?@[]^_`{|}"};
    static const char *const bad[] = {"", ",", "a", "a=", "=1", "A=1", "0a=1", "a=1=2", "a=\x01",
        "a=\xc3\xa9", "a b=1", "@a=1", "a@=1", "a@b@c=1", "a@0b=1", "a=1;b=2,B", "a=1,b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(slice_equals(state_of(slice_of(good[i])), slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(state_of(slice_of(bad[i])).len, 0, "%s", bad[i]);
}

static char text[8192];

/* "a0=x...,a1=x...", of n members with so long a value each. */
static struct slice members(size_t n, size_t value_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%sa%zu=", i ? "," : "", i);
        memset(text + used, 'x', value_bytes);
        used += value_bytes;
    }
    return (struct slice){.at = text, .len = used};
}

Test(trace, a_state_has_32_members_at_most)
{
    cr_expect_eq(
        state_of(members(TRACE_STATE_MEMBERS, 1)).len, members(TRACE_STATE_MEMBERS, 1).len);
    cr_expect_eq(state_of(members(TRACE_STATE_MEMBERS + 1, 1)).len, 0);
}

Test(trace, a_state_is_shortened_to_512_bytes_from_its_end)
{
    struct slice left = state_of(members(10, 96)); /* 100 bytes each, with a comma */
    cr_expect_eq(left.len, 499);
    cr_expect_eq(memcmp(left.at, text, left.len), 0);
    cr_expect_eq(state_of(members(4, 124)).len, 511);
}

Test(trace, long_members_of_a_state_that_is_too_long_go_first)
{
    struct slice three = members(3, 200); /* 204 bytes each, with a comma */
    char longer[1024], left[1024];
    int n = snprintf(longer, sizeof(longer), "b=1,%.*s,c=2", (int)three.len, three.at);
    (void)snprintf(left, sizeof(left), "b=1,%.*s,c=2", 2 * 204 - 1, three.at);
    cr_expect(
        slice_equals(state_of((struct slice){.at = longer, .len = (size_t)n}), slice_of(left)));
}

/* ---- of a request ---- */

static struct trace of_lines(const struct header_line *items, size_t n)
{
    static char scratch[TRACE_STATE_BYTES + 8192];
    const struct header_lines lines = {.items = items, .n = n};
    return trace_of_request(&lines, scratch);
}

Test(trace, of_a_request_is_in_one_parent_and_any_number_of_states)
{
    const struct header_line lines[] = {{slice_of("TraceState"), slice_of(" a=1 ")},
        {slice_of("TraceParent"), slice_of(" " PARENT " ")},
        {slice_of("tracestate"), slice_of("b=2")}, {slice_of("traceparent"), slice_of(PARENT)}};
    struct trace trace = of_lines(lines, 3);
    cr_assert(slice_equals(trace.parent, slice_of(PARENT)));
    cr_assert(slice_equals(trace.state, slice_of("a=1, b=2")));
    cr_assert(slice_equals(trace_id(&trace), slice_of("0af7651916cd43dd8448eb211c80319c")));
    cr_assert_eq(of_lines(lines, 4).parent.len, 0, "two parents");
    trace = of_lines(lines, 1);
    cr_assert_eq(trace.parent.len + trace.state.len + trace_id(&trace).len, 0, "no parent");
}

Test(trace, that_is_made_is_one_that_others_take)
{
    char out[2][TRACE_PARENT_BYTES];
    struct message_id_source source;
    cr_assert_eq(message_id_open(&source), 0);
    for (int i = 0; i < 1000; i++) {
        struct trace made = trace_make(&source, i % 2, out[i % 2]);
        cr_assert(is_taken(made.parent));
        cr_assert_eq(memcmp(made.parent.at + 52, i % 2 ? "-01" : "-00", 3), 0);
        cr_assert_neq(memcmp(out[0] + 3, out[1] + 3, TRACE_ID_BYTES), 0);
    }
}
