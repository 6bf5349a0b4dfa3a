/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that nobody wants: they break off in the middle of a request, leave while they wait, stop
 * reading a large answer, with FIN, with RST or without a word. On a thread of their own.
 *
 * One that leaves while it waits may take a message along that was written to its socket in that
 * very moment; nobody can tell. So these are counted, and they are let near one queue only. Large
 * messages are never read to their end, so each of them must be there in the end.
 */
#ifndef LEVERET_TESTS_VISITORS_H
#define LEVERET_TESTS_VISITORS_H

#include <stdint.h>

enum { VISITORS_N_LARGE = 3, VISITORS_LARGE_BYTES = 6 << 20 };

struct visitors;

/* To the sidecar on that port. */
struct visitors *visitors_begin(uint16_t port, uint64_t seed);

/* Returns when the last has left. */
void visitors_end(struct visitors *visitors);

struct visitors_count {
    int n;          /* that have come */
    int n_vanished; /* that may have taken a message along */
};
void visitors_count(const struct visitors *visitors, struct visitors_count *count);
void visitors_free(struct visitors *visitors);

#endif
