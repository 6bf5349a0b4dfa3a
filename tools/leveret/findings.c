/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "findings.h"

#define MESSAGE_MAX 500

static const char *const severity_names[] = {
    [FINDING_NOTE] = "note",
    [FINDING_WARNING] = "warning",
    [FINDING_ERROR] = "error",
};

static void finding_done(struct finding *finding)
{
    free(finding->source);
    free(finding->path);
    free(finding->message);
}

void findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        finding_done(&findings->items[i]);
    free(findings->items);
    *findings = (struct findings){0};
}

/* A finding is one line on a terminal: what a file says must not move the cursor. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static bool has_room(struct findings *findings)
{
    size_t capacity = findings->capacity ? findings->capacity * 2 : 16;
    struct finding *items;

    if (findings->n < findings->capacity)
        return true;
    items = reallocarray(findings->items, capacity, sizeof *items);
    if (!items)
        return false;
    findings->items = items;
    findings->capacity = capacity;
    return true;
}

static void keep(struct findings *findings, enum finding_severity severity,
    struct finding_place place, const char *message)
{
    struct finding finding = {
        .severity = severity,
        .order = (unsigned)findings->n,
        .source = strdup(place.source),
        .path = strdup(place.path),
        .message = strdup(message),
        .offset = place.offset,
        .has_offset = place.has_offset,
    };

    if (!finding.source || !finding.path || !finding.message || !has_room(findings)) {
        findings->is_incomplete = true;
        finding_done(&finding);
        return;
    }
    make_printable(finding.path);
    make_printable(finding.message);
    findings->items[findings->n++] = finding;
}

void findings_add(struct findings *findings, enum finding_severity severity,
    struct finding_place place, const char *format, ...)
{
    char message[MESSAGE_MAX + 1];
    va_list arguments;

    findings->n_errors += severity == FINDING_ERROR;
    findings->n_warnings += severity == FINDING_WARNING;
    findings->n_notes += severity == FINDING_NOTE;
    if (findings->n == FINDINGS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments); /* cut, as promised */
    va_end(arguments);
    keep(findings, severity, place, message);
}

void findings_print(const struct findings *findings, FILE *out)
{
    size_t n_more = findings->n_errors + findings->n_warnings + findings->n_notes - findings->n;

    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *finding = &findings->items[i];

        fprintf(out, "%s:%zu:%zu: %s: %s: %s\n", finding->source, finding->line, finding->column,
            finding->path, severity_names[finding->severity], finding->message);
    }
    if (n_more > 0)
        fprintf(out, "... and %zu more\n", n_more);
}
