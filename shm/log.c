/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/last_words.h"
#include "shm/log_record.h"
#include "shm/log_repeat.h"

enum { WHO_BYTES = 32 };

static char who[WHO_BYTES] = "leveret";
static int log_fd = STDERR_FILENO;
static enum log_level last_level = LOG_INFO;
static enum log_format line_format = LOG_TEXT;
static unsigned long n_lost; /* lines, of which the reader has not been told */
static bool is_torn;         /* the last thing written was a part of a line */
static struct log_repeats repeats;

/* Whole lines that wait for each other. */
static struct {
    char bytes[LOG_RECORD_BYTES];
    size_t used;
    unsigned n_lines;
} put_off;

void log_open(const char *name, enum log_level level, enum log_format format)
{
    (void)snprintf(who, sizeof(who), "%s", name);
    last_level = level;
    line_format = format;
}

void log_to(int fd)
{
    if (fcntl(fd, F_GETFD) >= 0)
        log_fd = fd;
}

/* ---- writing ---- */

/* write(2) that does not wait for a reader. O_NONBLOCK is not ours to set: the open file is that of
 * other processes, too. */
static ssize_t write_now(char *bytes, size_t n)
{
    struct stat stat;
    const struct iovec vector = {.iov_base = bytes, .iov_len = n};
    struct pollfd polled = {.fd = log_fd, .events = POLLOUT};
    if (fstat(log_fd, &stat) < 0)
        return -1;
    if (S_ISSOCK(stat.st_mode))
        return send(log_fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (S_ISREG(stat.st_mode)) /* which may refuse RWF_NOWAIT for want of a page */
        return write(log_fd, bytes, n);
    ssize_t written = pwritev2(log_fd, &vector, 1, -1, RWF_NOWAIT);
    if (written >= 0 || errno == EAGAIN)
        return written;
    /* a terminal, a named pipe, or a kernel before 6.4 */
    return poll(&polled, 1, 0) == 1 ? write(log_fd, bytes, n) : -1;
}

/* Whether all of it is written. What was torn before is ended first. */
static bool put(const char *lines, size_t n)
{
    char bytes[LOG_RECORD_BYTES + 1] = "\n";
    size_t skipped = is_torn ? 0 : 1;
    memcpy(bytes + 1, lines, n);
    ssize_t written = write_now(bytes + skipped, n + 1 - skipped);
    if (written > 0)
        is_torn = (size_t)written < n + 1 - skipped;
    return written > 0 && !is_torn;
}

/* Whether the reader knows of all the lines that it did not get. */
static bool losses_told(void)
{
    struct log_record record;
    if (n_lost == 0)
        return true;
    log_record_begin(&record, line_format, LOG_WARN, who, "log-lost");
    log_record_number(&record, "lines", n_lost);
    log_record_sentence(&record, "standard error did not take them");
    if (!put(record.bytes, log_record_end(&record)))
        return false;
    n_lost = 0;
    return true;
}

static void put_lines(const char *lines, size_t n, unsigned n_lines)
{
    if (!losses_told() || !put(lines, n))
        n_lost += n_lines;
}

static void put_waiting(void)
{
    if (put_off.n_lines)
        put_lines(put_off.bytes, put_off.used, put_off.n_lines);
    put_off.used = put_off.n_lines = 0;
}

static void put_record(struct log_record *record)
{
    put_waiting();
    put_lines(record->bytes, log_record_end(record), 1);
}

/* ---- lines ---- */

__attribute__((format(printf, 3, 0))) static void line_write(
    enum log_level level, const char *event, const char *format, va_list args)
{
    struct log_record record;
    if (level > last_level)
        return;
    log_record_begin(&record, line_format, level, who, event);
    log_record_print(&record, format, args);
    put_record(&record);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_write(level, event, format, args);
    va_end(args);
}

void log_begin(struct log_record *record, enum log_level level, const char *event)
{
    log_record_begin(record, line_format, level, who, event);
}

void log_end(struct log_record *record)
{
    if (record->level <= last_level)
        put_record(record);
}

void log_later(struct log_record *record)
{
    size_t n = log_record_end(record);
    if (put_off.used + n > sizeof(put_off.bytes))
        put_waiting();
    memcpy(put_off.bytes + put_off.used, record->bytes, n);
    put_off.used += n;
    put_off.n_lines++;
}

enum log_format log_format_now(void)
{
    return line_format;
}

/* ---- what comes again and again ---- */

static void say_repeated(const struct log_repeat *over, uint64_t now_ns)
{
    struct log_record record;
    log_record_begin(&record, line_format, over->level, who, over->event);
    log_record_number(&record, "repeated", over->n_counted);
    log_record_number(&record, "within_ms", (now_ns - over->begin_ns) / CLOCK_MS);
    log_record_append(&record, over->tail, over->n_tail);
    put_record(&record);
}

static void say_what_is_over(uint64_t now_ns, uint64_t until_ns)
{
    struct log_repeat over;
    while (log_repeat_take(&repeats, until_ns, &over))
        say_repeated(&over, now_ns);
}

void log_often(enum log_level level, const char *event, const void *about, const char *format, ...)
{
    uint64_t now_ns = clock_now_ns();
    struct log_repeat over;
    struct log_record record;
    va_list args;
    if (level > last_level)
        return;
    struct log_repeat *place = log_repeat_find(&repeats, event, about, now_ns, &over);
    if (over.n_counted)
        say_repeated(&over, now_ns);
    log_record_begin(&record, line_format, level, who, event);
    va_start(args, format);
    log_record_print(&record, format, args);
    va_end(args);
    place->level = level;
    if (log_repeat_may_say(place))
        put_record(&record);
    else
        log_repeat_count(
            &repeats, place, record.bytes + record.n_head, record.used - record.n_head);
}

/* ---- the ends of turns and processes ---- */

uint64_t log_turn(uint64_t now_ns)
{
    put_waiting();
    say_what_is_over(now_ns, now_ns);
    return log_repeat_next_ns(&repeats);
}

void log_close(void)
{
    put_waiting();
    say_what_is_over(clock_now_ns(), CLOCK_NEVER);
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
    log_close();
    va_start(args, format);
    line_write(LOG_FATAL, event, format, args);
    va_end(args);
    exit(EXIT_FAILURE);
}
