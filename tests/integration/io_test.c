/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the workers wait on: epoll where the file says so, epoll where io_uring is refused as under
 * a container engine's seccomp profile, and no start where the file asks for what is refused. All
 * other tests, too, run on epoll with `meson test --setup epoll`.
 */
#include "expect.h"
#include <stdlib.h>
#include <string.h>
#include "tests/support/folder.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { LARGE = 3 << 19, N_MESSAGES = 50, END_MS = 15000 };

TestSuite(io, .timeout = 60);

static struct scene scene;

static char *file_asking_for(const char *io)
{
    autofree char *text = scene_configuration("settings.json", scene.vhost.url);
    return scene_replace(text, "${LEVERET_TEST_IO:-auto}", io);
}

static void begin(const char *name, const char *io, bool is_refused)
{
    scene_open(&scene, name);
    autofree char *text = file_asking_for(io);
    scene_begin_with(&scene,
        &(struct sidecar_options){.configuration = text, .is_io_uring_refused = is_refused});
}

static void post(const char *body, size_t n_bytes)
{
    struct http_answer answer = scene_do_when_up(&scene, "/out",
        &(struct http_request){.method = "POST", .body = body, .body_bytes = n_bytes});
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

/* Many after each other, both ways. */
static void expect_service(void)
{
    for (int i = 0; i < N_MESSAGES; i++) {
        autofree char *body = format_text("message %d", i);
        post("small", 5);
        scene_publish(&scene, "", "one", body);
        struct http_answer answer = scene_do_when_up(&scene, "/one", &(struct http_request){0});
        expect_status(&answer, 200);
        expect_body(&answer, body);
        http_answer_done(&answer);
    }
}

/* More than a socket takes at once, both ways. */
static void expect_large_service(void)
{
    autofree char *large = malloc(LARGE + 1);
    struct amqp_received received;
    memset(large, 'a', LARGE);
    large[LARGE] = '\0';
    post(large, LARGE);
    cr_assert(amqp_client_take(&scene.amqp, "settings", END_MS, &received));
    cr_assert_eq(received.message.body.len, LARGE);
    cr_assert_eq(memcmp(received.message.body.bytes, large, LARGE), 0);
    amqp_received_done(&received);
    scene_publish(&scene, "", "one", large);
    struct http_answer answer = scene_get(&scene, "/one");
    expect_status(&answer, 200);
    expect_body(&answer, large);
    http_answer_done(&answer);
}

Test(io, epoll_serves_when_the_file_says_so)
{
    begin("epoll", "epoll", false);
    sidecar_await_log(
        &scene.sidecar, "worker 0: io loop=epoll reason=\"the configuration says so\"");
    sidecar_await_log(&scene.sidecar, "worker 1: io loop=epoll");
    expect_large_service();
    expect_service();
    scene_end(&scene);
}

Test(io, where_io_uring_is_refused_epoll_serves_and_the_log_says_why)
{
    begin("refused", "auto", true);
    sidecar_await_log(&scene.sidecar,
        "worker 0: io loop=epoll reason=\"io_uring is refused: by the container's seccomp profile");
    expect_large_service();
    expect_service();
    scene_end(&scene);
}

static const char *const refusal =
    "no-io-uring reason=\"Operation not permitted\": the file asks for it";

Test(io, uring_does_not_start_where_it_is_refused)
{
    scene_open(&scene, "no_start");
    autofree char *folder = folder_new("leveret-io-");
    autofree char *text = file_asking_for("uring");
    autofree char *file = format_text("%s/file.json", folder);
    autofree char *output = format_text("%s/log", folder);
    const char *argv[] = {getenv("LEVERET_TEST_WITHOUT_IO_URING"), getenv("LEVERET"), "run", "-c",
        file, "-p", "0", NULL};
    struct child child;
    folder_write(file, text);
    child_start(&child, &(struct child_program){.argv = argv, .output = output});
    cr_assert(child_wait(&child, deadline_in_ms(END_MS)), "it serves");
    cr_assert_eq(child.code, 1);
    autofree char *said = folder_read(output);
    cr_assert(strstr(said, refusal), "%s", said);
    folder_remove(folder);
    scene_close(&scene);
}

Test(io, a_reload_that_asks_for_what_is_refused_changes_nothing)
{
    begin("no_reload", "auto", true);
    autofree char *text = file_asking_for("uring");
    sidecar_reload(&scene.sidecar, text);
    sidecar_await_log(&scene.sidecar, refusal);
    sidecar_await_log(&scene.sidecar, "not-reloaded");
    expect_service();
    scene_end(&scene);
}
