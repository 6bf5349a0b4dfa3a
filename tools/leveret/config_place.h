/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the levels of config_keys.h stand in a file, for those who describe the whole of it. The
 * readers of the levels know it too, each its own.
 *
 *   service ─┬─ tls
 *            ├─ extra_config ── leveret
 *            └─ endpoints[] ─┬─ extra_config ── proxy ── static, flatmap_filter[]
 *                            ├─ extra_config ── leveret
 *                            └─ backend[] ─┬─ extra_config ── proxy ── flatmap_filter[]
 *                                          └─ extra_config ── consumer or producer, leveret
 */
#ifndef LEVERET_CONFIG_PLACE_H
#define LEVERET_CONFIG_PLACE_H

#include <stddef.h>
#include <stdio.h>
#include "config_keys.h"

struct config_place {
    const struct config_level *level;
    const char *id;                   /* a name of one word */
    const struct config_place *owner; /* NULL: the file itself */
    /* In the owner, exactly one of: */
    const char *member;    /* a member */
    const char *list;      /* a member that is an array of these */
    const char *namespace; /* a namespace of extra_config, by version 3's name */
    /* A namespace that must stand beside this one, or this one means nothing; or NULL. */
    const struct config_place *beside;
    const char *required; /* the key that must be there; or NULL */
};

/* In the order of the documentation, each behind its owner. */
extern const struct config_place config_places[];
extern const size_t config_n_places;

/* The objects in an array of owner's, by its key; NULL: the key holds something else. */
const struct config_place *config_place_of_list(const struct config_level *owner, const char *key);

/* "endpoints[].backend[].extra_config.proxy"; nothing for the file itself. */
void config_place_write(const struct config_place *place, FILE *out);

#endif
