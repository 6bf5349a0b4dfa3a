/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table itself: every row's default is what is promised, and every row is enforced.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_keys.h"
#include "config_read.h"
#include "shm/log.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define SECOND INT64_C(1000000000)
#define MIB (INT64_C(1) << 20)

static const struct config_level *const levels[] = {&config_level_service, &config_level_tls,
    &config_level_endpoint, &config_level_backend, &config_level_consumer, &config_level_producer,
    &config_level_endpoint_proxy, &config_level_backend_proxy, &config_level_leveret_service,
    &config_level_leveret_endpoint, &config_level_leveret_consumer, &config_level_leveret_producer};

/* Room for the fields of any level. */
union fields {
    struct config config;
    struct config_tls tls;
    struct config_endpoint endpoint;
    struct config_backend backend;
    struct config_amqp amqp;
    struct config_proxy proxy;
};

struct reader {
    struct config_pool *pool;
    struct findings findings;
    struct config_reading reading;
    union fields fields;
};

static struct reader *reader_new(const struct config_level *level)
{
    struct reader *reader = calloc(1, sizeof *reader);

    reader->pool = config_pool_new();
    reader->reading = (struct config_reading){
        .source = "f", .version = 3, .pool = reader->pool, .findings = &reader->findings};
    cr_assert_eq(config_read_defaults(&reader->reading, level, &reader->fields), 0);
    cr_assert_eq(reader->findings.n, 0, "a default of the level %s cannot be read: %s", level->name,
        reader->findings.n ? reader->findings.items[0].message : "");
    return reader;
}

static void reader_free(struct reader *reader)
{
    findings_done(&reader->findings);
    config_pool_free(reader->pool);
    free(reader);
}

/* Gives a level one member. */
static void read_member(
    struct reader *reader, const struct config_level *level, const char *name, json_t *value)
{
    json_t *object = json_pack("{s:o}", name, value);
    struct config_path path = {0};

    cr_assert_eq(config_read_level(&reader->reading, level, object, &path, &reader->fields), 0);
    json_decref(object);
}

/* ---- defaults ---- */

struct default_row {
    const struct config_level *level;
    const char *key;
    int64_t number; /* of a boolean, a number or a choice */
    const char *text;
};

