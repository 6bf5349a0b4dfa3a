/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network between Leveret and its broker: a port that passes bytes on, both ways, until it is
 * told to fail. What it keeps to itself while it is hushed looks to both sides like packets that
 * are dropped on their way: no byte, no end, no error.
 *
 *   relay_new ──▶ passing ◀──relay_speak── hushed ◀──relay_hush── passing
 *                 relay_cut: every connection there is ends at once, with RST to both sides
 */
#ifndef LEVERET_TESTS_RELAY_H
#define LEVERET_TESTS_RELAY_H

#include <stdint.h>

struct relay;

/* On a thread of its own, from a port of its own to `port`. */
struct relay *relay_new(uint16_t port);
void relay_free(struct relay *relay);

uint16_t relay_port(const struct relay *relay);

void relay_hush(struct relay *relay);
void relay_speak(struct relay *relay);
void relay_cut(struct relay *relay);

#endif
