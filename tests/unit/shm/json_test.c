/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of shm/json.h: what is JSON, and where it goes wrong. Texts stand before a forbidden
 * page, so a read past the end cannot go unseen.
 */
#include <criterion/criterion.h>

#include "shm/json.h"

#include "tests/support/fence.h"

#include <stdint.h>

#define TEXT(literal) (literal), sizeof(literal) - 1
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char sample[] =
    "\t{\"id\": 17, \"name\": \"a\\\"\\u00e9\\ud83d\\ude00 \xC3\xA9\xF0\x9F\x98\x80\","
    " \"list\": [1, -0.5e+10, [], {}, true, false, null], \"o\": {\"k\": \"v\"} }\n";

static struct fence fence;

static void set_up(void)
{
    fence_init(&fence, 2 << 20);
}

static void tear_down(void)
{
    fence_done(&fence);
}

TestSuite(json, .init = set_up, .fini = tear_down);

static enum json_outcome check(
    const char *text, size_t len, struct json_value *value, size_t *fault)
{
    *value = (struct json_value){0};
    *fault = SIZE_MAX;
    return json_check(fence_copy(&fence, text, len), len, value, fault);
}

static bool is_text(struct json_slice slice, const char *expected)
{
    return slice.len == strlen(expected) && memcmp(slice.at, expected, slice.len) == 0;
}

struct good {
    const char *text;
    size_t len;
    enum json_kind kind;
    const char *slice;
    const char *why;
};

static const struct good good[] = {
    {TEXT("{}"), JSON_KIND_OBJECT, "{}", "the least object"},
    {TEXT("[]"), JSON_KIND_ARRAY, "[]", "the least array"},
    {TEXT("\"\""), JSON_KIND_STRING, "\"\"", "the least string"},
    {TEXT("\"Hello world!\""), JSON_KIND_STRING, "\"Hello world!\"", "RFC 8259, section 13"},
    {TEXT("42"), JSON_KIND_NUMBER, "42", "RFC 8259, section 13"},
    {TEXT("true"), JSON_KIND_TRUE, "true", "RFC 8259, section 13"},
    {TEXT("false"), JSON_KIND_FALSE, "false", "literal"},
    {TEXT("null"), JSON_KIND_NULL, "null", "literal"},
    {TEXT(" \t\r\n[ \t\r\n] \t\r\n"), JSON_KIND_ARRAY, "[ \t\r\n]", "all four kinds of space"},
    {TEXT("{ \"a\" : 1 , \"b\" : 2 }"), JSON_KIND_OBJECT, "{ \"a\" : 1 , \"b\" : 2 }",
        "spaces anywhere"},
    {TEXT("0"), JSON_KIND_NUMBER, "0", "zero may stand alone"},
    {TEXT("-0"), JSON_KIND_NUMBER, "-0", "and have a sign"},
    {TEXT("0.0"), JSON_KIND_NUMBER, "0.0", "and a fraction"},
    {TEXT("0e1"), JSON_KIND_NUMBER, "0e1", "and an exponent"},
    {TEXT("2.50"), JSON_KIND_NUMBER, "2.50", "a zero that a double would lose"},
    {TEXT("1E+03"), JSON_KIND_NUMBER, "1E+03", "an exponent may begin with zero"},
    {TEXT("1e-3"), JSON_KIND_NUMBER, "1e-3", "and be negative"},
    {TEXT("1e999"), JSON_KIND_NUMBER, "1e999", "more than a double holds"},
    {TEXT("12345678901234567890123"), JSON_KIND_NUMBER, "12345678901234567890123", "or 64 bits"},
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), JSON_KIND_STRING, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "each escape"},
    {TEXT("\"\\u0000\\uAbCd\""), JSON_KIND_STRING, "\"\\u0000\\uAbCd\"", "hex in either case; NUL"},
    {TEXT("\"\\ud83d\\ude00\""), JSON_KIND_STRING, "\"\\ud83d\\ude00\"", "a pair"},
    {TEXT("\"\\ud800\""), JSON_KIND_STRING, "\"\\ud800\"", "half a pair is syntax"},
    {TEXT("\"\\ude00\\ud83d\""), JSON_KIND_STRING, "\"\\ude00\\ud83d\"", "so is a pair reversed"},
    {TEXT("\"\x7F\""), JSON_KIND_STRING, "\"\x7F\"", "DEL is no control character here"},
    {TEXT("\"\xC2\x80\xDF\xBF\""), JSON_KIND_STRING, "\"\xC2\x80\xDF\xBF\"",
        "two bytes: first, last"},
    {TEXT("\"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\""), JSON_KIND_STRING,
        "\"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\"",
        "three bytes around the surrogates"},
    {TEXT("\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""), JSON_KIND_STRING,
        "\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"", "four bytes: first, last"},
    {TEXT("{\"\":0,\"\":1}"), JSON_KIND_OBJECT, "{\"\":0,\"\":1}", "an empty key, twice"},
    {TEXT("[[],{},[{}],{\"a\":[]}]"), JSON_KIND_ARRAY, "[[],{},[{}],{\"a\":[]}]",
        "empty ones nested"},
};

Test(json, accepts_what_the_grammar_says)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_value value;
        size_t fault;
        enum json_outcome outcome = check(good[i].text, good[i].len, &value, &fault);
        cr_expect_eq(outcome, JSON_OK, "%s: fault at %zu", good[i].why, fault);
        cr_expect_eq(value.kind, good[i].kind, "%s", good[i].why);
        cr_expect(is_text(value.text, good[i].slice), "%s", good[i].why);
    }
}

