/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on standard error, for the programs alone: libraries return errors and never log.
 *
 *      2026-01-31T12:00:00.123Z warn  worker 0: broker-lost broker=rabbit:5672/ code=320
 *
 * A line has an event (a fixed word that can be searched for), what belongs to it as members with a
 * name each, and perhaps a sentence; in JSON the same as members of an object, behind "time",
 * "level", "who" and "event", the sentence as "message" (shm/log_record.h). The format of a line
 * says which is which:
 *
 *      "worker=%u reason=\"%s\": it gets nothing more"
 *       member    member         sentence; a format that begins with no member is one
 *
 * A value is quoted in text when the format says so, and whenever it would not be one word. One
 * that is nothing but %u, %d and the like is a number in JSON. Of printf's conversions there are
 * %s, %d, %u, %zu, %lu, %llu and %lld. What an argument holds never becomes a member or a line: a
 * peer cannot forge one.
 *
 * A line is one write(2) of at most PIPE_BUF bytes, so that the lines of several processes do not
 * mix; those that log_later() was given stand together in one.
 *
 * Nobody waits for a reader: a line that a pipe, a socket or a terminal does not take at once is
 * dropped and counted, and before the next one that it takes stands a line `log-lost lines=N`. What
 * is still untold at the end of a process remains so. Where the kernel cannot write without waiting
 * (pipes before Linux 6.4, named pipes, terminals) it is asked for room first: then another process
 * that takes the last of it in between can make this one wait. A regular file is waited for.
 */
#ifndef LEVERET_SHM_LOG_H
#define LEVERET_SHM_LOG_H

#include <stdint.h>

enum log_level {
    LOG_PANIC, /* our own mistake: the process aborts */
    LOG_FATAL, /* the environment does not let us run: the process exits */
    LOG_ERROR, /* something that was asked for was not done */
    LOG_WARN,  /* somebody should look, nothing is lost */
    LOG_INFO,
    LOG_DEBUG,
    LOG_N_LEVELS
};

enum log_format { LOG_TEXT, LOG_JSON };

struct log_record;

/* How this process calls itself ("front", "worker 0"), the last level that is shown, the format. */
void log_open(const char *who, enum log_level level, enum log_format format);

/* Lines go to `fd` from now on, if there is such a descriptor; else where they went. */
void log_to(int fd);

/* One line; `format` is printf's, see above. A value is cut at 1,000 bytes, and a line at PIPE_BUF.
 * Never waits for a reader. One thread at a time. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what peers, clients or a broken machine can bring about again and again. `about` is
 * the caller's record of what it is about (a queue, a broker), or NULL; only its address matters.
 * Of an event about one thing the first five lines in ten seconds are said; then comes one with
 * `repeated=N`, and what the last of those had to say. */
void log_often(enum log_level level, const char *event, const void *about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* In every turn of the loop, before it sleeps: what is due is written. Returns when there is more
 * to say at the latest, or CLOCK_NEVER. */
uint64_t log_turn(uint64_t now_ns);

/* The same in pieces: whoever does not know beforehand which members there are fills a record
 * between these two (shm/log_record.h). log_later() shows it whatever its level, and puts it off,
 * for there are many like it: until they are PIPE_BUF bytes, there is another line, or log_turn().
 */
void log_begin(struct log_record *record, enum log_level level, const char *event);
void log_end(struct log_record *record);
void log_later(struct log_record *record);

/* How the lines look: who has a record to fill may choose other names. */
enum log_format log_format_now(void);

/* The process ends: what was counted or put off is written. */
void log_close(void);

/* LOG_PANIC and abort(); LOG_FATAL and exit(1). */
void log_panic(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void log_fatal(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
