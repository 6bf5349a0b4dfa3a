/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "timing.h"

static void expect(struct timing timing, const char *wanted)
{
    char room[TIMING_BYTES];
    struct slice text = timing_write(&timing, room);
    cr_expect(slice_equals(text, slice_of(wanted)), "%.*s", (int)text.len, text.at);
}

Test(timing, says_in_milliseconds_where_the_time_went)
{
    expect((struct timing){1000, 32999, 52999, 1236999, 1240999},
        "parse;dur=0.031, ring;dur=0.024, broker;dur=1.184");
    expect((struct timing){1000, 1000, 1000, 1000, 1000},
        "parse;dur=0.000, ring;dur=0.000, broker;dur=0.000");
}

Test(timing, what_no_worker_was_asked_for_was_only_parsed)
{
    expect((struct timing){1000, 0, 0, 0, 2001000}, "parse;dur=2.000");
    expect((struct timing){1000, 31000, 0, 0, 2001000}, "parse;dur=0.030");
}

Test(timing, believes_a_worker_as_far_as_it_can_be_true)
{
    expect((struct timing){1000, 31000, 5, 7, 2001000},
        "parse;dur=0.030, ring;dur=1.970, broker;dur=0.000");
    expect((struct timing){1000, 31000, 0, UINT64_MAX, 2001000},
        "parse;dur=0.030, ring;dur=0.000, broker;dur=1.970");
    expect((struct timing){1000, 31000, UINT64_MAX, 40000, 2001000},
        "parse;dur=0.030, ring;dur=1.970, broker;dur=0.000");
}

Test(timing, the_longest_has_room)
{
    expect((struct timing){0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        "parse;dur=18446744073709.551, ring;dur=0.000, broker;dur=0.000");
}
