/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

#include "shm/cleanup.h"
#include "shm/log.h"

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

Test(log, shows_time_level_who_event_and_detail)
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
                                    "\"detail\":\"a \\\"quoted\\\" back\\\\slash\\u000a\"}\n"));
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
    cr_assert_lt(strlen(said), 8192);
    cr_assert_eq(said[strlen(said) - 1], '\n');
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
