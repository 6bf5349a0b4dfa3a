/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /__dashboard: a page for those who look with a browser. It is made of the files in dashboard/ when
 * the program is built, and is one piece: it loads nothing, and asks for nothing but /__stats/.
 */
#ifndef LEVERET_FRONT_DASHBOARD_H
#define LEVERET_FRONT_DASHBOARD_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t dashboard_page[]; /* HTML */
extern const size_t dashboard_page_bytes;

/* What the page may do, as the value of Content-Security-Policy: run its own script, no other. */
extern const char dashboard_policy[];

#endif
