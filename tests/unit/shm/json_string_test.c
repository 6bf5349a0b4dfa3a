/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strings of shm/json_string.h: reading by meaning, comparing, writing. (Which strings are
 * JSON at all is json_test.c's table.)
 */
#include <criterion/criterion.h>

#include "shm/json_string.h"

#include "tests/support/fence.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RAW(literal) ((struct json_slice){(literal), sizeof(literal) - 1})

static struct fence fence;

static void set_up(void)
{
    fence_init(&fence, FENCE_PAGE);
}

static void tear_down(void)
{
    fence_done(&fence);
}

TestSuite(json_string, .init = set_up, .fini = tear_down);

static struct json_slice fenced(struct json_slice raw)
{
    return (struct json_slice){fence_copy(&fence, raw.at, raw.len), raw.len};
}

Test(json_string, code_points_come_out_by_meaning)
{
    static const struct {
        struct json_slice raw;
        uint32_t points[8];
    } cases[] = {
        {{"", 0}, {JSON_STRING_END}},
        {{"ab", 2}, {'a', 'b', JSON_STRING_END}},
        {{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9}, {0xE9, 0x20AC, 0x1F600, JSON_STRING_END}},
        {{"\\\"\\\\\\/\\b\\f\\n", 12}, {'"', '\\', '/', '\b', '\f', '\n', JSON_STRING_END}},
        {{"\\r\\t\\u0000\\u00E9", 16}, {'\r', '\t', 0, 0xE9, JSON_STRING_END}},
        {{"\\ud83d\\ude00", 12}, {0x1F600, JSON_STRING_END}},
        {{"\\udbff\\udfff", 12}, {0x10FFFF, JSON_STRING_END}},
        {{"\\ud83d", 6}, {0xD83D, JSON_STRING_END}},
        {{"\\ud83dx", 7}, {0xD83D, 'x', JSON_STRING_END}},
        {{"\\ud83d\\u0041", 12}, {0xD83D, 'A', JSON_STRING_END}},
        {{"\\ude00\\ud83d", 12}, {0xDE00, 0xD83D, JSON_STRING_END}},
        {{"\\ud83d\\ud83d\\ude00", 18}, {0xD83D, 0x1F600, JSON_STRING_END}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_slice raw = fenced(cases[i].raw);
        uint32_t point;
        size_t n = 0;
        do {
            point = json_string_next(&raw);
            cr_assert_eq(point, cases[i].points[n], "case %zu, point %zu: %#x", i, n, point);
            n++;
        } while (point != JSON_STRING_END);
    }
}

Test(json_string, bytes_that_were_never_checked_end_all_the_same)
{
    static const struct json_slice garbage[] = {{"\\", 1}, {"\\x", 2}, {"\\u", 2}, {"\\u12", 4},
        {"\\u12zz", 6}, {"\xC3", 1}, {"\xF0\x9F\x98", 3}, {"\xFF\xFE", 2}, {"\\ud83d\\u", 8},
        {"\\ud83d\\", 7}, {"\"\n\0", 3}};
    for (size_t i = 0; i < COUNT(garbage); i++) {
        struct json_slice raw = fenced(garbage[i]);
        size_t n = 0;
        while (json_string_next(&raw) != JSON_STRING_END)
            cr_assert_leq(++n, garbage[i].len, "case %zu", i);
        cr_expect_gt(n, 0, "case %zu", i);
    }
}

Test(json_string, a_byte_that_is_no_character_equals_none)
{
    cr_expect_not(json_string_equal(RAW("\\u00ff"), RAW("\xFF")));
    cr_expect_not(json_string_equal(RAW("\\u00c3x"), RAW("\xC3x")));
    cr_expect_not(json_string_equal(RAW("\\\\"), RAW("\\x")), "a backslash that escapes nothing");
}

Test(json_string, equality_is_by_meaning)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
        const char *why;
    } cases[] = {
        {"", "", true, "both empty"},
        {"ab", "ab", true, "same bytes"},
        {"a\\u0062", "ab", true, "an escaped letter"},
        {"\\u0061b", "a\\u0062", true, "escaped elsewhere"},
        {"\\u0061\\u0062\\u0063", "abc", true, "all of it escaped"},
        {"\\/", "/", true, "a needless escape"},
        {"\\n", "\\u000a", true, "short and long"},
        {"\\u00e9", "\xC3\xA9", true, "escape and UTF-8"},
        {"\\u00E9", "\\u00e9", true, "hex in either case"},
        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80", true, "a pair and its character"},
        {"\\ud83d", "\\uD83D", true, "half a pair equals itself"},
        {"\\ud83d", "\\ud83e", false, "but not another half"},
        {"ab", "abc", false, "a prefix"},
        {"a\\u0062", "abc", false, "a prefix by meaning"},
        {"abc", "a\\u0062", false, "the other way round"},
        {"\\u0000", "", false, "NUL is a character"},
        {"A", "a", false, "case counts"},
        {"\\u0041", "a", false, "escaped too"},
        {"\\\\u0041", "A", false, "an escaped backslash and four digits"},
        {"e\\u0301", "\\u00e9", false, "no normalisation"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_slice a = {cases[i].a, strlen(cases[i].a)};
        struct json_slice b = {cases[i].b, strlen(cases[i].b)};
        cr_expect_eq(json_string_equal(fenced(a), b), cases[i].equal, "%s", cases[i].why);
        cr_expect_eq(json_string_equal(fenced(b), a), cases[i].equal, "%s", cases[i].why);
    }
    cr_expect(
        json_string_equal((struct json_slice){NULL, 0}, RAW("")), "no bytes are the empty string");
}

static const struct {
    struct json_slice bytes;
    const char *written;
    const char *why;
} written[] = {
    {{"", 0}, "\"\"", "empty"},
    {{"hello <b> & more", 16}, "\"hello <b> & more\"", "markup stays as it is"},
    {{"\"\\/", 3}, "\"\\\"\\\\/\"", "what must be escaped, and the slash that need not"},
    {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\"", "short escapes"},
    {{"\0\x01\x1F\x7F", 4}, "\"\\u0000\\u0001\\u001f\x7F\"", "control characters, and DEL"},
    {{"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 14},
        "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"", "UTF-8"},
    {{"a\xFFz", 3}, "\"a\xEF\xBF\xBDz\"", "no UTF-8"},
    {{"\xC3", 1}, "\"\xEF\xBF\xBD\"", "a character cut off at the end"},
    {{"\xE2\x82(", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD(\"", "or by another: each byte of it"},
    {{"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "a surrogate in UTF-8"},
    {{"\xC0\x80", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "a long form"},
    {{"0123456789abcdef\n0123456789", 27}, "\"0123456789abcdef\\n0123456789\"", "long runs"},
};

Test(json_string, bytes_are_written_as_json)
{
    for (size_t i = 0; i < COUNT(written); i++) {
        size_t expected = strlen(written[i].written);
        char *out = fence_room(&fence, expected);
        size_t len = json_string_write(out, expected, written[i].bytes.at, written[i].bytes.len);
        cr_expect_eq(len, expected, "%s: %zu bytes", written[i].why, len);
        cr_expect_arr_eq(out, written[i].written, expected, "%s", written[i].why);
    }
}

Test(json_string, too_little_room_is_told_and_not_overrun)
{
    for (size_t i = 0; i < COUNT(written); i++) {
        size_t needed = strlen(written[i].written);
        for (size_t room = 0; room < needed; room++) {
            char *out = room == 0 ? NULL : fence_room(&fence, room);
            size_t len = json_string_write(out, room, written[i].bytes.at, written[i].bytes.len);
            cr_expect_eq(len, needed, "%s in %zu bytes: %zu", written[i].why, room, len);
        }
    }
}

Test(json_string, whatever_the_bytes_what_is_written_is_json_and_at_most_six_times_as_long)
{
    uint32_t random = 12345;
    for (int round = 0; round < 20000; round++) {
        char bytes[40];
        char out[6 * sizeof(bytes) + 2];
        size_t len = (size_t)round % (sizeof(bytes) + 1);
        for (size_t i = 0; i < len; i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = (char)(random >> 24);
        }
        size_t n = json_string_write(out, sizeof(out), fence_copy(&fence, bytes, len), len);
        cr_assert_leq(n, 6 * len + 2);
        struct json_value value;
        size_t fault;
        cr_assert_eq(json_check(out, n, &value, &fault), JSON_OK, "round %d: %zu", round, fault);
        cr_assert_eq(value.kind, JSON_KIND_STRING);
    }
}

/* ---- reading ---- */

static void reads(const char *raw, const char *expected)
{
    char text[64];
    struct json_slice slice = {.at = raw, .len = strlen(raw)};
    size_t n = json_string_read(text, slice);
    cr_expect_leq(n, slice.len);
    cr_expect(
        n == strlen(expected) && memcmp(text, expected, n) == 0, "%s gave %.*s", raw, (int)n, text);
}

Test(json_string, is_read_as_what_it_means)
{
    reads("", "");
    reads("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
        "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    reads("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t");
    reads("\\u0041\\u00e9\\u07ff\\u0800\\uffff", "A\xc3\xa9\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
    reads("\\ud83d\\ude00", "\xf0\x9f\x98\x80");
    reads("\\ud800", "\xef\xbf\xbd");
    reads("\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd");
}

Test(json_string, that_was_never_checked_is_read_no_longer_than_it_is)
{
    reads("\xff\xc3", "\xff\xc3");
    reads("\\x\\", "\\x\\");
    reads("\\u12", "\\u12");
}
