/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a page of figures is shown: a terminal on which it is drawn again and again in one place,
 * or anything else, which gets one page after the other.
 *
 *      PLAIN ─terminal_enter─▶ the other screen ─SIGINT, SIGTERM, SIGHUP, SIGQUIT─▶ as it was before;
 *                               │          ▲                                  dead of that signal
 *                               SIGTSTP    SIGCONT
 *                               ▼          │
 *                              as it was before
 *
 * So whoever ends or stops the program finds the terminal as it was, whatever it was just doing.
 */
#ifndef LEVERET_TERMINAL_H
#define LEVERET_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/cleanup.h"

struct terminal {
    int fd;
    bool is_screen;  /* a page can be drawn in place */
    bool has_colour; /* NO_COLOR is empty or not there (no-color.org) */
    bool is_entered;
    sigset_t waiting; /* what is blocked while it waits */
};

struct terminal_size {
    unsigned width, height; /* height 0: no bounds */
};

void terminal_init(struct terminal *terminal, int fd);

/* COLUMNS, or the window's; 80 where there is neither. */
struct terminal_size terminal_size(const struct terminal *terminal);

/* Nothing where there is no screen. */
void terminal_enter(struct terminal *terminal);

/* Draw the lines over those that are there; as they are where there is no screen. 0, or what kept
 * from writing them. */
int terminal_draw(const struct terminal *terminal, const char *lines) MUST_USE;

/* Until the deadline (true), or until a page is to be drawn again (false). */
bool terminal_wait(const struct terminal *terminal, uint64_t deadline_ns);

/* To be left before the program ends by itself. */
void terminal_leave(struct terminal *terminal);

#endif
