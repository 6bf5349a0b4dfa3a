/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "visible.h"

enum { GAP = 2, FIRST_ROWS = 16 };

/* The plain colours of a terminal, which its owner has chosen to be readable. */
static const char *const colours[N_TONES] = {
    [TONE_PLAIN] = "",
    [TONE_QUIET] = "\033[2m",
    [TONE_GOOD] = "\033[32m",
    [TONE_WARNING] = "\033[33m",
    [TONE_BAD] = "\033[1;31m",
    [TONE_TITLE] = "\033[1m",
};

size_t table_say(const struct table_canvas *canvas, enum table_tone tone, const char *text,
    size_t most, FILE *out)
{
    bool is_coloured = canvas->has_colour && *colours[tone] && *text;
    if (is_coloured)
        (void)fputs(colours[tone], out);
    size_t columns = visible_write(text, most, out);
    if (is_coloured)
        (void)fputs("\033[0m", out);
    return columns;
}

/* ---- filling -------------------------------------------------------------------------------- */

void table_begin(struct table *table, const struct table_column *columns, size_t n_columns)
{
    assert(n_columns > 0 && n_columns <= TABLE_MAX_COLUMNS);
    *table = (struct table){.columns = columns, .n_columns = n_columns};
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->n_rows; i++)
        for (size_t j = 0; j < table->n_columns; j++)
            free(table->rows[i].texts[j]);
    free(table->rows);
    *table = (struct table){0};
}

static bool reserve(struct table *table)
{
    if (table->n_rows < table->n_reserved)
        return true;
    size_t n = table->n_reserved ? 2 * table->n_reserved : FIRST_ROWS;
    struct table_row *rows = reallocarray(table->rows, n, sizeof(*rows));
    if (!rows)
        return false;
    table->rows = rows;
    table->n_reserved = n;
    return true;
}

void table_row(struct table *table, double weight)
{
    table->next = 0;
    if (reserve(table))
        table->rows[table->n_rows++] = (struct table_row){.weight = weight > 0 ? weight : 0};
    else
        table->is_spoilt = true;
}

void table_cell(struct table *table, enum table_tone tone, const char *format, ...)
{
    va_list args;
    char *text;
    if (table->is_spoilt)
        return;
    assert(table->n_rows > 0 && table->next < table->n_columns);
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
        table->is_spoilt = true;
    }
    va_end(args);
    struct table_row *row = &table->rows[table->n_rows - 1];
    row->tones[table->next] = tone;
    row->texts[table->next++] = text;
}

/* ---- layout --------------------------------------------------------------------------------- */

size_t table_lines(const struct table *table)
{
    return 1 + table->n_rows;
}

/* The columns that are shown, from left to right. */
struct layout {
    const struct table *table;
    const struct table_canvas *canvas;
    size_t n;
    size_t column[TABLE_MAX_COLUMNS], width[TABLE_MAX_COLUMNS];
};

static size_t natural_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title);
    if (width < table->columns[column].least)
        width = table->columns[column].least;
    for (size_t i = 0; i < table->n_rows; i++) {
        const char *text = table->rows[i].texts[column];
        size_t needed = text ? visible_width(text) : 0;
        width = width < needed ? needed : width;
    }
    return width;
}

/* The width that is to give way next; NULL: none can. */
static size_t *widest_that_may_shrink(struct layout *layout)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < layout->n; i++) {
        const struct table_column *column = &layout->table->columns[layout->column[i]];
        if (column->may_shrink && layout->width[i] > column->least &&
            (!widest || layout->width[i] > *widest))
            widest = &layout->width[i];
    }
    return widest;
}

static void lay_out(struct layout *layout)
{
    const struct table *table = layout->table;
    size_t sum = 0, *widest;
    for (size_t i = 0; i < table->n_columns; i++) {
        if (table->columns[i].from_width > layout->canvas->width)
            continue;
        layout->column[layout->n] = i;
        layout->width[layout->n] = natural_width(table, i);
        sum += layout->width[layout->n++] + GAP;
    }
    for (; sum > layout->canvas->width + GAP && (widest = widest_that_may_shrink(layout)); sum--)
        --*widest;
}

static int compare_weights(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first < second) - (first > second);
}

