/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveret's own settings of the service and of an endpoint, as far as no other suite has them:
 * a file that uses them serves, its log is what it says, and an endpoint's bound holds.
 */
#include "expect.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { WAIT_MS = 10000 };

TestSuite(settings, .timeout = 60);

static struct scene scene;

static void begin(const char *name, const char *level, const char *format)
{
    scene_open(&scene, name);
    require(setenv("LEVERET_TEST_LOG_LEVEL", level, 1) == 0 &&
                setenv("LEVERET_TEST_LOG_FORMAT", format, 1) == 0,
        "setenv");
    scene_begin(&scene, "settings.json");
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

/* The log up to the end of the sidecar's work. */
static char *log_of_its_life(void)
{
    sidecar_drain(&scene.sidecar);
    require(child_wait(&scene.sidecar.supervisor, deadline_in_ms(WAIT_MS)), "it does not leave");
    char *log = sidecar_log(&scene.sidecar);
    cr_assert_not_null(log);
    return log;
}

Test(settings, a_json_log_is_an_object_a_line)
{
    begin("json_log", "debug", "json");
    autofree char *log = log_of_its_life();
    char *rest = log;
    int n = 0, n_workers = 0;
    for (char *line; (line = strsep(&rest, "\n")) && rest; n++) {
        const char *time, *level, *who, *event;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        cr_assert_eq(json_unpack(object, "{s:s,s:s,s:s,s:s}", "time", &time, "level", &level, "who",
                         &who, "event", &event),
            0, "%s", line);
        n_workers += strncmp(who, "worker", strlen("worker")) == 0;
        json_decref(object);
    }
    cr_assert_gt(n, 10);
    cr_assert_gt(n_workers, 0);
    scene_end(&scene);
}

Test(settings, a_log_of_errors_is_empty_while_there_are_none)
{
    begin("errors_alone", "error", "text");
    autofree char *log = log_of_its_life();
    cr_assert_str_eq(log, "");
    scene_end(&scene);
}

Test(settings, max_in_flight_bounds_an_endpoint_and_no_other)
{
    begin("in_flight", "info", "text");
    struct raw_client client;
    char text[4096] = "";
    raw_client_connect(&client, scene.sidecar.port);
    cr_assert(raw_client_say(&client, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"));
    await(amqp_client_consumers(&scene.amqp, "one") == 1, WAIT_MS, "it does not wait");
    struct http_answer answer = scene_get(&scene, "/one");
    expect_problem(&answer, 503, "busy");
    http_answer_done(&answer);
    answer = scene_post(&scene, "/out", "x");
    expect_status(&answer, 200);
    http_answer_done(&answer);
    scene_publish(&scene, "", "one", "first");
    cr_assert(raw_client_read(&client, "first", text, sizeof text, deadline_in_ms(WAIT_MS)));
    scene_publish(&scene, "", "one", "second");
    answer = scene_do_when_up(&scene, "/one", &(struct http_request){0});
    expect_status(&answer, 200);
    expect_body(&answer, "second");
    http_answer_done(&answer);
    raw_client_close(&client);
    scene_end(&scene);
}
