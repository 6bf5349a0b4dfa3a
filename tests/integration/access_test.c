/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: which requests have a line, what it says, and what never stands in any.
 */
#include "expect.h"
#include <jansson.h>
#include <signal.h>
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { WAIT_MS = 10000 };

TestSuite(access_log, .timeout = 60);

static struct scene scene;

static void begin(const char *name, const char *access_log, const char *format)
{
    scene_open(&scene, name);
    require(setenv("LEVERET_TEST_ACCESS_LOG", access_log, 1) == 0 &&
                setenv("LEVERET_TEST_LOG_FORMAT", format, 1) == 0,
        "setenv");
    scene_begin(&scene, "observe.json");
    scene_await_bindings(&scene, "observed", 1);
}

static void ask(const char *method, const char *path, const char *headers, int status)
{
    struct http_answer answer = scene_do(&scene, path,
        &(struct http_request){.method = method, .headers = headers, .body = "x", .body_bytes = 1});
    expect_status(&answer, status);
    http_answer_done(&answer);
}

/* The line of the request that it calls so, from its event on; the caller frees it. */
static char *line_of(const char *request_id)
{
    autofree char *needle = format_text("request_id=%s ", request_id);
    sidecar_await_log(&scene.sidecar, needle);
    autofree char *log = sidecar_log(&scene.sidecar);
    for (char *rest = log, *line; (line = strsep(&rest, "\n"));)
        if (strstr(line, needle))
            return format_text("%s", strstr(line, "access"));
    return NULL;
}

/* The request before it has come up, so the broker is there. */
static void await_broker(void)
{
    struct http_answer answer = scene_do_when_up(&scene, "/in/nobody",
        &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 422);
    http_answer_done(&answer);
}

#define expect_in_line(line, text) cr_assert(strstr(line, text), "no %s in %s", text, line)

Test(access_log, a_line_says_what_became_of_a_request_and_of_its_message)
{
    char id[64], needle[128];
    begin("all", "all", "text");
    await_broker();
    struct http_answer answer = scene_do(&scene, "/in/key?secret=1",
        &(struct http_request){
            .method = "POST", .headers = "X-Request-Id: r-1\n", .body = "four", .body_bytes = 4});
    expect_status(&answer, 200);
    expect_header(&answer, "X-Request-Id", "r-1");
    cr_assert(http_header(&answer, "X-Message-Id", id, sizeof id));
    (void)snprintf(needle, sizeof needle, " message_id=%s ", id);
    autofree char *published = line_of("r-1");
    expect_in_line(published, "access method=POST route=/in/{key} path=/in/key status=200 "
                              "outcome=confirmed in=4 out=2 duration_us=");
    expect_in_line(published, " operation=send destination=observed routing_key=key");
    expect_in_line(published, needle);
    expect_in_line(published, " peer=127.0.0.1");
    http_answer_done(&answer);
    ask("GET", "/out", "X-Request-Id: r-2\n", 200);
    autofree char *consumed = line_of("r-2");
    expect_in_line(consumed, "access method=GET route=/out path=/out status=200 "
                             "outcome=delivered in=1 out=4 duration_us=");
    expect_in_line(consumed, " operation=receive destination=observed message_id=");
    expect_in_line(consumed, needle);
    expect_in_line(consumed, " settled=ack ");
    scene_end(&scene);
}

