/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shm/message.h"

static uint8_t bytes[4096];
static char long_text[400], zeros[400];

static struct message_field field(enum message_field_kind kind, const char *value)
{
    return (struct message_field){.kind = kind, .value = value, .value_bytes = strlen(value)};
}

/* Nothing may be at NULL, which memcmp() does not take. */
static void expect_bytes(const char *got, const char *wanted, size_t n)
{
    if (n > 0)
        cr_assert_arr_eq(got, wanted, n);
}

Test(message, reads_back_every_field_as_it_was_written)
{
    struct message_writer writer = {.bytes = bytes, .size = sizeof(bytes)};
    struct message_field fields[] = {
        field(MESSAGE_ROUTING_KEY, "orders.eu"),
        field(MESSAGE_CONTENT_TYPE, "application/json"),
        field(MESSAGE_EXPIRATION, "60000"),
        field(MESSAGE_REPLY_TO, ""),
        field(MESSAGE_MESSAGE_ID, "id-1"),
        field(MESSAGE_PRIORITY, "255"),
        {MESSAGE_HEADER, "X-Multi", 7, "a", 1},
        {MESSAGE_HEADER, "X-Multi", 7, "", 0},
        {MESSAGE_HEADER, "X-Bin", 5, "\0\xff", 2},
        {MESSAGE_PROPERTY, "app-id", 6, "shop", 4},
        field(MESSAGE_N_OMITTED, "12"),
    };
    enum { N = sizeof(fields) / sizeof(fields[0]) };
    for (int i = 0; i < N; i++)
        cr_assert_eq(message_write(&writer, &fields[i]), MESSAGE_OK);
    struct message_reader reader = {.bytes = bytes, .size = writer.used};
    for (int i = 0; i < N; i++) {
        struct message_field got;
        cr_assert_eq(message_read(&reader, &got), MESSAGE_OK);
        cr_assert_eq(got.kind, fields[i].kind);
        cr_assert_eq(got.name_bytes, fields[i].name_bytes);
        expect_bytes(got.name, fields[i].name, got.name_bytes);
        cr_assert_eq(got.value_bytes, fields[i].value_bytes);
        expect_bytes(got.value, fields[i].value, got.value_bytes);
    }
    struct message_field none;
    cr_assert_eq(message_read(&reader, &none), MESSAGE_END);
}

