/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merging of front/merge.h. The output stands before a forbidden page, exactly merge_bound()
 * bytes from it. The one allocation between the two passes is ours: it can be refused, and it is
 * the moment at which a peer changes its bytes.
 */
#include <criterion/criterion.h>

#include "merge.h"

#include "tests/support/fence.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PART(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define N_PARTS_MAX 4

static const struct siphash_seed seed = {UINT64_C(0x0123456789abcdef), 42};
static struct fence fence;

static struct {
    bool is_refused;
    size_t bytes;
    void (*meanwhile)(void);
} allocation;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    allocation.bytes = n * size;
    if (allocation.meanwhile)
        allocation.meanwhile();
    return allocation.is_refused ? NULL : __real_calloc(n, size);
}

static void set_up(void)
{
    fence_init(&fence, 64 << 20);
}

static void tear_down(void)
{
    fence_done(&fence);
}

TestSuite(merge, .init = set_up, .fini = tear_down);

static int merge(const struct json_slice *parts, size_t n_parts, struct json_slice *merged)
{
    char *out = fence_room(&fence, merge_bound(parts, n_parts));
    size_t len = SIZE_MAX;
    int result = merge_objects(&seed, parts, n_parts, out, &len);
    cr_assert(result == 0 || len == SIZE_MAX, "written on failure");
    *merged = (struct json_slice){.at = out, .len = len};
    return result;
}

struct good {
    const char *why;
    struct json_slice parts[N_PARTS_MAX];
    size_t n_parts;
    const char *merged;
};

static const struct good good[] = {
    {"two", {PART("{\"a\":1}"), PART("{\"b\":2}")}, 2, "{\"a\":1,\"b\":2}"},
    {"four", {PART("{\"a\":1}"), PART("{\"b\":2}"), PART("{\"c\":3}"), PART("{\"d\":4}")}, 4,
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"},
    {"the first one wins", {PART("{\"a\":1,\"b\":2}"), PART("{\"b\":3,\"c\":4}")}, 2,
        "{\"a\":1,\"b\":2,\"c\":4}"},
    {"by whole values", {PART("{\"a\":{\"x\":1}}"), PART("{\"a\":{\"y\":2}}")}, 2,
        "{\"a\":{\"x\":1}}"},
    {"a null of its own wins as well", {PART("{\"a\":null}"), PART("{\"a\":1}")}, 2,
        "{\"a\":null}"},
    {"over all the others", {PART("{\"a\":1}"), PART("{\"a\":2}"), PART("{\"a\":3,\"b\":1}")}, 3,
        "{\"a\":1,\"b\":1}"},
    {"a loser stands first", {PART("{\"b\":1}"), PART("{\"b\":2,\"c\":3}")}, 2,
        "{\"b\":1,\"c\":3}"},
    {"or alone", {PART("{\"b\":1}"), PART("{\"b\":22222222}")}, 2, "{\"b\":1}"},
    {"keys are equal by meaning", {PART("{\"ab\":1}"), PART("{\"\\u0061b\":2,\"a\\u0062c\":3}")}, 2,
        "{\"ab\":1,\"a\\u0062c\":3}"},
    {"in either spelling", {PART("{\"\\u00e9\\/\":1}"), PART("{\"\xC3\xA9/\":2}")}, 2,
        "{\"\\u00e9\\/\":1}"},
    {"surrogates too", {PART("{\"\\ud83d\\ude00\":1}"), PART("{\"\xF0\x9F\x98\x80\":2}")}, 2,
        "{\"\\ud83d\\ude00\":1}"},
    {"bytes stay as they were",
        {PART("{\"n\" :\t2.50}"), PART("{\"m\": 12345678901234567890123 }")}, 2,
        "{\"n\" :\t2.50,\"m\": 12345678901234567890123}"},
    {"space between members goes", {PART(" { \"a\":1 , \"b\":2 }\n"), PART("\t{ }")}, 2,
        "{\"a\":1,\"b\":2}"},
    {"empty bodies add nothing", {PART(""), PART("{\"a\":1}"), PART("")}, 3, "{\"a\":1}"},
    {"nor null", {PART("null"), PART("{\"a\":1}"), PART(" null\n")}, 3, "{\"a\":1}"},
    {"nor empty objects", {PART("{}"), PART("{\"a\":1}"), PART("{}")}, 3, "{\"a\":1}"},
    {"nothing at all", {PART(""), PART("{}"), PART("null")}, 3, "{}"},
    {"no bodies", {PART("")}, 1, "{}"},
    {"no parts", {PART("")}, 0, "{}"},
    {"a lone part", {PART(" {\"a\": [1, 2]} ")}, 1, "{\"a\": [1, 2]}"},
    {"an empty key", {PART("{\"\":1}"), PART("{\"\":2}")}, 2, "{\"\":1}"},
    {"a part's own repetitions stay",
        {PART("{\"a\":1,\"a\":2}"), PART("{\"a\":3,\"b\":4,\"b\":5}")}, 2,
        "{\"a\":1,\"a\":2,\"b\":4,\"b\":5}"},
};

Test(merge, makes_one_object_of_many)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_slice merged;
        cr_assert_eq(merge(good[i].parts, good[i].n_parts, &merged), MERGE_OK, "%s", good[i].why);
        cr_expect(merged.len == strlen(good[i].merged) &&
                      memcmp(merged.at, good[i].merged, merged.len) == 0,
            "%s: %.*s", good[i].why, (int)merged.len, merged.at);
    }
}

