/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of shm/json.h over members and elements, in good texts and in texts that change while
 * they are read. They stand before a forbidden page, so a read past the end cannot go unseen.
 */
#include <criterion/criterion.h>

#include "shm/json.h"

#include "tests/support/fence.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

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

TestSuite(json_walk, .init = set_up, .fini = tear_down);

static bool is_text(struct json_slice slice, const char *expected)
{
    return slice.len == strlen(expected) && memcmp(slice.at, expected, slice.len) == 0;
}

Test(json_walk, members_come_in_order_with_key_value_and_kind)
{
    static const struct {
        const char *key;
        const char *text;
        enum json_kind kind;
    } expected[] = {
        {"id", "17", JSON_KIND_NUMBER},
        {"name", "\"a\\\"\\u00e9\\ud83d\\ude00 \xC3\xA9\xF0\x9F\x98\x80\"", JSON_KIND_STRING},
        {"list", "[1, -0.5e+10, [], {}, true, false, null]", JSON_KIND_ARRAY},
        {"o", "{\"k\": \"v\"}", JSON_KIND_OBJECT},
    };
    struct json_value value;
    size_t fault;
    cr_assert_eq(json_check(TEXT(sample), &value, &fault), JSON_OK);
    struct json_cursor cursor;
    struct json_member member;
    json_open(&cursor, &value);
    for (size_t i = 0; i < COUNT(expected); i++) {
        cr_assert_eq(json_next(&cursor, &member), JSON_OK);
        cr_expect(is_text(member.key, expected[i].key), "%s", expected[i].key);
        cr_expect(is_text(member.value.text, expected[i].text), "%s", expected[i].text);
        cr_expect_eq(member.value.kind, expected[i].kind, "%s", expected[i].key);
    }
    cr_expect_eq(json_next(&cursor, &member), JSON_END);
    cr_expect_eq(json_next(&cursor, &member), JSON_END, "an end stays one");
}

Test(json_walk, elements_come_in_order_without_keys)
{
    static const char text[] = "[1, \"two\" ,[3,[4]],{\"five\":[]},true,false,null,-6e1]";
    static const char *const expected[] = {
        "1", "\"two\"", "[3,[4]]", "{\"five\":[]}", "true", "false", "null", "-6e1"};
    struct json_value value;
    size_t fault;
    cr_assert_eq(json_check(TEXT(text), &value, &fault), JSON_OK);
    struct json_cursor cursor;
    struct json_member member;
    json_open(&cursor, &value);
    for (size_t i = 0; i < COUNT(expected); i++) {
        cr_assert_eq(json_next(&cursor, &member), JSON_OK);
        cr_expect(is_text(member.value.text, expected[i]), "%s", expected[i]);
        cr_expect_null(member.key.at);
    }
    cr_expect_eq(json_next(&cursor, &member), JSON_END);
}

Test(json_walk, empty_containers_have_no_members)
{
    static const char *const texts[] = {"{}", "[]", "{ \n}", "[\t]"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct json_value value;
        struct json_cursor cursor;
        struct json_member member;
        cr_assert_eq(json_peek(texts[i], strlen(texts[i]), &value), JSON_OK);
        json_open(&cursor, &value);
        cr_expect_eq(json_next(&cursor, &member), JSON_END);
    }
}

Test(json_walk, peek_trims_and_names_the_kind_without_a_check)
{
    struct json_value value = {0};
    cr_assert_eq(json_peek(TEXT(" \t{\"a\": oops}\r\n"), &value), JSON_OK);
    cr_expect_eq(value.kind, JSON_KIND_OBJECT);
    cr_expect(is_text(value.text, "{\"a\": oops}"));
    struct json_value untouched = {0};
    cr_expect_eq(json_peek(TEXT("  "), &untouched), JSON_MALFORMED);
    cr_expect_eq(json_peek(TEXT(""), &untouched), JSON_MALFORMED);
    cr_expect_eq(json_peek(NULL, 0, &untouched), JSON_MALFORMED);
    cr_expect_eq(json_peek(TEXT("hello"), &untouched), JSON_MALFORMED);
    cr_expect_null(untouched.text.at);
}

