/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "config_value.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define SECOND INT64_C(1000000000)

struct row {
    const char *text;
    enum value_outcome outcome;
    int64_t value;
};

static const struct row durations[] = {
    {"2s", VALUE_OK, 2 * SECOND},
    {"1500ms", VALUE_OK, 1500000000},
    {"1m30s", VALUE_OK, 90 * SECOND},
    {"1h2m3s4ms5us6ns", VALUE_OK, 3723004005006},
    {"7\u00b5s", VALUE_OK, 7000},
    {"7\u03bcs", VALUE_OK, 7000},
    {"1.5h", VALUE_OK, 5400 * SECOND},
    {".5s", VALUE_OK, SECOND / 2},
    {"5.s", VALUE_OK, 5 * SECOND},
    {"0.000000001s", VALUE_OK, 1},
    {"0.1234567890123456789012345s", VALUE_OK, 123456789},
    {"0", VALUE_OK, 0},
    {"+0", VALUE_OK, 0},
    {"0s", VALUE_OK, 0},
    {"-1.5h", VALUE_OK, -5400 * SECOND},
    {"+3s", VALUE_OK, 3 * SECOND},
    {"2562047h47m16.854775807s", VALUE_OK, INT64_MAX},
    {"2562047h47m17s", VALUE_TOO_LARGE, 0},
    {"99999999999999999999s", VALUE_TOO_LARGE, 0},
    {"9999999999h", VALUE_TOO_LARGE, 0},
    {"", VALUE_MALFORMED, 0},
    {"-", VALUE_MALFORMED, 0},
    {"3", VALUE_MALFORMED, 0},
    {"s", VALUE_MALFORMED, 0},
    {".s", VALUE_MALFORMED, 0},
    {"2 s", VALUE_MALFORMED, 0},
    {" 2s", VALUE_MALFORMED, 0},
    {"2s ", VALUE_MALFORMED, 0},
    {"2d", VALUE_MALFORMED, 0},
    {"2S", VALUE_MALFORMED, 0},
    {"1m30", VALUE_MALFORMED, 0},
    {"--2s", VALUE_MALFORMED, 0},
    {"1e3s", VALUE_MALFORMED, 0},
};

static const struct row sizes[] = {
    {"0", VALUE_OK, 0},
    {"4096", VALUE_OK, 4096},
    {"10B", VALUE_OK, 10},
    {"8KiB", VALUE_OK, 8192},
    {"8MiB", VALUE_OK, 8388608},
    {"2GiB", VALUE_OK, 2147483648},
    {"3KB", VALUE_OK, 3000},
    {"3MB", VALUE_OK, 3000000},
    {"3GB", VALUE_OK, 3000000000},
    {"8589934592GiB", VALUE_TOO_LARGE, 0},
    {"99999999999999999999", VALUE_TOO_LARGE, 0},
    {"", VALUE_MALFORMED, 0},
    {"MiB", VALUE_MALFORMED, 0},
    {"-1MiB", VALUE_MALFORMED, 0},
    {"1.5MiB", VALUE_MALFORMED, 0},
    {"8 MiB", VALUE_MALFORMED, 0},
    {"8mib", VALUE_MALFORMED, 0},
    {"8M", VALUE_MALFORMED, 0},
};

static const struct row ints[] = {
    {"0", VALUE_OK, 0},
    {"-42", VALUE_OK, -42},
    {"9223372036854775807", VALUE_OK, INT64_MAX},
    {"9223372036854775808", VALUE_TOO_LARGE, 0},
    {"", VALUE_MALFORMED, 0},
    {"-", VALUE_MALFORMED, 0},
    {"+1", VALUE_MALFORMED, 0},
    {"1 ", VALUE_MALFORMED, 0},
    {"0x10", VALUE_MALFORMED, 0},
    {"1.0", VALUE_MALFORMED, 0},
};

static void check(
    const struct row *rows, size_t n, enum value_outcome (*parse)(const char *, int64_t *))
{
    for (size_t i = 0; i < n; i++) {
        int64_t value = 77;

        cr_expect_eq(parse(rows[i].text, &value), rows[i].outcome, "\"%s\"", rows[i].text);
        cr_expect_eq(value, rows[i].outcome == VALUE_OK ? rows[i].value : 77, "\"%s\" gives %lld",
            rows[i].text, (long long)value);
    }
}

Test(config_value, durations_are_read_as_go_reads_them)
{
    check(durations, N(durations), value_duration);
}

Test(config_value, sizes_have_binary_and_decimal_units)
{
    check(sizes, N(sizes), value_size);
}

Test(config_value, an_integer_is_the_whole_text)
{
    check(ints, N(ints), value_int);
}

Test(config_value, a_boolean_is_true_or_false)
{
    bool value = false;

    cr_assert_eq(value_bool("true", &value), VALUE_OK);
    cr_assert(value);
    cr_assert_eq(value_bool("yes", &value), VALUE_MALFORMED);
    cr_assert(value, "untouched");
    cr_assert_eq(value_bool("false", &value), VALUE_OK);
    cr_assert_not(value);
    cr_assert_eq(value_bool("", &value), VALUE_MALFORMED);
}
