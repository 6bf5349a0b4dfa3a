/* SPDX-License-Identifier: Apache-2.0 */
#include "visible.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

enum { ESCAPED_COLUMNS = 4 }; /* \xNN */

static const char ellipsis[] = "..";

/* What is shown next: `bytes` of the text, in so many columns. */
struct glyph {
    size_t bytes, columns;
    bool is_escaped;
};

static struct glyph glyph_at(const char *text)
{
    wchar_t character;
    mbstate_t state = {0};
    size_t n = mbrtowc(&character, text, strlen(text), &state);
    const struct glyph escaped = {.bytes = 1, .columns = ESCAPED_COLUMNS, .is_escaped = true};
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2)
        return escaped;
    int width = iswprint((wint_t)character) ? wcwidth(character) : 0;
    if (width > 0)
        return (struct glyph){.bytes = n, .columns = (size_t)width};
    return (struct glyph){.bytes = n, .columns = n * ESCAPED_COLUMNS, .is_escaped = true};
}

static void glyph_write(const char *text, struct glyph glyph, FILE *out)
{
    if (!glyph.is_escaped)
        (void)fwrite(text, 1, glyph.bytes, out);
    else
        for (size_t i = 0; i < glyph.bytes; i++)
            (void)fprintf(out, "\\x%02x", (unsigned char)text[i]);
}

/* Up to `most` columns, but no part of a character. */
static size_t write_whole(const char *text, size_t most, FILE *out)
{
    size_t columns = 0;
    while (*text) {
        struct glyph glyph = glyph_at(text);
        if (glyph.columns > most - columns)
            break;
        if (out)
            glyph_write(text, glyph, out);
        columns += glyph.columns;
        text += glyph.bytes;
    }
    return columns;
}

size_t visible_width(const char *text)
{
    return write_whole(text, SIZE_MAX, NULL);
}

size_t visible_write(const char *text, size_t most, FILE *out)
{
    const size_t mark = sizeof(ellipsis) - 1;
    if (visible_width(text) <= most || most < mark)
        return write_whole(text, most, out);
    size_t columns = write_whole(text, most - mark, out);
    (void)fputs(ellipsis, out);
    return columns + mark;
}