Test(json_walk, a_megabyte_with_ten_thousand_keys_is_walked_through)
{
    static char text[1200000];
    int n_keys = 10000;
    char *at = stpcpy(text, "{");
    for (int i = 0; i < n_keys; i++) {
        at += sprintf(
            at, "%s\"key%05d\": {\"n\": %d, \"list\": [1, 2.50, 1e3], ", i ? ", " : "", i, i);
        at += sprintf(at, "\"text\": \"padding that makes it about a megabyte %05d\"}", i);
    }
    at = stpcpy(at, "}");
    size_t len = (size_t)(at - text);
    cr_assert_gt(len, 1000000);

    struct json_value value;
    struct json_member member;
    struct json_cursor cursor;
    size_t fault;
    cr_assert_eq(json_check(fence_copy(&fence, text, len), len, &value, &fault), JSON_OK);
    json_open(&cursor, &value);
    for (int i = 0; i < n_keys; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%05d", i);
        cr_assert_eq(json_next(&cursor, &member), JSON_OK, "%s", key);
        cr_assert(is_text(member.key, key), "%s", key);
    }
    cr_expect_eq(json_next(&cursor, &member), JSON_END);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool is_inside(struct json_slice slice, const char *text, size_t len)
{
    return slice.at >= text && slice.len <= len && slice.at + slice.len <= text + len;
}

static const char spoilers[] = "{}[]\",:\\u0 tn\xC3\xF0\x80"; /* with its NUL */

Test(json_walk, bytes_that_change_between_two_steps_lead_nowhere_outside)
{
    uint64_t seed = 20240607;
    size_t len = sizeof(sample) - 1;
    for (int round = 0; round < 20000; round++) {
        char *text = fence_copy(&fence, sample, len);
        struct json_value value;
        struct json_cursor cursor;
        struct json_member member;
        cr_assert_eq(json_peek(text, len, &value), JSON_OK);
        json_open(&cursor, &value);
        size_t steps = 0;
        while (json_next(&cursor, &member) == JSON_OK) {
            cr_assert(is_inside(member.key, text, len) && is_inside(member.value.text, text, len));
            cr_assert_lt(++steps, len, "a walk without end");
            for (int i = 0; i < 3; i++)
                text[next_random(&seed) % len] = spoilers[next_random(&seed) % sizeof(spoilers)];
        }
        cr_assert(cursor.at >= text && cursor.at <= text + len);
    }
}

struct liar {
    char *text;
    size_t len;
    atomic_bool is_over;
};

/* A peer that writes while the other side reads: a data race on purpose. */
static void *lie(void *context)
{
    struct liar *liar = context;
    uint64_t seed = 7;
    while (!atomic_load_explicit(&liar->is_over, memory_order_relaxed)) {
        size_t place = next_random(&seed) % liar->len;
        ((volatile char *)liar->text)[place] = spoilers[next_random(&seed) % sizeof(spoilers)];
        ((volatile char *)liar->text)[place] = sample[place];
    }
    return NULL;
}

Test(json_walk, bytes_that_change_under_the_scanner_lead_nowhere_outside)
{
    size_t len = sizeof(sample) - 1;
    struct liar liar = {.text = fence_copy(&fence, sample, len), .len = len};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, lie, &liar), 0);
    size_t n_refused = 0;
    for (int round = 0; round < 100000; round++) {
        struct json_value value;
        size_t fault = 0;
        if (json_check(liar.text, len, &value, &fault) != JSON_OK)
            n_refused++;
        else
            cr_assert(is_inside(value.text, liar.text, len));
        cr_assert_leq(fault, len);
    }
    atomic_store_explicit(&liar.is_over, true, memory_order_relaxed);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_log_info("%zu of 100000 scans met a lie", n_refused);
}
