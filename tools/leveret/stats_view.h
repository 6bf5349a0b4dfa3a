/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a sidecar as a person reads them: who it is and whether all is well, then a table
 * for each kind of thing that it has. Once, figures are totals since the generation began; live,
 * they are what came between two pages, per second.
 *
 * Whoever stands in the page is shown as visible.h allows; what is not in it is "-", and a kind of
 * which there is none has no table.
 */
#ifndef LEVERET_STATS_VIEW_H
#define LEVERET_STATS_VIEW_H

#include "stats_page.h"
#include "table.h"

struct stats_view {
    struct node page;
    const char *url;
    const char *trouble; /* why there is no newer page; NULL: there is none newer */
    struct table_canvas canvas;
    unsigned height; /* lines; the longest tables are cut to fit. 0: any number */
    bool is_live;
};

/* -ENOMEM. */
int stats_view_write(const struct stats_view *view, FILE *out) MUST_USE;

#endif
