/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table on a terminal: filled cell by cell, then laid out for a width. What is in a cell may come
 * from anywhere (visible.h). Numbers stand to the right; columns that may shrink give way, the
 * widest first, until all fit; the last column has what is left, and is cut there.
 *
 *   table_begin ──▶ table_row ──▶ table_cell ... ──▶ table_row ... ──▶ table_write ──▶ table_done
 *
 * A table that has too many rows for the screen shows those that weigh most, in their order, and
 * says how many more there are. Out of memory, it has no rows any more, and table_write() says so.
 */
#ifndef LEVERET_TABLE_H
#define LEVERET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "shm/cleanup.h"

enum { TABLE_MAX_COLUMNS = 10, TABLE_NO_LIMIT = 0 };

enum table_tone { TONE_PLAIN, TONE_QUIET, TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_TITLE, N_TONES };

struct table_column {
    const char *title;
    unsigned least;      /* columns; so that a table does not move with every figure */
    bool is_number;      /* stands to the right */
    bool may_shrink;     /* down to `least` */
    unsigned from_width; /* of the canvas: on a narrower one it is left out */
};

struct table_row {
    double weight;
    enum table_tone tones[TABLE_MAX_COLUMNS];
    char *texts[TABLE_MAX_COLUMNS]; /* NULL: nothing there */
};

struct table {
    const struct table_column *columns; /* borrowed */
    size_t n_columns;
    struct table_row *rows;
    size_t n_rows, n_reserved;
    size_t next; /* column of the last row */
    bool is_spoilt;
};

/* What it is written for. */
struct table_canvas {
    unsigned width;
    bool has_colour;
};

void table_begin(struct table *table, const struct table_column *columns, size_t n_columns);
void table_done(struct table *table);

void table_row(struct table *table, double weight);

/* The next cell of the row. */
void table_cell(struct table *table, enum table_tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The lines that table_write() makes of it: title, rows. */
size_t table_lines(const struct table *table);

/* `most_lines` (title included): TABLE_NO_LIMIT, or at least 2. -ENOMEM. */
int table_write(const struct table *table, const struct table_canvas *canvas, size_t most_lines,
    FILE *out) MUST_USE;

/* A text in a tone, cut at `most` columns; returns how many there were. */
size_t table_say(const struct table_canvas *canvas, enum table_tone tone, const char *text,
    size_t most, FILE *out);

#endif
