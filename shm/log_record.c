/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shm/json_string.h"

enum {
    CHARACTER_BYTES = 6, /* most that one takes when it is escaped */
    END_BYTES = 4,       /* of the quote, the brace and the line break at a line's end */
    NAME_BYTES = 64,
};

static const char *const level_names[LOG_N_LEVELS] = {
    [LOG_PANIC] = "panic",
    [LOG_FATAL] = "fatal",
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

/* ---- bytes ---- */

static bool has_room(const struct log_record *record, size_t n)
{
    return record->used + n + END_BYTES <= sizeof(record->bytes);
}

/* Returns whether there was room. */
static bool put(struct log_record *record, const char *bytes, size_t n)
{
    if (!has_room(record, n))
        return false;
    memcpy(record->bytes + record->used, bytes, n);
    record->used += n;
    return true;
}

static bool put_string(struct log_record *record, const char *string)
{
    return put(record, string, strlen(string));
}

/* Is it one that a terminal obeys: C0, DEL, C1? */
static bool is_control(const char *at, size_t n)
{
    unsigned char lead = (unsigned char)*at;
    return lead < 0x20 || lead == 0x7f || (n == 2 && lead == 0xc2 && (unsigned char)at[1] < 0xa0);
}

/* The character at `at`, of n bytes; 0: it is none. */
static bool put_character(struct log_record *record, const char *at, size_t n, bool is_quoted)
{
    char escaped[CHARACTER_BYTES + 1];
    if (n == 0)
        return put_string(record, "\xEF\xBF\xBD"); /* U+FFFD */
    if (is_control(at, n)) {
        (void)snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)at[n - 1]);
        return put_string(record, escaped);
    }
    if (is_quoted && (*at == '"' || *at == '\\'))
        return put(record, (const char[]){'\\', *at}, 2);
    return put(record, at, n);
}

/* As much of it as there is room for. */
static void put_escaped(struct log_record *record, const char *at, size_t n, bool is_quoted)
{
    for (const char *end = at + n; at < end;) {
        size_t length = json_utf8_length(at, end);
        if (!put_character(record, at, length, is_quoted))
            return;
        at += length ? length : 1;
    }
}

/* Something of it must have room, too. */
static bool put_quoted(struct log_record *record, const char *bytes, size_t n)
{
    if (!has_room(record, 1 + CHARACTER_BYTES))
        return false;
    record->bytes[record->used++] = '"';
    put_escaped(record, bytes, n, true);
    record->bytes[record->used++] = '"'; /* of END_BYTES at worst */
    return true;
}

/* ---- members ---- */

/* Can it stand in a line of text as it is, and still end where it ends? */
static bool is_word(const char *value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] > '~' || strchr("\"\\=", value[i]))
            return false;
    return n > 0;
}

/* With what has to stand between it and its value. */
static bool put_name(struct log_record *record, const char *name)
{
    char text[NAME_BYTES];
    bool is_json = record->format == LOG_JSON;
    int n = snprintf(text, sizeof(text), is_json ? ",\"%s\":" : " %s=", name);
    assert(n > 0 && n < NAME_BYTES);
    return put(record, text, (size_t)n);
}

static void put_member(
    struct log_record *record, const char *name, const char *value, size_t n, bool is_plain)
{
    size_t before = record->used;
    bool is_put =
        put_name(record, name) && (is_plain ? put(record, value, n) : put_quoted(record, value, n));
    if (!is_put)
        record->used = before;
}

void log_record_text(struct log_record *record, const char *name, const char *value, size_t n)
{
    put_member(record, name, value, n < LOG_VALUE_BYTES ? n : LOG_VALUE_BYTES, false);
}

void log_record_word(struct log_record *record, const char *name, const char *value, size_t n)
{
    if (record->format == LOG_TEXT && n <= LOG_VALUE_BYTES && is_word(value, n))
        put_member(record, name, value, n, true);
    else
        log_record_text(record, name, value, n);
}

void log_record_number(struct log_record *record, const char *name, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put_member(record, name, digits, (size_t)n, true);
}

static void put_sentence(struct log_record *record, const char *text, size_t n)
{
    if (n == 0)
        return;
    if (record->format == LOG_JSON) {
        put_member(record, "message", text, n, false);
        return;
    }
    if (put_string(record, record->used > record->n_head ? ": " : " "))
        put_escaped(record, text, n, false);
}

void log_record_sentence(struct log_record *record, const char *sentence)
{
    put_sentence(record, sentence, strlen(sentence));
}

/* ---- a format of printf's ---- */

