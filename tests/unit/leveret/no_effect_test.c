/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that are said to have no effect: a file with one of them makes the same plans, byte for byte,
 * as a file without it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "config_fixture.h"
#include "config_keys.h"
#include "plan_front.h"
#include "plan_worker.h"
#include "shm/cleanup.h"

TestSuite(no_effect, .init = fixture_enter, .fini = fixture_leave);

#define N(rows) (sizeof(rows) / sizeof *(rows))

/* Where a member stands in the file. */
enum place { ENDPOINT, BACKEND, CONSUMER, PRODUCER, N_PLACES };

static const struct config_level *const levels[N_PLACES] = {
    [ENDPOINT] = &config_level_endpoint,
    [BACKEND] = &config_level_backend,
    [CONSUMER] = &config_level_consumer,
    [PRODUCER] = &config_level_producer,
};

static const struct row {
    enum place place;
    const char *key, *value;
} rows[] = {
    {ENDPOINT, "input_query_strings", "[\"page\"]"},
    {ENDPOINT, "concurrent_calls", "3"},
    {BACKEND, "disable_host_sanitize", "true"},
    {BACKEND, "url_pattern", "\"/somewhere/{b}\""},
    {BACKEND, "method", "\"DELETE\""},
    {CONSUMER, "prefetch_size", "1024"},
    {CONSUMER, "no_wait", "true"},
    {PRODUCER, "exclusive", "true"},
    {PRODUCER, "prefetch_count", "7"},
    {PRODUCER, "prefetch_size", "9"},
    {PRODUCER, "no_wait", "true"},
};

static struct loaded load(const struct row *row)
{
    char members[N_PLACES][64] = {0}, text[2048];

    if (row)
        (void)snprintf(members[row->place], sizeof members[0], ",\"%s\":%s", row->key, row->value);
    int length = snprintf(text, sizeof text,
        "{\"version\":3,\"host\":[\"amqp://h\"],\"endpoints\":["
        "{\"endpoint\":\"/a/{b}\",\"method\":\"POST\"%s,\"backend\":[{\"extra_config\":"
        "{\"backend/amqp/producer\":{\"name\":\"p\",\"exchange\":\"x\"%s}}%s}]},"
        "{\"endpoint\":\"/c\",\"backend\":[{\"extra_config\":"
        "{\"backend/amqp/consumer\":{\"name\":\"q\"%s}}}]}]}",
        members[ENDPOINT], members[PRODUCER], members[BACKEND], members[CONSUMER]);
    cr_assert_lt((size_t)length, sizeof text);
    struct loaded loaded = fixture_load(text);
    cr_assert_eq(loaded.outcome, CONFIG_VALID, "%s", loaded.report);
    return loaded;
}

static bool is_same(int a, int b)
{
    struct stat left, right;

    cr_assert_eq(fstat(a, &left) | fstat(b, &right), 0);
    if (left.st_size != right.st_size)
        return false;
    size_t n = (size_t)left.st_size;
    void *first = mmap(NULL, n, PROT_READ, MAP_SHARED, a, 0);
    void *second = mmap(NULL, n, PROT_READ, MAP_SHARED, b, 0);
    cr_assert(first != MAP_FAILED && second != MAP_FAILED);
    bool same = memcmp(first, second, n) == 0;
    (void)munmap(first, n); /* ours, whole: cannot fail */
    (void)munmap(second, n);
    return same;
}

Test(no_effect, of_a_key_that_says_so_is_in_either_plan)
{
    struct loaded without = load(NULL);
    CLEANUP(cleanup_fd) int front = plan_front_new(without.config);
    CLEANUP(cleanup_fd) int worker = plan_worker_new(without.config);

    for (size_t i = 0; i < N(rows); i++) {
        struct loaded with = load(&rows[i]);
        CLEANUP(cleanup_fd) int front_with = plan_front_new(with.config);
        CLEANUP(cleanup_fd) int worker_with = plan_worker_new(with.config);

        cr_expect(is_same(front, front_with), "%s", rows[i].key);
        cr_expect(is_same(worker, worker_with), "%s", rows[i].key);
        loaded_done(&with);
    }
    loaded_done(&without);
}

static bool is_row(enum place place, const char *key)
{
    for (size_t i = 0; i < N(rows); i++)
        if (rows[i].place == place && strcmp(rows[i].key, key) == 0)
            return true;
    return false;
}

Test(no_effect, is_claimed_of_no_key_that_the_test_above_does_not_know)
{
    for (int place = 0; place < N_PLACES; place++)
        for (const struct config_level *level = levels[place]; level; level = level->base)
            for (size_t i = 0; i < level->n_keys; i++)
                if (strncmp(level->keys[i].help, "No effect", strlen("No effect")) == 0)
                    cr_expect(
                        is_row((enum place)place, level->keys[i].name), "%s", level->keys[i].name);
}
