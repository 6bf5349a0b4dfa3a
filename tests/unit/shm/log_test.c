/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shm/cleanup.h"
#include "shm/clock.h"
#include "shm/log_record.h"

TestSuite(log, .timeout = 60);

static char said[16384];

/* What a child process that runs `speak` writes to standard error; its wait status. */
static int listen_to(void (*speak)(void))
{
    int out[2], status;
    cr_assert_eq(pipe(out), 0);
    pid_t pid = fork();
    if (!pid) {
        (void)dup2(out[1], STDERR_FILENO);
        speak();
        _exit(0);
    }
    close(out[1]);
    size_t used = 0;
    for (ssize_t n; (n = read(out[0], said + used, sizeof(said) - 1 - used)) > 0;)
        used += (size_t)n;
    said[used] = '\0';
    close(out[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void speak_text(void)
{
    log_open("worker 3", LOG_INFO, LOG_TEXT);
    log_line(LOG_WARN, "broker-lost", "broker=%s", "rabbit:5672/");
    log_line(LOG_DEBUG, "hidden", "x");
}

Test(log, shows_time_level_who_event_and_what_belongs_to_it)
{
    (void)listen_to(speak_text);
    cr_assert_str_eq(said + strlen("2026-01-31T12:00:00.123Z"),
        " warn  worker 3: broker-lost broker=rabbit:5672/\n");
    cr_assert_eq(said[10], 'T');
}

static void speak_forged(void)
{
    log_open("front", LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "odd", "%s", "a\n2026-01-31 fatal front: forged\x1b[0m");
}

Test(log, keeps_a_line_one_line)
{
    (void)listen_to(speak_forged);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1);
    cr_assert_null(strchr(said, '\x1b'));
}

static void speak_json(void)
{
    log_open("front", LOG_INFO, LOG_JSON);
    log_line(LOG_ERROR, "odd", "%s", "a \"quoted\" back\\slash\n");
}

Test(log, writes_json_when_asked)
{
    (void)listen_to(speak_json);
    cr_assert_not_null(strstr(said, "\"level\":\"error\",\"who\":\"front\",\"event\":\"odd\","
                                    "\"message\":\"a \\\"quoted\\\" back\\\\slash\\u000a\"}\n"));
}

static void speak_long(void)
{
    char text[5000];
    memset(text, '\1', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_open("front", LOG_INFO, LOG_JSON);
    log_line(LOG_ERROR, "long", "%s", text);
}

Test(log, cuts_what_is_too_long)
{
    (void)listen_to(speak_long);
    cr_assert_leq(strlen(said), PIPE_BUF);
    cr_assert_eq(said[strlen(said) - 1], '\n');
}

/* ---- what comes again and again ---- */

static int n_things[2];

static void speak_often(void)
{
    log_open("worker 0", LOG_INFO, LOG_TEXT);
    for (int i = 1; i <= 100; i++)
        log_often(LOG_WARN, "message-held", &n_things[0], "queue=\"a\" count=%d", i);
    log_often(LOG_WARN, "message-held", &n_things[1], "queue=\"b\" count=%d", 1);
    log_often(LOG_DEBUG, "hidden", NULL, "x=%d", 1);
    log_line(LOG_INFO, "leaving", "status=0");
    log_close();
}

static int count(const char *text)
{
    int n = 0;
    for (const char *at = said; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

Test(log, what_comes_again_and_again_is_said_five_times_and_then_counted)
{
    (void)listen_to(speak_often);
    cr_assert_eq(count("message-held queue=\"a\" count="), 5, "%s", said);
    cr_assert_eq(count("message-held queue=\"b\" count=1\n"), 1, "%s", said);
    const char *left = strstr(said, "leaving status=0\n");
    cr_assert(
        left && strstr(left, " warn  worker 0: message-held repeated=95 within_ms="), "%s", said);
    cr_assert(strstr(left, " queue=\"a\" count=100\n"), "%s", said);
    cr_assert_eq(count("repeated="), 1, "%s", said);
    cr_assert_eq(count("hidden"), 0);
}

static void speak_till_it_is_due(void)
{
    uint64_t now_ns = clock_now_ns();
    log_open("worker 0", LOG_INFO, LOG_JSON);
    for (int i = 1; i <= 7; i++)
        log_often(LOG_WARN, "odd", NULL, "count=%d: and so on", i);
    uint64_t next_ns = log_turn(now_ns);
    if (next_ns < now_ns + 9 * CLOCK_S || next_ns > clock_now_ns() + 10 * CLOCK_S)
        _exit(1);
    log_line(LOG_INFO, "before", "%s", "");
    _exit(log_turn(next_ns) == CLOCK_NEVER ? 0 : 1);
}

Test(log, what_was_counted_is_said_when_its_time_is_over)
{
    cr_assert_eq(listen_to(speak_till_it_is_due), 0);
    const char *before = strstr(said, "\"event\":\"before\"}\n");
    cr_assert(
        before && strstr(before, "\"event\":\"odd\",\"repeated\":2,\"within_ms\":"), "%s", said);
    cr_assert(strstr(before, ",\"count\":7,\"message\":\"and so on\"}\n"), "%s", said);
}

/* ---- lines of many ---- */

static void speak_later(void)
{
    struct log_record record;
    log_open("front", LOG_ERROR, LOG_TEXT);
    for (uint64_t i = 0; i < 200; i++) {
        log_begin(&record, LOG_INFO, "access");
        log_record_number(&record, "i", i);
        log_later(&record);
    }
    log_line(LOG_ERROR, "first", "%s", "");
    log_begin(&record, LOG_INFO, "access");
    log_later(&record);
    log_begin(&record, LOG_INFO, "hidden");
    log_end(&record);
    (void)log_turn(clock_now_ns());
    log_line(LOG_ERROR, "last", "%s", "");
}

Test(log, lines_of_many_are_shown_in_order_whatever_the_level)
{
    (void)listen_to(speak_later);
    const char *at = said;
    for (int i = 0; i < 200; i++) {
        char wanted[64];
        (void)snprintf(wanted, sizeof(wanted), " info  front: access i=%d\n", i);
        at = strstr(at, wanted);
        cr_assert(at, "no %d", i);
    }
    at = strstr(at, " error front: first\n");
    at = at ? strstr(at, " info  front: access\n") : NULL;
    cr_assert(at && strstr(at, " error front: last\n"), "%s", at);
    cr_assert_eq(count("hidden"), 0);
}

static void speak_panic(void)
{
    log_panic("slot-state", "slot=%d", 7);
}

static void speak_fatal(void)
{
    log_fatal("no-memory", "bytes=%d", 7);
}

Test(log, panic_aborts_and_fatal_exits)
{
    int status = listen_to(speak_panic);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_assert_not_null(strstr(said, "panic leveret: slot-state slot=7\n"));
    status = listen_to(speak_fatal);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* ---- nobody reads ---- */

/* A descriptor of its own to read what is written to standard error. */
struct reader {
    int fd;
    int before; /* what standard error was */
};

static struct reader reader_new(int ends[2])
{
    struct reader reader = {.fd = ends[0], .before = dup(STDERR_FILENO)};
    cr_assert_geq(reader.before, 0);
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    log_open("front", LOG_INFO, LOG_TEXT);
    return reader;
}

static void reader_free(struct reader *reader)
{
    cr_assert_eq(dup2(reader->before, STDERR_FILENO), STDERR_FILENO);
    (void)close(reader->before);
    (void)close(reader->fd);
}

/* All that is there, into `said`; filler is left out. */
static void reader_drain(const struct reader *reader)
{
    char bytes[4096];
    size_t used = 0;
    int flags = fcntl(reader->fd, F_GETFL);
    cr_assert_eq(fcntl(reader->fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (ssize_t n; (n = read(reader->fd, bytes, sizeof(bytes))) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] != '#' && used + 1 < sizeof(said))
                said[used++] = bytes[i];
        }
    }
    said[used] = '\0';
    cr_assert_eq(fcntl(reader->fd, F_SETFL, flags), 0);
}

static void fill_pipe(void)
{
    char page[4096];
    memset(page, '#', sizeof(page));
    cr_assert_geq(fcntl(STDERR_FILENO, F_SETPIPE_SZ, 2 * (int)sizeof(page)), 0);
    int capacity = fcntl(STDERR_FILENO, F_GETPIPE_SZ);
    for (int used = 0; used < capacity; used += (int)sizeof(page))
        cr_assert_eq(write(STDERR_FILENO, page, sizeof(page)), (ssize_t)sizeof(page));
}

static void fill_socket(void)
{
    char filler[4096];
    memset(filler, '#', sizeof(filler));
    while (send(STDERR_FILENO, filler, sizeof(filler), MSG_DONTWAIT) > 0)
        ;
    cr_assert_eq(errno, EAGAIN);
}

/* A write that waits never comes back: the suite's time is up. */
static void expect_losses_are_told(int ends[2], void (*fill)(void))
{
    struct reader reader = reader_new(ends);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    fill();
    for (int i = 0; i < 3; i++)
        log_line(LOG_INFO, "unheard", "i=%d", i);
    reader_drain(&reader);
    cr_assert_str_empty(said);
    log_line(LOG_INFO, "heard", "again");
    log_line(LOG_INFO, "heard", "more");
    reader_drain(&reader);
    int flags_after = fcntl(STDERR_FILENO, F_GETFL);
    reader_free(&reader);
    const char *lost = strstr(said, " warn  front: log-lost lines=3: ");
    cr_assert(lost, "%s", said);
    const char *heard = strstr(lost, " info  front: heard again\n");
    cr_assert(heard, "%s", said);
    cr_assert(strstr(heard, " info  front: heard more\n"), "%s", said);
    cr_assert_null(strstr(heard, "log-lost"), "%s", said);
    cr_assert_eq(flags_after, flags, "others write there, too");
}

Test(log, a_full_pipe_keeps_nobody_waiting_and_what_was_lost_is_told)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    expect_losses_are_told(ends, fill_pipe);
}

/* Where the kernel does not know how to write without waiting. */
Test(log, a_full_named_pipe_keeps_nobody_waiting_and_what_was_lost_is_told)
{
    char folder[] = "/tmp/leveret-log-XXXXXX", path[64];
    cr_assert(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/fifo", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    int reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int ends[2] = {reading, open(path, O_WRONLY | O_CLOEXEC)};
    cr_assert(ends[0] >= 0 && ends[1] >= 0);
    (void)unlink(path);
    (void)rmdir(folder);
    expect_losses_are_told(ends, fill_pipe);
}

Test(log, a_full_socket_keeps_nobody_waiting_and_what_was_lost_is_told)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    expect_losses_are_told(ends, fill_socket);
}

Test(log, a_socket_that_is_closed_ends_nobody)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct reader reader = reader_new(ends);
    (void)shutdown(reader.fd, SHUT_RD);
    log_line(LOG_INFO, "unheard", "x");
    reader_free(&reader);
}

/* A file that takes but a part of a line, as a disk does that is full. */
Test(log, a_line_that_was_torn_is_ended_before_the_next)
{
    char path[] = "/tmp/leveret-log-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    int ends[2] = {open(path, O_RDONLY | O_CLOEXEC), fd};
    (void)unlink(path);
    struct rlimit limit, small;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 30, .rlim_max = limit.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    struct reader reader = reader_new(ends);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    log_line(LOG_INFO, "torn", "x");
    log_line(LOG_INFO, "lost", "x");
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_line(LOG_INFO, "whole", "x");
    reader_drain(&reader);
    reader_free(&reader);
    cr_assert_eq(said[30], '\n', "%s", said);
    const char *lost = strstr(said + 30, " warn  front: log-lost lines=2: ");
    cr_assert(lost, "%s", said);
    cr_assert(strstr(lost, "them\n2"), "%s", said);
    cr_assert(strstr(lost, " info  front: whole x\n"), "%s", said);
}