Test(access_log, every_request_has_a_line_and_an_answer_says_which)
{
    char id[64];
    begin("each", "all", "text");
    await_broker();
    ask("GET", "/out", "X-Request-Id: empty\n", 204);
    ask("PUT", "/out", "X-Request-Id: wrong\n", 405);
    ask("GET", "/out/", "X-Request-Id: slash\n", 307);
    ask("GET", "/a%20b", "X-Request-Id: lost\n", 404);
    ask("GET", "/__health", "X-Request-Id: health\n", 200);
    static const char *const wanted[][2] = {{"empty", " status=204 outcome=empty "},
        {"wrong", "method=PUT path=/out status=405 outcome=wrong-method "},
        {"slash", "path=/out/ status=307 in="}, {"lost", "path=/a%20b status=404 "},
        {"health", "path=/__health status=200 in="}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        autofree char *line = line_of(wanted[i][0]);
        expect_in_line(line, wanted[i][1]);
    }
    struct http_answer answer = scene_get(&scene, "/nowhere");
    cr_assert(http_header(&answer, "X-Request-Id", id, sizeof id));
    http_answer_done(&answer);
    autofree char *line = line_of(id);
    expect_in_line(line, "path=/nowhere status=404");
    struct raw_client client;
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"));
    sidecar_await_log(&scene.sidecar, "access status=400 outcome=malformed-request ");
    raw_client_close(&client);
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET / HT"));
    sidecar_await_log(&scene.sidecar, "access status=408 outcome=request-timeout in=0 out=0 ");
    raw_client_close(&client);
    scene_end(&scene);
}

Test(access_log, of_errors_holds_those_alone)
{
    struct raw_client client;
    begin("errors", "errors", "text");
    await_broker();
    ask("POST", "/in/key", "X-Request-Id: good\n", 200);
    ask("GET", "/out", "X-Request-Id: fine\n", 200);
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(
        raw_client_say(&client, "GET /out HTTP/1.1\r\nHost: a\r\nX-Request-Id: left\r\n\r\n"));
    await(amqp_client_consumers(&scene.amqp, "observed") == 1, WAIT_MS, "it does not wait");
    raw_client_close(&client);
    autofree char *left = line_of("left");
    expect_in_line(left, "access method=GET route=/out path=/out outcome=client-gone in=0 out=0 ");
    ask("POST", "/in/nobody", "X-Request-Id: unroutable\n", 422);
    autofree char *line = line_of("unroutable");
    expect_in_line(line, " status=422 outcome=unroutable ");
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "=good"), "%s", log);
    cr_assert_null(strstr(log, "=fine"), "%s", log);
    scene_end(&scene);
}

Test(access_log, there_is_none_unless_the_file_says_so)
{
    begin("off", "off", "text");
    await_broker();
    struct http_answer answer = scene_get(&scene, "/nowhere");
    expect_status(&answer, 404);
    expect_no_header(&answer, "X-Request-Id");
    http_answer_done(&answer);
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert_null(strstr(log, "access "), "%s", log);
    scene_end(&scene);
}

static const char nasty[] = "POST /in/%22%7d%0a\"}\xff\xc2\x9b"
                            "2J=x HTTP/1.1\r\nHost: a\r\n"
                            "X-Request-Id: \"},{\"a\":\"\r\nIdempotency-Key: \xff\x1f\xc3\"\r\n"
                            "Content-Length: 0\r\n\r\n";

Test(access_log, in_json_is_an_object_a_line_whatever_a_client_sends)
{
    char text[4096] = "";
    struct raw_client client;
    begin("json", "all", "json");
    await_broker();
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, nasty));
    cr_assert(raw_client_read(&client, "HTTP/1.1 4", text, sizeof text, deadline_in_ms(WAIT_MS)));
    ask("GET", "/a%0ab?c=%22", "X-Request-Id: last\n", 404);
    sidecar_await_log(&scene.sidecar, "\"request_id\":\"last\"");
    autofree char *log = sidecar_log(&scene.sidecar);
    int n = 0;
    for (char *rest = log, *line; (line = strsep(&rest, "\n")) && *line;) {
        const char *event;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        cr_assert(object, "%s", line);
        cr_assert_eq(json_unpack(object, "{s:s}", "event", &event), 0, "%s", line);
        if (strcmp(event, "access") == 0) {
            cr_assert(json_is_integer(json_object_get(object, "http.response.status_code")));
            cr_assert(json_is_integer(json_object_get(object, "duration_us")));
            n++;
        }
        json_decref(object);
    }
    cr_assert_geq(n, 3, "%s", log);
    raw_client_close(&client);
    scene_end(&scene);
}