Test(json, accepts_the_examples_of_the_rfc)
{
    static const char image[] =
        "{\n  \"Image\": {\n    \"Width\":  800,\n    \"Height\": 600,\n"
        "    \"Title\":  \"View from 15th Floor\",\n    \"Thumbnail\": {\n"
        "      \"Url\":    \"http://www.example.com/image/481989943\",\n"
        "      \"Height\": 125,\n      \"Width\":  100\n    },\n    \"Animated\" : false,\n"
        "    \"IDs\": [116, 943, 234, 38793]\n  }\n}\n";
    static const char cities[] =
        "[\n  {\n    \"precision\": \"zip\",\n    \"Latitude\":  37.7668,\n"
        "    \"Longitude\": -122.3959,\n    \"Address\":   \"\",\n    \"Country\":   \"US\"\n  },\n"
        "  {\n    \"precision\": \"zip\",\n    \"Latitude\":  37.371991,\n"
        "    \"Longitude\": -122.026020,\n    \"State\":     \"CA\"\n  }\n]\n";
    struct json_value value;
    size_t fault;
    cr_expect_eq(check(TEXT(image), &value, &fault), JSON_OK);
    cr_expect_eq(value.kind, JSON_KIND_OBJECT);
    cr_expect_eq(check(TEXT(cities), &value, &fault), JSON_OK);
    cr_expect_eq(value.kind, JSON_KIND_ARRAY);
}

struct bad {
    const char *text;
    size_t len;
    enum json_outcome outcome;
    size_t fault;
    const char *why;
};

