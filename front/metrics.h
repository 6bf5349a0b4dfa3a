/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: the figures as Prometheus reads them (text format 0.0.4). Most of it is written from the
 * tables of <leveret/figures.h>.
 *
 * There is a series for each endpoint and status that ever was, for each queue, connection and
 * process: their number follows from the configuration, never from what clients send. An endpoint
 * that had no request yet has no durations. Quantities of time are in seconds; a histogram has 16
 * buckets, of 125 us doubled, whose bounds are bounds of our own cells, so that nothing is guessed.
 */
#ifndef LEVERET_FRONT_METRICS_H
#define LEVERET_FRONT_METRICS_H

#include "page.h"

extern const struct page_kind metrics_page;

#endif
