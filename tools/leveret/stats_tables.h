/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the tables of `leveret stats`: which figure in which column, and when it is a
 * good or a bad one. The shape of the page is in the README, "What can be seen".
 */
#ifndef LEVERET_STATS_TABLES_H
#define LEVERET_STATS_TABLES_H

#include "stats_page.h"
#include "table.h"

/* In the order in which they are shown. */
enum stats_table {
    STATS_REASONS,
    STATS_ENDPOINTS,
    STATS_BACKENDS,
    STATS_CONNECTIONS,
    STATS_QUEUES,
    STATS_WORKERS,
    STATS_PROCESSES,
    STATS_N_TABLES
};

/* Begins the table and fills it from the page. Live: with rates where there are totals otherwise. */
void stats_table_fill(struct table *table, enum stats_table which, struct node page, bool is_live);

#endif