static const struct default_row defaults[] = {
    {&config_level_service, "name", 0, ""},
    {&config_level_service, "port", 8080, NULL},
    {&config_level_service, "listen_ip", 0, "127.0.0.1"},
    {&config_level_service, "timeout", 2 * SECOND, NULL},
    {&config_level_service, "cache_ttl", 0, NULL},
    {&config_level_service, "output_encoding", CONFIG_OUTPUT_JSON, NULL},
    {&config_level_service, "read_header_timeout", 10 * SECOND, NULL},
    {&config_level_service, "read_timeout", 30 * SECOND, NULL},
    {&config_level_service, "write_timeout", 30 * SECOND, NULL},
    {&config_level_service, "idle_timeout", 60 * SECOND, NULL},
    {&config_level_service, "max_header_bytes", 65536, NULL},
    {&config_level_service, "disable_rest", false, NULL},
    {&config_level_tls, "disabled", false, NULL},
    {&config_level_tls, "public_key", 0, ""},
    {&config_level_tls, "private_key", 0, ""},
    {&config_level_tls, "min_version", CONFIG_TLS_1_3, NULL},
    {&config_level_tls, "max_version", CONFIG_TLS_1_3, NULL},
    {&config_level_tls, "enable_mtls", false, NULL},
    {&config_level_tls, "disable_system_ca_pool", false, NULL},
    {&config_level_endpoint, "endpoint", 0, ""},
    {&config_level_endpoint, "method", CONFIG_GET, NULL},
    {&config_level_endpoint, "concurrent_calls", 1, NULL},
    {&config_level_endpoint, "input_headers", 0, "Content-Type"},
    {&config_level_backend, "disable_host_sanitize", false, NULL},
    {&config_level_backend, "url_pattern", 0, ""},
    {&config_level_backend, "encoding", CONFIG_ENCODING_JSON, NULL},
    {&config_level_backend, "is_collection", false, NULL},
    {&config_level_backend, "group", 0, ""},
    {&config_level_backend, "target", 0, ""},
    {&config_level_endpoint_proxy, "sequential", false, NULL},
    {&config_level_consumer, "name", 0, ""},
    {&config_level_consumer, "exchange", 0, ""},
    {&config_level_consumer, "durable", false, NULL},
    {&config_level_consumer, "delete", false, NULL},
    {&config_level_consumer, "exclusive", false, NULL},
    {&config_level_consumer, "no_wait", false, NULL},
    {&config_level_consumer, "no_local", false, NULL},
    {&config_level_consumer, "prefetch_count", 0, NULL},
    {&config_level_consumer, "prefetch_size", 0, NULL},
    {&config_level_consumer, "auto_ack", false, NULL},
    {&config_level_consumer, "nack_discard", false, NULL},
    {&config_level_consumer, "max_retries", 0, NULL},
    {&config_level_consumer, "backoff_strategy", CONFIG_BACKOFF_CONSTANT, NULL},
    {&config_level_producer, "name", 0, ""},
    {&config_level_producer, "exchange", 0, ""},
    {&config_level_producer, "routing_key", 0, ""},
    {&config_level_producer, "static_routing_key", false, NULL},
    {&config_level_producer, "durable", false, NULL},
    {&config_level_producer, "delete", false, NULL},
    {&config_level_producer, "exclusive", false, NULL},
    {&config_level_producer, "no_wait", false, NULL},
    {&config_level_producer, "mandatory", false, NULL},
    {&config_level_producer, "immediate", false, NULL},
    {&config_level_producer, "prefetch_count", 0, NULL},
    {&config_level_producer, "prefetch_size", 0, NULL},
    {&config_level_producer, "exp_key", 0, ""},
    {&config_level_producer, "reply_to_key", 0, ""},
    {&config_level_producer, "msg_id_key", 0, ""},
    {&config_level_producer, "priority_key", 0, ""},
    {&config_level_producer, "max_retries", 0, NULL},
    {&config_level_producer, "backoff_strategy", CONFIG_BACKOFF_CONSTANT, NULL},
    {&config_level_leveret_service, "workers", 1, NULL},
    {&config_level_leveret_service, "admin_listen", 0, "127.0.0.1:8090"},
    {&config_level_leveret_service, "admin_token", 0, ""},
    {&config_level_leveret_service, "memory", 128 * MIB, NULL},
    {&config_level_leveret_service, "max_connections", 1024, NULL},
    {&config_level_leveret_service, "drain_timeout", 10 * SECOND, NULL},
    {&config_level_leveret_service, "drain_delay", 0, NULL},
    {&config_level_leveret_service, "log_level", LOG_INFO, NULL},
    {&config_level_leveret_service, "log_format", LOG_TEXT, NULL},
    {&config_level_leveret_service, "access_log", CONFIG_ACCESS_OFF, NULL},
    {&config_level_leveret_service, "server_timing", false, NULL},
    {&config_level_leveret_service, "tracing", CONFIG_TRACING_PASS, NULL},
    {&config_level_leveret_service, "tracing_percent", 100, NULL},
    {&config_level_leveret_service, "io", IO_AUTO, NULL},
    {&config_level_leveret_service, "confinement", CONFIG_CONFINED, NULL},
    {&config_level_leveret_service, "user", 0, "nobody"},
    {&config_level_leveret_service, "connection_name", 0, ""},
    {&config_level_leveret_service, "compatibility", CONFIG_LEVERET, NULL},
    {&config_level_leveret_endpoint, "max_body", 8 * MIB, NULL},
    {&config_level_leveret_endpoint, "max_in_flight", 0, NULL},
    {&config_level_leveret_consumer, "declare", CONFIG_DECLARE_ACTIVE, NULL},
    {&config_level_leveret_consumer, "exchange_type", 0, "topic"},
    {&config_level_leveret_consumer, "idle_release", SECOND, NULL},
    {&config_level_leveret_consumer, "properties_to_headers", false, NULL},
    {&config_level_leveret_producer, "declare", CONFIG_DECLARE_ACTIVE, NULL},
    {&config_level_leveret_producer, "exchange_type", 0, "topic"},
    {&config_level_leveret_producer, "confirm", true, NULL},
    {&config_level_leveret_producer, "delivery_mode", CONFIG_DELIVERY_AUTO, NULL},
    {&config_level_leveret_producer, "header_arrays", false, NULL},
};

