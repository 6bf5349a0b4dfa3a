/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/json_string.h"

#include <endian.h>
#include <string.h>

#include "shm/hexadecimal.h"
#include "shm/json_sink.h"

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

#define LONGEST_SPELLING 6 /* bytes that an escape takes for a byte of what it means */

#define INVALID_BYTE 0x110000u /* above every code point */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Bit 7 of each byte that is_plain() refuses. A borrow may set it wrongly in bytes above such a
 * one, so only the lowest set bit may be trusted. */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE((unsigned char)'"');
    uint64_t backslash = word ^ EACH_BYTE((unsigned char)'\\');
    uint64_t borrowed = ((word - EACH_BYTE(0x20)) & ~word) | ((quote - EACH_BYTE(1)) & ~quote) |
                        ((backslash - EACH_BYTE(1)) & ~backslash);
    return (borrowed | word) & EACH_BYTE(0x80);
}

/* Most of a message is this: eight bytes a turn. */
static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        uint64_t special = special_bytes(le64toh(word));
        if (special != 0)
            return at + __builtin_ctzll(special) / 8;
        at += 8;
    }
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

/* Whether the byte at `at` continues a UTF-8 character, within the bounds that its lead allows. */
static bool continues(const char *at, unsigned char low, unsigned char high)
{
    unsigned char c = (unsigned char)*at;
    return c >= low && c <= high;
}

/* Section 4: the second byte's bounds shut out long forms, surrogates and > U+10FFFF. */
size_t json_utf8_length(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    if (lead < 0x80)
        return 1;
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || (size_t)(end - at) < len)
        return 0;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (!continues(at + 1, low, high))
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!continues(at + i, 0x80, 0xBF))
            return 0;
    }
    return len;
}

/* What the letter behind a backslash stands for; -1: no such escape (`u` is not one of these). */
static int short_escape(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return -1;
    }
}

/* Moves `*at` from its backslash to behind the escape, or to what is wrong with it. */
static bool skip_escape(const char **at, const char *end)
{
    (*at)++;
    if (*at == end)
        return false;
    char letter = **at;
    if (letter != 'u' && short_escape(letter) < 0)
        return false;
    (*at)++;
    for (int i = 0; letter == 'u' && i < 4; i++) {
        if (*at == end || hexadecimal_value(**at) < 0)
            return false;
        (*at)++;
    }
    return true;
}

/* Moves `*at` over characters that are not ASCII; they come in runs. */
static bool skip_utf8(const char **at, const char *end)
{
    do {
        size_t len = json_utf8_length(*at, end);
        if (len == 0)
            return false;
        *at += len;
    } while (*at < end && (unsigned char)**at >= 0x80);
    return true;
}

bool json_string_skip(const char **at, const char *end)
{
    for (;;) {
        *at = skip_plain(*at, end);
        if (*at == end)
            return false;
        unsigned char c = (unsigned char)**at;
        if (c == '"') {
            (*at)++;
            return true;
        }
        if (c == '\\') {
            if (!skip_escape(at, end))
                return false;
        } else if (c < 0x80 || !skip_utf8(at, end)) { /* a control character, or no UTF-8 */
            return false;
        }
    }
}

static void drop(struct json_slice *raw, size_t n)
{
    raw->at += n;
    raw->len -= n;
}

