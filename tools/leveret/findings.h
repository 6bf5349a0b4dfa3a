/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a configuration has to say about it: a list of notes, warnings and errors, each tied to a
 * JSON path and, once findings_locate() has seen the text, to a line and a column.
 *
 * A finding never quotes a credential: whoever adds one quotes nothing out of `host`, and nothing
 * that `${...}` was replaced with.
 */
#ifndef LEVERET_FINDINGS_H
#define LEVERET_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Further ones are counted, not kept: a file of 8 MiB must not become a report of 800. */
#define FINDINGS_MAX 1000

enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_ERROR };

struct finding {
    enum finding_severity severity;
    unsigned order;      /* as reported: settles ties of position */
    char *source;        /* a file, or the name of an environment variable */
    char *path;          /* "$.endpoints[0].timeout" */
    char *message;       /* one line, no full stop */
    size_t offset;       /* of the value, in the text */
    bool has_offset;     /* it was reported by its offset; otherwise findings_locate() sets it */
    size_t line, column; /* from 1; the column in characters. 0: has no place in the text */
};

/* Zero is an empty list. */
struct findings {
    struct finding *items;
    size_t n, capacity;
    size_t n_notes, n_warnings, n_errors; /* with those that were not kept */
    bool is_incomplete; /* no memory for one of them: believe the counts, not the list */
};

void findings_done(struct findings *findings);

/* Where a finding comes from: a file or a variable, and a place in it. */
struct finding_place {
    const char *source;
    const char *path;
    size_t offset;
    bool has_offset;
};

/* Copies all it gets. Control characters become '?'; a message of over 500 bytes is cut. */
void findings_add(struct findings *findings, enum finding_severity severity,
    struct finding_place place, const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Finds line and column of every finding whose source is `source`, in its text, and sorts the list
 * by position. A path that is not in the text gets the place of its nearest ancestor. One pass
 * over the text for each level of nesting that has findings, however many they are.
 */
void findings_locate(
    struct findings *findings, const char *source, const char *text, size_t length);

/* One line per finding: "source:line:column: path: error: message". */
void findings_print(const struct findings *findings, FILE *out);

#endif
