/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text before shm/json.h: it is JSON to us exactly when it is to jansson, but for the few places where
 * jansson judges by more than the grammar; a walk over it sees what the check saw; each of its names
 * can be read and compared; and any bytes can be written as a string that is one.
 */
#include <jansson.h>

#include "fuzz.h"
#include "shm/cleanup.h"
#include "shm/json.h"
#include "shm/json_string.h"
#include "tests/support/require.h"

enum { JANSSON_DEPTH = 2048 };

static bool jansson_takes(const char *text, size_t n, bool *is_beyond_grammar)
{
    json_error_t error;
    json_t *value =
        json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    enum json_error_code code = value ? json_error_unknown : json_error_code(&error);
    *is_beyond_grammar =
        !value && (code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
                      strstr(error.text, "invalid Unicode") != NULL);
    bool is_taken = value != NULL;
    json_decref(value);
    return is_taken;
}

static void name_read(struct json_slice raw)
{
    CLEANUP(cleanup_free) char *out = malloc(raw.len + 1);
    require(out != NULL, "no memory");
    fuzz_expect(json_string_read(out, raw) <= raw.len);
    fuzz_expect(json_string_equal(raw, raw));
}

/* To the end of the container; what is inside it is walked by the steps. */
static void walk(const struct json_value *value)
{
    struct json_cursor cursor;
    struct json_member member;
    enum json_outcome outcome;
    json_open(&cursor, value);
    while ((outcome = json_next(&cursor, &member)) == JSON_OK) {
        fuzz_expect(
            member.value.text.at >= value->text.at &&
            member.value.text.at + member.value.text.len <= value->text.at + value->text.len);
        if (value->kind == JSON_KIND_OBJECT)
            name_read(member.key);
    }
    fuzz_expect(outcome == JSON_END);
}

static void write_string(const char *bytes, size_t n)
{
    size_t length = json_string_write(NULL, 0, bytes, n), fault;
    CLEANUP(cleanup_free) char *out = malloc(length);
    struct json_value value;
    require(out != NULL, "no memory");
    fuzz_expect(length <= 6 * n + 2);
    fuzz_expect(json_string_write(out, length, bytes, n) == length);
    fuzz_expect(json_check(out, length, &value, &fault) == JSON_OK);
    fuzz_expect(value.kind == JSON_KIND_STRING && value.text.len == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(cleanup_free) char *text = fuzz_box((struct fuzz_input){bytes, n});
    struct json_value value;
    size_t fault = n;
    bool is_beyond_grammar;
    enum json_outcome outcome = json_check(text, n, &value, &fault);
    bool is_taken = jansson_takes(text, n, &is_beyond_grammar);
    fuzz_expect(fault <= n);
    if (outcome == JSON_OK) {
        fuzz_expect(is_taken || is_beyond_grammar);
        if (value.kind == JSON_KIND_OBJECT || value.kind == JSON_KIND_ARRAY)
            walk(&value);
    } else if (outcome != JSON_TOO_DEEP) {
        fuzz_expect(!is_taken || (fault < n && text[fault] == '\0')); /* the end of it to jansson */
    }
    write_string(text, n);
    return 0;
}
