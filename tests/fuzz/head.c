/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request before the guard and before the parser of the HTTP library, which is inside
 * libh2o and whose headers do not declare it. What the guard calls sound the parser reads alike, above
 * all where it ends and how long its body is; the more bytes there are the less may change.
 */
#include "fuzz.h"
#include "guard.h"
#include "shm/cleanup.h"
#include "tests/support/http_parser.h"

enum { MAX_FIELDS = 100, MAX_BYTES = 2048 };

struct parsed {
    struct slice method, target;
    int minor_version;
    struct phr_header fields[MAX_FIELDS];
    size_t n_fields;
};

static int parse(const char *bytes, size_t n, struct parsed *parsed)
{
    parsed->n_fields = MAX_FIELDS;
    return phr_parse_request(bytes, n, &parsed->method.at, &parsed->method.len, &parsed->target.at,
        &parsed->target.len, &parsed->minor_version, parsed->fields, &parsed->n_fields, 0);
}

/* The only one of that name, or none. */
static struct slice field_of(const struct parsed *parsed, const char *name, size_t *n)
{
    struct slice value = {0};
    *n = 0;
    for (size_t i = 0; i < parsed->n_fields; i++) {
        const struct phr_header *field = &parsed->fields[i];
        if (slice_equals_nocase(slice_of(name), (struct slice){field->name, field->name_len})) {
            value = (struct slice){field->value, field->value_len};
            ++*n;
        }
    }
    return value;
}

static void expect_agreement(const char *bytes, size_t n, const struct guard_head *head)
{
    static struct parsed parsed;
    size_t n_lengths, n_codings;
    fuzz_expect(head->bytes <= n && head->bytes <= MAX_BYTES);
    fuzz_expect(parse(bytes, n, &parsed) == (int)head->bytes);
    fuzz_expect(slice_equals(head->method, parsed.method));
    fuzz_expect(head->is_old == (parsed.minor_version == 0));
    struct slice length = field_of(&parsed, "Content-Length", &n_lengths);
    (void)field_of(&parsed, "Transfer-Encoding", &n_codings);
    fuzz_expect(n_lengths + n_codings <= 1);
    fuzz_expect(head->is_chunked == (n_codings == 1));
    CLEANUP(cleanup_free) char *digits = strndup(length.len ? length.at : "", length.len);
    fuzz_expect(head->length == strtoull(digits, NULL, 10));
    fuzz_expect(head->path.len > 0 && head->path.at[0] == '/');
    fuzz_expect(head->query.len == 0 || head->query.at[0] == '?');
    fuzz_expect(!memchr(head->path.at, '?', head->path.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(cleanup_free) char *box = fuzz_box((struct fuzz_input){bytes, n});
    struct guard_head head, same;
    enum guard_outcome outcome = guard_read(box, n, MAX_BYTES, &head);
    if (outcome != GUARD_OK) {
        fuzz_expect(guard_status(outcome) == 400 || guard_status(outcome) == 431);
        fuzz_expect(*guard_sentence(outcome));
        return 0;
    }
    expect_agreement(box, n, &head);
    fuzz_expect(guard_read(box, head.bytes, MAX_BYTES, &same) == GUARD_OK);
    fuzz_expect(same.bytes == head.bytes && same.length == head.length);
    return 0;
}
