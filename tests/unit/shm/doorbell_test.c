/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>

#include "shm/doorbell.h"

static struct lane_side sleeper;

static struct doorbell doorbell;

static bool is_ringing(void)
{
    struct pollfd fd = {.fd = doorbell.bell, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void bell_setup(void)
{
    cr_assert_eq(doorbell_new(&doorbell), 0);
}

static void bell_teardown(void)
{
    doorbell_close(&doorbell);
}

TestSuite(doorbell, .init = bell_setup, .fini = bell_teardown, .timeout = 20);

Test(doorbell, does_not_ring_one_who_is_awake)
{
    cr_assert_not(doorbell_ring(&sleeper, doorbell.rope));
    cr_assert_not(is_ringing());
}

Test(doorbell, rings_a_sleeper_once)
{
    doorbell_park(&sleeper);
    cr_assert(doorbell_ring(&sleeper, doorbell.rope));
    cr_assert(is_ringing());
    cr_assert_not(doorbell_ring(&sleeper, doorbell.rope), "the first ring unparked it");
    doorbell_hush(doorbell.bell);
    cr_assert_not(is_ringing());
}

Test(doorbell, does_not_ring_one_who_woke_by_itself)
{
    doorbell_park(&sleeper);
    doorbell_unpark(&sleeper);
    cr_assert_not(doorbell_ring(&sleeper, doorbell.rope));
}

Test(doorbell, hushing_a_silent_bell_does_not_block)
{
    doorbell_hush(doorbell.bell);
    cr_assert_not(is_ringing());
}

Test(doorbell, rings_again_after_it_was_hushed)
{
    for (int i = 0; i < 3; i++) {
        doorbell_pull(doorbell.rope);
        doorbell_pull(doorbell.rope);
        cr_assert(is_ringing());
        doorbell_hush(doorbell.bell);
        cr_assert_not(is_ringing());
    }
}

Test(doorbell, one_rope_may_ring_several_bells)
{
    struct doorbell other;
    cr_assert_eq(doorbell_new(&other), 0);
    CLEANUP(cleanup_fd) int rope = doorbell_rope_new();
    cr_assert_eq(doorbell_tie(doorbell.bell, rope) | doorbell_tie(other.bell, rope), 0);
    doorbell_pull(rope);
    doorbell_hush(other.bell);
    cr_assert(is_ringing(), "what one hears the other hears too");
    doorbell_close(&other);
}

/* Blocks for ever, if it blocks. */
Test(doorbell, nothing_that_a_sleeper_does_to_its_bell_makes_the_ringer_block)
{
    uint64_t most = UINT64_MAX - 1;
    cr_assert_eq(fcntl(doorbell.bell, F_SETFL, 0), 0);
    cr_assert_eq(write(doorbell.bell, &most, sizeof(most)), -1, "it has no counter to fill");
    cr_assert_eq(fcntl(doorbell.rope, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        doorbell_park(&sleeper);
        cr_assert(doorbell_ring(&sleeper, doorbell.rope));
    }
    cr_assert(is_ringing());
}

Test(doorbell, nothing_that_a_ringer_does_to_its_rope_makes_the_sleeper_block)
{
    uint64_t most = UINT64_MAX - 1;
    cr_assert_eq(fcntl(doorbell.rope, F_SETFL, 0), 0);
    cr_assert_eq(write(doorbell.rope, &most, sizeof(most)), (ssize_t)sizeof(most));
    cr_assert_eq(read(doorbell.rope, &most, sizeof(most)), (ssize_t)sizeof(most));
    doorbell_hush(doorbell.bell);
    doorbell_hush(doorbell.bell);
    cr_assert_not(is_ringing());
}
