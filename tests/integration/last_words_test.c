/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of a child that has died of a fault: why and where, in names that addr2line
 * understands; and that another one serves in its place.
 */
#include "expect.h"
#include <signal.h>
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(last_words, .timeout = 120);

static struct scene scene;

static void set_up(void)
{
    scene_open(&scene, "last_words");
    scene_begin(&scene, "plain.json");
}

static void serves_again(void)
{
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "up", .body_bytes = 2});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    scene_end(&scene);
}

/* The line of the log with both; for the caller to free. */
static char *line_with(const char *text, const char *other)
{
    sidecar_await_log(&scene.sidecar, text);
    autofree char *log = sidecar_log(&scene.sidecar);
    for (char *rest = log, *line; (line = strsep(&rest, "\n"));)
        if (strstr(line, text) && strstr(line, other))
            return format_text("%s", line);
    cr_assert(false, "no line with %s and %s in %s", text, other, log);
    return NULL;
}

static void dies_of(pid_t child, const char *name, int fault)
{
    autofree char *died = format_text("child-died child=\"%s\" pid=%d", name, (int)child);
    autofree char *spoke = format_text("last-words child=\"%s\" pid=%d trace=", name, (int)child);
    cr_assert_eq(kill(child, fault), 0);
    sidecar_await_log(&scene.sidecar, spoke);
    autofree char *obituary = line_with(died, died);
    autofree char *signal = format_text("signal=%d ", fault);
    cr_assert(strstr(obituary, signal), "%s", obituary);
}

/* Some function of the program's own: main() is among them. */
static void is_found_by_addr2line(const char *trace, const char *folder, const char *program)
{
    char where[256] = "";
    autofree char *beginning = format_text("%s+0x", program);
    const char *at = strstr(trace, beginning);
    cr_assert(at, "%s", trace);
    unsigned long offset = strtoul(at + strlen(beginning), NULL, 16);
    autofree char *command = format_text(
        "addr2line -f -e \"$(dirname \"$LEVERET\")\"/../../%s/%s 0x%lx", folder, program, offset);
    FILE *output = popen(command, "r");
    cr_assert(output && fgets(where, sizeof where, output), "%s", command);
    (void)pclose(output); /* it has said enough */
    cr_assert_neq(where[0], '?', "%s: %s", command, where);
}

Test(last_words, of_a_worker_are_in_the_log, .init = set_up)
{
    dies_of(sidecar_worker(&scene.sidecar), "worker 0", SIGSEGV);
    autofree char *reason = line_with("last-words child=\"worker 0\"", "reason=");
    cr_assert(strstr(reason, "Segmentation fault, which was sent to it"), "%s", reason);
    autofree char *trace = line_with("last-words child=\"worker 0\"", "trace=");
    is_found_by_addr2line(trace, "worker", "leveret-worker");
    serves_again();
}

Test(last_words, of_a_front_are_in_the_log, .init = set_up)
{
    dies_of(sidecar_front(&scene.sidecar), "front", SIGABRT);
    autofree char *trace = line_with("last-words child=\"front\"", "trace=");
    is_found_by_addr2line(trace, "front", "leveret-front");
    serves_again();
}

Test(last_words, of_one_that_was_killed_there_are_none, .init = set_up)
{
    pid_t worker = sidecar_worker(&scene.sidecar);
    cr_assert_eq(kill(worker, SIGKILL), 0);
    autofree char *died = format_text("child-died child=\"worker 0\" pid=%d", (int)worker);
    sidecar_await_log(&scene.sidecar, died);
    cr_assert_neq(sidecar_worker(&scene.sidecar), worker);
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "last-words"), "%s", log);
    serves_again();
}
