/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shm/json.h"
#include "shm/log_record.h"

TestSuite(log_record, .timeout = 60);

static struct log_record record;
static char line[LOG_RECORD_BYTES + 1];

__attribute__((format(printf, 2, 3))) static const char *printed(
    enum log_format form, const char *format, ...)
{
    va_list args;
    log_record_begin(&record, form, LOG_WARN, "worker 0", "odd");
    va_start(args, format);
    log_record_print(&record, format, args);
    va_end(args);
    size_t n = log_record_end(&record);
    memcpy(line, record.bytes, n);
    line[n] = '\0';
    return line + record.n_head;
}

/* The line as text and as JSON, behind its head. */
#define expect_line(text, json, ...)                                                               \
    do {                                                                                           \
        cr_expect_str_eq(printed(LOG_TEXT, __VA_ARGS__), text "\n");                               \
        cr_expect_str_eq(printed(LOG_JSON, __VA_ARGS__), json "}\n");                              \
    } while (0)

Test(log_record, a_format_says_what_is_a_member_and_what_a_sentence)
{
    expect_line("", "", "%s", "");
    expect_line(" it is over", ",\"message\":\"it is over\"", "%s", "it is over");
    expect_line(
        " code=320 use=get", ",\"code\":320,\"use\":\"get\"", "code=%u use=%s", 320u, "get");
    expect_line(" n=-1 m=2 o=3 p=4 q=-5", ",\"n\":-1,\"m\":2,\"o\":3,\"p\":4,\"q\":-5",
        "n=%d m=%zu o=%lu p=%llu q=%lld", -1, (size_t)2, 3ul, 4ull, -5ll);
    expect_line(" queue=\"a\": n=1 is no member",
        ",\"queue\":\"a\",\"message\":\"n=1 is no member\"", "queue=\"%s\": n=%d is no member", "a",
        1);
    expect_line(" endpoint=\"GET /a\" max=3: gone: a",
        ",\"endpoint\":\"GET /a\",\"max\":3,\"message\":\"gone: a\"",
        "endpoint=\"%s %s\" max=%u: gone: %s", "GET", "/a", 3u, "a");
    expect_line(
        " address=127.0.0.1:80", ",\"address\":\"127.0.0.1:80\"", "address=%s", "127.0.0.1:80");
}

Test(log_record, a_value_is_one_whatever_it_holds)
{
    expect_line(" reason=\"a\\\" code=1\" code=2", ",\"reason\":\"a\\\" code=1\",\"code\":2",
        "reason=\"%s\" code=%u", "a\" code=1", 2u);
    expect_line(
        " broker=\"a b\" code=2", ",\"broker\":\"a b\",\"code\":2", "broker=%s code=%u", "a b", 2u);
    expect_line(" broker=\"b=c\"", ",\"broker\":\"b=c\"", "broker=%s", "b=c");
    expect_line(" broker=\"\"", ",\"broker\":\"\"", "broker=%s", "");
    expect_line(" file=\"%s\"", ",\"file\":\"%s\"", "file=\"%s\"", "%s");
    expect_line(" a \\u000a\\u001b[0m\\u007f\\u009b2J\xC3\xA9\xEF\xBF\xBD",
        ",\"message\":\"a \\u000a\\u001b[0m\\u007f\\u009b2J\xC3\xA9\xEF\xBF\xBD\"", "%s",
        "a \n\x1b[0m\x7f\xC2\x9b"
        "2J\xC3\xA9\xC3");
}

Test(log_record, json_is_valid_for_any_bytes_of_any_length)
{
    static char bytes[8000];
    for (size_t n = 0; n < sizeof(bytes) - 1; n = n * 9 / 8 + 1) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(1 + i * 37 % 255);
        bytes[n] = '\0';
        struct json_value value;
        size_t fault;
        (void)printed(
            LOG_JSON, "a=%s b=\"%s\" c=%d d=%s e=%s: %s", bytes, bytes, 1, bytes, bytes, bytes);
        size_t length = strlen(line);
        cr_assert_eq(line[length - 1], '\n');
        cr_assert_eq(json_check(line, length, &value, &fault), JSON_OK, "%zu: %s", n, line);
        cr_assert_eq(strchr(line, '\n'), line + length - 1);
    }
}
