/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/json.h"

#include "problem.h"

/* Written into exactly the room that was asked for, and JSON whatever went in. */
static char *written(const struct problem *problem)
{
    size_t room = problem_max_bytes(problem), fault;
    char *out = malloc(room);
    size_t n = problem_write(problem, out);
    struct json_value value;
    cr_assert_leq(n, room);
    cr_assert_eq(json_check(out, n, &value, &fault), JSON_OK, "%.*s", (int)n, out);
    char *string = strndup(out, n);
    free(out);
    return string;
}

Test(problem, says_all_that_helps)
{
    const struct problem_part parts[] = {
        {slice_of("orders"), slice_of("confirmed")}, {slice_of("bills"), slice_of("nacked")}};
    const struct problem problem = {
        .kind = PROBLEM_PARTIAL,
        .status = 504,
        .detail = slice_of("1 of 2"),
        .message_id = slice_of("id-1"),
        .retry_after_s = 3,
        .backend = slice_of("orders"),
        .broker_code = 312,
        .broker_text = slice_of("NO_ROUTE"),
        .parts = parts,
        .n_parts = 2,
    };
    CLEANUP(cleanup_free) char *text = written(&problem);
    cr_assert_str_eq(text,
        "{\"type\":\"/problems/partial\",\"title\":\"Not every backend accepted the message\","
        "\"status\":504,\"detail\":\"1 of 2\",\"message_id\":\"id-1\",\"retry_after\":3,"
        "\"backend\":\"orders\",\"broker\":{\"code\":312,\"text\":\"NO_ROUTE\"},"
        "\"backends\":[{\"backend\":\"orders\",\"outcome\":\"confirmed\"},"
        "{\"backend\":\"bills\",\"outcome\":\"nacked\"}]}");
}

Test(problem, leaves_out_what_there_is_not)
{
    const struct problem problem = {.kind = PROBLEM_NOT_FOUND};
    CLEANUP(cleanup_free) char *text = written(&problem);
    cr_assert_str_eq(text, "{\"type\":\"/problems/not-found\",\"title\":\"There is no such "
                           "endpoint\",\"status\":404}");
}

Test(problem, a_hostile_text_stays_a_text)
{
    const struct problem problem = {
        .kind = PROBLEM_REJECTED,
        .detail = {.at = "\"},{\\\r\n\0\xff", .len = 9},
        .broker_text = slice_of("caf\xc3\xa9 \xc3"),
    };
    CLEANUP(cleanup_free) char *text = written(&problem);
    cr_assert_not_null(
        strstr(text, "\"detail\":\"\\\"},{\\\\\\r\\n\\u0000\xef\xbf\xbd\""), "%s", text);
    cr_assert_not_null(
        strstr(text, "\"broker\":{\"code\":0,\"text\":\"caf\xc3\xa9 \xef\xbf\xbd\"}"), "%s", text);
}

Test(problem, a_long_text_is_cut_between_characters)
{
    static char text[PROBLEM_TEXT_BYTES + 3], expected[PROBLEM_TEXT_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text + PROBLEM_TEXT_BYTES - 2, "\xe2\x82\xac", 3); /* one byte of it would not fit */
    memset(expected, 'x', PROBLEM_TEXT_BYTES - 2);
    memcpy(expected + PROBLEM_TEXT_BYTES - 2, "\"", 2);
    const struct problem problem = {.kind = PROBLEM_REJECTED, .detail = slice_of(text)};
    CLEANUP(cleanup_free) char *out = written(&problem);
    cr_assert_not_null(strstr(out, expected));
    cr_assert_null(strstr(out, "\xef\xbf\xbd"));
}

Test(problem, the_largest_fits_into_what_it_asks_for)
{
    static char worst[PROBLEM_TEXT_BYTES * 2]; /* NUL bytes, each becomes six */
    static struct problem_part parts[PROBLEM_MAX_PARTS + 5];
    struct slice text = {.at = worst, .len = sizeof(worst)};
    for (size_t i = 0; i < PROBLEM_MAX_PARTS + 5; i++)
        parts[i] = (struct problem_part){.backend = text, .outcome = text};
    for (enum problem_kind kind = 0; kind < PROBLEM_N_KINDS; kind++) {
        const struct problem problem = {.kind = kind,
            .detail = text,
            .message_id = text,
            .retry_after_s = UINT32_MAX,
            .backend = text,
            .broker_code = UINT16_MAX,
            .broker_text = text,
            .parts = parts,
            .n_parts = PROBLEM_MAX_PARTS + 5};
        CLEANUP(cleanup_free) char *out = written(&problem);
        size_t n_parts = 0;
        for (const char *at = out; (at = strstr(at, "\"outcome\":")); at++)
            n_parts++;
        cr_assert_eq(n_parts, PROBLEM_MAX_PARTS);
    }
}

Test(problem, every_kind_has_a_name_and_the_status_of_its_row)
{
    cr_expect_str_eq(problem_name(PROBLEM_OUTCOME_UNKNOWN), "outcome-unknown");
    cr_expect_eq(problem_status(PROBLEM_OUTCOME_UNKNOWN), 504);
    cr_expect_eq(problem_status(PROBLEM_UNROUTABLE), 422);
    for (enum problem_kind a = 0; a < PROBLEM_N_KINDS; a++) {
        cr_expect_eq(problem_name(a)[strspn(problem_name(a), "abcdefghijklmnopqrstuvwxyz-")], '\0');
        cr_expect(problem_status(a) >= 400 && problem_status(a) <= 504);
        for (enum problem_kind b = 0; b < a; b++)
            cr_expect_str_neq(problem_name(a), problem_name(b));
    }
}