/* The weight from which on a row is among the `n` heaviest, and how many of just that weight are. */
static int threshold_of(const struct table *table, size_t n, double *threshold, size_t *n_equal)
{
    CLEANUP(cleanup_free) double *weights = reallocarray(NULL, table->n_rows, sizeof(*weights));
    if (!weights)
        return -ENOMEM;
    for (size_t i = 0; i < table->n_rows; i++)
        weights[i] = table->rows[i].weight;
    qsort(weights, table->n_rows, sizeof(*weights), compare_weights);
    *threshold = weights[n - 1];
    for (*n_equal = 0; *n_equal < n && weights[n - 1 - *n_equal] <= *threshold; ++*n_equal)
        ;
    return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void pad(size_t n, FILE *out)
{
    (void)fprintf(out, "%*s", (int)n, "");
}

/* What the nth column that is shown has in the row. */
static const char *text_at(const struct layout *layout, const struct table_row *row, size_t nth)
{
    const char *text = row->texts[layout->column[nth]];
    return text ? text : "";
}

/* How many columns there are up to the last that has something to show. */
static size_t n_filled(const struct layout *layout, const struct table_row *row)
{
    size_t n = layout->n;
    while (n > 0 && !*text_at(layout, row, n - 1))
        n--;
    return n;
}

/* Into `most` columns of the line; nothing is padded behind the last one. */
static void write_cell(
    const struct layout *layout, const struct table_row *row, size_t nth, size_t most, FILE *out)
{
    const char *text = text_at(layout, row, nth);
    bool is_number = layout->table->columns[layout->column[nth]].is_number;
    bool is_last = nth + 1 == n_filled(layout, row);
    size_t width = layout->width[nth] < most ? layout->width[nth] : most;
    size_t needed = visible_width(text);
    size_t blank = needed < width ? width - needed : 0;
    if (is_number)
        pad(blank, out);
    (void)table_say(layout->canvas, row->tones[layout->column[nth]], text,
        is_last && !is_number ? most : width, out);
    if (!is_number && !is_last)
        pad(blank, out);
}

static void write_line(const struct layout *layout, const struct table_row *row, FILE *out)
{
    size_t n = n_filled(layout, row), left = layout->canvas->width;
    for (size_t i = 0; i < n; i++) {
        size_t gap = i > 0 ? GAP : 0;
        if (left <= gap)
            break;
        pad(gap, out);
        left -= gap;
        write_cell(layout, row, i, left, out);
        left -= layout->width[i] < left ? layout->width[i] : left;
    }
    (void)fputc('\n', out);
}

static void write_titles(const struct layout *layout, FILE *out)
{
    struct table_row titles = {0};
    for (size_t i = 0; i < layout->table->n_columns; i++) {
        titles.texts[i] = (char *)(uintptr_t)layout->table->columns[i].title; /* only read */
        titles.tones[i] = TONE_TITLE;
    }
    write_line(layout, &titles, out);
}

/* The heaviest `n` rows in their order. */
static int write_some(const struct layout *layout, size_t n, FILE *out)
{
    const struct table *table = layout->table;
    double threshold = 0;
    size_t n_equal = 0;
    char more[64];
    int error = n > 0 ? threshold_of(table, n, &threshold, &n_equal) : 0;
    if (error)
        return error;
    for (size_t i = 0; n > 0 && i < table->n_rows; i++) {
        double weight = table->rows[i].weight;
        bool is_lighter = weight<threshold, is_heavier = weight> threshold;
        if (is_heavier || (!is_lighter && n_equal > 0))
            write_line(layout, &table->rows[i], out);
        n_equal -= !is_lighter && !is_heavier && n_equal > 0;
    }
    (void)snprintf(more, sizeof(more), "and %zu more", table->n_rows - n);
    (void)table_say(layout->canvas, TONE_QUIET, more, layout->canvas->width, out);
    (void)fputc('\n', out);
    return 0;
}

int table_write(
    const struct table *table, const struct table_canvas *canvas, size_t most_lines, FILE *out)
{
    struct layout layout = {.table = table, .canvas = canvas};
    if (table->is_spoilt)
        return -ENOMEM;
    assert(most_lines == TABLE_NO_LIMIT || most_lines >= 2);
    lay_out(&layout);
    write_titles(&layout, out);
    if (most_lines != TABLE_NO_LIMIT && table_lines(table) > most_lines)
        return write_some(&layout, most_lines - 2, out);
    for (size_t i = 0; i < table->n_rows; i++)
        write_line(&layout, &table->rows[i], out);
    return 0;
}
