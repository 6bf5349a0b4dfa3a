/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "confirm.h"

enum { WINDOW = 512 };

static struct confirm_entry entries[WINDOW + 1];

/* A fresh channel with publishes 1 to n, whose ids are 1000 + their number. */
static void publish(struct confirm *confirm, uint64_t n)
{
    cr_assert_eq(confirm_init(confirm, WINDOW), 0);
    for (uint64_t i = 1; i <= n; i++) {
        confirm_add(confirm, &entries[i], 1000 + i);
        cr_assert_eq(entries[i].number, i);
    }
}

/* Settles, and expects exactly the numbers from..to in their order. */
static void expect_settled(
    struct confirm *confirm, uint64_t tag, bool is_multiple, uint64_t from, uint64_t to)
{
    struct confirm_entry *entry;
    cr_assert_eq(confirm_check(confirm, tag, is_multiple), CONFIRM_OK);
    uint64_t expected = from;
    while ((entry = confirm_take(confirm, tag, is_multiple)))
        cr_assert_eq(entry->number, expected++);
    cr_assert_eq(expected, to + 1);
}

static void expect_unknown(struct confirm *confirm, uint64_t tag, bool is_multiple)
{
    cr_assert_eq(confirm_check(confirm, tag, is_multiple), CONFIRM_UNKNOWN);
}

Test(confirm, settles_one_by_one_in_any_order)
{
    struct confirm confirm;
    publish(&confirm, 5);
    const uint64_t order[] = {3, 1, 5, 4, 2};
    for (int i = 0; i < 5; i++)
        expect_settled(&confirm, order[i], false, order[i], order[i]);
    cr_assert_eq(confirm.n_in_flight, 0);
    confirm_done(&confirm);
}

Test(confirm, multiple_settles_every_unsettled_one_up_to_it_and_no_further)
{
    struct confirm confirm;
    publish(&confirm, 8);
    expect_settled(&confirm, 4, true, 1, 4);
    expect_settled(&confirm, 6, false, 6, 6);
    struct confirm_entry *entry = confirm_take(&confirm, 7, true);
    cr_assert_eq(entry->number, 5);
    entry = confirm_take(&confirm, 7, true);
    cr_assert_eq(entry->number, 7, "6 had overtaken them");
    cr_assert_null(confirm_take(&confirm, 7, true));
    cr_assert_eq(confirm.n_in_flight, 1);
    confirm_done(&confirm);
}

Test(confirm, zero_with_multiple_means_all)
{
    struct confirm confirm;
    publish(&confirm, 7);
    expect_settled(&confirm, 0, true, 1, 7);
    confirm_done(&confirm);
}

Test(confirm, a_multiple_that_has_nothing_left_to_settle_is_no_lie)
{
    struct confirm confirm;
    publish(&confirm, 3);
    expect_settled(&confirm, 3, true, 1, 3);
    cr_assert_eq(confirm_check(&confirm, 2, true), CONFIRM_OK);
    cr_assert_null(confirm_take(&confirm, 2, true));
    confirm_done(&confirm);
}

Test(confirm, knows_numbers_that_were_never_used_or_are_settled)
{
    struct confirm confirm;
    publish(&confirm, 3);
    expect_unknown(&confirm, 4, false);
    expect_unknown(&confirm, 4, true);
    expect_unknown(&confirm, 0, false);
    expect_unknown(&confirm, UINT64_MAX, false);
    expect_unknown(&confirm, UINT64_MAX, true);
    expect_settled(&confirm, 2, false, 2, 2);
    expect_unknown(&confirm, 2, false);
    cr_assert_eq(confirm.n_in_flight, 2);
    confirm_done(&confirm);
}

