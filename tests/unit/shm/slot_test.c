/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/slot.h"

static struct slot slot;

/* The arrows of <leveret/lane.h>, written down a second time. */
static const struct {
    enum slot_state from, to;
} arrows[] = {
    {SLOT_FREE, SLOT_READY},
    {SLOT_READY, SLOT_CLAIMED},
    {SLOT_READY, SLOT_WAITING},
    {SLOT_READY, SLOT_CANCELLED},
    {SLOT_CLAIMED, SLOT_SENT},
    {SLOT_CLAIMED, SLOT_DONE},
    {SLOT_SENT, SLOT_DONE},
    {SLOT_WAITING, SLOT_BOUND},
    {SLOT_WAITING, SLOT_CANCELLED},
    {SLOT_WAITING, SLOT_DONE},
    {SLOT_BOUND, SLOT_DONE},
    {SLOT_CANCELLED, SLOT_DONE},
    {SLOT_DONE, SLOT_FREE},
};

static bool is_drawn(enum slot_state from, enum slot_state to)
{
    for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++)
        if (arrows[i].from == from && arrows[i].to == to)
            return true;
    return false;
}

static void put(uint32_t generation, uint32_t state)
{
    atomic_store(&slot.word, (uint64_t)generation << 32 | state);
}

Test(slot, has_exactly_the_arrows_of_the_diagram)
{
    for (enum slot_state from = 0; from < SLOT_N_STATES; from++)
        for (enum slot_state to = 0; to < SLOT_N_STATES; to++)
            cr_assert_eq(slot_has_arrow(from, to), is_drawn(from, to), "%s -> %s",
                slot_state_name(from), slot_state_name(to));
    cr_assert_not(slot_has_arrow(SLOT_N_STATES, SLOT_FREE));
}

Test(slot, moves_along_every_arrow_and_from_no_other_state)
{
    for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
        for (enum slot_state at = 0; at < SLOT_N_STATES; at++) {
            put(9, at);
            bool moved = slot_move(&slot, 9, arrows[i].from, arrows[i].to);
            cr_assert_eq(moved, at == arrows[i].from);
            cr_assert_eq(slot_look(&slot).state, moved ? arrows[i].to : at);
            cr_assert_eq(slot_look(&slot).generation, 9);
        }
    }
}

/* A mistake of our own, whatever the word says: it must not get as far as the other side. */
static bool dies_of(enum slot_state from, enum slot_state to)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)close(STDERR_FILENO); /* what the assertion says is no news */
        put(9, from);
        _exit(!slot_move(&slot, 9, from, to));
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

Test(slot, no_other_arrow_is_ever_taken)
{
    for (enum slot_state from = 0; from < SLOT_N_STATES; from++)
        for (enum slot_state to = 0; to < SLOT_N_STATES; to++)
            cr_assert_eq(dies_of(from, to), !is_drawn(from, to), "%s -> %s", slot_state_name(from),
                slot_state_name(to));
}

Test(slot, does_not_move_for_an_older_or_newer_generation)
{
    put(9, SLOT_READY);
    cr_assert_not(slot_move(&slot, 8, SLOT_READY, SLOT_CLAIMED));
    cr_assert_not(slot_move(&slot, 10, SLOT_READY, SLOT_CLAIMED));
    cr_assert_eq(slot_look(&slot).state, SLOT_READY);
}

Test(slot, does_not_move_from_a_word_that_no_honest_peer_writes)
{
    put(9, 0x8000001u);
    for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++)
        cr_assert_not(slot_move(&slot, 9, arrows[i].from, arrows[i].to));
    cr_assert_str_eq(slot_state_name(slot_look(&slot).state), "?");
}

Test(slot, ready_and_free_carry_the_generation)
{
    slot_ready(&slot, 41);
    cr_assert_eq(slot_look(&slot).generation, 41);
    cr_assert_eq(slot_look(&slot).state, SLOT_READY);
    slot_free(&slot, 41);
    cr_assert_eq(slot_look(&slot).state, SLOT_FREE);
}

Test(slot, every_state_and_outcome_has_a_name)
{
    for (uint32_t i = 0; i < SLOT_N_STATES; i++)
        cr_assert_str_neq(slot_state_name(i), "?");
    for (uint32_t i = 0; i < OUTCOME_N; i++)
        cr_assert_not_null(outcome_name(i));
    cr_assert_str_eq(outcome_name(OUTCOME_N), "?");
}
