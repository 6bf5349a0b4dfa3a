/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for people: three digits and a unit, so that a column of them is read at a glance. NAN is
 * a number that is not known, "-".
 */
#ifndef LEVERET_UNITS_H
#define LEVERET_UNITS_H

enum { UNITS_BYTES = 24 };

struct units_text {
    char text[UNITS_BYTES];
};

struct units_text units_count(double n);         /* 0, 9999, 12.3k, 1.24M */
struct units_text units_rate(double per_second); /* 0/s, 0.3/s, 87/s, 1.2k/s */
struct units_text units_bytes(double n);         /* 512 B, 3.4 MiB */
struct units_text units_time(double ns); /* 34 us, 3.4 ms, 1.20 s, 2m 05s: how long it took */
struct units_text units_age(double ns);  /* 12s, 2m 05s, 3h 12m, 5d 04h: for how long already */
struct units_text units_percent(double share); /* 0.3%, 97% */

#endif
