/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "config_value.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* A unit stands before any other that it is the beginning of. */
static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\u00b5s", 1000},
    {"\u03bcs", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", INT64_C(60) * 1000000000},
    {"h", INT64_C(3600) * 1000000000},
};

static const struct unit size_units[] = {
    {"KiB", 1 << 10},
    {"MiB", 1 << 20},
    {"GiB", 1 << 30},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"B", 1},
    {"", 1},
};

/* Reads digits at *text and moves it behind them. Malformed: there is none. */
static enum value_outcome digits(const char **text, int64_t *number)
{
    const char *at = *text;
    int64_t sum = 0;

    if (!isdigit((unsigned char)*at))
        return VALUE_MALFORMED;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *at - '0', &sum))
            return VALUE_TOO_LARGE;
    *text = at;
    *number = sum;
    return VALUE_OK;
}

/*
 * Reads ".25" at *text as 25 of 100. Digits past what the scale can hold are below a nanosecond of
 * any unit's use here, and are dropped.
 */
static bool fraction(const char **text, int64_t *number, int64_t *scale)
{
    const char *at = *text;
    bool has_digits = false;

    *number = 0;
    *scale = 1;
    if (*at == '.')
        at++;
    for (; isdigit((unsigned char)*at) && at != *text; at++) {
        has_digits = true;
        if (*scale >= INT64_C(100000000000000000))
            continue;
        *number = *number * 10 + (*at - '0');
        *scale *= 10;
    }
    *text = at;
    return has_digits;
}

static const struct unit *duration_unit(const char **text)
{
    for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++) {
        size_t length = strlen(duration_units[i].name);

        if (strncmp(*text, duration_units[i].name, length) == 0) {
            *text += length;
            return &duration_units[i];
        }
    }
    return NULL;
}

/* One number with its unit, "1.5h". */
static enum value_outcome duration_term(const char **text, int64_t *ns)
{
    int64_t whole = 0, part, scale;
    bool has_whole = isdigit((unsigned char)**text), has_part;
    const struct unit *unit;

    if (has_whole && digits(text, &whole) != VALUE_OK)
        return VALUE_TOO_LARGE;
    has_part = fraction(text, &part, &scale);
    if (!has_whole && !has_part)
        return VALUE_MALFORMED;
    unit = duration_unit(text);
    if (!unit)
        return VALUE_MALFORMED;
    if (__builtin_mul_overflow(whole, unit->factor, ns))
        return VALUE_TOO_LARGE;
    part = (int64_t)((double)part * ((double)unit->factor / (double)scale)); /* Go's rounding */
    return __builtin_add_overflow(*ns, part, ns) ? VALUE_TOO_LARGE : VALUE_OK;
}

enum value_outcome value_duration(const char *text, int64_t *ns)
{
    bool is_negative = *text == '-';
    int64_t sum = 0, term;

    if (*text == '-' || *text == '+')
        text++;
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return VALUE_OK;
    }
    do {
        enum value_outcome outcome = duration_term(&text, &term);

        if (outcome != VALUE_OK)
            return outcome;
        if (__builtin_add_overflow(sum, term, &sum))
            return VALUE_TOO_LARGE;
    } while (*text);
    *ns = is_negative ? -sum : sum;
    return VALUE_OK;
}

enum value_outcome value_size(const char *text, int64_t *n_bytes)
{
    int64_t number, product;
    enum value_outcome outcome = digits(&text, &number);

    if (outcome != VALUE_OK)
        return outcome;
    for (size_t i = 0; i < sizeof size_units / sizeof *size_units; i++) {
        if (strcmp(text, size_units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, size_units[i].factor, &product))
            return VALUE_TOO_LARGE;
        *n_bytes = product;
        return VALUE_OK;
    }
    return VALUE_MALFORMED;
}

enum value_outcome value_int(const char *text, int64_t *value)
{
    bool is_negative = *text == '-';
    int64_t number;
    enum value_outcome outcome;

    if (is_negative)
        text++;
    outcome = digits(&text, &number);
    if (outcome != VALUE_OK)
        return outcome;
    if (*text)
        return VALUE_MALFORMED;
    *value = is_negative ? -number : number;
    return VALUE_OK;
}

enum value_outcome value_bool(const char *text, bool *value)
{
    bool is_true = strcmp(text, "true") == 0;

    if (!is_true && strcmp(text, "false") != 0)
        return VALUE_MALFORMED;
    *value = is_true;
    return VALUE_OK;
}
