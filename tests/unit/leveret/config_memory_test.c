/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth allocation fails, for every N, until the scenario passes untouched: each time the answer
 * is "no memory" or the right one, and nothing leaks or falls over.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "plan_front.h"
#include "plan_worker.h"
#include "tests/support/certificates.h"

TestSuite(config_memory, .init = fixture_enter, .fini = fixture_leave);

static const char text[] =
    "{\"version\":3,\"host\":[\"amqps://"
    "u:p@h?cacertfile=ca.pem&certfile=me.pem&keyfile=me.key\"],\"name\":\"${HOME:-x}\",\"tiemout\":"
    "1,\"endpoints\":["
    "{\"endpoint\":\"/a/{b}\",\"input_headers\":[\"x-a\"],\"backend\":[{\"extra_config\":"
    "{\"backend/amqp/producer\":{\"exchange\":\"e\",\"routing_key\":\"B\"},"
    "\"leveret\":{\"exchange_arguments\":{\"x\":\"y\",\"z\":1}}}}]},"
    "{\"endpoint\":\"/c\",\"extra_config\":{\"proxy\":{\"static\":{\"data\":{\"a\":[1,0.5,{\"b\":"
    "\"${HOME:-x}\"}]}}}},\"backend\":[{\"group\":\"g\",\"extra_config\":{\"proxy\":{\"flatmap_"
    "filter\":"
    "[{\"type\":\"move\",\"args\":[\"a\",\"b.c\"]}]},\"backend/amqp/consumer\":"
    "{\"name\":\"q\",\"exchange\":\"f\",\"routing_key\":[\"#\"]}}}]},"
    "{\"endpoint\":\"/http\",\"backend\":[{}]}],"
    "\"extra_config\":{\"leveret\":{\"listen\":[\"a:1\",\"unix:/s\"]}}}";

/* Allocations until one fails, and then one more each time; negative: none fails. */
static long countdown = -1;
static bool is_jansson_refused;

static bool is_due(void)
{
    if (countdown < 0)
        return false;
    return countdown-- == 0;
}

/* The linker leads the calls of the code under test here, and only those: see meson.build. */
void *__real_malloc(size_t n_bytes);
void *__real_calloc(size_t n, size_t n_bytes);
void *__real_reallocarray(void *block, size_t n, size_t n_bytes);
char *__real_strdup(const char *string);
FILE *__real_open_memstream(char **bytes, size_t *length);
int __real_vasprintf(char **string, const char *format, va_list arguments);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__wrap_reallocarray(void *block, size_t n, size_t n_bytes);
char *__wrap_strdup(const char *string);
FILE *__wrap_open_memstream(char **bytes, size_t *length);
int __wrap_vasprintf(char **string, const char *format, va_list arguments);

void *__wrap_malloc(size_t n_bytes)
{
    return is_due() ? NULL : __real_malloc(n_bytes);
}

void *__wrap_calloc(size_t n, size_t n_bytes)
{
    return is_due() ? NULL : __real_calloc(n, n_bytes);
}

void *__wrap_reallocarray(void *block, size_t n, size_t n_bytes)
{
    return is_due() ? NULL : __real_reallocarray(block, n, n_bytes);
}

char *__wrap_strdup(const char *string)
{
    return is_due() ? NULL : __real_strdup(string);
}

FILE *__wrap_open_memstream(char **bytes, size_t *length)
{
    return is_due() ? NULL : __real_open_memstream(bytes, length);
}

int __wrap_vasprintf(char **string, const char *format, va_list arguments)
{
    return is_due() ? -1 : __real_vasprintf(string, format, arguments);
}

/*
 * Jansson stands in a library of its own; it asks here. Once it was refused it stays refused: of a
 * single refusal its lexer takes no notice, and drops the byte that it had no room for.
 */
static void *jansson_malloc(size_t n_bytes)
{
    if (is_due())
        is_jansson_refused = true;
    return is_jansson_refused ? NULL : __real_malloc(n_bytes);
}

/* Whether the scenario passed untouched; if not, it stood the want of memory. */
static bool is_untouched(long nth)
{
    const struct overrides none = {.port = -1};
    struct findings findings = {0};
    struct config *config = NULL;
    int outcome, front = -1, worker = -1;
    bool is_valid, was_refused;

    countdown = nth;
    outcome = config_load("f", &none, &config, &findings);
    is_valid = outcome == CONFIG_VALID;
    if (is_valid) {
        front = plan_front_new(config);
        worker = plan_worker_new(config);
    }
    was_refused = countdown < 0;
    countdown = -1;
    is_jansson_refused = false;
    cr_assert(is_valid || outcome == -ENOMEM, "%ld: %d", nth, outcome);
    cr_assert_eq(is_valid, config != NULL);
    cr_assert(!is_valid || front >= 0 || front == -ENOMEM, "%ld: %d", nth, front);
    cr_assert(!is_valid || worker >= 0 || worker == -ENOMEM, "%ld: %d", nth, worker);
    cr_assert(!is_valid || findings.n_warnings == 2, "%ld", nth);
    cleanup_fd(&front);
    cleanup_fd(&worker);
    config_free(config);
    findings_done(&findings);
    cr_assert(was_refused || (front >= 0 && worker >= 0), "%ld", nth);
    return !was_refused;
}

static void write_certificates(void)
{
    struct authority authority;
    struct certificate me;

    authority_init(&authority, "authority");
    certificate_init(&me, &authority, &(struct certificate_order){.name = "me"});
    fixture_write("ca.pem", authority.pem, strlen(authority.pem));
    fixture_write("me.pem", me.pem, strlen(me.pem));
    fixture_write("me.key", me.key_pem, strlen(me.key_pem));
    certificate_done(&me);
    authority_done(&authority);
}

Test(config_memory, running_out_anywhere_is_no_memory_and_nothing_worse)
{
    long nth = 0;

    fixture_write("f", text, strlen(text));
    write_certificates();
    json_set_alloc_funcs(jansson_malloc, free);
    while (nth < 100000 && !is_untouched(nth))
        nth++;
    cr_assert_gt(nth, 200, "the allocations are counted");
    cr_assert(is_untouched(nth + 1000000), "and nothing was left over");
}
