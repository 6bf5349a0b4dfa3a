/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may look at the admin listener: with a token and without, from a browser that was led there,
 * and in words that two readers understand differently.
 */
#include "expect.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/port.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(clearance, .timeout = 60);

#define TOKEN "abcdefgh-12345678"
#define AS_BEARER "Authorization: Bearer " TOKEN "\n"
#define AS_BASIC "Authorization: Basic dXNlcjphYmNkZWZnaC0xMjM0NTY3OA==\n" /* user */

enum { SOON_MS = 10000 };

static struct scene scene;
static char printed[8192];

/* At all addresses of the machine, which the token allows. */
static void begin_with_token(const char *name)
{
    scene_open(&scene, name);
    cr_assert_eq(setenv("LEVERET_TEST_ADMIN_TOKEN", TOKEN, 1), 0);
    scene_begin(&scene, "admin_token.json");
}

static void begin_without_token(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "settings.json");
}

static struct http_answer look(const char *path, const char *headers)
{
    struct http_answer answer;
    autofree char *url = format_text("%s%s", scene.sidecar.admin_url, path);
    http_do(&(struct http_request){.url = url, .headers = headers}, &answer);
    return answer;
}

static void expect_seen(const char *path, const char *headers, const char *text)
{
    struct http_answer answer = look(path, headers);
    expect_status(&answer, 200);
    expect_in_body(&answer, text);
    http_answer_done(&answer);
}

static void expect_refused(const char *path, const char *headers)
{
    struct http_answer answer = look(path, headers);
    expect_problem(&answer, 401, "unauthorized");
    cr_expect(strstr(answer.head, "WWW-Authenticate: Bearer\r\n"), "%s", answer.head);
    cr_expect(strstr(answer.head, "WWW-Authenticate: Basic realm="), "%s", answer.head);
    cr_expect_null(strstr(answer.body, TOKEN));
    http_answer_done(&answer);
}

Test(clearance, who_shows_the_token_sees_everything_and_nobody_else)
{
    static const char *const secrets[] = {
        "/__stats/", "/__stats", "/metrics", "/__dashboard", "/nowhere"};
    static const char *const strangers[] = {NULL, "Authorization: Bearer abcdefgh-12345679\n",
        "Authorization: Basic dXNlcjpndWVzc2VkLXdyb25nLTEyMw==\n", AS_BEARER AS_BEARER,
        AS_BEARER AS_BASIC};
    begin_with_token("token_pages");
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        for (size_t k = 0; k < sizeof(strangers) / sizeof(strangers[0]); k++)
            expect_refused(secrets[i], strangers[k]);
    expect_seen("/__stats/", AS_BEARER, "\"endpoint\":\"POST /out\"");
    expect_seen("/__stats/", AS_BASIC, "\"endpoint\":\"POST /out\"");
    expect_seen("/metrics", AS_BEARER, "leveret_build_info");
    expect_seen("/__dashboard", AS_BASIC, "<!DOCTYPE html>");
    scene_end(&scene);
}

Test(clearance, probes_tell_everybody_whether_and_those_with_the_token_why)
{
    begin_with_token("token_probes");
    expect_seen("/__live", NULL, "{\"status\":\"ok\"}");
    struct http_answer answer = look("/__ready", NULL);
    expect_status(&answer, 503);
    expect_body(&answer, "{\"status\":\"failing\"}\n");
    http_answer_done(&answer);
    answer = look("/__startup", AS_BEARER);
    expect_status(&answer, 503);
    expect_in_body(&answer, "\"reason\":\"broker-never-seen\"");
    expect_header(&answer, "Cross-Origin-Resource-Policy", "same-origin");
    expect_header(&answer, "X-Content-Type-Options", "nosniff");
    http_answer_done(&answer);
    scene_end(&scene);
}

/* The exit status of a command; `environment` is written before it. */
static int leveret(const char *environment, const char *arguments)
{
    const char *program = getenv("LEVERET");
    require(program, "LEVERET is not set");
    autofree char *command = format_text("%s %s %s 2>&1", environment, program, arguments);
    FILE *out = popen(command, "re");
    require(out, "%s", command);
    printed[fread(printed, 1, sizeof(printed) - 1, out)] = '\0';
    int status = pclose(out);
    cr_assert(WIFEXITED(status), "%s: %s", arguments, printed);
    return WEXITSTATUS(status);
}

/* The same, of one that asks this sidecar. */
static int ask(const char *environment, const char *arguments)
{
    autofree char *asks = format_text("%s --url %s", arguments, scene.sidecar.admin_url);
    return leveret(environment, asks);
}

