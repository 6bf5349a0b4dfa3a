/* SPDX-License-Identifier: Apache-2.0 */
#include "problem.h"

#include <assert.h>
#include <stdio.h>

#include "shm/json_string.h"

static const struct {
    const char *name;
    int status;
    const char *title;
} kinds[PROBLEM_N_KINDS] = {
#define PROBLEM_ROW(kind, kind_name, kind_status, kind_title)                                      \
    [PROBLEM_##kind] = {.name = (kind_name), .status = (kind_status), .title = (kind_title)},
    PROBLEM_KINDS(PROBLEM_ROW)
#undef PROBLEM_ROW
};

enum {
    FIXED_BYTES = 512, /* names of members, the kind's own texts, numbers */
    PART_BYTES = 32,   /* the same of one part */
    ESCAPED_BYTES = 6, /* most that one byte of a text can become */
};

const char *problem_name(enum problem_kind kind)
{
    return kinds[kind].name;
}

int problem_status(enum problem_kind kind)
{
    return kinds[kind].status;
}

/* At most PROBLEM_TEXT_BYTES of it, without half a character at the end. */
static struct slice shown(struct slice text)
{
    if (text.len <= PROBLEM_TEXT_BYTES)
        return text;
    text.len = PROBLEM_TEXT_BYTES;
    while (text.len && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

static size_t text_max_bytes(struct slice text)
{
    return shown(text).len * ESCAPED_BYTES + strlen("\"\"");
}

static size_t parts_shown(const struct problem *problem)
{
    return problem->n_parts < PROBLEM_MAX_PARTS ? problem->n_parts : PROBLEM_MAX_PARTS;
}

size_t problem_max_bytes(const struct problem *problem)
{
    size_t n = FIXED_BYTES + text_max_bytes(problem->detail) + text_max_bytes(problem->message_id) +
               text_max_bytes(problem->backend) + text_max_bytes(problem->broker_text);
    for (size_t i = 0; i < parts_shown(problem); i++)
        n += PART_BYTES + text_max_bytes(problem->parts[i].backend) +
             text_max_bytes(problem->parts[i].outcome);
    return n;
}

/* ---- writing; `end` is the end of the buffer, which problem_max_bytes() made large enough ---- */

struct out {
    char *at, *end;
};

static void put(struct out *out, const char *string)
{
    size_t n = strlen(string);
    assert(n <= (size_t)(out->end - out->at));
    out->at = mempcpy(out->at, string, n);
}

static void put_number(struct out *out, unsigned long number)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%lu", number); /* fits */
    put(out, digits);
}

static void put_text(struct out *out, struct slice text)
{
    size_t room = (size_t)(out->end - out->at);
    size_t n = json_string_write(out->at, room, text.at, shown(text).len);
    assert(n <= room);
    out->at += n;
}

static void put_member(struct out *out, const char *key, struct slice value)
{
    if (!value.len)
        return;
    put(out, key);
    put_text(out, value);
}

static void put_broker(struct out *out, const struct problem *problem)
{
    if (!problem->broker_code && !problem->broker_text.len)
        return;
    put(out, ",\"broker\":{\"code\":");
    put_number(out, problem->broker_code);
    put_member(out, ",\"text\":", problem->broker_text);
    put(out, "}");
}

static void put_parts(struct out *out, const struct problem *problem)
{
    for (size_t i = 0; i < parts_shown(problem); i++) {
        put(out, i ? ",{\"backend\":" : ",\"backends\":[{\"backend\":");
        put_text(out, problem->parts[i].backend);
        put(out, ",\"outcome\":");
        put_text(out, problem->parts[i].outcome);
        put(out, "}");
    }
    if (problem->n_parts)
        put(out, "]");
}

size_t problem_write(const struct problem *problem, char *bytes)
{
    struct out out = {.at = bytes, .end = bytes + problem_max_bytes(problem)};
    int status = problem->status ? problem->status : problem_status(problem->kind);
    put(&out, "{\"type\":\"/problems/");
    put(&out, kinds[problem->kind].name);
    put(&out, "\",\"title\":\"");
    put(&out, kinds[problem->kind].title);
    put(&out, "\",\"status\":");
    put_number(&out, (unsigned long)status);
    put_member(&out, ",\"detail\":", problem->detail);
    put_member(&out, ",\"message_id\":", problem->message_id);
    if (problem->retry_after_s) {
        put(&out, ",\"retry_after\":");
        put_number(&out, problem->retry_after_s);
    }
    put_member(&out, ",\"backend\":", problem->backend);
    put_broker(&out, problem);
    put_parts(&out, problem);
    put(&out, "}");
    return (size_t)(out.at - bytes);
}
