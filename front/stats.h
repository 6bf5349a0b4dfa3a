/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /__stats/: all figures as one JSON object, in the shape that the README promises. What becomes of
 * the rows of <leveret/figures.h> is written from their tables; a name of the plan, or what a peer
 * has said, is a JSON string whatever its bytes are.
 */
#ifndef LEVERET_FRONT_STATS_H
#define LEVERET_FRONT_STATS_H

#include "page.h"
#include "probe.h"

extern const struct page_kind stats_page;

/* What a probe has found, as the value of "reasons": [{"reason":...,"detail":...}, ...]. */
void stats_put_reasons(struct page *page, const struct probe *probe);

#endif
