/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "outbox.h"

static struct outbox outbox;

static void set_up(void)
{
    cr_assert_eq(outbox_init(&outbox, 64), 0);
}

static void tear_down(void)
{
    outbox_done(&outbox);
}

TestSuite(outbox, .init = set_up, .fini = tear_down);

static bool is_text(const struct iovec *iov, const char *text)
{
    return iov->iov_len == strlen(text) && memcmp(iov->iov_base, text, iov->iov_len) == 0;
}

Test(outbox, own_bytes_of_a_batch_are_one_piece)
{
    struct iovec iov[4];
    cr_assert_eq(outbox_append(&outbox, "one", 3), 0);
    cr_assert_eq(outbox_append(&outbox, "two", 3), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert(is_text(&iov[0], "onetwo"));
    cr_assert_not(outbox_has_more(&outbox));
    cr_assert_not(outbox_is_empty(&outbox));
    outbox_note_taken(&outbox, 6);
    cr_assert(outbox_is_empty(&outbox));
}

Test(outbox, a_borrowed_body_is_pointed_at_in_its_place)
{
    static const char body[] = "a large body";
    struct iovec iov[4];
    cr_assert_eq(outbox_append(&outbox, "<", 1), 0);
    cr_assert_eq(outbox_borrow(&outbox, body, strlen(body)), 0);
    cr_assert_eq(outbox_append(&outbox, ">", 1), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 3);
    cr_assert(is_text(&iov[0], "<"));
    cr_assert_eq(iov[1].iov_base, body);
    cr_assert(is_text(&iov[2], ">"));
}

Test(outbox, while_a_batch_is_with_the_kernel_the_next_one_fills)
{
    struct iovec iov[4];
    cr_assert_eq(outbox_append(&outbox, "first", 5), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert_eq(outbox_append(&outbox, "second", 6), 0);
    cr_assert(is_text(&iov[0], "first"), "bytes in flight do not move");

    struct iovec next[4];
    cr_assert_eq(outbox_take(&outbox, next, 4), 0, "one send at a time");
    outbox_note_taken(&outbox, 2);
    cr_assert_eq(outbox_take(&outbox, next, 4), 0);
    outbox_note_taken(&outbox, 3);
    cr_assert_eq(outbox_take(&outbox, next, 4), 1);
    cr_assert(is_text(&next[0], "second"));
}

Test(outbox, more_segments_than_fit_go_out_in_order_over_several_sends)
{
    struct iovec iov[2];
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(outbox_append(&outbox, "own", 3), 0);
        cr_assert_eq(outbox_borrow(&outbox, "far", 3), 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(outbox_take(&outbox, iov, 2), 2);
        cr_assert(is_text(&iov[0], "own"));
        cr_assert(is_text(&iov[1], "far"));
        outbox_note_taken(&outbox, 6);
    }
    cr_assert(outbox_is_empty(&outbox));
}

Test(outbox, offsets_tell_what_was_never_sent)
{
    struct iovec iov[4];
    uint64_t first = outbox.queued;
    cr_assert_eq(outbox_append(&outbox, "aaaa", 4), 0);
    uint64_t second = outbox.queued;
    cr_assert_eq(outbox_append(&outbox, "bbbb", 4), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    uint64_t third = outbox.queued;
    cr_assert_eq(outbox_append(&outbox, "cccc", 4), 0);
    outbox_note_taken(&outbox, 4); /* then the connection broke */
    cr_assert_lt(first, outbox.taken);
    cr_assert_geq(second, outbox.taken);
    cr_assert_geq(third, outbox.taken);
}

Test(outbox, a_full_outbox_says_so_and_takes_nothing)
{
    char bytes[65] = {0};
    cr_assert_eq(outbox_append(&outbox, bytes, 65), -ENOBUFS);
    cr_assert_eq(outbox.queued, 0);
    cr_assert_eq(outbox_append(&outbox, bytes, 64), 0);
    cr_assert_eq(outbox_room(&outbox), 0);
    cr_assert_eq(outbox_append(&outbox, bytes, 1), -ENOBUFS);

    struct iovec iov[4];
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert_eq(outbox_room(&outbox), 64, "the other batch is free");
}

Test(outbox, segments_are_bounded)
{
    int r = 0, n = 0;
    while (r == 0 && n++ < 1000000)
        r = outbox_borrow(&outbox, "x", 1);
    cr_assert_eq(r, -ENOBUFS);
    cr_assert_eq(outbox_append(&outbox, "x", 1), -ENOBUFS);
    cr_assert_eq(outbox.queued, (uint64_t)n - 1);
}

Test(outbox, rollback_takes_back_all_since_the_mark)
{
    struct iovec iov[4];
    cr_assert_eq(outbox_append(&outbox, "kept", 4), 0);
    struct outbox_mark mark = outbox_mark(&outbox);
    cr_assert_eq(outbox_append(&outbox, "gone", 4), 0);
    cr_assert_eq(outbox_borrow(&outbox, "far", 3), 0);
    cr_assert_eq(outbox_append(&outbox, "gone", 4), 0);
    outbox_rollback(&outbox, &mark);
    cr_assert_eq(outbox.queued, 4);
    cr_assert_eq(outbox_append(&outbox, "!", 1), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert(is_text(&iov[0], "kept!"));
}

Test(outbox, rollback_to_an_empty_batch_leaves_it_empty)
{
    struct outbox_mark mark = outbox_mark(&outbox);
    cr_assert_eq(outbox_append(&outbox, "gone", 4), 0);
    outbox_rollback(&outbox, &mark);
    cr_assert(outbox_is_empty(&outbox));
    cr_assert_not(outbox_has_more(&outbox));
}

Test(outbox, a_reset_forgets_the_bytes_and_keeps_the_offsets_rising)
{
    struct iovec iov[4];
    cr_assert_eq(outbox_append(&outbox, "flying", 6), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert_eq(outbox_append(&outbox, "waiting", 7), 0);
    outbox_reset(&outbox);
    cr_assert(outbox_is_empty(&outbox));
    cr_assert_eq(outbox.taken, 13);
    cr_assert_eq(outbox_append(&outbox, "new", 3), 0);
    cr_assert_eq(outbox_take(&outbox, iov, 4), 1);
    cr_assert(is_text(&iov[0], "new"));
}
