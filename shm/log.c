/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "shm/last_words.h"

enum { DETAIL_BYTES = 1000, ESCAPED_BYTES = 3500, LINE_BYTES = PIPE_BUF, WHO_BYTES = 32 };

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
static unsigned long n_lost; /* lines, of which the reader has not been told */
static bool is_torn;         /* the last thing written was a part of a line */

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

/* Its length. `line` begins with the end of a torn one, which put() leaves out when none was. */
static size_t compose(
    char line[LINE_BYTES], enum log_level level, const char *event, const char *detail)
{
    char escaped[ESCAPED_BYTES], when[40];
    time_write(when, sizeof(when));
    escape(escaped, sizeof(escaped), detail, line_format == LOG_JSON ? "\"\\" : "");
    int n = line_format == LOG_JSON
                ? snprintf(line, LINE_BYTES,
                      "\n{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"%s\",\"event\":\"%s\","
                      "\"detail\":\"%s\"}\n",
                      when, level_names[level], who, event, escaped)
                : snprintf(line, LINE_BYTES, "\n%s %-5s %s: %s%s%s\n", when, level_names[level],
                      who, event, *escaped ? " " : "", escaped);
    assert(n > 0 && n < LINE_BYTES); /* an event is one word */
    return (size_t)n;
}

/* write(2) that does not wait for a reader. O_NONBLOCK is not ours to set: the open file is that of
 * other processes, too. */
static ssize_t write_now(char *bytes, size_t n)
{
    struct stat stat;
    const struct iovec vector = {.iov_base = bytes, .iov_len = n};
    struct pollfd polled = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (fstat(STDERR_FILENO, &stat) < 0)
        return -1;
    if (S_ISSOCK(stat.st_mode))
        return send(STDERR_FILENO, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (S_ISREG(stat.st_mode)) /* which may refuse RWF_NOWAIT for want of a page */
        return write(STDERR_FILENO, bytes, n);
    ssize_t written = pwritev2(STDERR_FILENO, &vector, 1, -1, RWF_NOWAIT);
    if (written >= 0 || errno == EAGAIN)
        return written;
    /* a terminal, a named pipe, or a kernel before 6.4 */
    return poll(&polled, 1, 0) == 1 ? write(STDERR_FILENO, bytes, n) : -1;
}

/* Whether all of it is written. */
static bool put(char *line, size_t n)
{
    size_t skipped = is_torn ? 0 : 1;
    ssize_t written = write_now(line + skipped, n - skipped);
    if (written > 0)
        is_torn = (size_t)written < n - skipped;
    return written > 0 && !is_torn;
}

/* Whether the reader knows of all the lines that it did not get. */
static bool losses_told(void)
{
    char detail[80], line[LINE_BYTES];
    if (n_lost == 0)
        return true;
    (void)snprintf(detail, sizeof(detail), "lines=%lu: standard error did not take them", n_lost);
    if (!put(line, compose(line, LOG_WARN, "log-lost", detail)))
        return false;
    n_lost = 0;
    return true;
}

__attribute__((format(printf, 3, 0))) static void line_write(
    enum log_level level, const char *event, const char *format, va_list args)
{
    char detail[DETAIL_BYTES], line[LINE_BYTES];
    if (level > last_level)
        return;
    (void)vsnprintf(detail, sizeof(detail), format, args);
    if (!losses_told() || !put(line, compose(line, level, event, detail)))
        n_lost++;
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
