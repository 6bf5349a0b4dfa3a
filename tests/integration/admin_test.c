/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener: where it stands, what it does not do, and who it does not keep from his work.
 */
#include "expect.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"
#include "tests/support/stats.h"

enum { SOON_MS = 10000, PLACES = 16 };

TestSuite(admin, .timeout = 60);

static struct scene scene;

static void begin(const char *name)
{
    scene_open(&scene, name);
    scene_begin(&scene, "settings.json");
}

static struct http_answer admin_do(const char *path, const char *method)
{
    struct http_answer answer;
    autofree char *url = format_text("%s%s", scene.sidecar.admin_url, path);
    http_do(&(struct http_request){.url = url, .method = method}, &answer);
    return answer;
}

Test(admin, shows_its_pages_and_nothing_of_the_clients)
{
    begin("admin_pages");
    struct http_answer answer = admin_do("/metrics", NULL);
    expect_status(&answer, 200);
    expect_header(&answer, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    expect_header(&answer, "Cache-Control", "no-store");
    expect_in_body(&answer, "leveret_build_info{version=");
    http_answer_done(&answer);
    answer = admin_do("/one", NULL);
    expect_problem(&answer, 404, "not-found");
    http_answer_done(&answer);
    answer = admin_do("/__health", NULL);
    expect_problem(&answer, 404, "not-found");
    http_answer_done(&answer);
    static const char *const pages[] = {
        "/__stats/", "/metrics", "/__live", "/__ready", "/__startup"};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        answer = scene_get(&scene, pages[i]);
        expect_problem(&answer, 404, "not-found");
        http_answer_done(&answer);
    }
    scene_end(&scene);
}

Test(admin, understands_get_and_head_alone)
{
    static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    begin("admin_methods");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct http_answer answer = admin_do("/__stats/", others[i]);
        expect_problem(&answer, 405, "wrong-method");
        expect_header(&answer, "Allow", "GET, HEAD");
        http_answer_done(&answer);
    }
    struct raw_client client;
    char text[4096];
    raw_client_connect(&client, scene.sidecar.admin_port);
    cr_assert(
        raw_client_say(&client, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
                                "HEAD /__live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    (void)raw_client_read(&client, "no body", text, sizeof text, deadline_in_ms(SOON_MS));
    cr_expect_null(strstr(text, "leveret_"), "%s", text);
    cr_expect_null(strstr(text, "\"status\""), "%s", text);
    raw_client_close(&client);
    scene_end(&scene);
}

static void expect_alive(void)
{
    cr_expect(stats_probe_says(&scene.sidecar, "/__live", NULL));
    struct http_answer answer = scene_get(&scene, "/__health");
    expect_status(&answer, 200);
    http_answer_done(&answer);
}

Test(admin, what_is_no_request_ends_its_connection_and_no_other)
{
    static const char *const nonsense[] = {"\x16\x03\x01\x02", "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /__stats/ HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nx",
        "GET /__stats/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /__stats/?x=%zz%00&\" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"};
    begin("admin_nonsense");
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct raw_client client;
        raw_client_connect(&client, scene.sidecar.admin_port);
        (void)raw_client_say(&client, nonsense[i]); /* it may be refused before its end */
        raw_client_half_close(&client);
        cr_expect(raw_client_is_closed(&client, deadline_in_ms(SOON_MS)), "%zu", i);
        raw_client_close(&client);
        expect_alive();
    }
    scene_end(&scene);
}

Test(admin, connections_that_say_nothing_take_no_place_of_a_client_and_are_closed)
{
    struct raw_client clients[PLACES];
    begin("admin_full");
    for (int i = 0; i < PLACES; i++)
        raw_client_connect(&clients[i], scene.sidecar.admin_port);
    struct http_answer answer = scene_get(&scene, "/__health");
    expect_status(&answer, 200);
    http_answer_done(&answer);
    expect_alive(); /* as soon as the first of them are closed */
    for (int i = 0; i < PLACES; i++)
        raw_client_close(&clients[i]);
    scene_end(&scene);
}

/* One that asks and does not read is given up, and its page with it. */
Test(admin, one_that_does_not_read_its_page_holds_nobody_up)
{
    struct raw_client client;
    begin("admin_slow");
    raw_client_connect_narrow(&client, scene.sidecar.admin_port);
    for (int i = 0; i < 200; i++)
        cr_assert(raw_client_say(&client, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 20; i++)
        expect_alive();
    raw_client_close(&client);
    scene_end(&scene);
}

static int unix_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : (close(fd), -1);
}

Test(admin, is_to_be_had_on_a_unix_socket)
{
    char text[8192] = "";
    autofree char *path = format_text("/tmp/leveret-admin-%d.sock", (int)getpid());
    autofree char *address = format_text("unix:%s?mode=0600", path);
    scene_open(&scene, "admin_unix");
    autofree char *configuration = scene_configuration("settings.json", scene.vhost.url);
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = configuration, .admin_path = address});
    struct raw_client client = {.fd = unix_connect(path)};
    cr_assert_geq(client.fd, 0);
    cr_assert(raw_client_say(&client, "GET /__live HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_expect(raw_client_read(
        &client, "{\"status\":\"ok\"}", text, sizeof text, deadline_in_ms(SOON_MS)));
    raw_client_close(&client);
    scene_end(&scene);
    cr_expect_neq(access(path, F_OK), 0, "its file is still there");
}

Test(admin, is_not_there_when_it_is_off)
{
    struct raw_client client;
    scene_open(&scene, "admin_off");
    autofree char *configuration = scene_configuration("settings.json", scene.vhost.url);
    scene_begin_with(
        &scene, &(struct sidecar_options){.configuration = configuration, .admin_path = "off"});
    cr_expect(!raw_client_reach(&client, scene.sidecar.admin_port));
    scene_end(&scene);
}
