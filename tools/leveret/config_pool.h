/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one configuration: handed out piece by piece, given back all at once.
 *
 * A configuration is read once and lives as long as the process, so nothing in it is ever freed
 * alone. Pieces are zeroed. NULL or -ENOMEM: no memory.
 */
#ifndef LEVERET_CONFIG_POOL_H
#define LEVERET_CONFIG_POOL_H

#include <stddef.h>
#include <jansson.h>

struct config_pool;

struct config_pool *config_pool_new(void);
/* Overwrites what it held: there were credentials in it. */
void config_pool_free(struct config_pool *pool);

void *config_pool_alloc(struct config_pool *pool, size_t n_bytes);
char *config_pool_copy(struct config_pool *pool, const char *text, size_t length);
char *config_pool_format(struct config_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the reference, also when it fails. */
int config_pool_own(struct config_pool *pool, json_t *value) __attribute__((warn_unused_result));

#endif