/* The code unit of the \uXXXX that `raw` begins with, -1 when it begins otherwise. */
static int32_t peek_unit(const struct json_slice *raw)
{
    if (raw->len < 6 || raw->at[0] != '\\' || raw->at[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hexadecimal_value(raw->at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static uint32_t take_escape(struct json_slice *raw)
{
    int32_t unit = peek_unit(raw);
    if (unit < 0) {
        int c = raw->len < 2 ? -1 : short_escape(raw->at[1]);
        drop(raw, c < 0 ? 1 : 2);
        return c < 0 ? INVALID_BYTE + '\\' : (uint32_t)c;
    }
    drop(raw, 6);
    if (unit < 0xD800 || unit > 0xDBFF)
        return (uint32_t)unit;
    int32_t low = peek_unit(raw);
    if (low < 0xDC00 || low > 0xDFFF)
        return (uint32_t)unit;
    drop(raw, 6);
    return 0x10000u + (((uint32_t)unit - 0xD800u) << 10) + ((uint32_t)low - 0xDC00u);
}

static uint32_t take_utf8(struct json_slice *raw)
{
    size_t len = json_utf8_length(raw->at, raw->at + raw->len);
    uint32_t lead = (unsigned char)raw->at[0];
    uint32_t point = len == 0 ? INVALID_BYTE + lead : lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)raw->at[i] & 0x3Fu);
    drop(raw, len == 0 ? 1 : len);
    return point;
}

uint32_t json_string_next(struct json_slice *raw)
{
    if (raw->len == 0)
        return JSON_STRING_END;
    unsigned char c = (unsigned char)raw->at[0];
    if (c == '\\')
        return take_escape(raw);
    if (c >= 0x80)
        return take_utf8(raw);
    drop(raw, 1);
    return c;
}

static bool has_escape(struct json_slice raw)
{
    return raw.len > 0 && memchr(raw.at, '\\', raw.len) != NULL;
}

bool json_string_equal(struct json_slice a, struct json_slice b)
{
    /* a name of megabytes is not read to be told from a short one */
    if (a.len / LONGEST_SPELLING > b.len || b.len / LONGEST_SPELLING > a.len)
        return false;
    if (!has_escape(a) && !has_escape(b)) /* then each meaning has one spelling only */
        return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
    uint32_t point;
    do {
        point = json_string_next(&a);
        if (point != json_string_next(&b))
            return false;
    } while (point != JSON_STRING_END);
    return true;
}

/* RFC 3629, section 3. Returns behind it. */
static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    int n_more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    *out++ = (char)((0xFF00u >> (n_more + 1) & 0xFFu) | point >> 6 * n_more);
    while (n_more--)
        *out++ = (char)(0x80u | (point >> 6 * n_more & 0x3Fu));
    return out;
}

size_t json_string_read(char *out, struct json_slice raw)
{
    char *begin = out;
    for (uint32_t point; (point = json_string_next(&raw)) != JSON_STRING_END;) {
        if (point >= INVALID_BYTE)
            *out++ = (char)(point - INVALID_BYTE);
        else
            out = put_utf8(out, point >= 0xD800 && point <= 0xDFFF ? 0xFFFD : point);
    }
    return (size_t)(out - begin);
}

static void put_escaped(struct json_sink *sink, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {['"'] = '"',
        ['\\'] = '\\',
        ['\b'] = 'b',
        ['\f'] = 'f',
        ['\n'] = 'n',
        ['\r'] = 'r',
        ['\t'] = 't'};

    if (c < sizeof(letters) && letters[c] != 0)
        json_sink_put(sink, (const char[]){'\\', letters[c]}, 2);
    else
        json_sink_put(sink, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

size_t json_string_write(char *out, size_t room, const char *bytes, size_t len)
{
    struct json_sink sink = {.out = out, .room = room};
    const char *at = bytes;
    const char *end = bytes + len;

    json_sink_put(&sink, "\"", 1);
    for (;;) {
        const char *plain = at;
        at = skip_plain(at, end);
        json_sink_put(&sink, plain, (size_t)(at - plain));
        if (at == end)
            break;
        unsigned char c = (unsigned char)*at;
        size_t whole = c < 0x80 ? 0 : json_utf8_length(at, end);
        if (whole > 0)
            json_sink_put(&sink, at, whole);
        else if (c < 0x80)
            put_escaped(&sink, c);
        else
            json_sink_put(&sink, "\xEF\xBF\xBD", 3); /* U+FFFD */
        at += whole > 0 ? whole : 1;
    }
    json_sink_put(&sink, "\"", 1);
    return sink.n;
}
