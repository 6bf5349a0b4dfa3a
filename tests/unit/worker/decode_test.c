/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "decode.h"

static void shows(enum plan_encoding encoding, const char *body, const char *shown)
{
    struct decode_part part;
    cr_assert(decode(encoding, (const uint8_t *)body, strlen(body), &part), "%s", body);
    cr_assert_eq(part.n_bytes, strlen(shown), "%s", body);
    cr_assert_arr_eq(body + part.at, shown, part.n_bytes);
}

static void refuses(enum plan_encoding encoding, const char *body)
{
    struct decode_part part;
    cr_assert_not(decode(encoding, (const uint8_t *)body, strlen(body), &part), "%s", body);
}

Test(decode, json_is_one_object_as_it_was_written)
{
    shows(PLAN_JSON, "{\"b\":1,\"a\":[2.50,12345678901234567890123]}",
        "{\"b\":1,\"a\":[2.50,12345678901234567890123]}");
    shows(PLAN_JSON, " \n{}\t", "{}");
    refuses(PLAN_JSON, "[1,2]");
    refuses(PLAN_JSON, "5");
    refuses(PLAN_JSON, "\"s\"");
    refuses(PLAN_JSON, "not json");
    refuses(PLAN_JSON, "{\"a\":1} trash");
    refuses(PLAN_JSON, "{\"a\":1");
    refuses(PLAN_JSON, "\xef\xbb\xbf{}");
}

Test(decode, a_collection_is_one_array)
{
    shows(PLAN_JSON_COLLECTION, "[1,{\"a\":2}] ", "[1,{\"a\":2}]");
    shows(PLAN_JSON_COLLECTION, "[]", "[]");
    refuses(PLAN_JSON_COLLECTION, "{}");
    refuses(PLAN_JSON_COLLECTION, "[1,2");
}

Test(decode, safejson_is_any_one_value)
{
    shows(PLAN_SAFEJSON, "[1,2]", "[1,2]");
    shows(PLAN_SAFEJSON, "5", "5");
    shows(PLAN_SAFEJSON, " \"s\" ", "\"s\"");
    shows(PLAN_SAFEJSON, "{\"a\":1}", "{\"a\":1}");
    refuses(PLAN_SAFEJSON, "5 5");
    refuses(PLAN_SAFEJSON, "hello");
}

Test(decode, nothing_is_no_mistake)
{
    const enum plan_encoding json[] = {PLAN_JSON, PLAN_JSON_COLLECTION, PLAN_SAFEJSON};
    for (size_t i = 0; i < 3; i++) {
        shows(json[i], "", "");
        shows(json[i], " \r\n\t", "");
        shows(json[i], " null ", "null");
    }
}

Test(decode, other_encodings_take_any_bytes)
{
    static const uint8_t bytes[] = {0, 255, ' ', 0xfe};
    struct decode_part part;
    cr_assert(decode(PLAN_STRING, bytes, sizeof(bytes), &part));
    cr_assert_eq(part.at, 0);
    cr_assert_eq(part.n_bytes, sizeof(bytes));
    cr_assert(decode(PLAN_NO_OP, bytes, sizeof(bytes), &part));
    cr_assert_eq(part.n_bytes, sizeof(bytes));
    cr_assert(decode(PLAN_STRING, bytes, 0, &part));
    cr_assert_eq(part.n_bytes, 0);
}