/* What one conversion makes of its argument, as snprintf() does. */
static int convert(char *out, size_t size, const char *conversion, va_list *args)
{
    if (*conversion == 's')
        return snprintf(out, size, "%s", va_arg(*args, const char *));
    if (*conversion == 'u')
        return snprintf(out, size, "%u", va_arg(*args, unsigned));
    if (*conversion == 'd')
        return snprintf(out, size, "%d", va_arg(*args, int));
    if (strncmp(conversion, "zu", 2) == 0)
        return snprintf(out, size, "%zu", va_arg(*args, size_t));
    if (strncmp(conversion, "lu", 2) == 0)
        return snprintf(out, size, "%lu", va_arg(*args, unsigned long));
    if (strncmp(conversion, "llu", 3) == 0)
        return snprintf(out, size, "%llu", va_arg(*args, unsigned long long));
    assert(strncmp(conversion, "lld", 3) == 0); /* one that is not known here */
    return snprintf(out, size, "%lld", va_arg(*args, long long));
}

/* What stands in the format between two places, with the arguments in it. Cut. */
static size_t render(char out[LOG_VALUE_BYTES], const char *from, const char *to, va_list *args)
{
    size_t used = 0;
    while (from < to) {
        if (*from != '%') {
            if (used + 1 < LOG_VALUE_BYTES)
                out[used++] = *from;
            from++;
            continue;
        }
        int n = convert(out + used, LOG_VALUE_BYTES - used, from + 1, args);
        assert(n >= 0);
        used = used + (size_t)n < LOG_VALUE_BYTES ? used + (size_t)n : LOG_VALUE_BYTES - 1;
        from += strcspn(from, "sdu") + 1;
    }
    return used;
}

/* One number and nothing else. */
static bool is_number(const char *from, const char *to)
{
    return *from == '%' && strcspn(from, "du") + 1 == (size_t)(to - from);
}

/* Where the name of a member ends that begins at `at`; NULL: none does. */
static const char *name_end(const char *at)
{
    size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
    return n > 0 && n < NAME_BYTES / 2 && at[n] == '=' ? at + n : NULL;
}

/* One member; returns what comes behind it. */
static const char *print_member(
    struct log_record *record, const char *at, const char *equals, va_list *args)
{
    char name[NAME_BYTES], value[LOG_VALUE_BYTES];
    const char *from = equals + 1;
    bool is_quoted = *from == '"';
    from += is_quoted;
    const char *to = from + (is_quoted ? strcspn(from, "\"") : strcspn(from, " "));
    if (!is_quoted && to > from && to[-1] == ':')
        to--;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - at), at);
    size_t n = render(value, from, to, args);
    if (is_number(from, to))
        put_member(record, name, value, n, true);
    else if (is_quoted)
        log_record_text(record, name, value, n);
    else
        log_record_word(record, name, value, n);
    return is_quoted ? to + 1 : to;
}

void log_record_print(struct log_record *record, const char *format, va_list args)
{
    char sentence[LOG_VALUE_BYTES];
    const char *at = format, *equals;
    va_list rest;
    va_copy(rest, args);
    while ((equals = name_end(at))) {
        at = print_member(record, at, equals, &rest);
        if (*at != ' ')
            break;
        at++;
    }
    at += strspn(at, ": ");
    if (*at)
        put_sentence(record, sentence, render(sentence, at, at + strlen(at), &rest));
    va_end(rest);
}

/* ---- a line ---- */

static void time_write(char *out, size_t size)
{
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    (void)gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_record_begin(struct log_record *record, enum log_format format, enum log_level level,
    const char *who, const char *event)
{
    char when[40];
    time_write(when, sizeof(when));
    int n = format == LOG_JSON
                ? snprintf(record->bytes, sizeof(record->bytes),
                      "{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"%s\",\"event\":\"%s\"", when,
                      level_names[level], who, event)
                : snprintf(record->bytes, sizeof(record->bytes), "%s %-5s %s: %s", when,
                      level_names[level], who, event);
    assert(n > 0 && n < LOG_RECORD_BYTES - END_BYTES); /* an event is one word */
    record->format = format;
    record->level = level;
    record->used = record->n_head = (size_t)n;
}

void log_record_append(struct log_record *record, const char *bytes, size_t n)
{
    (void)put(record, bytes, n); /* all or nothing, or JSON would be none */
}

size_t log_record_end(struct log_record *record)
{
    const char *end = record->format == LOG_JSON ? "}\n" : "\n";
    memcpy(record->bytes + record->used, end, strlen(end)); /* of END_BYTES */
    record->used += strlen(end);
    return record->used;
}
