/* SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include "shm/json.h"

static bool is_white(const char *text, size_t n)
{
    while (n && (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r'))
        text++, n--;
    return !n;
}

static bool is_wanted(enum plan_encoding encoding, enum json_kind kind)
{
    if (encoding == PLAN_SAFEJSON || kind == JSON_KIND_NULL)
        return true;
    return kind == (encoding == PLAN_JSON ? JSON_KIND_OBJECT : JSON_KIND_ARRAY);
}

static bool decode_json(
    enum plan_encoding encoding, const char *text, size_t n, struct decode_part *part)
{
    struct json_value value;
    size_t fault;
    if (is_white(text, n)) {
        *part = (struct decode_part){0};
        return true;
    }
    if (json_check(text, n, &value, &fault) != JSON_OK || !is_wanted(encoding, value.kind))
        return false;
    *part = (struct decode_part){.at = (size_t)(value.text.at - text), .n_bytes = value.text.len};
    return true;
}

bool decode(
    enum plan_encoding encoding, const uint8_t *body, size_t n_bytes, struct decode_part *part)
{
    if (encoding == PLAN_JSON || encoding == PLAN_JSON_COLLECTION || encoding == PLAN_SAFEJSON)
        return decode_json(encoding, (const char *)body, n_bytes, part);
    *part = (struct decode_part){.n_bytes = n_bytes};
    return true;
}
