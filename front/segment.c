/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include "shm/hexadecimal.h"

bool segment_next(struct slice *rest, struct slice *segment)
{
    if (!rest->len)
        return false;
    const char *begin = rest->at + 1;
    size_t left = rest->len - 1;
    const char *slash = memchr(begin, '/', left);
    size_t n = slash ? (size_t)(slash - begin) : left;
    *segment = (struct slice){.at = begin, .len = n};
    *rest = (struct slice){.at = begin + n, .len = left - n};
    return true;
}

/* The byte that an escape at `at` stands for; 0 when it is none that may stand here. */
static unsigned char escape_value(const char *at, size_t left)
{
    int high = left > 2 ? hexadecimal_value(at[1]) : -1;
    int low = left > 2 ? hexadecimal_value(at[2]) : -1;
    return high < 0 || low < 0 ? 0 : (unsigned char)(high * 16 + low);
}

enum segment_outcome segment_decode(struct slice segment, char *out, struct slice *decoded)
{
    size_t used = 0;
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.at[i];
        if (c == '%') {
            c = (char)escape_value(segment.at + i, segment.len - i);
            if (!c)
                return SEGMENT_BAD_ESCAPE;
            i += 2;
        }
        out[used++] = c;
    }
    *decoded = (struct slice){.at = out, .len = used};
    return SEGMENT_OK;
}

void segment_spell(struct slice segment, struct slice text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    (void)slice_copy(segment, out);
    for (size_t i = 0, n = 0; i < segment.len && n < text.len; i++, n++) {
        unsigned char wanted = (unsigned char)text.at[n];
        if (segment.at[i] != '%') {
            out[i] = (char)wanted;
            continue;
        }
        if (escape_value(segment.at + i, segment.len - i) != wanted) {
            out[i + 1] = digits[wanted >> 4];
            out[i + 2] = digits[wanted & 0xf];
        }
        i += 2;
    }
}
