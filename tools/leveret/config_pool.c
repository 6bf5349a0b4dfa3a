/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in a list, the first one being filled. What is too large for a block gets one of its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shm/cleanup.h"
#include "config_pool.h"

#define BLOCK_BYTES (32 << 10)
#define ALIGNMENT _Alignof(max_align_t)

struct block {
    struct block *next;
    size_t used, capacity;
    _Alignas(max_align_t) char bytes[];
};

struct config_pool {
    struct block *blocks;
    json_t *owned; /* an array */
};

struct config_pool *config_pool_new(void)
{
    struct config_pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        return NULL;
    pool->owned = json_array();
    if (!pool->owned) {
        free(pool);
        return NULL;
    }
    return pool;
}

void config_pool_free(struct config_pool *pool)
{
    if (!pool)
        return;
    while (pool->blocks) {
        struct block *block = pool->blocks;

        pool->blocks = block->next;
        explicit_bzero(block->bytes, block->used);
        free(block);
    }
    json_decref(pool->owned);
    free(pool);
}

static struct block *block_new(size_t capacity)
{
    struct block *block = calloc(1, sizeof *block + capacity);

    if (block)
        block->capacity = capacity;
    return block;
}

/* The block that is being filled stays in front; a large one goes behind it. */
static struct block *block_for(struct config_pool *pool, size_t n_bytes)
{
    struct block *block = pool->blocks;
    bool is_large = n_bytes > BLOCK_BYTES / 4;

    if (block && block->capacity - block->used >= n_bytes)
        return block;
    block = block_new(is_large ? n_bytes : BLOCK_BYTES);
    if (!block)
        return NULL;
    if (is_large && pool->blocks) {
        block->next = pool->blocks->next;
        pool->blocks->next = block;
    } else {
        block->next = pool->blocks;
        pool->blocks = block;
    }
    return block;
}

void *config_pool_alloc(struct config_pool *pool, size_t n_bytes)
{
    struct block *block;
    void *piece;

    if (n_bytes > SIZE_MAX / 2)
        return NULL;
    n_bytes = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block = block_for(pool, n_bytes);
    if (!block)
        return NULL;
    piece = block->bytes + block->used;
    block->used += n_bytes;
    return piece;
}

char *config_pool_copy(struct config_pool *pool, const char *text, size_t length)
{
    char *copy = config_pool_alloc(pool, length + 1);

    return copy ? memcpy(copy, text, length) : NULL;
}

char *config_pool_format(struct config_pool *pool, const char *format, ...)
{
    CLEANUP(cleanup_free) char *text = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text = NULL; /* its value is not specified */
        return NULL;
    }
    return config_pool_copy(pool, text, (size_t)length);
}

int config_pool_own(struct config_pool *pool, json_t *value)
{
    return json_array_append_new(pool->owned, value) == 0 ? 0 : -ENOMEM;
}
