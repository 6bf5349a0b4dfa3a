/* SPDX-License-Identifier: Apache-2.0 */
/* `leveret stats` and `leveret probe`, the program itself: before somebody who answers in a
 * sidecar's place, into a pipe and on a terminal. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_admin.h"
#include "shm/cleanup.h"
#include "shm/clock.h"

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

static struct fake_admin fake;
static char printed[65536]; /* by the last command, on both outputs */

/* Run the program, and whatever is behind it in a shell; the exit status. */
static int leveret(const char *arguments)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "exec 2>&1; LEVERET_ADMIN=%s %s %s", fake.url, LEVERET,
        arguments);
    FILE *out = popen(command, "re");
    cr_assert(out);
    size_t n = fread(printed, 1, sizeof(printed) - 1, out);
    printed[n] = '\0';
    int status = pclose(out);
    cr_assert(WIFEXITED(status), "%s", printed);
    return WEXITSTATUS(status);
}

/* What it does before one that has but this answer; "%s" in `text` is its address. */
static void expect(const struct fake_answer *answer, const char *arguments, int status,
    const char *before, const char *after)
{
    char text[1024];
    fake_admin_start(&fake, NULL, answer, 1);
    int actual = leveret(arguments);
    fake_admin_stop(&fake);
    (void)snprintf(text, sizeof(text), "%s%s%s", before, after ? fake.url : "", after ? after : "");
    cr_assert_eq(actual, status, "`%s` exited with %d: %s", arguments, actual, printed);
    cr_assert_str_eq(printed, text);
}

static void expect_page(
    int code, const char *body, const char *arguments, int status, const char *text)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(code, body);
    expect(&(struct fake_answer){.text = page}, arguments, status, text, NULL);
}

/* ---- probe ---- */

Test(probe_command, is_silent_when_all_is_well)
{
    expect_page(200, "{\"status\":\"ok\"}", "probe live", 0, "");
    cr_assert_eq(strncmp(fake.request, "GET /__live HTTP/1.0\r\n", 22), 0, "%s", fake.request);
    expect_page(200, "{\"status\":\"ok\"}", "probe ready", 0, "");
    cr_assert_eq(strncmp(fake.request, "GET /__ready HTTP/1.0\r\n", 23), 0, "%s", fake.request);
    expect_page(200, "{\"status\":\"ok\"}", "probe startup", 0, "");
    cr_assert_eq(strncmp(fake.request, "GET /__startup HTTP/1.0\r\n", 25), 0, "%s", fake.request);
    expect_page(200, "{\"status\":\"ok\"}", "probe startup -v", 0, "started\n");
}

Test(probe_command, says_on_one_line_why_not)
{
    expect_page(503,
        "{\"status\":\"failing\",\"reasons\":[{\"reason\":\"broker-away\",\"endpoint\":\"POST /a\","
        "\"what\":\"h:\\n5672\",\"detail\":\"no "
        "connection\"},{\"reason\":\"draining\",\"detail\":\"it "
        "leaves\"}]}",
        "probe ready", 1, "not ready: broker-away POST /a: h:\\x0a5672; draining: it leaves\n");
    expect_page(503,
        "{\"status\":\"failing\",\"reasons\":[{\"reason\":\"hung\",\"what\":\"worker 0\"}]}",
        "probe live 2>/dev/null", 1, "not live: hung: worker 0\n");
    expect_page(503, "{\"status\":\"failing\"}", "probe startup", 1, "not started\n");
    expect_page(503, "{\"status\":\"failing\",\"reasons\":[1,2,3,4,5,6,7,8,9,10]}", "probe live", 1,
        "not live; and 2 more\n");
}

