/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of <leveret/figures.h> as data: what figures a row has, where, and how they are called.
 */
#ifndef LEVERET_FRONT_COLUMNS_H
#define LEVERET_FRONT_COLUMNS_H

#include <stddef.h>

#include "shm/figures.h"

struct column {
    const char *name;   /* in JSON */
    const char *metric; /* empty: it is none */
    const char *label; /* the value of the label that tells it from others of this name; or empty */
    const char *help;  /* of the first of its name */
    enum figure_type type;
    size_t offset; /* in its row */
};

struct columns {
    const struct column *items;
    size_t n;
};

extern const struct columns columns_of_front, columns_of_endpoint, columns_of_worker,
    columns_of_connection, columns_of_queue, columns_of_supervisor, columns_of_process;

/* What stands in this column of a row. */
static inline uint64_t column_get(const struct column *column, const void *row)
{
    return figure_get((const figure *)(const void *)((const char *)row + column->offset));
}

#endif