Test(merge, refuses_what_is_no_object)
{
    static const char *const parts[] = {"[]", "[1]", "5", "\"a\"", "true", "nul", "null null",
        "nullx", " ", "{", "{\"a\":1", "{\"a\":1,}", "{\"a\":1} x", "{a:1}", "{\"a\":[}", "}",
        "{\"a\":\"\xFF\"}"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct json_slice bad = {parts[i], strlen(parts[i])};
        struct json_slice first[] = {bad, PART("{\"b\":1}")};
        struct json_slice last[] = {PART("{\"b\":1}"), bad};
        struct json_slice merged;
        cr_expect_eq(merge(&bad, 1, &merged), MERGE_NO_OBJECT, "%s alone", parts[i]);
        cr_expect_eq(merge(first, 2, &merged), MERGE_NO_OBJECT, "%s first", parts[i]);
        cr_expect_eq(merge(last, 2, &merged), MERGE_NO_OBJECT, "%s last", parts[i]);
    }
}

Test(merge, says_when_there_is_no_memory)
{
    struct json_slice merged;
    allocation.is_refused = true;
    cr_expect_eq(merge(good[0].parts, good[0].n_parts, &merged), -ENOMEM);
}

Test(merge, says_when_the_parts_are_too_large)
{
    struct json_slice parts[] = {{"{}", UINT32_MAX - 2}, PART("{}")};
    char out[2];
    size_t len;
    cr_expect_eq(merge_objects(&seed, parts, 2, out, &len), -EMSGSIZE);
}

/* Key and value of one random member; both kinds of spelling of few keys, so that they collide. */
static size_t add_member(char *text, unsigned *random, bool is_first)
{
    static const char *const letters[] = {"a", "\\u0061", "b", "\\u0062", "\xC3\xA9", "\\u00e9"};
    char *at = stpcpy(text, is_first ? "\"" : ",\"");
    for (int n = rand_r(random) % 3; n >= 0; n--)
        at = stpcpy(at, letters[(unsigned)rand_r(random) % COUNT(letters)]);
    return (size_t)(at + sprintf(at, "\":%d", rand_r(random)) - text);
}

static void next_part(char *text, struct json_slice *part, unsigned *random)
{
    size_t len = (size_t)(stpcpy(text, "{") - text);
    int n_members = rand_r(random) % 12;
    for (int i = 0; i < n_members; i++)
        len += add_member(text + len, random, i == 0);
    text[len++] = '}';
    *part = (struct json_slice){.at = text, .len = len};
}

/* What the merged object means: jansson's, which takes the last of a part's own repetitions. */
static json_t *expected(const struct json_slice *parts, size_t n_parts)
{
    json_t *whole = json_object();
    for (size_t i = 0; i < n_parts; i++) {
        json_t *part = json_loadb(parts[i].at, parts[i].len, 0, NULL);
        cr_assert_eq(json_object_update_missing(whole, part), 0);
        json_decref(part);
    }
    return whole;
}

Test(merge, means_what_another_library_makes_of_the_parts)
{
    unsigned random = 3;
    for (int round = 0; round < 5000; round++) {
        static char texts[N_PARTS_MAX][1024];
        struct json_slice parts[N_PARTS_MAX];
        struct json_slice merged;
        size_t n_parts = (size_t)rand_r(&random) % N_PARTS_MAX + 1;
        for (size_t i = 0; i < n_parts; i++)
            next_part(texts[i], &parts[i], &random);
        cr_assert_eq(merge(parts, n_parts, &merged), MERGE_OK, "round %d", round);

        json_t *ours = json_loadb(merged.at, merged.len, 0, NULL);
        json_t *theirs = expected(parts, n_parts);
        cr_assert(json_equal(ours, theirs), "round %d: %.*s", round, (int)merged.len, merged.at);
        json_decref(ours);
        json_decref(theirs);
    }
}