Test(probe_command, takes_no_for_an_answer_that_is_none)
{
    CLEANUP(cleanup_free) char *html = fake_admin_page(200, "<html>\x1b[2J</html>");
    CLEANUP(cleanup_free) char *absent = fake_admin_page(404, "{\"status\":\"ok\"}");
    CLEANUP(cleanup_free) char *torn = fake_admin_page(503, "{\"status\":\"ok\"}");
    expect(&(struct fake_answer){.text = html}, "probe live", 1, "leveret: ",
        " is not the admin listener of a sidecar: it answered 200 to /__live, and not as one "
        "does\n");
    expect(&(struct fake_answer){.text = absent}, "probe ready", 1, "leveret: ",
        " is not the admin listener of a sidecar: it answered 404 to /__ready, and not as one "
        "does\n");
    expect(&(struct fake_answer){.text = torn}, "probe ready", 1, "leveret: ",
        " is not the admin listener of a sidecar: it answered 503 to /__ready, and not as one "
        "does\n");
    expect(&(struct fake_answer){.text = "", .stays_open = true}, "probe live --timeout 50ms", 1,
        "leveret: ", " has not answered within 0.05 s\n");
    expect(&(struct fake_answer){.text = "\x1b[2J"}, "probe live", 1,
        "leveret: ", " is no sidecar: it does not answer in HTTP\n");
    cr_assert_eq(leveret("probe live"), 1);
    cr_assert(strstr(printed, "leveret: nobody listens at http://127.0.0.1:"), "%s", printed);
}

/* ---- stats, once ---- */

#define PAGE "{\"version\":1,\n\"service\":{\"name\":\"a\\u001b[2J\",\"live\":true,\"ready\":true}}"
#define ONCE                                                                                       \
    "a\\x1b[2J  READY  up -  generation -\nleveret   configuration   %s\n"                         \
    "connections - open of -, - accepted\n"

Test(stats_command, shows_the_figures_once)
{
    char expected[512];
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answer = {.text = page};
    fake_admin_start(&fake, NULL, &answer, 1);
    cr_assert_eq(leveret("stats"), 0);
    fake_admin_stop(&fake);
    (void)snprintf(expected, sizeof(expected), ONCE, fake.url);
    cr_assert_str_eq(printed, expected);
    cr_assert_eq(strncmp(fake.request, "GET /__stats/ HTTP/1.0\r\n", 24), 0, "%s", fake.request);
}

Test(stats_command, is_as_wide_as_it_is_told)
{
    CLEANUP(cleanup_free)
    char *page = fake_admin_page(200, "{\"version\":1,\"service\":{\"name\":"
                                      "\"a-name-that-is-longer-than-forty-columns-are-wide\"}}");
    const struct fake_answer answer = {.text = page};
    char arguments[600];
    static const struct {
        const char *columns, *line;
    } cases[] = {{"44", "a-name-that-is-longer-than-forty-columns-a..\n"},
        {"1", "a-name-that-is-longer-than-forty-colum..\n"},
        {"wide", "a-name-that-is-longer-than-forty-columns-are-wide  HANGS  up -  generation -\n"}};
    fake_admin_start(&fake, NULL, &answer, 1);
    for (size_t i = 0; i < N_OF(cases); i++) {
        (void)snprintf(arguments, sizeof(arguments), "stats --url %s", fake.url);
        cr_assert_eq(setenv("COLUMNS", cases[i].columns, 1), 0);
        cr_assert_eq(leveret(arguments), 0);
        cr_assert_eq(strncmp(printed, cases[i].line, strlen(cases[i].line)), 0, "%s", printed);
    }
    fake_admin_stop(&fake);
}

Test(stats_command, passes_the_json_as_it_is)
{
    expect_page(200, PAGE, "stats --json", 0, PAGE "\n");
    expect_page(200, "{\"version\":2}\n", "stats --json", 0, "{\"version\":2}\n");
}

Test(stats_command, passes_a_line_for_each_look)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, "{\"version\":1,\r\n\"a\":2\n}\n");
    CLEANUP(cleanup_free) char *other = fake_admin_page(200, "{\"version\":1}");
    const struct fake_answer answers[] = {{.text = page}, {.text = other}};
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(leveret("stats --json --watch 0.1 | head -n 3"), 0);
    fake_admin_stop(&fake);
    cr_assert_str_eq(printed, "{\"version\":1,  \"a\":2 }\n{\"version\":1}\n{\"version\":1}\n");
}

