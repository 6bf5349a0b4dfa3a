/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a configuration has to say about it: a list of warnings and errors, each tied to a
 * JSON path and, once findings_locate() has seen the text, to a line and a column.
 *
 * A finding never quotes a credential: whoever adds one quotes only what stands in the file outside
 * `host`, and never what `${...}` was replaced with.
 */
#ifndef LEVERET_FINDINGS_H
#define LEVERET_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* More than this is counted, not kept: a file of 8 MiB must not become a report of 800 MiB. */
#define FINDINGS_MAX 1000

enum finding_severity { FINDING_WARNING, FINDING_ERROR };

struct finding {
    enum finding_severity severity;
    unsigned order;  /* as reported: settles ties of position */
    char *source;    /* a file, or the name of an environment variable */
    char *path;      /* "$.endpoints[0].timeout" */
    char *message;   /* one line, no full stop */
    unsigned line;   /* from 1; 0 = not known yet */
    unsigned column; /* from 1, in bytes */
};

/* Zero is an empty list. */
struct findings {
    struct finding *items;
    size_t n, capacity;
    size_t n_warnings, n_errors; /* these count what was dropped past FINDINGS_MAX too */
    bool out_of_memory;          /* one could not be kept; n_errors counts it */
};

void findings_done(struct findings *findings);

/* One line per finding, "source:line:column: path: error: message", sorted by findings_locate(). */
void findings_print(const struct findings *findings, FILE *out);

#endif
