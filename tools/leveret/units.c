/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define MOST 1e18 /* beyond it a number is nobody's figure */

static struct units_text say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct units_text say(const char *format, ...)
{
    struct units_text said;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said.text, sizeof(said.text), format, args);
    va_end(args);
    return said;
}

static bool is_known(double number)
{
    return isfinite(number) && number >= 0;
}

static double bounded(double number)
{
    return number < MOST ? number : MOST;
}

/* Three digits, and as many of them behind the point as are left. */
static int decimals(double number)
{
    return number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
}

/* In the first unit in which there are no more than three digits before the point. */
static struct units_text scaled(
    double number, double step, const char *const *units, const char *behind)
{
    while (number >= 999.5 && units[1]) {
        number /= step;
        units++;
    }
    return say("%.*f%s%s", decimals(number), number, *units, behind);
}

static const char *const thousands[] = {"", "k", "M", "G", "T", "P", NULL};

struct units_text units_count(double n)
{
    if (!is_known(n))
        return say("-");
    return n < 9999.5 ? say("%.0f", n) : scaled(bounded(n) / 1000, 1000, thousands + 1, "");
}

struct units_text units_rate(double per_second)
{
    if (!is_known(per_second))
        return say("-");
    if (per_second < 0.005)
        return say("0/s");
    if (per_second < 999.5)
        return say("%.*f/s", per_second < 9.95 ? 1 : 0, per_second);
    return scaled(bounded(per_second) / 1000, 1000, thousands + 1, "/s");
}

struct units_text units_bytes(double n)
{
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", NULL};
    if (!is_known(n))
        return say("-");
    return n < 999.5 ? say("%.0f B", n) : scaled(bounded(n) / 1024, 1024, units, "");
}

/* The whole units of `large` in it, and the whole `small` ones of the rest. */
static struct units_text two_parts(uint64_t s, uint64_t large, uint64_t small, const char *names)
{
    return say("%" PRIu64 "%c %02" PRIu64 "%c", s / large, names[0], s % large / small, names[1]);
}

struct units_text units_age(double ns)
{
    if (!is_known(ns))
        return say("-");
    uint64_t s = (uint64_t)bounded(ns) / 1000000000;
    if (s < 60)
        return say("%" PRIu64 "s", s);
    if (s < 3600)
        return two_parts(s, 60, 1, "ms");
    return s < 86400 ? two_parts(s, 3600, 60, "hm") : two_parts(s, 86400, 3600, "dh");
}

struct units_text units_time(double ns)
{
    static const char *const units[] = {" us", " ms", " s", NULL};
    if (!is_known(ns))
        return say("-");
    if (ns < 1)
        return say("0");
    return ns < 59.995e9 ? scaled(ns / 1000, 1000, units, "") : units_age(ns);
}

struct units_text units_percent(double share)
{
    if (!is_known(share))
        return say("-");
    double percent = bounded(100 * share);
    return say("%.*f%%", percent > 0 && percent < 9.95 ? 1 : 0, percent);
}
