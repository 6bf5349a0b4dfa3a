/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "shm/log_repeat.h"

TestSuite(log_repeat, .timeout = 60);

static struct log_repeats repeats;
static struct log_repeat over;
static uint64_t now_ns = 1000 * CLOCK_S;
static char things[LOG_REPEAT_PLACES + 1];

static bool says(const char *event, const void *about, const char *tail)
{
    struct log_repeat *place = log_repeat_find(&repeats, event, about, now_ns, &over);
    if (log_repeat_may_say(place))
        return true;
    log_repeat_count(&repeats, place, tail, strlen(tail));
    return false;
}

static void wear_out(const char *event, const void *about)
{
    for (int i = 0; i < LOG_REPEAT_LINES; i++)
        cr_assert(says(event, about, ""));
    cr_assert_not(says(event, about, " x=1"));
}

Test(log_repeat, counts_each_thing_and_each_event_apart)
{
    wear_out("held", &things[0]);
    wear_out("held", &things[1]);
    wear_out("lost", &things[0]);
    cr_assert_eq(repeats.n_counting, 3);
}

Test(log_repeat, tells_the_count_with_the_last_that_was_counted_when_the_time_is_over)
{
    wear_out("held", NULL);
    cr_assert_not(says("held", NULL, " x=2"));
    cr_assert_eq(log_repeat_next_ns(&repeats), now_ns + LOG_REPEAT_NS);
    cr_assert_not(log_repeat_take(&repeats, now_ns + LOG_REPEAT_NS - 1, &over));
    cr_assert(log_repeat_take(&repeats, now_ns + LOG_REPEAT_NS, &over));
    cr_assert_eq(over.n_counted, 2);
    cr_assert_eq(over.n_tail, 4);
    cr_assert_eq(memcmp(over.tail, " x=2", 4), 0);
    cr_assert_not(log_repeat_take(&repeats, CLOCK_NEVER, &over));
    cr_assert_eq(log_repeat_next_ns(&repeats), CLOCK_NEVER);
}

Test(log_repeat, begins_anew_after_its_time_and_hands_over_what_was_counted)
{
    wear_out("held", NULL);
    now_ns += LOG_REPEAT_NS;
    cr_assert(says("held", NULL, ""));
    cr_assert_eq(over.n_counted, 1);
    cr_assert(says("held", NULL, ""));
    cr_assert_eq(over.n_counted, 0);
    cr_assert_eq(repeats.n_counting, 0);
}

Test(log_repeat, a_thing_too_many_takes_the_oldest_place_and_what_was_counted_is_told)
{
    for (int i = 0; i < LOG_REPEAT_PLACES; i++, now_ns++)
        wear_out("held", &things[i]);
    cr_assert(says("held", &things[LOG_REPEAT_PLACES], ""));
    cr_assert_eq(over.about, &things[0]);
    cr_assert_eq(over.n_counted, 1);
    cr_assert_not(says("held", &things[1], ""), "the second has kept its place");
    cr_assert_eq(repeats.n_counting, LOG_REPEAT_PLACES - 1);
}

Test(log_repeat, a_tail_without_room_is_left_out_whole)
{
    char tail[LOG_REPEAT_TAIL_BYTES + 2];
    memset(tail, 'x', sizeof(tail) - 1);
    tail[sizeof(tail) - 1] = '\0';
    wear_out("held", NULL);
    cr_assert_not(says("held", NULL, tail));
    cr_assert(log_repeat_take(&repeats, CLOCK_NEVER, &over));
    cr_assert_eq(over.n_counted, 2);
    cr_assert_eq(over.n_tail, 0);
}