Test(stats_command, fails_with_a_sentence)
{
    CLEANUP(cleanup_free) char *html = fake_admin_page(200, "<html>");
    CLEANUP(cleanup_free) char *absent = fake_admin_page(404, "");
    CLEANUP(cleanup_free) char *newer = fake_admin_page(200, "{\"version\":7}");
    expect(&(struct fake_answer){.text = html}, "stats", 1, "leveret: ",
        " is no sidecar: what it answered is not JSON (line 1: '[' or '{' expected near '<')\n");
    expect(&(struct fake_answer){.text = html}, "stats --watch", 1, "leveret: ",
        " is no sidecar: what it answered is not JSON (line 1: '[' or '{' expected near '<')\n");
    expect(&(struct fake_answer){.text = absent}, "stats --json", 1,
        "leveret: ", " has no figures: it answered 404. Is it the admin listener of a sidecar?\n");
    expect(&(struct fake_answer){.text = newer}, "stats", 1,
        "leveret: ", " has figures of version 7, this program knows 1\n");
    cr_assert_eq(leveret("stats"), 1);
    cr_assert(strstr(printed, "leveret: nobody listens at http://127.0.0.1:"), "%s", printed);
}

Test(stats_command, fails_when_the_figures_cannot_be_written)
{
    expect_page(200, PAGE, "stats >/dev/full", 1,
        "leveret: the figures cannot be written: No space left on device\n");
    expect_page(200, PAGE, "stats --json --watch >/dev/full", 1,
        "leveret: the figures cannot be written: No space left on device\n");
}

Test(stats_command, goes_on_in_a_pipe_when_the_sidecar_comes_back)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}, {.text = ""}, {.text = page}};
    char once[512], expected[2048];
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    cr_assert_eq(leveret("stats --watch 0.1 2>&1 | head -n 9"), 0);
    fake_admin_stop(&fake);
    (void)snprintf(once, sizeof(once), ONCE, fake.url);
    (void)snprintf(expected, sizeof(expected), "%s\nleveret: %s broke off: too early\n%s\n", once,
        fake.url, once);
    cr_assert_str_eq(printed, expected);
}

/* ---- stats, live on a terminal ---- */

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

struct screen {
    int fd;
    pid_t pid;
    char read[65536]; /* since the last time that something was awaited */
};

static struct screen screen;

static void screen_start(const char *term, unsigned short width, const char *seconds)
{
    const struct winsize size = {.ws_row = 24, .ws_col = width};
    screen.pid = forkpty(&screen.fd, NULL, NULL, &size);
    cr_assert(screen.pid >= 0);
    if (screen.pid == 0) {
        (void)unsetenv("COLUMNS");
        (void)unsetenv("NO_COLOR");
        (void)setenv("TERM", term, 1);
        (void)execl(LEVERET, LEVERET, "stats", "--watch", seconds, "--url", fake.url, NULL);
        _exit(127);
    }
}

/* Returns when it has written this, with all that it wrote before in screen.read. */
static void screen_await(const char *text)
{
    uint64_t deadline_ns = clock_now_ns() + 30 * CLOCK_S;
    struct pollfd ready = {.fd = screen.fd, .events = POLLIN};
    size_t n = 0;
    screen.read[0] = '\0';
    while (!strstr(screen.read, text)) {
        cr_assert(n + 1 < sizeof(screen.read) && clock_now_ns() < deadline_ns, "no \"%s\" in:\n%s",
            text, screen.read);
        int wait_ms = clock_wait_ms(clock_now_ns(), deadline_ns, 1000);
        if (poll(&ready, 1, wait_ms) <= 0)
            continue;
        ssize_t more = read(screen.fd, screen.read + n, 1);
        cr_assert(more > 0, "it left without \"%s\":\n%s", text, screen.read);
        n += (size_t)more;
        screen.read[n] = '\0';
    }
}

