/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "bytes.h"
#include "field.h"
#include "frame.h"

static struct bytes bytes;

/* `depth` tables in one another, the innermost empty. */
static void put_nested_tables(int depth)
{
    static size_t begun[40000];
    for (int i = 0; i < depth; i++) {
        if (i > 0) {
            put_short(&bytes, "k");
            put_8(&bytes, 'F');
        }
        begun[i] = begin_length(&bytes);
    }
    for (int i = depth - 1; i >= 0; i--)
        end_length(&bytes, begun[i]);
}

static void put_value_of_each_kind(void)
{
    static const struct {
        char kind;
        size_t n;
    } fixed[] = {{'t', 1}, {'b', 1}, {'B', 1}, {'s', 2}, {'u', 2}, {'I', 4}, {'i', 4}, {'l', 8},
        {'L', 8}, {'f', 4}, {'d', 8}, {'D', 5}, {'T', 8}, {'V', 0}};
    static const uint8_t zeros[8];
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        put_short(&bytes, "key");
        put_8(&bytes, (uint8_t)fixed[i].kind);
        put(&bytes, zeros, fixed[i].n);
    }
    put_short(&bytes, "");
    put_8(&bytes, 'S');
    put_long(&bytes, "text");
    put_short(&bytes, "x");
    put_8(&bytes, 'x');
    put_long(&bytes, "");
    put_short(&bytes, "array");
    put_8(&bytes, 'A');
    size_t begun = begin_length(&bytes);
    put_8(&bytes, 'V');
    put_8(&bytes, 'F');
    put_32(&bytes, 0);
    end_length(&bytes, begun);
}

Test(field, every_kind_is_walked_and_agrees_with_the_decoder)
{
    size_t begun = begin_length(&bytes);
    put_value_of_each_kind();
    end_length(&bytes, begun);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), 0);

    amqp_pool_t pool;
    amqp_table_t table;
    size_t offset = 0;
    init_amqp_pool(&pool, 0);
    cr_assert_eq(amqp_decode_table(frame_bytes(bytes.at, bytes.n), &pool, &table, &offset), 0);
    cr_assert_eq(table.num_entries, 17);
    cr_assert_eq(offset, bytes.n);
    empty_amqp_pool(&pool);
}

Test(field, a_table_cut_anywhere_is_refused)
{
    size_t begun = begin_length(&bytes);
    put_value_of_each_kind();
    end_length(&bytes, begun);
    for (size_t n = 0; n < bytes.n; n++)
        cr_assert_eq(field_check_encoded(bytes.at, n), -EPROTO, "%zu bytes", n);
}

Test(field, an_unknown_kind_is_refused)
{
    size_t begun = begin_length(&bytes);
    put_short(&bytes, "k");
    put_8(&bytes, 'Z');
    end_length(&bytes, begun);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), -EPROTO);
}

Test(field, an_inner_table_may_not_reach_over_the_outer_one)
{
    size_t begun = begin_length(&bytes);
    put_short(&bytes, "k");
    put_8(&bytes, 'F');
    put_32(&bytes, 4); /* four bytes that stand behind the outer table's end */
    end_length(&bytes, begun);
    put_32(&bytes, 0);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), -EPROTO);
}

Test(field, a_length_of_four_gigabytes_is_refused)
{
    size_t begun = begin_length(&bytes);
    put_short(&bytes, "k");
    put_8(&bytes, 'S');
    put_32(&bytes, UINT32_MAX);
    end_length(&bytes, begun);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), -EPROTO);
}

Test(field, nesting_is_bounded)
{
    put_nested_tables(FIELD_MAX_DEPTH - 1);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), 0);
    bytes.n = 0;
    put_nested_tables(FIELD_MAX_DEPTH);
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), -EPROTO);
    bytes.n = 0;
    put_nested_tables(20000); /* would be 20,000 stack frames of the decoder */
    cr_assert_eq(field_check_encoded(bytes.at, bytes.n), -EPROTO);
}

Test(field, keys_over_255_bytes_are_not_encodable)
{
    static const char key[256];
    amqp_table_entry_t entry = {
        .key = frame_bytes(key, 255), .value = {.kind = AMQP_FIELD_KIND_VOID}};
    amqp_table_t table = {.num_entries = 1, .entries = &entry};
    cr_assert(field_is_encodable(&table));
    entry.key.len = 256; /* the encoder would write a length of 0 before 256 bytes */
    cr_assert_not(field_is_encodable(&table));

    amqp_table_entry_t outer = {.key = frame_bytes("k", 1),
        .value = {.kind = AMQP_FIELD_KIND_TABLE, .value = {.table = table}}};
    amqp_table_t nested = {.num_entries = 1, .entries = &outer};
    cr_assert_not(field_is_encodable(&nested));
}
