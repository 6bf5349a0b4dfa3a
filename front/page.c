/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <assert.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/json_string.h"

enum {
    STEP_BYTES = 16 << 10, /* all that a step writes but names */
    STEP_NAMES = 144,      /* so many names: two for each reason of a probe */
    ESCAPED_BYTES = 6,     /* most that one byte of a name can become */
    NUMBER_BYTES = 20,     /* digits of UINT64_MAX */
    FRACTION_DIGITS = 9,
};

size_t page_buffer_bytes(size_t longest_name)
{
    return PAGE_PIECE_BYTES + STEP_BYTES + STEP_NAMES * ESCAPED_BYTES * longest_name;
}

void page_begin(struct page *page, const struct page_kind *kind, const struct overview *overview,
    struct figures_tally *tally)
{
    *page = (struct page){
        .kind = kind, .overview = overview, .n_steps = kind->n_steps(overview), .tally = tally};
}

size_t page_write(struct page *page, char *buffer, size_t size)
{
    page->at = buffer;
    page->end = buffer + size;
    for (int i = 0; i < PAGE_PIECE_STEPS && !page_is_done(page); i++) {
        if (page->at - buffer > PAGE_PIECE_BYTES)
            break;
        page->kind->step(page, page->next++);
    }
    return (size_t)(page->at - buffer);
}

/* ---- writing ---- */

void page_put_slice(struct page *page, struct slice text)
{
    assert(text.len <= (size_t)(page->end - page->at));
    page->at = slice_copy(text, page->at);
}

void page_put(struct page *page, const char *string)
{
    page_put_slice(page, slice_of(string));
}

void page_put_number(struct page *page, uint64_t number)
{
    char digits[NUMBER_BYTES];
    size_t n = 0;
    do
        digits[sizeof(digits) - ++n] = (char)('0' + number % 10);
    while (number /= 10);
    page_put_slice(page, (struct slice){.at = digits + sizeof(digits) - n, .len = n});
}

void page_put_json(struct page *page, struct slice text)
{
    size_t room = (size_t)(page->end - page->at);
    size_t n = json_string_write(page->at, room, text.at, text.len);
    assert(n <= room);
    page->at += n;
}

void page_put_json_part(struct page *page, struct slice text)
{
    char *from = page->at;
    page_put_json(page, text);
    page->at -= 2; /* without its quotes */
    memmove(from, from + 1, (size_t)(page->at - from));
}

/* What JSON escapes and a label does not is read back: a label has \\, \" and \n alone. */
void page_put_label(struct page *page, struct slice text)
{
    char *from = page->at;
    page_put_json(page, text);
    const char *at = from + 1, *end = page->at - 1;
    char *to = from + 1;
    while (at < end) {
        bool is_escape = *at == '\\';
        size_t n = !is_escape ? 1 : at[1] == 'u' ? 6 : 2;
        if (is_escape && !strchr("\\\"n", at[1])) {
            to += json_string_read(to, (struct json_slice){.at = at, .len = n});
        } else {
            memmove(to, at, n);
            to += n;
        }
        at += n;
    }
    *to++ = '"';
    page->at = to;
}

void page_put_seconds(struct page *page, uint64_t ns)
{
    char digits[FRACTION_DIGITS];
    uint64_t fraction = ns % CLOCK_S;
    size_t n = 0;
    page_put_number(page, ns / CLOCK_S);
    for (size_t i = FRACTION_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + fraction % 10);
        fraction /= 10;
        if (digits[i - 1] != '0' && i > n)
            n = i;
    }
    if (!n)
        return;
    page_put(page, ".");
    page_put_slice(page, (struct slice){.at = digits, .len = n});
}
