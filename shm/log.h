/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on standard error, for the programs alone: libraries return errors and never log.
 *
 *      2026-01-31T12:00:00.123Z warn  worker 0: broker-lost broker=rabbit:5672/ reason="..."
 * retry_ms=420
 *
 * A line has an event (a fixed word that can be searched for) and what belongs to it as text; in
 * JSON the same as members "time", "level", "who", "event", "detail". A line is one write(2) of at
 * most PIPE_BUF bytes, so that the lines of several processes do not mix. Bytes that are no
 * printable text are escaped: a peer cannot forge a line.
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

/* How this process calls itself ("front", "worker 0"), the last level that is shown, the format. */
void log_open(const char *who, enum log_level level, enum log_format format);

/* One line; `format` is printf's. Cut at 1,000 bytes, and at 3,500 when escaped. Never waits for a
 * reader, see above. One thread at a time. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* LOG_PANIC and abort(); LOG_FATAL and exit(1). */
void log_panic(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void log_fatal(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