static void screen_dies_of(int signal)
{
    int status;
    cr_assert_eq(kill(screen.pid, signal), 0);
    screen_await(LEAVE);
    cr_assert_eq(waitpid(screen.pid, &status, 0), screen.pid);
    cr_assert(WIFSIGNALED(status), "%x", (unsigned)status);
    cr_assert_eq(WTERMSIG(status), signal);
    (void)close(screen.fd);
}

static void live(const struct fake_answer *answers, size_t n, const char *seconds)
{
    fake_admin_start(&fake, NULL, answers, n);
    screen_start("xterm", 80, seconds);
    screen_await(ENTER);
}

Test(stats_screen, leaves_the_terminal_as_it_was_whatever_ends_it)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}};
    for (size_t i = 0; i < N_OF(signals); i++) {
        live(answers, N_OF(answers), "0.1");
        screen_await("\033[32mREADY\033[0m");
        screen_dies_of(signals[i]);
        fake_admin_stop(&fake);
    }
}

Test(stats_screen, draws_in_place_and_in_colour)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}};
    live(answers, N_OF(answers), "0.1");
    screen_await("\033[H\033[1ma\\x1b[2J\033[0m");
    screen_await("accepted\033[K\033[J\033[H");
    screen_dies_of(SIGINT);
    fake_admin_stop(&fake);
}

Test(stats_screen, follows_the_size_of_the_window)
{
    CLEANUP(cleanup_free)
    char *page =
        fake_admin_page(200, "{\"version\":1,\"service\":{\"build\":\"0123456789012345678901234"
                             "5678901234567890123456789012345678901234567890\"}}");
    const struct fake_answer answers[] = {{.text = page}};
    const struct winsize narrow = {.ws_row = 24, .ws_col = 50};
    live(answers, N_OF(answers), "3600"); /* there is one page alone */
    screen_await("0123456789012345678901234567890123456789012345678901234567890123456789");
    cr_assert_eq(ioctl(screen.fd, TIOCSWINSZ, &narrow), 0);
    screen_await("leveret 0123456789012345678901234567890123456789..");
    screen_dies_of(SIGTERM);
    fake_admin_stop(&fake);
}

Test(stats_screen, gives_the_terminal_back_while_it_is_stopped)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}};
    int status;
    live(answers, N_OF(answers), "0.1");
    cr_assert_eq(kill(screen.pid, SIGTSTP), 0);
    screen_await(LEAVE);
    cr_assert_eq(waitpid(screen.pid, &status, WUNTRACED), screen.pid);
    cr_assert(WIFSTOPPED(status));
    cr_assert_eq(kill(screen.pid, SIGCONT), 0);
    screen_await(ENTER);
    screen_await("READY");
    screen_dies_of(SIGINT);
    fake_admin_stop(&fake);
}

Test(stats_screen, keeps_the_last_page_while_there_is_no_newer_one)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}, {.text = ""}, {.text = page}};
    live(answers, N_OF(answers), "0.1");
    screen_await("READY");
    screen_await("broke off: too early");
    cr_assert(strstr(screen.read, "READY"), "%s", screen.read);
    screen_await("accepted\033[K\033[J");
    screen_dies_of(SIGINT);
    fake_admin_stop(&fake);
}

Test(stats_screen, a_terminal_that_can_do_nothing_gets_page_after_page)
{
    CLEANUP(cleanup_free) char *page = fake_admin_page(200, PAGE);
    const struct fake_answer answers[] = {{.text = page}};
    int status;
    fake_admin_start(&fake, NULL, answers, N_OF(answers));
    screen_start("dumb", 80, "0.1");
    screen_await("accepted\r\n\r\na\\x1b");
    cr_assert_null(strchr(screen.read, '\033'), "%s", screen.read);
    cr_assert_eq(kill(screen.pid, SIGINT), 0);
    cr_assert_eq(waitpid(screen.pid, &status, 0), screen.pid);
    cr_assert(WIFSIGNALED(status));
    (void)close(screen.fd);
    fake_admin_stop(&fake);
}
