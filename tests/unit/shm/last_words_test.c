/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shm/confinement.h"
#include "shm/last_words.h"
#include "shm/log.h"

static int page;
static struct last_words words;

static void set_up(void)
{
    page = last_words_new();
    cr_assert_geq(page, 0);
}

TestSuite(last_words, .init = set_up, .timeout = 20);

/* A process does it, and the signal that ends it comes back. */
static int end_of(void (*deed)(void))
{
    int status;
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        const struct rlimit none = {0};
        (void)setrlimit(RLIMIT_CORE, &none);
        for (int fault = 1; fault < NSIG; fault++)
            (void)signal(fault, SIG_DFL); /* not the test framework's */
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDERR_FILENO);
        last_words_prepare(page);
        deed();
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool has_frame_in(const char *module)
{
    for (uint32_t i = 0; i < words.n_frames; i++)
        if (strncmp(words.frames[i].module, module, strlen(module)) == 0 && words.frames[i].offset)
            return true;
    return false;
}

static void expect_words(int signal)
{
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_SAID);
    cr_assert_eq(words.signal, signal);
    cr_assert(has_frame_in("shm_last_words_test"));
}

static void touch_nothing(void)
{
    char *volatile nowhere = (char *)0x18;
    last_words_at_endpoint(7);
    last_words_at_slot(1, 3, 9);
    last_words_at_backend(2);
    *nowhere = 1;
}

Test(last_words, a_wild_pointer_is_told_with_its_address_and_what_the_process_was_at)
{
    cr_assert_eq(end_of(touch_nothing), SIGSEGV);
    expect_words(SIGSEGV);
    cr_assert_eq(words.address, 0x18);
    cr_assert_gt(words.code, 0);
    cr_assert_eq(words.matter.endpoint, 7);
    cr_assert_eq(words.matter.worker, 1);
    cr_assert_eq(words.matter.slot, 3);
    cr_assert_eq(words.matter.generation, 9);
    cr_assert_eq(words.matter.backend, 2);
}

static void fail_an_assertion(void)
{
    last_words_at_slot(1, 3, 9);
    last_words_at_nothing();
    assert(!"this may be");
}

Test(last_words, an_assertion_is_told_in_its_own_words)
{
    cr_assert_eq(end_of(fail_an_assertion), SIGABRT);
    expect_words(SIGABRT);
    cr_assert(
        strstr(words.reason, "fail_an_assertion: `!?this may be?' failed"), "%s", words.reason);
    cr_assert(strstr(words.reason, "last_words_test.c:"), "%s", words.reason);
    cr_assert_eq(words.matter.slot, LAST_WORDS_NONE);
}

static void panic(void)
{
    log_panic("our-mistake", "and nobody else's");
}

Test(last_words, a_panic_is_told_by_its_event)
{
    cr_assert_eq(end_of(panic), SIGABRT);
    expect_words(SIGABRT);
    cr_assert_str_eq(words.reason, "our-mistake");
}

static volatile unsigned wanted_depth = UINT32_MAX;

static unsigned descend(unsigned depth)
{
    volatile char much[4096];
    much[0] = (char)depth;
    return depth < wanted_depth ? descend(depth + 1) + (unsigned)much[0] : 0;
}

static void overflow(void)
{
    (void)descend(0);
}

Test(last_words, an_overflow_of_the_stack_has_a_stack_to_speak_on)
{
    cr_assert_eq(end_of(overflow), SIGSEGV);
    expect_words(SIGSEGV);
    cr_assert_eq(words.n_frames, LAST_WORDS_MAX_FRAMES);
}

static void be_sent_a_signal(void)
{
    (void)kill(getpid(), SIGBUS);
}

Test(last_words, a_fault_that_somebody_sends_ends_the_process_all_the_same)
{
    cr_assert_eq(end_of(be_sent_a_signal), SIGBUS);
    expect_words(SIGBUS);
    cr_assert_leq(words.code, 0);
    cr_assert_eq(words.address, 0);
}

static void ask_for_the_forbidden(void)
{
    struct confinement_report report;
    confine(&(struct confinement){0}, &report);
    (void)syscall(SYS_getppid);
}

Test(last_words, a_forbidden_system_call_is_told_by_its_number)
{
    if (!confinement_is_possible())
        cr_skip_test("the build is instrumented");
    cr_assert_eq(end_of(ask_for_the_forbidden), SIGSYS);
    expect_words(SIGSYS);
    cr_assert_gt(words.code, 0);
    cr_assert_eq(words.system_call, SYS_getppid);
}

static void be_killed(void)
{
    (void)kill(getpid(), SIGKILL);
}

Test(last_words, who_is_killed_has_none)
{
    cr_assert_eq(end_of(be_killed), SIGKILL);
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_UNSAID);
}

static void do_nothing(void) {}

Test(last_words, who_leaves_has_none)
{
    cr_assert_eq(end_of(do_nothing), 0);
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_UNSAID);
}

Test(last_words, without_a_page_the_process_dies_in_silence)
{
    (void)close(page);
    page = memfd_create("another", 0);
    cr_assert_geq(page, 0);
    cr_assert_eq(end_of(touch_nothing), SIGSEGV);
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_UNSAID);
}

/* The page is another process's: whatever stands there. */
Test(last_words, what_makes_no_sense_is_cut_to_what_can_be_shown)
{
    struct last_words lie = {.magic = LAST_WORDS_MAGIC, .is_said = 1, .n_frames = UINT32_MAX};
    memset(lie.reason, '\n', sizeof(lie.reason));
    memset(lie.frames, 0xff, sizeof(lie.frames));
    cr_assert_eq(pwrite(page, &lie, sizeof(lie), 0), (ssize_t)sizeof(lie));
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_SAID);
    cr_assert_eq(words.n_frames, LAST_WORDS_MAX_FRAMES);
    cr_assert_eq(strlen(words.reason), sizeof(words.reason) - 1);
    cr_assert_eq(strspn(words.reason, "?"), sizeof(words.reason) - 1);
    for (int i = 0; i < LAST_WORDS_MAX_FRAMES; i++)
        cr_assert_eq(strspn(words.frames[i].module, "?"), sizeof(words.frames[i].module) - 1);
}

Test(last_words, an_unfinished_page_is_not_read)
{
    struct last_words begun = {.magic = LAST_WORDS_MAGIC, .signal = SIGSEGV};
    cr_assert_eq(pwrite(page, &begun, sizeof(begun), 0), (ssize_t)sizeof(begun));
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_UNSAID);
    begun.is_said = 1;
    begun.magic++;
    cr_assert_eq(pwrite(page, &begun, sizeof(begun), 0), (ssize_t)sizeof(begun));
    cr_assert_eq(last_words_read(page, &words), LAST_WORDS_UNSAID);
}

Test(last_words, the_page_keeps_its_size)
{
    cr_assert_lt(ftruncate(page, 0), 0);
    cr_assert_lt(ftruncate(page, 1 << 20), 0);
}
