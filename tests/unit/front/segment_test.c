/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "segment.h"

Test(segment, a_path_has_one_segment_behind_each_slash)
{
    const struct {
        const char *path, *segments[4];
    } cases[] = {
        {"", {NULL}},
        {"/", {""}},
        {"/a", {"a"}},
        {"/a/", {"a", ""}},
        {"//a", {"", "a"}},
        {"/a//b", {"a", "", "b"}},
        {"/a%2Fb/c", {"a%2Fb", "c"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice rest = slice_of(cases[i].path), segment;
        size_t n = 0;
        while (segment_next(&rest, &segment)) {
            cr_assert_not_null(cases[i].segments[n], "%s: one too many", cases[i].path);
            cr_assert(slice_equals(segment, slice_of(cases[i].segments[n++])), "%s", cases[i].path);
        }
        cr_assert_null(cases[i].segments[n], "%s: one too few", cases[i].path);
    }
}

Test(segment, escapes_are_read_once)
{
    const struct {
        const char *raw, *meaning;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a%2Fb%2fc", "a/b/c"},
        {"%41%6a%6A", "Ajj"},
        {"%252F", "%2F"},
        {"%25b", "%b"},
        {"+%2B", "++"},
        {"%C3%A9", "\xc3\xa9"},
        {"%ff%01%0d%0A", "\xff\x01\r\n"},
        {"..", ".."},
        {"%2E%2e", ".."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];
        struct slice decoded;
        cr_assert_eq(
            segment_decode(slice_of(cases[i].raw), out, &decoded), SEGMENT_OK, "%s", cases[i].raw);
        cr_assert(slice_equals(decoded, slice_of(cases[i].meaning)), "%s", cases[i].raw);
    }
}

Test(segment, a_malformed_escape_and_nul_are_refused)
{
    const char *const cases[] = {"%", "%4", "a%", "a%4", "%zz", "%4g", "%g4", "%%41", "%+1", "% 1",
        "%-1", "%0x", "%00", "a%00b", "ok%41%"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];
        struct slice decoded = {0};
        cr_assert_eq(
            segment_decode(slice_of(cases[i]), out, &decoded), SEGMENT_BAD_ESCAPE, "%s", cases[i]);
        cr_assert_null(decoded.at, "%s", cases[i]);
    }
}

Test(segment, an_escape_is_not_read_past_the_end)
{
    char out[8];
    struct slice decoded, cut = {.at = "%41", .len = 2};
    cr_assert_eq(segment_decode(cut, out, &decoded), SEGMENT_BAD_ESCAPE);
}