static const struct config_key *find_key(const struct config_level *level, const char *name)
{
    for (; level; level = level->base)
        for (size_t i = 0; i < level->n_keys; i++)
            if (strcmp(level->keys[i].name, name) == 0)
                return &level->keys[i];
    return NULL;
}

static int64_t number_at(const struct config_key *key, const void *field)
{
    if (key->type == KEY_BOOL)
        return *(const bool *)field;
    if (key->type == KEY_CHOICE)
        return *(const int *)field;
    return *(const int64_t *)field;
}

static const char *text_at(const struct config_key *key, const void *field)
{
    const struct config_list *list = field;

    return key->type == KEY_LIST ? list->items[0] : *(const char *const *)field;
}

Test(config_keys, have_the_defaults_that_are_promised)
{
    for (size_t i = 0; i < N(defaults); i++) {
        const struct default_row *row = &defaults[i];
        const struct config_key *key = find_key(row->level, row->key);
        struct reader *reader = reader_new(row->level);
        const void *field;

        cr_assert_not_null(key, "%s: %s", row->level->name, row->key);
        field = (const char *)&reader->fields + key->offset;
        if (row->text)
            cr_expect_str_eq(text_at(key, field), row->text, "%s: %s", row->level->name, row->key);
        else
            cr_expect_eq(number_at(key, field), row->number, "%s: %s is %lld", row->level->name,
                row->key, (long long)number_at(key, field));
        reader_free(reader);
    }
}

static bool is_default_promised(const struct config_level *level, const char *name)
{
    for (size_t i = 0; i < N(defaults); i++)
        if (defaults[i].level == level && strcmp(defaults[i].key, name) == 0)
            return true;
    return false;
}

/* ---- every row ---- */

static void each_key(void (*check)(const struct config_level *, const struct config_key *))
{
    for (size_t i = 0; i < N(levels); i++)
        for (const struct config_level *level = levels[i]; level; level = level->base)
            for (size_t j = 0; j < level->n_keys; j++)
                check(levels[i], &level->keys[j]);
}

static void check_promise(const struct config_level *level, const struct config_key *key)
{
    cr_expect_eq(
        !!key->initial, is_default_promised(level, key->name), "%s: %s", level->name, key->name);
}

Test(config_keys, have_no_default_that_the_test_above_does_not_know)
{
    each_key(check_promise);
}

#define HELP_BYTES_MAX 100

static bool is_sentence(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= HELP_BYTES_MAX && isupper((unsigned char)*text) &&
           text[length - 1] == '.' && !strpbrk(text, "|\n");
}

static void check_words(const struct config_level *level, const struct config_key *key)
{
    cr_expect(key->help && is_sentence(key->help), "%s: %s", level->name, key->name);
    cr_expect_eq(
        find_key(level, key->name), key, "%s: %s stands there twice", level->name, key->name);
    cr_expect_eq(key->type == KEY_CHOICE, !!key->choices, "%s: %s", level->name, key->name);
    cr_expect_eq(key->type == KEY_LEVEL || key->type == KEY_LEVELS, !!key->level, "%s: %s",
        level->name, key->name);
}

Test(config_keys, say_what_they_are_for_once)
{
    each_key(check_words);
}

static bool is_scalar(const struct config_key *key)
{
    return key->type <= KEY_CHOICE;
}

