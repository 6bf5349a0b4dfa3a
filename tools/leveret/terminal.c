/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "config_value.h"
#include "shm/clock.h"

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 40, WIDTH_MOST = 4096 };

/* xterm's alternate screen and its cursor, as everything since has them. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\r\n"
#define CLEAR_REST "\033[K\033[J"

static int screen = -1; /* the one that was entered, for the signal handlers */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void terminal_init(struct terminal *terminal, int fd)
{
    const char *kind = getenv("TERM");
    *terminal = (struct terminal){.fd = fd};
    terminal->is_screen = isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
    terminal->has_colour = terminal->is_screen && !is_set("NO_COLOR");
    (void)sigprocmask(SIG_SETMASK, NULL, &terminal->waiting);
}

struct terminal_size terminal_size(const struct terminal *terminal)
{
    struct terminal_size size = {.width = WIDTH_DEFAULT};
    struct winsize window = {0};
    const char *columns = getenv("COLUMNS");
    int64_t width;
    if (terminal->is_screen && ioctl(terminal->fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        size = (struct terminal_size){.width = window.ws_col, .height = window.ws_row};
    if (columns && value_int(columns, &width) == VALUE_OK && width > 0)
        size.width = width < WIDTH_MOST ? (unsigned)width : WIDTH_MOST;
    if (size.width < WIDTH_LEAST)
        size.width = WIDTH_LEAST;
    return size;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* ---- signals -------------------------------------------------------------------------------- */

static void say(const char *sequence)
{
    (void)write_all(screen, sequence, strlen(sequence)); /* a terminal that is gone needs nothing */
}

/* Whose default is in place again: it comes when this returns. */
static void on_end(int signal)
{
    int error = errno;
    say(LEAVE);
    (void)raise(signal);
    errno = error;
}

static void on_stop(int signal)
{
    int error = errno;
    say(LEAVE);
    (void)raise(SIGSTOP);
    say(ENTER);
    errno = error;
}

/* It is enough that terminal_wait() returns. */
static void on_resize(int signal) {}

static void handle(int signal, void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    (void)sigaction(signal, &action, NULL);
}

void terminal_enter(struct terminal *terminal)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t later; /* they come while we wait, and not in the middle of a page */
    if (!terminal->is_screen)
        return;
    screen = terminal->fd;
    (void)sigemptyset(&later);
    (void)sigaddset(&later, SIGWINCH);
    (void)sigaddset(&later, SIGTSTP);
    (void)sigprocmask(SIG_BLOCK, &later, &terminal->waiting);
    (void)sigdelset(&terminal->waiting, SIGWINCH);
    (void)sigdelset(&terminal->waiting, SIGTSTP);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        handle(ends[i], on_end, (int)SA_RESETHAND);
    handle(SIGTSTP, on_stop, 0);
    handle(SIGWINCH, on_resize, 0);
    say(ENTER);
    terminal->is_entered = true;
}

void terminal_leave(struct terminal *terminal)
{
    if (terminal->is_entered)
        say(LEAVE);
    terminal->is_entered = false;
}

bool terminal_wait(const struct terminal *terminal, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    const struct timespec timeout = {
        .tv_sec = (time_t)(left_ns / CLOCK_S), .tv_nsec = (long)(left_ns % CLOCK_S)};
    return ppoll(NULL, 0, &timeout, &terminal->waiting) == 0;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* At most `height` lines, and no end of line behind the last: the screen would roll. */
static int draw_in_place(const char *lines, unsigned height, FILE *out)
{
    (void)fputs(HOME, out);
    for (unsigned n = 0; *lines && n < height; n++) {
        size_t length = strcspn(lines, "\n");
        if (n > 0)
            (void)fputs(CLEAR_LINE, out);
        (void)fwrite(lines, 1, length, out);
        lines += length + (lines[length] == '\n');
    }
    (void)fputs(CLEAR_REST, out);
    return ferror(out) ? -ENOMEM : 0;
}

/* In one piece, so that it does not flicker. */
int terminal_draw(const struct terminal *terminal, const char *lines)
{
    CLEANUP(cleanup_free) char *bytes = NULL;
    size_t n = 0;
    if (!terminal->is_entered)
        return write_all(terminal->fd, lines, strlen(lines));
    unsigned height = terminal_size(terminal).height;
    FILE *out = open_memstream(&bytes, &n);
    int error = out ? draw_in_place(lines, height ? height : UINT32_MAX, out) : -ENOMEM;
    if (out && fclose(out) != 0 && !error)
        error = -ENOMEM;
    return error ? error : write_all(terminal->fd, bytes, n);
}
