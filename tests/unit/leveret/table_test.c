/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "units.h"
#include "visible.h"

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

/* ---- units ---- */

Test(units, counts_are_exact_up_to_four_digits)
{
    static const struct {
        double n;
        const char *text;
    } cases[] = {{0, "0"}, {9999, "9999"}, {10000, "10.0k"}, {12345, "12.3k"}, {999499, "999k"},
        {999600, "1.00M"}, {1240000, "1.24M"}, {18446744073709551615.0, "1000P"}, {-1, "-"},
        {NAN, "-"}, {INFINITY, "-"}};
    for (size_t i = 0; i < N_OF(cases); i++)
        cr_expect_str_eq(units_count(cases[i].n).text, cases[i].text);
}

Test(units, rates_are_per_second)
{
    cr_expect_str_eq(units_rate(0).text, "0/s");
    cr_expect_str_eq(units_rate(0.25).text, "0.2/s");
    cr_expect_str_eq(units_rate(9.96).text, "10/s");
    cr_expect_str_eq(units_rate(87.4).text, "87/s");
    cr_expect_str_eq(units_rate(1234).text, "1.23k/s");
    cr_expect_str_eq(units_rate(NAN).text, "-");
}

Test(units, bytes_are_binary)
{
    cr_expect_str_eq(units_bytes(0).text, "0 B");
    cr_expect_str_eq(units_bytes(999).text, "999 B");
    cr_expect_str_eq(units_bytes(1024).text, "1.00 KiB");
    cr_expect_str_eq(units_bytes(3.4 * 1048576).text, "3.40 MiB");
    cr_expect_str_eq(units_bytes(22 * 1048576).text, "22.0 MiB");
    cr_expect_str_eq(units_bytes(NAN).text, "-");
}

Test(units, times_grow_from_microseconds_to_days)
{
    cr_expect_str_eq(units_time(0).text, "0");
    cr_expect_str_eq(units_time(850).text, "0.85 us");
    cr_expect_str_eq(units_time(3.42e6).text, "3.42 ms");
    cr_expect_str_eq(units_time(999.6e6).text, "1.00 s");
    cr_expect_str_eq(units_time(59.9e9).text, "59.9 s");
    cr_expect_str_eq(units_time(60e9).text, "1m 00s");
    cr_expect_str_eq(units_time(NAN).text, "-");
    cr_expect_str_eq(units_age(59.9e9).text, "59s");
    cr_expect_str_eq(units_age(125e9).text, "2m 05s");
    cr_expect_str_eq(units_age(11520e9).text, "3h 12m");
    cr_expect_str_eq(units_age((5 * 24 + 4) * 3600e9).text, "5d 04h");
    cr_expect_str_eq(units_age(NAN).text, "-");
}

Test(units, shares_are_in_hundredths)
{
    cr_expect_str_eq(units_percent(0).text, "0%");
    cr_expect_str_eq(units_percent(0.0031).text, "0.3%");
    cr_expect_str_eq(units_percent(0.97).text, "97%");
    cr_expect_str_eq(units_percent(0.0 / 0.0).text, "-");
}

/* ---- visible ---- */

static char shown[4096];

/* What `columns` columns show of it. */
static const char *show(const char *text, size_t most, size_t columns)
{
    memset(shown, 0, sizeof(shown)); /* of nothing it would write no end */
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    cr_assert(out);
    size_t actual = visible_write(text, most, out);
    cr_assert_eq(fclose(out), 0);
    cr_assert_eq(actual, columns, "%s: %zu", shown, actual);
    return shown;
}

Test(visible, escapes_what_a_terminal_would_obey)
{
    cr_expect_str_eq(show("a\x1b[2Jb", SIZE_MAX, 9), "a\\x1b[2Jb");
    cr_expect_str_eq(show("\r\n\t\b\x7f", SIZE_MAX, 20), "\\x0d\\x0a\\x09\\x08\\x7f");
    cr_expect_str_eq(show("\x9b"
                          "31m",
                         SIZE_MAX, 7),
        "\\x9b31m");
    cr_expect_str_eq(show("caf\xc3\xa9", SIZE_MAX, 11), "caf\\xc3\\xa9");
}

Test(visible, shows_what_the_locale_can_print)
{
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
    cr_expect_str_eq(show("caf\xc3\xa9", SIZE_MAX, 4), "caf\xc3\xa9");
    cr_expect_str_eq(show("\xe6\x97\xa5\xe6\x9c\xac", SIZE_MAX, 4), "\xe6\x97\xa5\xe6\x9c\xac");
    cr_expect_str_eq(show("\xc2\x9b"
                          "31m",
                         SIZE_MAX, 11),
        "\\xc2\\x9b31m"); /* CSI, as C1 */
    cr_expect_str_eq(show("a\xe2\x80\xae"
                          "b",
                         SIZE_MAX, 14),
        "a\\xe2\\x80\\xaeb"); /* turns around */
    cr_expect_str_eq(show("\xff", SIZE_MAX, 4), "\\xff");
    cr_expect_str_eq(show("\xe6\x97", SIZE_MAX, 8), "\\xe6\\x97");
}

