/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_client.h"
#include "shm/clock.h"
#include "stats_page.h"
#include "stats_view.h"
#include "terminal.h"
#include "units.h"

#define PATH "/__stats/"
#define TIMEOUT_NS (5 * CLOCK_S)

struct stats {
    const struct options *options;
    struct admin_client client;
    struct terminal terminal;
    struct admin_answer answer;
    json_t *page, *before; /* NULL: there is none */
    uint64_t page_at_ns;   /* when it came */
    struct admin_failure failure;
    bool has_failed; /* the last time; the page is an older one */
};

static void stats_done(struct stats *stats)
{
    terminal_leave(&stats->terminal);
    admin_client_done(&stats->client);
    admin_answer_done(&stats->answer);
    json_decref(stats->page);
    json_decref(stats->before);
}

/* ---- asking --------------------------------------------------------------------------------- */

static enum admin_outcome get(struct stats *stats, json_t **page)
{
    const char *url = stats->options->whom.url;
    CLEANUP(admin_answer_done) struct admin_answer answer = {0};
    enum admin_outcome outcome =
        admin_get(&stats->client, PATH, TIMEOUT_NS, &answer, &stats->failure);
    if (outcome == ADMIN_ANSWERED)
        outcome = stats_page_read(&answer, url, page, &stats->failure);
    if (outcome != ADMIN_ANSWERED)
        return outcome;
    admin_answer_done(&stats->answer);
    stats->answer = answer;
    answer = (struct admin_answer){0};
    return stats->options->is_raw ? outcome : stats_page_check(*page, url, &stats->failure);
}

static void ask(struct stats *stats)
{
    json_t *page = NULL;
    stats->has_failed = get(stats, &page) != ADMIN_ANSWERED;
    if (stats->has_failed) {
        json_decref(page);
        return;
    }
    json_decref(stats->before);
    stats->before = stats->page;
    stats->page = page;
    stats->page_at_ns = clock_now_ns();
}

/* ---- showing -------------------------------------------------------------------------------- */

/* As it came. Live, a page is a line: an end of line is white space there, or there is none. */
static int show_raw(struct stats *stats)
{
    char *body = stats->answer.body;
    size_t n = stats->answer.body_bytes;
    bool has_end = n > 0 && body[n - 1] == '\n';
    for (size_t i = 0; stats->options->is_live && i + has_end < n; i++)
        if (body[i] == '\n' || body[i] == '\r')
            body[i] = ' ';
    (void)fwrite(body, 1, n, stdout);
    if (!has_end)
        (void)fputc('\n', stdout);
    return fflush(stdout) == 0 ? 0 : -errno;
}

static const char *trouble_of(const struct stats *stats, char *text, size_t size)
{
    if (!stats->has_failed)
        return NULL;
    (void)snprintf(text, size, "%s old: %s",
        units_age((double)(clock_now_ns() - stats->page_at_ns)).text, stats->failure.text);
    return text;
}

static int write_page(const struct stats *stats, FILE *out)
{
    char trouble[sizeof(stats->failure.text) + 32];
    struct terminal_size size = terminal_size(&stats->terminal);
    const struct stats_view view = {
        .page = node_of(stats->page, stats->before),
        .url = stats->options->whom.url,
        .trouble = trouble_of(stats, trouble, sizeof(trouble)),
        .canvas = {.width = size.width, .has_colour = stats->terminal.has_colour},
        .height = stats->terminal.is_entered ? size.height : 0,
        .is_live = stats->options->is_live,
    };
    int error = stats_view_write(&view, out);
    if (stats->options->is_live && !stats->terminal.is_entered)
        (void)fputc('\n', out); /* between this page and the next */
    return error;
}

static int show_page(const struct stats *stats)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    int error = out ? write_page(stats, out) : -ENOMEM;
    if (out && fclose(out) != 0 && !error)
        error = -ENOMEM;
    return error ? error : terminal_draw(&stats->terminal, text);
}

static int show(struct stats *stats)
{
    if (stats->has_failed && !stats->terminal.is_entered) {
        admin_complain(&stats->failure);
        return 0;
    }
    return stats->options->is_raw ? show_raw(stats) : show_page(stats);
}

/* ---- once, and again and again -------------------------------------------------------------- */

static int watch(struct stats *stats)
{
    uint64_t next_ns = clock_now_ns();
    if (!stats->options->is_raw)
        terminal_enter(&stats->terminal);
    for (;;) {
        int error = show(stats);
        if (error)
            return error;
        next_ns += stats->options->interval_ns;
        if (next_ns < clock_now_ns())
            next_ns =
                clock_now_ns(); /* it took longer than that: the missed ones are not made up */
        while (!terminal_wait(&stats->terminal, next_ns))
            if ((error = show(stats)))
                return error;
        ask(stats);
    }
}

int stats_run(const struct options *options)
{
    CLEANUP(stats_done) struct stats stats = {.options = options};
    (void)setlocale(LC_CTYPE, ""); /* which characters can be shown */
    admin_client_init(&stats.client, &options->whom, options->token);
    terminal_init(&stats.terminal, STDOUT_FILENO);
    ask(&stats);
    int error = stats.has_failed || !options->is_live ? show(&stats) : watch(&stats);
    terminal_leave(&stats.terminal);
    if (error)
        (void)fprintf(stderr, "leveret: the figures cannot be written: %s\n", strerror(-error));
    return stats.has_failed || error ? EXIT_FAILURE : EXIT_SUCCESS;
}