static const struct bad bad[] = {
    {TEXT(""), JSON_MALFORMED, 0, "nothing at all"},
    {TEXT(" \n"), JSON_MALFORMED, 2, "nothing but space"},
    {TEXT("\xEF\xBB\xBF{}"), JSON_MALFORMED, 0, "a byte order mark"},
    {TEXT("\f1"), JSON_MALFORMED, 0, "form feed is no space"},
    {TEXT("\xC2\xA0"), JSON_MALFORMED, 0, "neither is the no-break one"},
    {TEXT("{\"a\":1} trash"), JSON_TRAILING, 8, "something behind the value"},
    {TEXT("{} {}"), JSON_TRAILING, 3, "two values"},
    {TEXT("{}\0"), JSON_TRAILING, 2, "a terminating NUL is a byte too many"},
    {TEXT("[]]"), JSON_TRAILING, 2, "a bracket too many"},
    {TEXT("01"), JSON_TRAILING, 1, "a leading zero: 0, and then 1"},
    {TEXT("[01]"), JSON_MALFORMED, 2, "the same inside"},
    {TEXT("+1"), JSON_MALFORMED, 0, "a plus sign"},
    {TEXT(".5"), JSON_MALFORMED, 0, "no integer part"},
    {TEXT("1."), JSON_MALFORMED, 2, "no fraction behind the point"},
    {TEXT("1.e1"), JSON_MALFORMED, 2, "nor before the exponent"},
    {TEXT("-"), JSON_MALFORMED, 1, "a sign alone"},
    {TEXT("-a"), JSON_MALFORMED, 1, "a sign before a letter"},
    {TEXT("1e"), JSON_MALFORMED, 2, "an empty exponent"},
    {TEXT("1e+-1"), JSON_MALFORMED, 3, "two signs"},
    {TEXT("0x10"), JSON_TRAILING, 1, "hexadecimal"},
    {TEXT("1_000"), JSON_TRAILING, 1, "digit groups"},
    {TEXT("NaN"), JSON_MALFORMED, 0, "not a number"},
    {TEXT("Infinity"), JSON_MALFORMED, 0, "nor this"},
    {TEXT("nul"), JSON_MALFORMED, 0, "a literal cut off"},
    {TEXT("nulL"), JSON_MALFORMED, 0, "misspelt"},
    {TEXT("True"), JSON_MALFORMED, 0, "in capitals"},
    {TEXT("truee"), JSON_TRAILING, 4, "too long"},
    {TEXT("\"a"), JSON_MALFORMED, 2, "an unclosed string"},
    {TEXT("\"a\\\""), JSON_MALFORMED, 4, "whose last quote is escaped"},
    {TEXT("'a'"), JSON_MALFORMED, 0, "single quotes"},
    {TEXT("\"a\nb\""), JSON_MALFORMED, 2, "a raw line feed"},
    {TEXT("\"12345678\tb\""), JSON_MALFORMED, 9, "a raw tab behind eight plain bytes"},
    {TEXT("\"a\0b\""), JSON_MALFORMED, 2, "a raw NUL"},
    {TEXT("\"\x1F\""), JSON_MALFORMED, 1, "the last control character"},
    {TEXT("\"\\a\""), JSON_MALFORMED, 2, "an escape that is none"},
    {TEXT("\"\\"), JSON_MALFORMED, 2, "an escape cut off"},
    {TEXT("\"\\u12g4\""), JSON_MALFORMED, 5, "a hex digit that is none"},
    {TEXT("\"\\u123\""), JSON_MALFORMED, 6, "three digits"},
    {TEXT("\"\\U1234\""), JSON_MALFORMED, 2, "a capital U"},
    {TEXT("\"\x80\""), JSON_MALFORMED, 1, "a continuation without a lead"},
    {TEXT("\"\xC1\xBF\""), JSON_MALFORMED, 1, "a long form of two bytes"},
    {TEXT("\"\xE0\x9F\xBF\""), JSON_MALFORMED, 1, "of three"},
    {TEXT("\"\xF0\x8F\xBF\xBF\""), JSON_MALFORMED, 1, "of four"},
    {TEXT("\"\xED\xA0\x80\""), JSON_MALFORMED, 1, "a surrogate in UTF-8"},
    {TEXT("\"\xF4\x90\x80\x80\""), JSON_MALFORMED, 1, "above U+10FFFF"},
    {TEXT("\"\xF5\x80\x80\x80\""), JSON_MALFORMED, 1, "a lead that never is one"},
    {TEXT("\"\xFF\""), JSON_MALFORMED, 1, "nor this"},
    {TEXT("\"\xC3(\""), JSON_MALFORMED, 1, "a lead without its second byte"},
    {TEXT("\"\xE2\x82(\""), JSON_MALFORMED, 1, "without its third"},
    {TEXT("\"\xF0\x9F\x98(\""), JSON_MALFORMED, 1, "without its fourth"},
    {TEXT("\"\xC3\xA9\xC3\""), JSON_MALFORMED, 3, "the second of two is cut"},
    {TEXT("\"\xF0\x9F\x98"), JSON_MALFORMED, 1, "the text ends in a character"},
    {TEXT("["), JSON_MALFORMED, 1, "an unclosed array"},
    {TEXT("[1,]"), JSON_MALFORMED, 3, "a comma too many"},
    {TEXT("[,1]"), JSON_MALFORMED, 1, "a comma too early"},
    {TEXT("[1 2]"), JSON_MALFORMED, 3, "no comma"},
    {TEXT("[1}"), JSON_MALFORMED, 2, "the wrong bracket"},
    {TEXT("[}"), JSON_MALFORMED, 1, "at once"},
    {TEXT("]"), JSON_MALFORMED, 0, "a bracket that closes nothing"},
    {TEXT("{\"a\":1,}"), JSON_MALFORMED, 7, "a comma too many"},
    {TEXT("{,}"), JSON_MALFORMED, 1, "a comma alone"},
    {TEXT("{\"a\"}"), JSON_MALFORMED, 4, "a key alone"},
    {TEXT("{\"a\" 1}"), JSON_MALFORMED, 5, "no colon"},
    {TEXT("{\"a\":}"), JSON_MALFORMED, 5, "no value"},
    {TEXT("{a:1}"), JSON_MALFORMED, 1, "a bare key"},
    {TEXT("{1:1}"), JSON_MALFORMED, 1, "a number for a key"},
    {TEXT("{\"a\":1]"), JSON_MALFORMED, 6, "the wrong bracket"},
    {TEXT("{\"a\":{\"b\":1}"), JSON_MALFORMED, 12, "the outer one is open"},
    {TEXT("[1] // done"), JSON_TRAILING, 4, "a comment"},
    {TEXT("[/**/1]"), JSON_MALFORMED, 1, "the other kind"},
};

