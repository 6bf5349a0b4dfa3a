/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of figures that is written piece by piece, so that nobody else waits while it is: at most
 * some hundred steps or 16 KiB at a time, in a buffer that was there at the start.
 *
 *   page_begin ──▶ page_write ──more──▶ (the piece is sent, others have their turn) ──▶ page_write
 *                      └──done──▶ the last piece
 *
 * What a page says is a row of steps by number; each is short, has room for all that it may write,
 * and leaves to the next no more than a mark.
 */
#ifndef LEVERET_FRONT_PAGE_H
#define LEVERET_FRONT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/cleanup.h"

#include "overview.h"
#include "slice.h"

enum { PAGE_PIECE_BYTES = 16 << 10, PAGE_PIECE_STEPS = 512 };

struct page;

struct page_kind {
    const char *content_type;
    /* How many steps it takes, and one of them. */
    uint64_t (*n_steps)(const struct overview *overview);
    void (*step)(struct page *page, uint64_t step);
};

struct page {
    const struct page_kind *kind;
    const struct overview *overview;
    uint64_t next, n_steps;
    struct figures_tally *tally; /* to read histograms with; empty between two steps */
    uint64_t mark;               /* the kind's own: 0 at the start */
    char *at, *end;              /* where it is written */
};

/* What a buffer must hold: a piece, and the longest step with these names in it. */
size_t page_buffer_bytes(size_t longest_name);

/* A page about the overview, which is borrowed, like the tally, for as long as it is written. */
void page_begin(struct page *page, const struct page_kind *kind, const struct overview *overview,
    struct figures_tally *tally);

/* The next piece into `buffer`, of page_buffer_bytes(); its length. page_is_done() afterwards says
 * whether it was the last. */
size_t page_write(struct page *page, char *buffer, size_t size);

static inline bool page_is_done(const struct page *page)
{
    return page->next == page->n_steps;
}

/* ---- for the kinds; there is room ---- */

void page_put(struct page *page, const char *string);
void page_put_slice(struct page *page, struct slice text);
void page_put_number(struct page *page, uint64_t number);

/* As a JSON string, quotes included. */
void page_put_json(struct page *page, struct slice text);

/* What would stand between the quotes. */
void page_put_json_part(struct page *page, struct slice text);

/* As the value of a label, quotes included: a backslash before quotes, backslashes and ends of lines
 * (Prometheus, text format 0.0.4). Bytes that are no UTF-8 become U+FFFD. */
void page_put_label(struct page *page, struct slice text);

/* Nanoseconds as seconds: "0.001500000" without the zeros at its end. */
void page_put_seconds(struct page *page, uint64_t ns);

#endif
