/* SPDX-License-Identifier: Apache-2.0 */
#include "obituary.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/log_record.h"
#include "system_calls.h"

/* A text that is put together piece by piece and cut where it ends. */
struct text {
    char bytes[900]; /* a log line has a little more */
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->bytes + text->n, sizeof(text->bytes) - text->n, format, args);
    va_end(args);
    text->n += (size_t)n;
    if (text->n >= sizeof(text->bytes))
        text->n = sizeof(text->bytes) - 1;
}

static void add_number(struct log_record *record, const char *name, uint32_t number)
{
    if (number != LAST_WORDS_NONE)
        log_record_number(record, name, number);
}

static void begin(
    struct log_record *record, enum log_level level, const char *event, const struct child *child)
{
    log_begin(record, level, event);
    log_record_text(record, "child", child->name, strlen(child->name));
}

static bool is_forbidden_call(const struct last_words *words)
{
    return words->signal == SIGSYS && words->code > 0; /* by the kernel */
}

/* In the child's own words, or what the signal says. */
static void add_reason(struct text *text, const struct last_words *words)
{
    const char *name = sigdescr_np(words->signal);
    if (*words->reason)
        add(text, "%s", words->reason);
    else if (is_forbidden_call(words))
        add(text, "forbidden system call %s", system_call_name(words->system_call));
    else if (words->code <= 0) /* somebody sent it (sigaction(2), si_code) */
        add(text, "%s, which was sent to it", name ? name : "an unknown signal");
    else
        add(text, "%s at 0x%" PRIx64, name ? name : "an unknown signal", words->address);
}

static void log_matter(const struct child *child, pid_t pid, const struct last_words *words)
{
    const struct last_words_matter *matter = &words->matter;
    struct text reason = {0};
    struct log_record record;
    add_reason(&reason, words);
    begin(&record, LOG_ERROR, "last-words", child);
    log_record_number(&record, "pid", (uint64_t)pid);
    log_record_text(&record, "reason", reason.bytes, reason.n);
    add_number(&record, "endpoint", matter->endpoint);
    add_number(&record, "worker", matter->worker);
    add_number(&record, "slot", matter->slot);
    add_number(&record, "generation", matter->generation);
    add_number(&record, "backend", matter->backend);
    log_end(&record);
}

static void log_trace(const struct child *child, pid_t pid, const struct last_words *words)
{
    struct text trace = {0};
    for (uint32_t i = 0; i < words->n_frames; i++) {
        const struct last_words_frame *frame = &words->frames[i];
        add(&trace, "%s%s+0x%" PRIx64, i ? " " : "", *frame->module ? frame->module : "?",
            frame->offset);
    }
    log_line(
        LOG_ERROR, "last-words", "child=\"%s\" pid=%d trace=\"%s\"", child->name, pid, trace.bytes);
}

void obituary_log(const struct child *child, const struct obituary *obituary, uint64_t restart_ns)
{
    bool has_left = obituary->last_state == CHILD_LEAVING && !obituary->signal && !obituary->status;
    struct log_record record;
    begin(&record, has_left ? LOG_INFO : LOG_WARN, has_left ? "child-left" : "child-died", child);
    log_record_number(&record, "pid", (uint64_t)obituary->pid);
    if (obituary->signal) {
        const char *name = sigdescr_np(obituary->signal);
        log_record_number(&record, "signal", (uint64_t)obituary->signal);
        log_record_text(&record, "cause", name ? name : "?", strlen(name ? name : "?"));
    } else {
        log_record_number(&record, "status", (uint64_t)obituary->status);
    }
    log_record_number(&record, "lived_ms", obituary->lived_ns / CLOCK_MS);
    log_record_number(&record, "was_ready", obituary->was_ready);
    if (restart_ns != CLOCK_NEVER)
        log_record_number(&record, "restart_ms", restart_ns / CLOCK_MS);
    log_end(&record);
    if (!obituary->has_words)
        return;
    log_matter(child, obituary->pid, &obituary->words);
    log_trace(child, obituary->pid, &obituary->words);
}

void obituary_write(const struct obituary *obituary, char *text, size_t size)
{
    struct text reason = {0};
    if (obituary->has_words)
        add_reason(&reason, &obituary->words);
    if (obituary->signal)
        (void)snprintf(text, size, "signal %d (%s)%s%s", obituary->signal,
            strsignal(obituary->signal), *reason.bytes ? ": " : "", reason.bytes);
    else
        (void)snprintf(text, size, "exit status %d", obituary->status);
}
