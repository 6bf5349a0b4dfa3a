/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer says, as values of a line of the log: it stays one line without a control character, and
 * JSON where it is that. Three lines of the input: two values and what another record has behind its
 * head.
 */
#include <jansson.h>

#include "fuzz.h"
#include "shm/cleanup.h"
#include "shm/log_record.h"

static struct log_record record, other;

static void expect_line(const struct log_record *line, size_t n)
{
    fuzz_expect(n > 0 && n <= LOG_RECORD_BYTES && line->bytes[n - 1] == '\n');
    for (size_t i = 0; i < n - 1; i++)
        fuzz_expect((unsigned char)line->bytes[i] >= ' ' && line->bytes[i] != 0x7f);
}

__attribute__((format(printf, 2, 3))) static void print(
    struct log_record *into, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_record_print(into, format, args);
    va_end(args);
}

static void fill(struct log_record *into, enum log_format format, const struct fuzz_input *values)
{
    CLEANUP(cleanup_free) char *string = fuzz_string(values[0]);
    log_record_begin(into, format, LOG_WARN, "fuzz", "odd");
    log_record_text(into, "text", (const char *)values[0].at, values[0].n);
    log_record_word(into, "word", (const char *)values[1].at, values[1].n);
    log_record_number(into, "n", values[1].n);
    print(into, "reason=\"%s\" more=%s code=%u: it is %s", string, string, 3u, string);
}

static void try(enum log_format format, const struct fuzz_input *values)
{
    fill(&other, format, &values[1]);
    fill(&record, format, values);
    log_record_append(&record, other.bytes + other.n_head, other.used - other.n_head);
    size_t n = log_record_end(&record);
    expect_line(&record, n);
    if (format == LOG_TEXT)
        return;
    json_t *object = json_loadb(record.bytes, n, JSON_ALLOW_NUL, NULL);
    fuzz_expect(json_is_object(object));
    fuzz_expect(strcmp(json_string_value(json_object_get(object, "event")), "odd") == 0);
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_input input = {bytes, n}, values[3];
    for (int i = 0; i < 3; i++)
        values[i] = fuzz_line(&input);
    try(LOG_TEXT, values);
    try(LOG_JSON, values);
    return 0;
}