Test(visible, is_cut_between_two_characters)
{
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
    cr_expect_str_eq(show("abcdef", 6, 6), "abcdef");
    cr_expect_str_eq(show("abcdef", 5, 5), "abc..");
    cr_expect_str_eq(show("ab\x1b"
                          "def",
                         7, 4),
        "ab..");
    cr_expect_str_eq(show("\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5", 5, 4), "\xe6\x97\xa5..");
    cr_expect_str_eq(show("abcdef", 1, 1), "a");
    cr_expect_str_eq(show("abcdef", 0, 0), "");
}

/* ---- tables ---- */

static const struct table_column columns[] = {
    {.title = "NAME", .least = 4, .may_shrink = true},
    {.title = "N", .least = 3, .is_number = true},
    {.title = "WIDE", .least = 4, .from_width = 60},
    {.title = "MORE", .least = 4, .may_shrink = true},
};

static void put(struct table *table, double weight, const char *name, int n, const char *more)
{
    table_row(table, weight);
    table_cell(table, TONE_PLAIN, "%s", name);
    table_cell(table, TONE_PLAIN, "%d", n);
    table_cell(table, TONE_PLAIN, "w");
    table_cell(table, TONE_BAD, "%s", more);
}

static const char *draw(const struct table *table, unsigned width, bool has_colour, size_t lines)
{
    const struct table_canvas canvas = {.width = width, .has_colour = has_colour};
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    cr_assert(out);
    cr_assert_eq(table_write(table, &canvas, lines, out), 0);
    cr_assert_eq(fclose(out), 0);
    return shown;
}

Test(table, stands_in_columns)
{
    CLEANUP(table_done) struct table table;
    table_begin(&table, columns, N_OF(columns));
    put(&table, 0, "first", 7, "something");
    put(&table, 0, "the second", 1234, "");
    cr_expect_eq(table_lines(&table), 3);
    cr_expect_str_eq(draw(&table, 59, false, TABLE_NO_LIMIT), "NAME           N  MORE\n"
                                                              "first          7  something\n"
                                                              "the second  1234\n");
    cr_expect_str_eq(draw(&table, 60, false, TABLE_NO_LIMIT), "NAME           N  WIDE  MORE\n"
                                                              "first          7  w     something\n"
                                                              "the second  1234  w\n");
}

Test(table, gives_way_where_it_is_widest)
{
    CLEANUP(table_done) struct table table;
    table_begin(&table, columns, N_OF(columns));
    put(&table, 0, "a rather long name", 7, "and what is said of it");
    cr_expect_str_eq(draw(&table, 33, false, TABLE_NO_LIMIT),
        "NAME             N  MORE\n"
        "a rather lo..    7  and what is..\n");
    cr_expect_str_eq(draw(&table, 12, false, TABLE_NO_LIMIT), "NAME    N  M\n"
                                                              "a ..    7  a\n");
    cr_expect_str_eq(draw(&table, 5, false, TABLE_NO_LIMIT), "NAME\na ..\n");
}

Test(table, has_colours_where_they_are_wanted)
{
    CLEANUP(table_done) struct table table;
    table_begin(&table, columns, N_OF(columns));
    put(&table, 0, "x\x1b[31m", 7, "bad");
    cr_expect_str_eq(draw(&table, 40, true, TABLE_NO_LIMIT),
        "\033[1mNAME\033[0m         \033[1mN\033[0m  \033[1mMORE\033[0m\n"
        "x\\x1b[31m    7  \033[1;31mbad\033[0m\n");
}

Test(table, shows_the_heaviest_rows_in_their_order_where_there_are_too_many)
{
    CLEANUP(table_done) struct table table;
    table_begin(&table, columns, N_OF(columns));
    put(&table, 1, "a", 1, "");
    put(&table, 9, "b", 2, "");
    put(&table, NAN, "c", 3, "");
    put(&table, 5, "d", 4, "");
    put(&table, 5, "e", 5, "");
    put(&table, 10, "f", 6, "");
    cr_expect_str_eq(draw(&table, 40, false, 7),
        "NAME    N  MORE\na       1\nb       2\nc       3\n"
        "d       4\ne       5\nf       6\n");
    cr_expect_str_eq(draw(&table, 40, false, 5),
        "NAME    N  MORE\nb       2\nd       4\nf       6\nand 3 more\n");
    cr_expect_str_eq(draw(&table, 40, false, 2), "NAME    N  MORE\nand 6 more\n");
}

Test(table, holds_thousands_of_rows)
{
    CLEANUP(table_done) struct table table;
    table_begin(&table, columns, N_OF(columns));
    for (int i = 0; i < 5000; i++)
        put(&table, i, "x", i, "");
    cr_expect_str_eq(draw(&table, 40, false, 3), "NAME     N  MORE\nx     4999\nand 4999 more\n");
}