Test(message, values_keep_to_the_limits_of_their_kind)
{
    memset(long_text, 'x', 256);
    memset(zeros, '0', 256);
    const struct {
        struct message_field field;
        enum message_outcome outcome;
    } cases[] = {
        {field(MESSAGE_EXPIRATION, "0"), MESSAGE_OK},
        {field(MESSAGE_EXPIRATION, "4294967295"), MESSAGE_OK},
        {field(MESSAGE_EXPIRATION, "4294967296"), MESSAGE_OUT_OF_RANGE},
        {field(MESSAGE_EXPIRATION, "99999999999999999999999999"), MESSAGE_OUT_OF_RANGE},
        {field(MESSAGE_EXPIRATION, ""), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_EXPIRATION, "notanumber"), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_EXPIRATION, "-1"), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_EXPIRATION, "1.5"), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_EXPIRATION, "1000ms"), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_EXPIRATION, " "), MESSAGE_NOT_A_NUMBER},
        {field(MESSAGE_PRIORITY, "0"), MESSAGE_OK},
        {field(MESSAGE_PRIORITY, "256"), MESSAGE_OUT_OF_RANGE},
        {field(MESSAGE_PRIORITY, "abc"), MESSAGE_NOT_A_NUMBER},
        {{MESSAGE_PRIORITY, "", 0, zeros, 255}, MESSAGE_OK},
        {{MESSAGE_PRIORITY, "", 0, zeros, 256}, MESSAGE_TOO_LONG},
        {{MESSAGE_EXPIRATION, "", 0, zeros, 256}, MESSAGE_TOO_LONG},
        {field(MESSAGE_ROUTING_KEY, long_text + 1), MESSAGE_OK},
        {field(MESSAGE_ROUTING_KEY, long_text), MESSAGE_TOO_LONG},
        {field(MESSAGE_MESSAGE_ID, long_text), MESSAGE_TOO_LONG},
        {field(MESSAGE_REPLY_TO, long_text), MESSAGE_TOO_LONG},
        {field(MESSAGE_CONTENT_TYPE, long_text), MESSAGE_TOO_LONG},
        {{MESSAGE_ROUTING_KEY, "", 0, "a\0b", 3}, MESSAGE_HAS_NUL},
        {{MESSAGE_HEADER, long_text, 256, "v", 1}, MESSAGE_TOO_LONG},
        {{MESSAGE_HEADER, "X", 1, long_text, 256}, MESSAGE_OK},
        {{MESSAGE_PROPERTY, long_text, 256, "v", 1}, MESSAGE_TOO_LONG},
        {{MESSAGE_PROPERTY, "a\0b", 3, "v", 1}, MESSAGE_HAS_NUL},
        {field(MESSAGE_N_OMITTED, "4294967295"), MESSAGE_OK},
        {field(MESSAGE_N_OMITTED, "4294967296"), MESSAGE_OUT_OF_RANGE},
        {field(MESSAGE_N_OMITTED, ""), MESSAGE_NOT_A_NUMBER},
        {{MESSAGE_N_KINDS, "", 0, "v", 1}, MESSAGE_MALFORMED},
        {{0, "", 0, "v", 1}, MESSAGE_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(message_check(&cases[i].field), cases[i].outcome, "case %zu", i);
}

Test(message, a_field_that_does_not_fit_writes_nothing)
{
    struct message_field key = field(MESSAGE_ROUTING_KEY, "12345678");
    for (size_t size = 0; size < message_field_bytes(&key); size++) {
        struct message_writer writer = {.bytes = bytes, .size = size};
        cr_assert_eq(message_write(&writer, &key), MESSAGE_FULL);
        cr_assert_eq(writer.used, 0);
    }
}

Test(message, every_truncation_is_malformed)
{
    struct message_writer writer = {.bytes = bytes, .size = sizeof(bytes)};
    struct message_field header = {MESSAGE_HEADER, "X-Name", 6, "value", 5}, got;
    cr_assert_eq(message_write(&writer, &header), MESSAGE_OK);
    for (size_t size = 1; size < writer.used; size++) {
        struct message_reader reader = {.bytes = bytes, .size = size};
        cr_assert_eq(message_read(&reader, &got), MESSAGE_MALFORMED, "%zu", size);
        cr_assert_eq(reader.read, 0);
    }
}

Test(message, what_a_liar_writes_is_refused)
{
    struct message_field got;
    uint8_t lies[][12] = {
        {MESSAGE_ROUTING_KEY, 4, 0, 0, 0, 0, 0, 0, 'n', 'a', 'm', 'e'}, /* a name where none is */
        {MESSAGE_ROUTING_KEY, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
        {MESSAGE_HEADER, 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
        {MESSAGE_N_OMITTED, 1, 0, 0, 1, 0, 0, 0, 'n', '1', 0, 0},
        {MESSAGE_PRIORITY, 0, 0, 0, 4, 0, 0, 0, '9', '9', '9', '9'},
        {0xee, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct message_reader reader = {.bytes = lies[i], .size = sizeof(lies[i])};
        enum message_outcome outcome = message_read(&reader, &got);
        cr_assert(outcome != MESSAGE_OK && outcome != MESSAGE_END, "lie %zu", i);
    }
}

Test(message, every_outcome_has_a_text)
{
    for (enum message_outcome o = MESSAGE_END; o <= MESSAGE_HAS_NUL; o++)
        cr_assert_gt(strlen(message_outcome_text(o)), 0);
}
