/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and positions of shm/json_path.h, on a small configuration. */
#include <criterion/criterion.h>

#include "shm/json_path.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char text[] =
    "{\n"
    "  \"version\": 3,\n"
    "  \"caf\xC3\xA9\": \"\xF0\x9F\x98\x80\", \"next\": 1,\n"
    "  \"endpoints\": [\n"
    "    {\"endpoint\": \"/a\", \"backend\": []},\r\n"
    "\t{\"backend\": [{}, {\n"
    "      \"extra_config\": {\"backend/amqp/consumer\": {\"name\": \"q\"},\n"
    "                        \"a.b[0]\\n\": true}}]}\n"
    "  ],\n"
    "  \"twice\": 1, \"twice\": 2\n"
    "}\n";

static struct json_value root(void)
{
    struct json_value value;
    cr_assert_eq(json_peek(text, sizeof(text) - 1, &value), JSON_OK);
    return value;
}

struct place {
    const char *path;
    const char *begins; /* the text at the value */
    size_t line;
    size_t column;
};

static const struct place places[] = {
    {"$", "{\n  \"version\"", 1, 1},
    {"$.version", "3,", 2, 14},
    {"$.caf\xC3\xA9", "\"\xF0\x9F", 3, 11},
    {"$[\"caf\\u00e9\"]", "\"\xF0\x9F", 3, 11},
    {"$.next", "1,", 3, 24},
    {"$.endpoints", "[\n", 4, 16},
    {"$.endpoints[0]", "{\"endpoint\"", 5, 5},
    {"$.endpoints[0].endpoint", "\"/a\"", 5, 18},
    {"$.endpoints[1]", "{\"backend\"", 6, 2},
    {"$.endpoints[1].backend[1].extra_config", "{\"backend/amqp", 7, 23},
    {"$.endpoints[1].backend[1].extra_config[\"backend/amqp/consumer\"].name", "\"q\"", 7, 58},
    {"$.endpoints[1].backend[1].extra_config.backend/amqp/consumer", "{\"name\"", 7, 49},
    {"$.endpoints[1].backend[1].extra_config[\"a.b[0]\\n\"]", "true", 8, 37},
    {"$.twice", "2\n", 10, 24},
};

Test(json_path, a_path_leads_to_its_value_and_its_line_and_column)
{
    struct json_value whole = root();
    for (size_t i = 0; i < COUNT(places); i++) {
        struct json_member found;
        cr_assert(json_path_follow(&whole, places[i].path, &found), "%s", places[i].path);
        cr_assert_eq(strncmp(found.value.text.at, places[i].begins, strlen(places[i].begins)), 0,
            "%s", places[i].path);
        struct json_position where = json_position(text, (size_t)(found.value.text.at - text));
        cr_expect_eq(where.line, places[i].line, "%s: line %zu", places[i].path, where.line);
        cr_expect_eq(
            where.column, places[i].column, "%s: column %zu", places[i].path, where.column);
    }
}

Test(json_path, a_path_that_breaks_off_leads_to_the_nearest_place)
{
    static const struct {
        const char *path;
        const char *begins;
    } cases[] = {
        {"$.absent", "{\n  \"version\""},
        {"$.endpoints[2]", "[\n"},
        {"$.endpoints[0].host", "{\"endpoint\""},
        {"$.endpoints[0].backend[0].host", "[]},"},
        {"$.version.x", "3,"},
        {"$.version[0]", "3,"},
        {"$.endpoints.endpoint", "[\n"},
        {"$[0]", "{\n  \"version\""},
        {"$.endpoints[99999999999999999999999999]", "[\n"},
    };
    struct json_value whole = root();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_member found;
        cr_expect_not(json_path_follow(&whole, cases[i].path, &found), "%s", cases[i].path);
        cr_expect_eq(strncmp(found.value.text.at, cases[i].begins, strlen(cases[i].begins)), 0,
            "%s", cases[i].path);
    }
}

Test(json_path, what_is_no_path_leads_nowhere)
{
    static const char *const paths[] = {"", "version", ".version", "$version", "$.", "$..version",
        "$[", "$[]", "$.endpoints[0", "$.endpoints[0x]", "$.endpoints[-1]", "$[\"version",
        "$[\"version\"", "$[\"version\"x", "$[\"", "$[\"\\"};
    struct json_value whole = root();
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct json_member found;
        cr_expect_not(json_path_follow(&whole, paths[i], &found), "%s", paths[i]);
    }
}

Test(json_path, the_key_is_known_too)
{
    struct json_value whole = root();
    struct json_member found;
    cr_assert(json_path_follow(&whole, "$.endpoints", &found));
    cr_expect_eq(found.key.len, strlen("endpoints"));
    cr_expect_eq(json_position(text, (size_t)(found.key.at - text)).column, 4);
    cr_assert(json_path_follow(&whole, "$.endpoints[0]", &found));
    cr_expect_null(found.key.at);
}

Test(json_path, a_text_that_goes_wrong_is_followed_up_to_there)
{
    static const char broken[] = "{\"a\": {\"b\": 1}, \"c\": [1, 2,, 3]}";
    struct json_value whole;
    struct json_member found;
    cr_assert_eq(json_peek(broken, sizeof(broken) - 1, &whole), JSON_OK);
    cr_expect(json_path_follow(&whole, "$.a.b", &found));
    cr_expect_not(json_path_follow(&whole, "$.c[3]", &found));
    cr_expect_eq(found.value.text.at, whole.text.at);
}

Test(json_path, the_end_of_a_text_has_a_position)
{
    struct json_position where = json_position("a\nbc", 4);
    cr_expect_eq(where.line, 2);
    cr_expect_eq(where.column, 3);
    where = json_position("a\n", 2);
    cr_expect_eq(where.line, 2);
    cr_expect_eq(where.column, 1);
}
