/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password is in the file, the supervisor and the workers, and nowhere that anybody can look:
 * not as it is, not as a URI writes it, not as AMQP sends it.
 */
#include "expect.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/child.h"
#include "tests/support/folder.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(secret, .timeout = 120);

#define PASSWORD "Kw#7x~unseen"
#define PASSWORD_IN_URI "Kw%237x~unseen"

enum { CHECK_MS = 60000 };

static struct scene scene;
static char plain_in_base64[256]; /* "\0user\0password", what SASL PLAIN sends */

/* Without the last group, in which a longer password would differ. */
static void base64(const char *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i + 3 <= n; i += 3) {
        unsigned group = (unsigned)(unsigned char)bytes[i] << 16 |
                         (unsigned)(unsigned char)bytes[i + 1] << 8 | (unsigned char)bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = digits[group >> shift & 63];
    }
    *out = '\0';
}

static void is_unseen_in(const char *where, const char *text)
{
    cr_assert_not_null(text, "%s", where);
    cr_expect_null(strstr(text, "unseen"), "%s: %s", where, text);
    cr_expect_null(strstr(text, "Kw%23"), "%s: %s", where, text);
    cr_expect_null(strstr(text, plain_in_base64), "%s: %s", where, text);
}

/* A user with the password, and the URL that says it. */
static char *user_make(const char *password_in_uri)
{
    char plain[160];
    (void)vhost_let_in(&scene.vhost, PASSWORD, ".*", ".*");
    int n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, scene.vhost.name, 0, PASSWORD);
    base64(plain, (size_t)n, plain_in_base64);
    return format_text(
        "amqp://%s:%s%s", scene.vhost.name, password_in_uri, strrchr(scene.vhost.url, '@'));
}

/* What /proc shows of a process; NUL bytes as blanks. */
static void is_unseen_in_proc(pid_t pid, const char *file)
{
    static char text[65536];
    autofree char *path = format_text("/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(path, "re");
    cr_assert_not_null(stream, "%s", path);
    size_t n = fread(text, 1, sizeof(text) - 1, stream);
    (void)fclose(stream); /* only read from */
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[n] = '\0';
    is_unseen_in(path, text);
}

static void is_unseen_in_processes(void)
{
    const pid_t pids[] = {scene.sidecar.supervisor.pid, sidecar_front(&scene.sidecar),
        sidecar_worker(&scene.sidecar)};
    for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
        is_unseen_in_proc(pids[i], "cmdline");
        is_unseen_in_proc(pids[i], "comm");
        is_unseen_in_proc(pids[i], "environ");
    }
}

static void is_unseen_in_pages(void)
{
    static const char *const paths[] = {
        "/__stats/", "/metrics", "/__dashboard", "/__ready", "/__startup", "/__live"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        autofree char *url = format_text("%s%s", scene.sidecar.admin_url, paths[i]);
        struct http_answer answer;
        http_do(&(struct http_request){.url = url}, &answer);
        cr_assert_neq(answer.status, 0, "%s", answer.failure);
        is_unseen_in(paths[i], answer.body);
        http_answer_done(&answer);
    }
}

static void is_unseen_in_checks(const char *configuration)
{
    static const char *const options[] = {"--broker", "--strict"};
    const char *folder = getenv("LEVERET_TEST_FOLDER");
    autofree char *file = format_text("%s/secret_check.json", folder ? folder : "/tmp");
    autofree char *output = format_text("%s/secret_check.out", folder ? folder : "/tmp");
    folder_write(file, configuration);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct child child;
        child_start(&child, &(struct child_program){.argv = (const char *[]){getenv("LEVERET"),
                                                        "check", options[i], "-c", file, NULL},
                                .output = output});
        require(child_wait(&child, deadline_in_ms(CHECK_MS)), "check does not end");
        autofree char *report = folder_read(output);
        is_unseen_in(options[i], report);
        require(unlink(output) == 0, "unlink");
    }
    require(unlink(file) == 0, "unlink");
}

/* Everywhere, with a broker that says `status` to it. */
static void is_unseen_with(const char *name, const char *password_in_uri, int status)
{
    scene_open(&scene, name);
    autofree char *url = user_make(password_in_uri);
    require(setenv("LEVERET_TEST_LOG_LEVEL", "debug", 1) == 0, "setenv");
    autofree char *text = scene_configuration("settings.json", url);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    const struct http_request post = {.method = "POST", .body = "x", .body_bytes = 1};
    struct http_answer answer =
        status == 200 ? scene_do_when_up(&scene, "/out", &post) : scene_do(&scene, "/out", &post);
    expect_status(&answer, status);
    is_unseen_in("answer", answer.body);
    http_answer_done(&answer);
    if (status != 200)
        sidecar_await_log(&scene.sidecar, "broker-unreachable");
    is_unseen_in_pages();
    is_unseen_in_processes();
    is_unseen_in_checks(text);
    autofree char *log = sidecar_log(&scene.sidecar);
    is_unseen_in("log", log);
    scene_end(&scene);
}

Test(secret, a_password_that_is_right_is_unseen)
{
    is_unseen_with("secret_right", PASSWORD_IN_URI, 200);
}

Test(secret, a_password_that_is_wrong_is_unseen)
{
    is_unseen_with("secret_wrong", "Kw%237x~unseen-and-wrong", 503);
}
