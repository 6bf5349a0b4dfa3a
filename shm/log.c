/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/last_words.h"

enum { DETAIL_BYTES = 1000, LINE_BYTES = 8192, WHO_BYTES = 32 };

static const char *const level_names[LOG_N_LEVELS] = {
    [LOG_PANIC] = "panic",
    [LOG_FATAL] = "fatal",
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static char who[WHO_BYTES] = "leveret";
static enum log_level last_level = LOG_INFO;
static enum log_format line_format = LOG_TEXT;

void log_open(const char *name, enum log_level level, enum log_format format)
{
    (void)snprintf(who, sizeof(who), "%s", name);
    last_level = level;
    line_format = format;
}

/* `text` as the inside of a JSON string, which also keeps a text line one line. */
static void escape(char *out, size_t size, const char *text, const char *quoted)
{
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c && used + 8 < size; c++) {
        if (strchr(quoted, *c))
            used += (size_t)snprintf(out + used, size - used, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", *c);
        else
            out[used++] = (char)*c;
    }
    out[used] = '\0';
}

static void time_write(char *out, size_t size)
{
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    (void)gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

__attribute__((format(printf, 3, 0))) static void line_write(
    enum log_level level, const char *event, const char *format, va_list args)
{
    char detail[DETAIL_BYTES], escaped[DETAIL_BYTES * 6 + 8], when[40], line[LINE_BYTES];
    if (level > last_level)
        return;
    (void)vsnprintf(detail, sizeof(detail), format, args);
    time_write(when, sizeof(when));
    escape(escaped, sizeof(escaped), detail, line_format == LOG_JSON ? "\"\\" : "");
    int n = line_format == LOG_JSON
                ? snprintf(line, sizeof(line),
                      "{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"%s\",\"event\":\"%s\","
                      "\"detail\":\"%s\"}\n",
                      when, level_names[level], who, event, escaped)
                : snprintf(line, sizeof(line), "%s %-5s %s: %s%s%s\n", when, level_names[level],
                      who, event, *escaped ? " " : "", escaped);
    (void)!write(STDERR_FILENO, line, (size_t)n); /* nowhere left to complain */
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_write(level, event, format, args);
    va_end(args);
}

void log_panic(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_write(LOG_PANIC, event, format, args);
    va_end(args);
    last_words_reason(event);
    abort();
}

void log_fatal(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_write(LOG_FATAL, event, format, args);
    va_end(args);
    exit(EXIT_FAILURE);
}
