/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth allocation fails, for every N, until the schema is printed whole: each time that is what
 * is said, and nothing leaks.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "schema.h"

static long countdown, n_live;

static void *take(size_t n_bytes)
{
    if (countdown-- == 0)
        return NULL;
    n_live++;
    return malloc(n_bytes);
}

static void give(void *block)
{
    n_live -= block != NULL;
    free(block);
}

/* The length of what is printed when the nth allocation fails; 0: it was given up. */
static size_t printed(long nth)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    int error;

    cr_assert(out);
    countdown = nth;
    error = schema_print(out);
    cr_assert_eq(fclose(out), 0);
    cr_assert_eq(n_live, 0, "allocation %ld: %ld blocks leak", nth, n_live);
    cr_assert(error == 0 || error == -ENOMEM, "allocation %ld: %d", nth, error);
    return error ? 0 : length;
}

Test(schema, is_printed_whole_or_memory_is_said_to_lack)
{
    size_t whole, length;

    json_set_alloc_funcs(take, give);
    whole = printed(-1);
    cr_assert_gt(whole, 10000);
    for (long nth = 0; length = printed(nth), countdown < 0; nth++)
        cr_assert(length == 0 || length == whole, "allocation %ld: %zu bytes", nth, length);
    cr_assert_eq(length, whole);
}
