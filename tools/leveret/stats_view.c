/* SPDX-License-Identifier: Apache-2.0 */
#include "stats_view.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "stats_tables.h"
#include "units.h"

enum { GAP_LINES = 1, LEAST_LINES = 3 }; /* title, a row, and how many more there are */

/* ---- the head ------------------------------------------------------------------------------- */

struct verdict {
    const char *words;
    enum table_tone tone;
};

static struct verdict verdict_of(struct node service)
{
    if (node_flag(service, "draining"))
        return (struct verdict){"DRAINING", TONE_WARNING};
    if (!node_flag(service, "live"))
        return (struct verdict){"HANGS", TONE_BAD};
    if (node_flag(service, "ready"))
        return (struct verdict){"READY", TONE_GOOD};
    return node_flag(service, "started") ? (struct verdict){"NOT READY", TONE_BAD}
                                         : (struct verdict){"STARTING", TONE_WARNING};
}

/* A line that is written part by part, with the columns that it still has. */
struct line {
    const struct table_canvas *canvas;
    size_t left;
    FILE *out;
};

static struct line line_begin(const struct stats_view *view, FILE *out)
{
    return (struct line){.canvas = &view->canvas, .left = view->canvas.width, .out = out};
}

static void line_add(struct line *line, enum table_tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void line_add(struct line *line, enum table_tone tone, const char *format, ...)
{
    char text[256]; /* a part that is longer is cut */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    line->left -= table_say(line->canvas, tone, text, line->left, line->out);
}

static void line_end(struct line *line)
{
    (void)fputc('\n', line->out);
}

static void write_identity(const struct stats_view *view, FILE *out)
{
    struct node service = node_member(view->page, "service");
    struct verdict verdict = verdict_of(service);
    const char *name = node_text(service, "name");
    struct line line = line_begin(view, out);
    line_add(&line, TONE_TITLE, "%s", *name ? name : "leveret");
    line_add(&line, TONE_PLAIN, "  ");
    line_add(&line, verdict.tone, "%s", verdict.words);
    line_add(&line, TONE_PLAIN, "  up %s", units_age(node_figure(service, "uptime_ns")).text);
    line_add(
        &line, TONE_QUIET, "  generation %s", units_count(node_figure(service, "generation")).text);
    if (view->page.seconds > 0)
        line_add(&line, TONE_QUIET, "  over the last %.3g s", view->page.seconds);
    line_end(&line);
}

static void write_origin(const struct stats_view *view, FILE *out)
{
    struct node service = node_member(view->page, "service");
    struct line line = line_begin(view, out);
    line_add(&line, TONE_QUIET, "leveret %s  configuration %s  %s", node_text(service, "build"),
        node_text(service, "configuration"), view->url);
    line_end(&line);
}

static void write_connections(const struct stats_view *view, FILE *out)
{
    struct node front = node_member(view->page, "front");
    double accepted = node_figure(front, "connections_accepted");
    double per_second = node_rate(front, "connections_accepted");
    double pauses = node_figure(front, "accept_pauses");
    struct line line = line_begin(view, out);
    line_add(&line, TONE_PLAIN, "connections %s open of %s, %s accepted",
        units_count(node_figure(front, "connections_open")).text,
        units_count(node_figure(front, "connections_max")).text, units_count(accepted).text);
    if (view->is_live && per_second >= 0)
        line_add(&line, TONE_PLAIN, ", %s", units_rate(per_second).text);
    if (pauses > 0)
        line_add(&line, TONE_WARNING, ", paused %s times", units_count(pauses).text);
    line_end(&line);
}

static void write_head(const struct stats_view *view, FILE *out)
{
    write_identity(view, out);
    write_origin(view, out);
    write_connections(view, out);
    if (view->trouble) {
        struct line line = line_begin(view, out);
        line_add(&line, TONE_BAD, "%s", view->trouble);
        line_end(&line);
    }
}

static size_t head_lines(const struct stats_view *view)
{
    return view->trouble ? 4 : 3;
}

/* ---- the tables ----------------------------------------------------------------------------- */

struct tables {
    struct table table[STATS_N_TABLES];
    size_t lines[STATS_N_TABLES]; /* that it may have */
};

static void tables_done(struct tables *tables)
{
    for (int i = 0; i < STATS_N_TABLES; i++)
        table_done(&tables->table[i]);
}

static bool is_shown(const struct table *table)
{
    return table->n_rows > 0 || table->is_spoilt;
}

/* The longest gives a line until all fit, or none has one to give: then the last do not fit. */
static void share_lines(struct tables *tables, size_t available)
{
    size_t sum = 0;
    for (int i = 0; i < STATS_N_TABLES; i++)
        if (is_shown(&tables->table[i]))
            sum += GAP_LINES + tables->lines[i];
    for (; sum > available; sum--) {
        int longest = 0;
        for (int i = 1; i < STATS_N_TABLES; i++)
            if (tables->lines[i] > tables->lines[longest])
                longest = i;
        if (tables->lines[longest] <= LEAST_LINES)
            return;
        tables->lines[longest]--;
    }
}

static void tables_fill(struct tables *tables, const struct stats_view *view)
{
    for (int i = 0; i < STATS_N_TABLES; i++) {
        stats_table_fill(&tables->table[i], (enum stats_table)i, view->page, view->is_live);
        tables->lines[i] = is_shown(&tables->table[i]) ? table_lines(&tables->table[i]) : 0;
    }
}

int stats_view_write(const struct stats_view *view, FILE *out)
{
    CLEANUP(tables_done) struct tables tables = {0};
    int error = 0;
    tables_fill(&tables, view);
    if (view->height > 0)
        share_lines(&tables, view->height > head_lines(view) ? view->height - head_lines(view) : 0);
    write_head(view, out);
    for (int i = 0; i < STATS_N_TABLES && !error; i++)
        if (is_shown(&tables.table[i])) {
            (void)fputc('\n', out);
            error = table_write(&tables.table[i], &view->canvas, tables.lines[i], out);
        }
    return error;
}
