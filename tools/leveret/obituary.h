/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a child ended, for the log: a line for the end, and when it has left last words a line for
 * what it died of and one for where.
 *
 *   child-died child="worker 0" pid=17 signal=11 cause="Segmentation fault" lived_ms=812 ...
 *   last-words child="worker 0" pid=17 reason="no access at 0x18" slot=3 generation=9 backend=1
 *   last-words child="worker 0" pid=17 trace="leveret-worker+0x5b13 leveret-worker+0x61f0 ..."
 *
 * `addr2line -e leveret-worker 0x5b13` tells the line of the source.
 */
#ifndef LEVERET_OBITUARY_H
#define LEVERET_OBITUARY_H

#include "child.h"

/* `restart_ns`: when its place is filled again, from now; CLOCK_NEVER: it is not. */
void obituary_log(const struct child *child, const struct obituary *obituary, uint64_t restart_ns);

/* The same in a sentence, for the figures: "signal 11 (Segmentation fault): no access at 0x18". Cut
 * to the size, which has a NUL in it. */
void obituary_write(const struct obituary *obituary, char *text, size_t size);

#endif