static void check_type(const struct config_level *level, const struct config_key *key)
{
    struct reader *reader = reader_new(level);
    bool is_free = key->type == KEY_ANY || key->type == KEY_NESTED;
    json_t *wrong = is_scalar(key) ? json_pack("[i]", 1) : json_pack("i", 1);

    read_member(reader, level, key->name, wrong);
    if (!is_free || key->use == KEY_LATER)
        cr_expect_eq(
            reader->findings.n_errors, 1, "%s: %s takes a wrong type", level->name, key->name);
    else
        cr_expect_eq(reader->findings.n, 0, "%s: %s", level->name, key->name);
    reader_free(reader);
}

Test(config_keys, refuse_a_value_of_another_type)
{
    each_key(check_type);
}

static void check_null(const struct config_level *level, const struct config_key *key)
{
    struct reader *untouched = reader_new(level), *reader = reader_new(level);

    read_member(reader, level, key->name, json_null());
    cr_expect_eq(reader->findings.n, 0, "%s: %s", level->name, key->name);
    if (is_scalar(key) && key->type != KEY_STRING)
        cr_expect_arr_eq((char *)&reader->fields + key->offset,
            (char *)&untouched->fields + key->offset, key->type == KEY_BOOL ? 1 : 4);
    reader_free(untouched);
    reader_free(reader);
}

Test(config_keys, take_null_for_nothing_said)
{
    each_key(check_null);
}

static void check_later(const struct config_level *level, const struct config_key *key)
{
    struct reader *reader;

    if (key->use != KEY_LATER)
        return;
    reader = reader_new(level);
    read_member(reader, level, key->name, json_pack("{s:i}", "a", 1));
    read_member(reader, level, key->name, json_true());
    cr_expect_eq(reader->findings.n_errors, 2, "%s: %s", level->name, key->name);
    for (size_t i = 0; i < reader->findings.n; i++)
        cr_expect_not_null(strstr(reader->findings.items[i].message, "is not built yet"));
    reader_free(reader);
}

Test(config_keys, that_have_nothing_behind_them_say_so)
{
    each_key(check_later);
}

static void check_range(const struct config_level *level, const struct config_key *key)
{
    struct reader *reader;

    if (key->type != KEY_INT && key->type != KEY_SIZE)
        return;
    cr_expect_gt(key->max, key->min, "%s: %s", level->name, key->name);
    reader = reader_new(level);
    read_member(reader, level, key->name, json_integer(key->max));
    cr_expect_eq(reader->findings.n, 0, "%s: %s refuses its largest", level->name, key->name);
    read_member(reader, level, key->name, json_integer(key->min));
    cr_expect_eq(reader->findings.n, 0, "%s: %s refuses its least", level->name, key->name);
    read_member(reader, level, key->name, json_integer(key->max + 1));
    read_member(reader, level, key->name, json_integer(key->min - 1));
    cr_expect_eq(reader->findings.n_errors, 2, "%s: %s", level->name, key->name);
    reader_free(reader);
}

Test(config_keys, keep_to_their_ranges)
{
    each_key(check_range);
}

static void check_spelling(const struct config_level *level, const struct config_key *key)
{
    struct reader *reader;

    if (!key->v2_name || key->use == KEY_LATER)
        return;
    reader = reader_new(level);
    read_member(reader, level, key->v2_name, json_pack("[s]", "a"));
    cr_expect_eq(reader->findings.n_warnings, 1, "%s: %s", level->name, key->v2_name);
    reader->reading.version = 2;
    read_member(reader, level, key->v2_name, json_pack("[s]", "a"));
    cr_expect_eq(
        reader->findings.n_warnings, 1, "%s: %s in its own version", level->name, key->v2_name);
    read_member(reader, level, key->name, json_pack("[s]", "a"));
    cr_expect_eq(reader->findings.n_warnings, 2, "%s: %s", level->name, key->name);
    cr_expect_eq(reader->findings.n_errors, 0);
    reader_free(reader);
}

Test(config_keys, are_known_by_the_spelling_of_either_version)
{
    each_key(check_spelling);
}
