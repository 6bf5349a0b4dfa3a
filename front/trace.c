/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

enum {
    ID_AT = 3,
    PARENT_ID_AT = ID_AT + TRACE_ID_BYTES + 1,
    PARENT_ID_BYTES = 16,
    FLAGS_AT = PARENT_ID_AT + PARENT_ID_BYTES + 1,
    LONG_MEMBER_BYTES = 128,
    KEY_BYTES = 256,
    TENANT_BYTES = 241,
    SYSTEM_BYTES = 14,
};

static struct slice part_of(struct slice text, size_t at, size_t len)
{
    return (struct slice){.at = text.at + at, .len = len};
}

/* ---- traceparent ---- */

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
            return false;
    return true;
}

static bool is_id(struct slice text)
{
    bool is_zero = true;
    for (size_t i = 0; i < text.len; i++)
        is_zero = is_zero && text.at[i] == '0';
    return is_hex(text) && !is_zero;
}

static bool is_parent(struct slice text)
{
    if (text.len < TRACE_PARENT_BYTES || text.at[ID_AT - 1] != '-' ||
        text.at[PARENT_ID_AT - 1] != '-' || text.at[FLAGS_AT - 1] != '-')
        return false;
    struct slice version = part_of(text, 0, 2);
    bool is_first = slice_equals(version, slice_of("00"));
    if (text.len > TRACE_PARENT_BYTES && (is_first || text.at[TRACE_PARENT_BYTES] != '-'))
        return false;
    return is_hex(version) && !slice_equals(version, slice_of("ff")) &&
           is_id(part_of(text, ID_AT, TRACE_ID_BYTES)) &&
           is_id(part_of(text, PARENT_ID_AT, PARENT_ID_BYTES)) &&
           is_hex(part_of(text, FLAGS_AT, 2));
}

/* ---- tracestate ---- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A letter (or digit, where one may be first), then more of what may be in a key. */
static bool is_name(struct slice text, bool digit_may_be_first, size_t most)
{
    if (text.len == 0 || text.len > most)
        return false;
    if (!is_lower(text.at[0]) && !(digit_may_be_first && is_digit(text.at[0])))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_lower(text.at[i]) && !is_digit(text.at[i]) && !memchr("_-*/", text.at[i], 4))
            return false;
    return true;
}

/* 3.3.1.3.1: name, or tenant@system. */
static bool is_key(struct slice key)
{
    const char *at = key.len ? memchr(key.at, '@', key.len) : NULL;
    if (!at)
        return is_name(key, false, KEY_BYTES);
    size_t n = (size_t)(at - key.at);
    return is_name(part_of(key, 0, n), true, TENANT_BYTES) &&
           is_name(part_of(key, n + 1, key.len - n - 1), false, SYSTEM_BYTES);
}

/* 3.3.1.3.2. Without blanks around it. */
static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < ' ' || value.at[i] > '~' || value.at[i] == '=')
            return false;
    return value.len > 0 && value.len <= 256;
}

static bool is_member(struct slice member)
{
    const char *equals = memchr(member.at, '=', member.len);
    if (!equals)
        return false;
    size_t n = (size_t)(equals - member.at);
    return is_key(part_of(member, 0, n)) && is_value(part_of(member, n + 1, member.len - n - 1));
}

struct members {
    struct slice items[TRACE_STATE_MEMBERS];
    size_t n;
};

/* Empty members are none. False: it is no list of members, or they are too many. */
static bool members_read(struct members *members, struct slice state)
{
    while (state.len) {
        const char *comma = memchr(state.at, ',', state.len);
        size_t n = comma ? (size_t)(comma - state.at) : state.len;
        struct slice member = slice_trim(part_of(state, 0, n));
        n += comma != NULL;
        state = part_of(state, n, state.len - n);
        if (!member.len)
            continue;
        if (members->n == TRACE_STATE_MEMBERS || !is_member(member))
            return false;
        members->items[members->n++] = member;
    }
    return members->n > 0;
}

/* Bytes of all of them, with a comma behind each. */
static size_t members_bytes(const struct members *members)
{
    size_t n = 0;
    for (size_t i = 0; i < members->n; i++)
        n += members->items[i].len ? members->items[i].len + 1 : 0;
    return n;
}

/* What it still must lose goes, from the end, as far as it is longer than `len`. */
static void members_shed(struct members *members, size_t len)
{
    for (size_t i = members->n; i > 0 && members_bytes(members) > TRACE_STATE_BYTES + 1; i--)
        if (members->items[i - 1].len > len)
            members->items[i - 1].len = 0;
}

static struct slice members_write(const struct members *members, char room[TRACE_STATE_BYTES])
{
    char *end = room;
    for (size_t i = 0; i < members->n; i++) {
        if (members->items[i].len && end != room)
            *end++ = ',';
        end = slice_copy(members->items[i], end);
    }
    return (struct slice){.at = room, .len = (size_t)(end - room)};
}

static struct slice state_of(struct slice state, char room[TRACE_STATE_BYTES])
{
    struct members members = {0};
    if (!members_read(&members, state))
        return (struct slice){0};
    if (state.len <= TRACE_STATE_BYTES)
        return state;
    members_shed(&members, LONG_MEMBER_BYTES);
    members_shed(&members, 0);
    return members_write(&members, room);
}

/* ---- a context ---- */

struct trace trace_of(struct slice parent, struct slice state, char room[TRACE_STATE_BYTES])
{
    if (!is_parent(parent))
        return (struct trace){0};
    return (struct trace){.parent = parent, .state = state_of(state, room)};
}

static bool comes_twice(const struct header_lines *lines, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < lines->n; i++)
        n += slice_equals_nocase(lines->items[i].name, slice_of(name));
    return n > 1;
}

struct trace trace_of_request(const struct header_lines *lines, char *scratch)
{
    struct slice parent = header_find(lines, slice_of(TRACE_PARENT));
    if (!parent.len || comes_twice(lines, TRACE_PARENT))
        return (struct trace){0};
    struct slice state = header_join(lines, slice_of(TRACE_STATE), scratch + TRACE_STATE_BYTES);
    return trace_of(parent, state, scratch);
}

static char *write_hex(char *out, uint64_t value, int n_digits)
{
    for (int i = n_digits - 1; i >= 0; i--)
        *out++ = "0123456789abcdef"[value >> (4 * i) & 0xf];
    return out;
}

struct trace trace_make(
    struct message_id_source *source, bool is_sampled, char out[TRACE_PARENT_BYTES])
{
    char *end = slice_copy(slice_of("00-"), out);
    end = write_hex(end, message_id_bits(source), 16);
    end = write_hex(end, message_id_bits(source) | 1, 16); /* an id of zeros is none */
    end = slice_copy(slice_of("-"), end);
    end = write_hex(end, message_id_bits(source) | 1, 16);
    (void)slice_copy(slice_of(is_sampled ? "-01" : "-00"), end); /* ends with `out` */
    return (struct trace){.parent = {.at = out, .len = TRACE_PARENT_BYTES}};
}

struct slice trace_id(const struct trace *trace)
{
    return trace->parent.len ? part_of(trace->parent, ID_AT, TRACE_ID_BYTES) : (struct slice){0};
}