Test(json, refuses_what_it_does_not_say_and_names_the_byte)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json_value value;
        size_t fault;
        enum json_outcome outcome = check(bad[i].text, bad[i].len, &value, &fault);
        cr_expect_eq(outcome, bad[i].outcome, "%zu, %s: outcome %d", i, bad[i].why, outcome);
        cr_expect_eq(fault, bad[i].fault, "%zu, %s: fault at %zu", i, bad[i].why, fault);
        cr_expect_null(value.text.at, "%zu, %s: written on failure", i, bad[i].why);
    }
}

/* Walks a container to its end and says how that went; the fault is where the cursor stopped. */
static enum json_outcome walk(
    const struct json_value *container, size_t *n_members, const char **at)
{
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome;
    json_open(&cursor, container);
    for (*n_members = 0; (outcome = json_next(&cursor, &member)) == JSON_OK; (*n_members)++)
        continue;
    *at = cursor.at;
    return outcome;
}

Test(json, a_walk_over_an_unchecked_text_finds_the_same_faults)
{
    size_t n_walked = 0;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *text = fence_copy(&fence, bad[i].text, bad[i].len);
        struct json_value value;
        if (json_peek(text, bad[i].len, &value) != JSON_OK || value.kind > JSON_KIND_ARRAY)
            continue;
        const char *at;
        size_t n_members;
        enum json_outcome outcome = walk(&value, &n_members, &at);
        cr_expect_eq(outcome, bad[i].outcome, "%s: outcome %d", bad[i].why, outcome);
        cr_expect_geq(at, text, "%s", bad[i].why);
        cr_expect_leq(at, text + bad[i].len, "%s", bad[i].why);
        n_walked++;
    }
    cr_expect_gt(n_walked, 20, "the table has few containers left");
}

