/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <poll.h>

#include "shm/doorbell.h"

static struct lane_side sleeper;

static bool is_ringing(int bell)
{
    struct pollfd fd = {.fd = bell, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

Test(doorbell, does_not_ring_one_who_is_awake)
{
    CLEANUP(cleanup_fd) int bell = doorbell_new();
    cr_assert_geq(bell, 0);
    cr_assert_not(doorbell_ring(&sleeper, bell));
    cr_assert_not(is_ringing(bell));
}

Test(doorbell, rings_a_sleeper_once)
{
    CLEANUP(cleanup_fd) int bell = doorbell_new();
    doorbell_park(&sleeper);
    cr_assert(doorbell_ring(&sleeper, bell));
    cr_assert(is_ringing(bell));
    cr_assert_not(doorbell_ring(&sleeper, bell), "the first ring unparked it");
    doorbell_hush(bell);
    cr_assert_not(is_ringing(bell));
}

Test(doorbell, does_not_ring_one_who_woke_by_itself)
{
    CLEANUP(cleanup_fd) int bell = doorbell_new();
    doorbell_park(&sleeper);
    doorbell_unpark(&sleeper);
    cr_assert_not(doorbell_ring(&sleeper, bell));
}

Test(doorbell, hushing_a_silent_bell_does_not_block)
{
    CLEANUP(cleanup_fd) int bell = doorbell_new();
    doorbell_hush(bell);
    cr_assert_not(is_ringing(bell));
}
