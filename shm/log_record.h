/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the log while it is made: a head, members that have a name and a value each, and at
 * the end perhaps a sentence. It stands in the form in which it will be read:
 *
 *      2026-01-31T12:00:00.123Z warn  worker 0: broker-lost use=publish code=320 reason="it is
 * over": then the sentence
 *
 *      {"time":"...","level":"warn","who":"worker 0","event":"broker-lost","use":"publish",
 *       "code":320,"reason":"it is over","message":"then the sentence"}
 *
 * Values come from anywhere. In JSON they are strings or numbers. In text a value that is anything
 * but a plain word is written as a JSON string, so that none can be taken for several members.
 * Control characters are escaped, also those above ASCII that a terminal obeys, and a byte that is
 * no part of UTF-8 becomes U+FFFD; so a line stays one line, and JSON is valid, whatever a peer
 * says. What there is no room for is cut or left out.
 */
#ifndef LEVERET_SHM_LOG_RECORD_H
#define LEVERET_SHM_LOG_RECORD_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/log.h"

enum {
    LOG_RECORD_BYTES = PIPE_BUF - 1, /* a line break may stand before it */
    LOG_VALUE_BYTES = 1000,          /* most of one value, before it is escaped */
};

struct log_record {
    enum log_format format;
    enum log_level level;
    size_t n_head; /* bytes of the head */
    size_t used;
    char bytes[LOG_RECORD_BYTES];
};

/* The head, with the present time. `who` and `event` are our own words. */
void log_record_begin(struct log_record *record, enum log_format format, enum log_level level,
    const char *who, const char *event);

/* A member. Its name is our own word. A word stands without quotes in text, if it is one. */
void log_record_text(struct log_record *record, const char *name, const char *value, size_t n);
void log_record_word(struct log_record *record, const char *name, const char *value, size_t n);
void log_record_number(struct log_record *record, const char *name, uint64_t value);

/* Behind the last member: our own words, or nothing. */
void log_record_sentence(struct log_record *record, const char *sentence);

/* The members and the sentence that `format` holds, see shm/log.h. */
void log_record_print(struct log_record *record, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* What stands behind the head of another record of the same format, if that has room. */
void log_record_append(struct log_record *record, const char *bytes, size_t n);

/* The end of the line. Returns how many bytes it has. */
size_t log_record_end(struct log_record *record);

#endif