Test(json, every_truncation_of_a_text_is_malformed)
{
    struct json_value value;
    size_t fault;
    size_t whole = sizeof(sample) - 2; /* the line feed may go */
    cr_assert_eq(check(sample, whole, &value, &fault), JSON_OK);
    for (size_t len = 0; len < whole; len++) {
        cr_expect_eq(check(sample, len, &value, &fault), JSON_MALFORMED, "%zu bytes", len);
        cr_expect_leq(fault, len, "%zu bytes: fault at %zu", len, fault);
        cr_expect_geq(fault + 4, len, "%zu bytes: fault at %zu", len, fault);
    }
}

/* `depth` containers one in the other, of either kind, with `core` inside. */
static size_t nest(char *text, size_t depth, bool objects, const char *core)
{
    char *at = text;
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, objects ? "{\"k\":" : "[");
    at = stpcpy(at, core);
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, objects ? "}" : "]");
    return (size_t)(at - text);
}

Test(json, the_depth_limit_is_exact)
{
    static char text[8 * (JSON_MAX_DEPTH + 1)];
    struct json_value value;
    size_t fault;
    for (int objects = 0; objects < 2; objects++) {
        size_t len = nest(text, JSON_MAX_DEPTH, objects, "1");
        cr_expect_eq(check(text, len, &value, &fault), JSON_OK);
        len = nest(text, JSON_MAX_DEPTH + 1, objects, "1");
        cr_expect_eq(check(text, len, &value, &fault), JSON_TOO_DEEP);
        cr_expect_eq(fault, JSON_MAX_DEPTH * (objects ? 5u : 1u), "the bracket too many");
    }
    size_t len = nest(text, JSON_MAX_DEPTH - 1, true, "[]");
    cr_expect_eq(check(text, len, &value, &fault), JSON_OK, "an empty one counts");
    len = nest(text, JSON_MAX_DEPTH, true, "[]");
    cr_expect_eq(check(text, len, &value, &fault), JSON_TOO_DEEP, "like any other");
}

Test(json, a_walk_keeps_the_depth_limit_of_the_check)
{
    static char text[8 * (JSON_MAX_DEPTH + 1)];
    struct json_value value;
    size_t n_members;
    const char *at;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = nest(text, JSON_MAX_DEPTH + extra, false, "1");
        cr_assert_eq(json_peek(text, len, &value), JSON_OK);
        cr_expect_eq(walk(&value, &n_members, &at), extra == 0 ? JSON_END : JSON_TOO_DEEP);
    }
}

Test(json, a_million_brackets_cost_no_stack)
{
    size_t len = 1000000;
    char *text = memset(fence_room(&fence, len), '[', len);
    struct json_value value;
    size_t fault;
    cr_expect_eq(json_check(text, len, &value, &fault), JSON_TOO_DEEP);
    cr_expect_eq(fault, JSON_MAX_DEPTH);
}

Test(json, brackets_of_both_kinds_are_told_apart_at_every_depth)
{
    static char text[2 * JSON_MAX_DEPTH * 6];
    for (size_t depth = 1; depth <= JSON_MAX_DEPTH; depth++) {
        char *at = text;
        for (size_t i = 0; i < depth; i++)
            at = stpcpy(at, i % 3 == 0 ? "{\"k\":" : "[");
        at = stpcpy(at, "0");
        for (size_t i = depth; i-- > 0;)
            *at++ = i % 3 == 0 ? '}' : ']';
        struct json_value value;
        size_t fault;
        size_t len = (size_t)(at - text);
        cr_expect_eq(check(text, len, &value, &fault), JSON_OK, "depth %zu", depth);
        size_t swapped = len - depth / 2 - 1;
        text[swapped] = text[swapped] == ']' ? '}' : ']';
        cr_expect_eq(check(text, len, &value, &fault), JSON_MALFORMED, "depth %zu", depth);
        cr_expect_eq(fault, swapped, "depth %zu: fault at %zu", depth, fault);
    }
}