/* ---- where the time went ---- */

Test(access_log, answers_say_where_the_time_went_where_the_file_says_so)
{
    char text[128];
    double parse_ms, ring_ms, broker_ms;
    int n = 0;
    begin("timing", "off", "text");
    await_broker();
    struct http_answer answer = scene_post(&scene, "/in/key", "x");
    expect_status(&answer, 200);
    cr_assert(http_header(&answer, "Server-Timing", text, sizeof text));
    cr_assert_eq(sscanf(text, "parse;dur=%lf, ring;dur=%lf, broker;dur=%lf%n", &parse_ms, &ring_ms,
                     &broker_ms, &n),
        3);
    cr_assert_eq(text[n], '\0', "%s", text);
    cr_assert_gt(broker_ms, 0);
    cr_assert_lt((parse_ms + ring_ms + broker_ms) * 1e6, (double)answer.elapsed_ns);
    http_answer_done(&answer);
    answer = scene_post(&scene, "/in/nobody", "x");
    expect_status(&answer, 422);
    cr_assert(http_header(&answer, "Server-Timing", text, sizeof text));
    http_answer_done(&answer);
    answer = scene_get(&scene, "/out");
    expect_status(&answer, 200);
    expect_no_header(&answer, "Server-Timing");
    http_answer_done(&answer);
    scene_end(&scene);
}

/* ---- what never stands in a line ---- */

#define PASSWORD "secret-password"

/* A host that refuses the password, and one that nobody has. */
static char *without_access(void)
{
    autofree char *refused = scene_replace(scene.vhost.url, "guest:guest", "guest:" PASSWORD);
    autofree char *hosts = format_text(
        "%s\", \"amqp://guest:" PASSWORD "@127.0.0.1:1%s", refused, strrchr(scene.vhost.url, '/'));
    cr_assert(strstr(hosts, "guest:" PASSWORD "@127.0.0.1"), "%s", hosts);
    autofree char *text = scene_configuration("observe.json", hosts);
    return scene_replace(text, "\"memory\": \"16MiB\"", "\"log_level\": \"debug\"");
}

static void fail_a_reload(const char *text)
{
    autofree char *bad = scene_replace(text, "@127.0.0.1:1/", "@127.0.0.1:port/");
    sidecar_reload(&scene.sidecar, bad);
    sidecar_await_log(&scene.sidecar, "not-reloaded");
}

static void says_no_password(const char *format)
{
    scene_open(&scene, format);
    require(setenv("LEVERET_TEST_ACCESS_LOG", "all", 1) == 0 &&
                setenv("LEVERET_TEST_LOG_FORMAT", format, 1) == 0,
        "setenv");
    autofree char *text = without_access();
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text});
    struct http_answer answer = scene_post(&scene, "/in/key", "x");
    expect_status(&answer, 503);
    cr_assert_null(strstr(answer.body, PASSWORD), "%s", answer.body);
    cr_assert_null(strstr(answer.head, PASSWORD), "%s", answer.head);
    http_answer_done(&answer);
    sidecar_await_log(&scene.sidecar, "ACCESS_REFUSED");
    pid_t worker = sidecar_worker(&scene.sidecar);
    cr_assert_eq(kill(worker, SIGSEGV), 0);
    sidecar_await_log(&scene.sidecar, "child-died");
    fail_a_reload(text);
    autofree char *log = sidecar_log(&scene.sidecar);
    cr_assert(strstr(log, "broker-unreachable"), "%s", log);
    cr_assert_null(strstr(log, PASSWORD), "%s", log);
    scene_end(&scene);
}

Test(access_log, no_password_stands_in_any_line_whatever_fails)
{
    says_no_password("text");
}

Test(access_log, no_password_stands_in_any_line_of_json_whatever_fails)
{
    says_no_password("json");
}
