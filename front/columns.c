/* SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#define COLUMN(field, kind, its_metric, its_label, its_help)                                       \
    {.name = #field,                                                                               \
        .metric = (its_metric),                                                                    \
        .label = (its_label),                                                                      \
        .help = (its_help),                                                                        \
        .type = FIGURE_##kind,                                                                     \
        .offset = offsetof(ROW, field)},
#define COLUMNS(items)                                                                             \
    {                                                                                              \
        (items), sizeof(items) / sizeof((items)[0])                                                \
    }

#define ROW struct figures_front
static const struct column of_front[] = {FIGURES_OF_FRONT(COLUMN)};
#undef ROW
#define ROW struct figures_endpoint
static const struct column of_endpoint[] = {FIGURES_OF_ENDPOINT(COLUMN)};
#undef ROW
#define ROW struct figures_worker
static const struct column of_worker[] = {FIGURES_OF_WORKER(COLUMN)};
#undef ROW
#define ROW struct figures_connection
static const struct column of_connection[] = {FIGURES_OF_CONNECTION(COLUMN)};
#undef ROW
#define ROW struct figures_queue
static const struct column of_queue[] = {FIGURES_OF_QUEUE(COLUMN)};
#undef ROW
#define ROW struct figures_supervisor
static const struct column of_supervisor[] = {FIGURES_OF_SUPERVISOR(COLUMN)};
#undef ROW
#define ROW struct figures_process
static const struct column of_process[] = {FIGURES_OF_PROCESS(COLUMN)};
#undef ROW

const struct columns columns_of_front = COLUMNS(of_front);
const struct columns columns_of_endpoint = COLUMNS(of_endpoint);
const struct columns columns_of_worker = COLUMNS(of_worker);
const struct columns columns_of_connection = COLUMNS(of_connection);
const struct columns columns_of_queue = COLUMNS(of_queue);
const struct columns columns_of_supervisor = COLUMNS(of_supervisor);
const struct columns columns_of_process = COLUMNS(of_process);