Test(clearance, the_commands_show_the_token_of_their_environment)
{
    begin_with_token("token_commands");
    cr_expect_eq(ask("LEVERET_ADMIN_TOKEN=" TOKEN, "stats"), 0, "%s", printed);
    cr_expect(strstr(printed, "POST /out"), "%s", printed);
    cr_expect_eq(ask("LEVERET_ADMIN_TOKEN=" TOKEN, "probe startup"), 1);
    cr_expect(strstr(printed, "not started: broker-never-seen"), "%s", printed);
    cr_expect_eq(ask("", "probe startup"), 1);
    cr_expect_str_eq(printed, "not started\n");
    cr_expect_eq(ask("", "probe live"), 0, "%s", printed);
    cr_expect_eq(ask("", "stats"), 1);
    cr_expect(
        strstr(printed, "wants to see its token: LEVERET_ADMIN_TOKEN is not set"), "%s", printed);
    cr_expect_eq(ask("LEVERET_ADMIN_TOKEN=" TOKEN "9", "stats"), 1);
    cr_expect(strstr(printed, "LEVERET_ADMIN_TOKEN is another one"), "%s", printed);
    scene_end(&scene);
}

Test(clearance, without_a_token_nobody_is_led_here_by_another_name)
{
    begin_without_token("token_rebinding");
    struct http_answer answer = look("/__stats/", "Host: evil.example:8090\n");
    expect_problem(&answer, 421, "misdirected");
    http_answer_done(&answer);
    answer = look("/__live", "Host: evil.example\n");
    expect_problem(&answer, 421, "misdirected");
    http_answer_done(&answer);
    expect_seen("/__stats/", "Host: localhost:8090\n", "\"version\":1");
    expect_seen("/__stats/", "Host: [::1]\n", "\"version\":1");
    scene_end(&scene);
}

Test(clearance, a_head_that_two_readers_take_differently_is_400_here_too)
{
    static const char *const heads[] = {
        "GET /__live HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /__live HTTP/1.1\r\n\r\n",
        "GET /__live HTTP/1.1\nHost: 127.0.0.1\n\n",
        "GET /__live HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        "GET /__live HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n",
        "GET /__live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET /__live HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /__live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx",
    };
    static const char behind[] = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    begin_without_token("token_heads");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct raw_client client;
        char text[4096];
        raw_client_connect(&client, scene.sidecar.admin_port);
        cr_assert(raw_client_say(&client, heads[i]));
        (void)raw_client_say(&client, behind); /* it may be closed by now */
        (void)raw_client_read(&client, "to its end", text, sizeof(text), deadline_in_ms(SOON_MS));
        cr_expect(strstr(text, " 400 "), "%s: %s", heads[i], text);
        cr_expect_null(strstr(text, "leveret_"), "%s: %s", heads[i], text);
        raw_client_close(&client);
    }
    scene_end(&scene);
}

Test(clearance, other_machines_are_let_in_with_a_token_alone)
{
    scene_open(&scene, "token_open");
    autofree char *address = format_text("0.0.0.0:%u", port_reserve());
    cr_assert_eq(setenv("LEVERET_TEST_ADMIN_TOKEN", TOKEN, 1), 0);
    autofree char *text = scene_configuration("admin_token.json", scene.vhost.url);
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = text, .admin_path = address});
    autofree char *url = format_text("http://127.0.0.1%s/metrics", strchr(address, ':'));
    struct http_answer answer;
    http_do(&(struct http_request){.url = url}, &answer);
    expect_problem(&answer, 401, "unauthorized");
    http_answer_done(&answer);
    http_do(&(struct http_request){.url = url, .headers = AS_BEARER}, &answer);
    expect_status(&answer, 200);
    http_answer_done(&answer);
    scene_end(&scene);
}

Test(clearance, a_listener_for_other_machines_without_a_token_is_refused_by_check_and_run)
{
    autofree char *file = format_text("%s/admin_open.json", getenv("LEVERET_TEST_FOLDER"));
    FILE *out = fopen(file, "we");
    require(out, "%s", file);
    (void)fputs("{\"version\":3,\"endpoints\":[],\"extra_config\":{\"leveret\":{\"admin_listen\":"
                "\"0.0.0.0:1\"}}}",
        out);
    require(fclose(out) == 0, "%s", file);
    static const char *const commands[] = {"check", "run -p 0"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        autofree char *arguments = format_text("%s -c %s", commands[i], file);
        cr_expect_eq(leveret("", arguments), 1, "%s", printed);
        cr_expect(strstr(printed, "0.0.0.0:1 can be reached from other machines"), "%s", printed);
    }
    (void)unlink(file); /* its folder goes anyway */
}