Test(confirm, keeps_a_whole_window_apart_while_the_oldest_stays_unsettled)
{
    struct confirm confirm;
    publish(&confirm, WINDOW);
    uint64_t last = WINDOW;
    for (uint64_t tag = 2; tag <= WINDOW; tag++)
        expect_settled(&confirm, tag, false, tag, tag);
    for (int round = 0; round < 2000; round++) { /* numbers come round in the hash many times */
        confirm_add(&confirm, &entries[2], 5);
        cr_assert_eq(entries[2].number, ++last);
        expect_settled(&confirm, last, false, last, last);
    }
    expect_settled(&confirm, 1, false, 1, 1);
    confirm_done(&confirm);
}

Test(confirm, settles_a_full_window_with_every_other_tag_then_the_rest)
{
    struct confirm confirm;
    publish(&confirm, WINDOW);
    for (uint64_t tag = WINDOW; tag >= 2; tag -= 2)
        expect_settled(&confirm, tag, false, tag, tag);
    uint64_t expected = 1;
    struct confirm_entry *entry;
    while ((entry = confirm_take(&confirm, WINDOW, true))) {
        cr_assert_eq(entry->number, expected);
        expected += 2;
    }
    cr_assert_eq(confirm.n_in_flight, 0);
    confirm_done(&confirm);
}

Test(confirm, holds_more_than_it_was_sized_for)
{
    struct confirm confirm;
    cr_assert_eq(confirm_init(&confirm, 1), 0);
    for (uint64_t i = 1; i <= 100; i++)
        confirm_add(&confirm, &entries[i], i * 16);
    for (uint64_t tag = 100; tag >= 1; tag--)
        expect_settled(&confirm, tag, false, tag, tag);
    confirm_done(&confirm);
}

Test(confirm, a_return_marks_the_message_with_its_id_and_no_other)
{
    struct confirm confirm;
    publish(&confirm, 4);
    cr_assert_eq(confirm_return(&confirm, 1003), &entries[3]);
    cr_assert_null(confirm_return(&confirm, 1005));
    for (uint64_t tag = 1; tag <= 4; tag++) {
        struct confirm_entry *entry = confirm_take(&confirm, tag, false);
        cr_assert_eq(entry->is_returned, tag == 3);
    }
    cr_assert_null(confirm_return(&confirm, 1003), "it is settled");
    confirm_done(&confirm);
}

Test(confirm, an_id_may_be_used_again_once_it_is_settled)
{
    struct confirm confirm;
    publish(&confirm, 2);
    cr_assert(confirm_has_id(&confirm, 1001));
    cr_assert_not(confirm_has_id(&confirm, 1003));
    cr_assert(confirm_return(&confirm, 1001));
    expect_settled(&confirm, 1, false, 1, 1);
    cr_assert_not(confirm_has_id(&confirm, 1001));
    confirm_add(&confirm, &entries[1], 1001);
    cr_assert_not(entries[1].is_returned, "that was the first one's");
    confirm_done(&confirm);
}

Test(confirm, gives_up_a_lost_channel_in_the_order_of_publishing)
{
    struct confirm confirm;
    publish(&confirm, 4);
    expect_settled(&confirm, 2, false, 2, 2);
    cr_assert_eq(confirm_take_first(&confirm)->number, 1);
    cr_assert_eq(confirm_take_first(&confirm)->number, 3);
    cr_assert_eq(confirm_take_first(&confirm)->number, 4);
    cr_assert_null(confirm_take_first(&confirm));
    confirm_restart(&confirm);
    confirm_add(&confirm, &entries[1], 7);
    cr_assert_eq(entries[1].number, 1, "a fresh channel counts anew");
    confirm_done(&confirm);
}

Test(confirm, ids_are_told_apart_by_every_byte)
{
    cr_assert_neq(confirm_id("a", 1), confirm_id("b", 1));
    cr_assert_neq(confirm_id("a", 1), confirm_id("a\0", 2));
    cr_assert_neq(confirm_id("ab", 2), confirm_id("ba", 2));
    cr_assert_eq(confirm_id("same", 4), confirm_id("same", 4));
}
