/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace of the test's own with one wire to where the sidecar lives, which can be cut:
 * then packets are dropped on both ways without a word to anybody, as by a switch that has failed.
 *
 *   island_new ──▶ island_enter, open sockets, island_leave ──▶ island_cut ◀──▶ island_mend
 *
 * A socket belongs to the namespace that it was opened in, wherever its thread goes afterwards. The
 * kernel takes namespace and wire away with the process. Needs the rights of root.
 */
#ifndef LEVERET_TESTS_ISLAND_H
#define LEVERET_TESTS_ISLAND_H

#include <stdbool.h>

struct island {
    int home, away; /* namespaces */
    char *address;  /* the island's; ours is next to it */
};

/* False when this process may not. */
bool island_new(struct island *island);

/* The calling thread goes there, and comes back. */
void island_enter(const struct island *island);
void island_leave(const struct island *island);

void island_cut(const struct island *island);
void island_mend(const struct island *island);

#endif
