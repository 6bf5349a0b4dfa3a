/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that a configuration writes as text: durations, sizes, integers.
 */
#ifndef LEVERET_CONFIG_VALUE_H
#define LEVERET_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

enum value_outcome { VALUE_OK, VALUE_MALFORMED, VALUE_TOO_LARGE };

/*
 * A duration as Go's time.ParseDuration reads it, in nanoseconds: an optional sign, then decimal
 * numbers each with an optional fraction and a unit, "300ms", "-1.5h", "1m30s"; "0" alone needs no
 * unit. Units: ns, us, µs (either code point), ms, s, m, h. Fractions of a nanosecond are dropped.
 */
enum value_outcome value_duration(const char *text, int64_t *ns)
    __attribute__((warn_unused_result));

/* Bytes: decimal digits and a unit, none or one of B, KiB, MiB, GiB, KB, MB, GB (powers of 1000).
 */
enum value_outcome value_size(const char *text, int64_t *n_bytes)
    __attribute__((warn_unused_result));

/* A decimal integer, the whole text. */
enum value_outcome value_int(const char *text, int64_t *value) __attribute__((warn_unused_result));

/* "true" or "false". */
enum value_outcome value_bool(const char *text, bool *value) __attribute__((warn_unused_result));

#endif
