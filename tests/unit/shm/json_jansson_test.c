/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shm/json.h against jansson: texts from a seeded grammar, most of them then spoiled by a few
 * random edits, are JSON to both or to neither. They are meant to part ways only where jansson has
 * to make a value of the text: numbers that no double holds, lone surrogates, a NUL in a key; and
 * where it takes a NUL byte behind the value for the end of the text.
 */
#include <criterion/criterion.h>

#include "shm/json.h"

#include "tests/support/fence.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#define N_TEXTS 60000
#define TEXT_MAX 2048
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct corpus {
    uint64_t random;
    char text[TEXT_MAX];
    size_t len;
};

static size_t draw(struct corpus *corpus, size_t below)
{
    corpus->random ^= corpus->random << 13;
    corpus->random ^= corpus->random >> 7;
    corpus->random ^= corpus->random << 17;
    return (size_t)(corpus->random >> 11) % below;
}

static void add(struct corpus *corpus, const char *piece)
{
    size_t len = strlen(piece);
    if (corpus->len + len <= TEXT_MAX / 2) { /* what does not fit makes a broken text: as good */
        memcpy(corpus->text + corpus->len, piece, len);
        corpus->len += len;
    }
}

static void add_one_of(struct corpus *corpus, const char *const *pieces, size_t n)
{
    add(corpus, pieces[draw(corpus, n)]);
}

static void add_space(struct corpus *corpus)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n  ", "\t", "\r\n"};
    add_one_of(corpus, spaces, COUNT(spaces));
}

static void add_string(struct corpus *corpus)
{
    static const char *const pieces[] = {"a", "key", "some plain text of a message", "\\\"", "\\\\",
        "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\uFFFF", "\\ud83d\\ude00",
        "\x7F", "\xC3\xA9", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xEF\xBF\xBF", "\xF0\x9F\x98\x80",
        "\xF4\x8F\xBF\xBF"};
    add(corpus, "\"");
    for (size_t n = draw(corpus, 5); n > 0; n--)
        add_one_of(corpus, pieces, COUNT(pieces));
    add(corpus, "\"");
}

static void add_scalar(struct corpus *corpus)
{
    static const char *const scalars[] = {"0", "-0", "1", "-17", "2.50", "1e3", "1E+2", "1e-2",
        "0.0", "-0.5e1", "123456789", "12345678901234567890123", "true", "false", "null"};
    if (draw(corpus, 3) == 0)
        add_string(corpus);
    else
        add_one_of(corpus, scalars, COUNT(scalars));
}

static void add_value(struct corpus *corpus, unsigned depth)
{
    size_t choice = draw(corpus, depth < 6 ? 4 : 2);
    if (choice < 2) {
        add_scalar(corpus);
        return;
    }
    add(corpus, choice == 2 ? "{" : "[");
    add_space(corpus);
    size_t n = draw(corpus, 5);
    for (size_t i = 0; i < n; i++) {
        if (choice == 2) {
            add_string(corpus);
            add_space(corpus);
            add(corpus, ":");
            add_space(corpus);
        }
        add_value(corpus, depth + 1);
        add_space(corpus);
        if (i + 1 < n) {
            add(corpus, ",");
            add_space(corpus);
        }
    }
    add(corpus, choice == 2 ? "}" : "]");
}

/* Overwrites, removes or doubles a byte somewhere. */
static void spoil(struct corpus *corpus)
{
    static const char bytes[] =
        "{}[]\":,\\/ue+-.019 \n\t\x01truefalsn'\x80\xC3\xE0\xED\xF0\xF4\xFF\xBF";
    if (corpus->len == 0)
        return;
    size_t at = draw(corpus, corpus->len);
    size_t rest = corpus->len - at - 1;
    switch (draw(corpus, 4)) {
    case 0:
        corpus->text[at] = (char)draw(corpus, 256);
        break;
    case 1:
        corpus->text[at] = bytes[draw(corpus, sizeof(bytes) - 1)];
        break;
    case 2:
        memmove(corpus->text + at, corpus->text + at + 1, rest);
        corpus->len--;
        break;
    default:
        memmove(corpus->text + at + 1, corpus->text + at, rest + 1);
        corpus->len++;
    }
}

static void next_text(struct corpus *corpus)
{
    corpus->len = 0;
    add_space(corpus);
    add_value(corpus, 0);
    add_space(corpus);
    for (size_t n = draw(corpus, 4); n > 0; n--)
        spoil(corpus);
}

/* Whether jansson judges by something that is not the grammar. */
static bool is_beyond_grammar(
    const json_t *theirs, const json_error_t *error, const struct corpus *corpus, size_t fault)
{
    if (theirs != NULL)
        return fault < corpus->len && corpus->text[fault] == 0;
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode") != NULL;
}

static enum json_kind kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_STRING;
    case JSON_TRUE:
        return JSON_KIND_TRUE;
    case JSON_FALSE:
        return JSON_KIND_FALSE;
    case JSON_NULL:
        return JSON_KIND_NULL;
    default:
        return JSON_KIND_NUMBER;
    }
}

Test(json_jansson, both_take_and_refuse_the_same_texts)
{
    static struct corpus corpus = {.random = 8259};
    struct fence fence;
    size_t n_taken = 0, n_refused = 0, n_beyond = 0;

    fence_init(&fence, TEXT_MAX);
    for (int i = 0; i < N_TEXTS; i++) {
        json_error_t error;
        struct json_value value;
        size_t fault = corpus.len;
        next_text(&corpus);
        const char *text = fence_copy(&fence, corpus.text, corpus.len);
        enum json_outcome outcome = json_check(text, corpus.len, &value, &fault);
        json_t *theirs = json_loadb(
            text, corpus.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        if (is_beyond_grammar(theirs, &error, &corpus, fault)) {
            n_beyond++;
            json_decref(theirs);
            continue;
        }
        cr_assert_eq(outcome == JSON_OK, theirs != NULL,
            "text %d: outcome %d at %zu, jansson: %s\n%.*s", i, outcome, fault,
            theirs ? "takes it" : error.text, (int)corpus.len, text);
        if (theirs != NULL)
            cr_assert_eq(value.kind, kind_of(theirs), "text %d", i);
        *(theirs != NULL ? &n_taken : &n_refused) += 1;
        json_decref(theirs);
    }
    fence_done(&fence);
    cr_expect_gt(n_taken, N_TEXTS / 4, "%zu", n_taken);
    cr_expect_gt(n_refused, N_TEXTS / 4, "%zu", n_refused);
    cr_expect_lt(n_beyond, N_TEXTS / 20, "%zu", n_beyond);
}
