/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "murmur.h"
#include "shm/log.h"

static struct murmur murmur;
static int theirs;
static int log_reader;

/* The log goes to a pipe that the test reads. */
static void set_up(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    log_reader = ends[0];
    log_open("supervisor", LOG_INFO, LOG_TEXT);
    log_to(ends[1]);
    murmur_init(&murmur);
    cr_assert_eq(murmur_open(&murmur, &theirs), 0);
}

TestSuite(murmur, .init = set_up, .timeout = 20);

static void murmured(const char *bytes, size_t n)
{
    cr_assert_eq(write(theirs, bytes, n), (ssize_t)n);
    murmur_hear(&murmur, "front");
}

static char *logged(void)
{
    static char text[8192];
    (void)log_turn(0);
    ssize_t n = read(log_reader, text, sizeof(text) - 1);
    cr_assert_gt(n, 0);
    text[n] = '\0';
    return text;
}

Test(murmur, a_line_becomes_a_value_that_can_forge_nothing)
{
    static const char line[] = "\x1b[2J\" child=\"worker 0\" \r\n";
    murmured(line, sizeof(line) - 1);
    const char *text = logged();
    cr_assert(
        strstr(text,
            "child-says child=\"front\" text=\"\\u001b[2J\\\" child=\\\"worker 0\\\" \\u000d\"\n"),
        "%s", text);
}

Test(murmur, a_line_is_said_when_it_is_whole)
{
    murmured("one ", 4);
    murmured("line\nand", 8);
    const char *text = logged();
    cr_assert(strstr(text, "text=\"one line\"\n"), "%s", text);
    cr_assert(!strstr(text, "and"), "%s", text);
}

Test(murmur, a_long_line_is_said_in_pieces)
{
    char line[MURMUR_LINE_BYTES + 1];
    memset(line, 'a', sizeof(line));
    murmured(line, sizeof(line));
    const char *text = logged();
    cr_assert_eq(strspn(strstr(text, "text=\"") + 6, "a"), MURMUR_LINE_BYTES, "%s", text);
}

Test(murmur, who_has_much_to_say_is_heard_five_times)
{
    murmured("a\nb\nc\nd\ne\nf\ng\n", 14);
    const char *text = logged();
    cr_assert(strstr(text, "text=\"e\"\n"), "%s", text);
    cr_assert(!strstr(text, "text=\"f\"\n"), "%s", text);
}

Test(murmur, whoever_murmurs_never_waits)
{
    char much[4096] = "";
    while (write(theirs, much, sizeof(much)) > 0)
        ;
    cr_assert_eq(errno, EAGAIN);
}

Test(murmur, the_dead_are_heard_to_the_end)
{
    cr_assert_eq(write(theirs, "last", 4), 4);
    (void)close(theirs);
    murmur_end(&murmur, "front");
    const char *text = logged();
    cr_assert(strstr(text, "text=\"last\"\n"), "%s", text);
    cr_assert_eq(murmur.fd, -1);
    murmur_end(&murmur, "front");
}

Test(murmur, a_child_that_closes_its_end_is_not_listened_to)
{
    (void)close(theirs);
    murmur_hear(&murmur, "front");
    cr_assert_eq(murmur.fd, -1);
}