static struct json_slice many_keys(size_t from, size_t n_keys)
{
    char *text = malloc(n_keys * 20);
    size_t len = 0;
    for (size_t i = 0; i < n_keys; i++)
        len +=
            (size_t)sprintf(text + len, "%c\"key%zu\":%zu", i == 0 ? '{' : ',', from + i, i % 10);
    text[len++] = '}';
    return (struct json_slice){.at = text, .len = len};
}

Test(merge, half_a_million_keys_take_proportional_time_and_memory)
{
    size_t n_keys = 250000;
    struct json_slice parts[] = {many_keys(0, n_keys), many_keys(n_keys / 2, n_keys)};
    struct json_slice merged;
    cr_assert_eq(merge(parts, 2, &merged), MERGE_OK);
    cr_expect_leq(allocation.bytes, 22 * 2 * n_keys);

    struct json_value value;
    struct json_cursor cursor;
    struct json_member member;
    size_t n_merged = 0;
    cr_assert_eq(json_peek(merged.at, merged.len, &value), JSON_OK);
    json_open(&cursor, &value);
    while (json_next(&cursor, &member) == JSON_OK)
        n_merged++;
    cr_expect_eq(n_merged, n_keys + n_keys / 2, "%zu", n_merged);
    free((char *)(uintptr_t)parts[0].at);
    free((char *)(uintptr_t)parts[1].at);
}

static char changing[] = "{\"a\": [1,1,1,1,1,1,1,1,1,1]}";

static void become_many_keys(void)
{
    memcpy(changing, "{\"b\":1,\"c\":1,\"d\":1,\"e\":1 }", sizeof(changing) - 2);
}

Test(merge, a_part_that_grows_keys_meanwhile_is_refused)
{
    struct json_slice parts[] = {PART("{\"x\":1}"), {changing, sizeof(changing) - 2}};
    struct json_slice merged;
    allocation.meanwhile = become_many_keys;
    cr_expect_eq(merge(parts, 2, &merged), MERGE_NO_OBJECT);
}

static void become_no_object(void)
{
    memcpy(changing, "[", 1);
}

Test(merge, a_part_that_stops_being_an_object_is_refused)
{
    struct json_slice parts[] = {PART("{\"x\":1}"), {changing, sizeof(changing) - 1}};
    struct json_slice merged;
    allocation.meanwhile = become_no_object;
    cr_expect_eq(merge(parts, 2, &merged), MERGE_NO_OBJECT);
}

static const char honest[] = "{\"a\":1,\"b\":[\"x\"],\"\\u0063\":{\"d\":null},\"e\":1}";

struct liar {
    volatile char *text;
    atomic_bool is_over;
};

/* A peer that writes while the other side reads: a data race on purpose. */
static void *lie(void *context)
{
    static const char spoilers[] = "{}[]\",:\\u0\xC3";
    struct liar *liar = context;
    unsigned random = 5;
    while (!atomic_load_explicit(&liar->is_over, memory_order_relaxed)) {
        size_t place = (size_t)rand_r(&random) % (sizeof(honest) - 1);
        liar->text[place] = spoilers[(size_t)rand_r(&random) % sizeof(spoilers)];
        liar->text[place] = honest[place];
    }
    return NULL;
}

Test(merge, parts_that_change_all_the_time_spoil_the_text_alone)
{
    struct fence theirs;
    fence_init(&theirs, FENCE_PAGE);
    size_t len = sizeof(honest) - 1;
    char *text = fence_copy(&theirs, honest, len);
    struct liar liar = {.text = text};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, lie, &liar), 0);
    for (int round = 0; round < 50000; round++) {
        struct json_slice parts[] = {{text, len}, PART("{\"b\":2,\"f\":3}"), {text, len}};
        struct json_slice merged;
        if (merge(parts, COUNT(parts), &merged) == MERGE_OK)
            cr_assert_leq(merged.len, merge_bound(parts, COUNT(parts)));
    }
    atomic_store_explicit(&liar.is_over, true, memory_order_relaxed);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    fence_done(&theirs);
}
