/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between two quotes of a JSON text (RFC 8259, section 7): checking it, reading it by
 * meaning, comparing two of them, and writing arbitrary bytes as one. "Raw" is a string as it is
 * written, escapes and all, without its quotes. As in shm/json.h, nothing is read outside a slice,
 * whatever its bytes are or become.
 */
#ifndef LEVERET_SHM_JSON_STRING_H
#define LEVERET_SHM_JSON_STRING_H

#include "shm/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_STRING_END UINT32_MAX

/* Length of the UTF-8 character (RFC 3629) at `at`, which is before `end`; 0 when it is none. */
size_t json_utf8_length(const char *at, const char *end);

/*
 * Moves `*at` from behind an opening quote to behind the closing one. False: the string is
 * malformed, or the text ends at `end` before it does; `*at` is then the fault.
 */
MUST_USE bool json_string_skip(const char **at, const char *end);

/*
 * Takes the first code point off a raw string and returns it, JSON_STRING_END when there is none.
 * A surrogate pair of escapes is one code point, a lone surrogate one of its own (U+D800..U+DFFF).
 * In a string that was never checked, each byte that makes no sense is a value from 0x110000 up.
 */
uint32_t json_string_next(struct json_slice *raw);

/* Whether two raw strings mean the same: "a\u0062" and "ab" do. No normalisation of Unicode. */
bool json_string_equal(struct json_slice a, struct json_slice b);

/*
 * Writes to `out` what a raw string means, as UTF-8, and returns how many bytes that takes: no more
 * than `raw` has. A lone surrogate becomes U+FFFD; in a string that was never checked, a byte that
 * makes no sense stays one.
 */
size_t json_string_read(char *out, struct json_slice raw);

/*
 * Writes `bytes` as a JSON string, quotes included. Every byte that is not part of valid UTF-8
 * becomes U+FFFD. Returns how many bytes that takes (at most 6 * len + 2); when it is more than
 * `room`, what stands in `out` is useless, but nothing was written outside it. `out` may be NULL
 * with no room, to measure. No terminating NUL.
 */
size_t json_string_write(char *out, size_t room, const char *bytes, size_t len);

#endif
