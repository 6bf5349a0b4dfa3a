/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `leveret stats` and `leveret probe` before a sidecar that runs: what they print are the requests
 * that were made, and what they say of it is so.
 */
#include "expect.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "shm/cleanup.h"
#include "tests/support/port.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

TestSuite(terminal, .timeout = 120);

static char printed[65536]; /* by the last command, on both outputs */

/* Run `leveret` with the admin listener to ask in its environment; the exit status. */
static int leveret(const struct sidecar *sidecar, const char *arguments)
{
    const char *program = getenv("LEVERET");
    require(program, "LEVERET is not set");
    autofree char *command = format_text(
        "COLUMNS=160 LEVERET_ADMIN=%s %s %s 2>&1", sidecar->admin_url, program, arguments);
    FILE *out = popen(command, "re");
    require(out, "%s", command);
    size_t n = fread(printed, 1, sizeof(printed) - 1, out);
    printed[n] = '\0';
    int status = pclose(out);
    cr_assert(WIFEXITED(status), "%s: %s", arguments, printed);
    return WEXITSTATUS(status);
}

/* The line that begins with this, without its end; the caller frees it. */
static char *line_of(const char *beginning)
{
    autofree char *needle = format_text("\n%s ", beginning);
    const char *at = strstr(printed, needle);
    cr_assert(at, "no line \"%s\" in:\n%s", beginning, printed);
    return strndup(at + 1, strcspn(at + 1, "\n"));
}

static void expect_in(const char *beginning, const char *text)
{
    autofree char *line = line_of(beginning);
    cr_assert(strstr(line, text), "no \"%s\" in: %s", text, line);
}

Test(terminal, shows_the_requests_that_were_made)
{
    struct scene scene;
    scene_open(&scene, "terminal");
    scene_begin(&scene, "settings.json");
    for (int i = 0; i < 20; i++) {
        struct http_answer answer = scene_do_when_up(
            &scene, "/out", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
        expect_status(&answer, 200);
        http_answer_done(&answer);
    }
    for (int i = 0; i < 3; i++) {
        scene_publish(&scene, "", "one", "1234567");
        struct http_answer answer = scene_get(&scene, "/one");
        expect_status(&answer, 200);
        http_answer_done(&answer);
    }
    cr_assert_eq(leveret(&scene.sidecar, "stats"), 0, "%s", printed);
    cr_assert(strstr(printed, "leveret  READY  up "), "%s", printed);
    expect_in("POST /out", "200 20");
    expect_in("GET /one", "200 3");
    expect_in("one", " 3  "); /* whether it still listens, and the last ack, take their time */
    expect_in("supervisor", "serving");
    expect_in("worker 1", "serving");
    cr_assert(strstr(printed, "confirmed 20"), "%s", printed);
    cr_assert(strstr(printed, "delivered 3"), "%s", printed);

    cr_assert_eq(leveret(&scene.sidecar, "stats --json"), 0, "%s", printed);
    cr_assert(strstr(printed, "\"answered\":{\"200\":20}"), "%s", printed);
    cr_assert_eq(leveret(&scene.sidecar, "stats --watch 0.1 | head -n 60"), 0);
    cr_assert(strstr(printed, "over the last "), "%s", printed);

    cr_assert_eq(leveret(&scene.sidecar, "probe live"), 0, "%s", printed);
    cr_assert_eq(leveret(&scene.sidecar, "probe startup"), 0, "%s", printed);
    cr_assert_eq(leveret(&scene.sidecar, "probe ready"), 0, "%s", printed);
    cr_assert_str_eq(printed, "");
    scene_end(&scene);
}

Test(terminal, says_why_a_sidecar_without_its_broker_is_not_ready)
{
    struct sidecar sidecar;
    autofree char *broker = format_text("amqp://127.0.0.1:%u/", port_reserve());
    autofree char *configuration = scene_configuration("settings.json", broker);
    const struct sidecar_options options = {
        .name = "terminal_away", .configuration = configuration};
    sidecar_start(&sidecar, &options);
    cr_assert_eq(leveret(&sidecar, "probe live"), 0, "%s", printed);
    cr_assert_eq(leveret(&sidecar, "probe startup"), 1);
    cr_assert_eq(strncmp(printed, "not started: broker-never-seen POST /out: 127.0.0.1:", 52), 0,
        "%s", printed);
    cr_assert_eq(leveret(&sidecar, "probe ready"), 1);
    cr_assert_eq(
        strncmp(printed, "not ready: broker-away POST /out: 127.0.0.1:", 44), 0, "%s", printed);
    cr_assert_eq(leveret(&sidecar, "stats"), 0, "%s", printed);
    cr_assert(strstr(printed, "leveret  STARTING  up "), "%s", printed);
    expect_in("broker-away", "POST /out");

    /* the data listener has no figures */
    autofree char *wrong = format_text("stats --url %s", sidecar.url);
    cr_assert_eq(leveret(&sidecar, wrong), 1);
    cr_assert(strstr(printed, "Is it the admin listener of a sidecar?"), "%s", printed);
    sidecar_stop(&sidecar);
    cr_assert_eq(
        leveret(&(struct sidecar){.admin_url = wrong + strlen("stats --url ")}, "stats"), 1);
    cr_assert(strstr(printed, "leveret: nobody listens at http://127.0.0.1:"), "%s", printed);
}
