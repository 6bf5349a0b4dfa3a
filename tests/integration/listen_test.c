/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the sidecar listens: on the loopback interface alone unless the file says otherwise, on
 * every address and unix socket that it lists, and nowhere that somebody else is.
 */
#include "expect.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/support/folder.h"
#include "tests/support/port.h"
#include "tests/support/raw_client.h"
#include "tests/support/require.h"
#include "tests/support/scene.h"

enum { END_MS = 15000 };

TestSuite(listen, .timeout = 60);

static struct scene scene;
static char *place; /* a folder for sockets */
static uint16_t port;

static void set_up(const char *name)
{
    scene_open(&scene, name);
    place = folder_new("leveret-listen-");
    port = port_reserve();
}

static void tear_down(void)
{
    scene_close(&scene);
    folder_remove(place);
    free(place);
}

/* One endpoint, and `service` at the first level; "PLACE" in it is the folder, "PORT" the port. */
static char *file_with(const char *service)
{
    autofree char *number = format_text("%u", port);
    autofree char *placed = scene_replace(service, "PLACE", place);
    autofree char *text = scene_replace(placed, "PORT", number);
    return format_text("{\"version\":3,\"host\":[\"%s\"],%s\"endpoints\":[{\"endpoint\":\"/out\","
                       "\"method\":\"POST\",\"backend\":[{\"extra_config\":{"
                       "\"backend/amqp/producer\":{\"name\":\"in\",\"exchange\":\"in\",\"durable\":"
                       "true},\"leveret\":{\"bind\":[\"\"]}}}]}]}",
        scene.vhost.url, text);
}

static void begin(const char *service)
{
    autofree char *text = file_with(service);
    scene_begin_with(&scene, &(struct sidecar_options){.configuration = text, .port = port});
}

#define LISTEN(list) "\"extra_config\":{\"leveret\":{\"listen\":[" list "]}},"

/* ---- clients ---- */

/* A socket connected to the address; -1: nobody accepts there. */
static int reach(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    if (connect(fd, address, length) == 0)
        return fd;
    require(errno == ECONNREFUSED || errno == ENOENT || errno == EADDRNOTAVAIL, "connect");
    (void)close(fd); /* of a socket: nothing to lose */
    return -1;
}

static int reach_ipv4(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    require(inet_pton(AF_INET, text, &address.sin_addr) == 1, "%s", text);
    return reach((struct sockaddr *)&address, sizeof address);
}

static int reach_ipv6(void)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    return reach((struct sockaddr *)&address, sizeof address);
}

static int reach_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    require(strlen(path) < sizeof address.sun_path, "%s is too long", path);
    strcpy(address.sun_path, path);
    return reach((struct sockaddr *)&address, sizeof address);
}

static bool is_served(const char *unix_path)
{
    int fd = reach_unix(unix_path);
    if (fd >= 0)
        (void)close(fd); /* of a socket: nothing to lose */
    return fd >= 0;
}

static void expect_no_one(int fd)
{
    cr_expect_eq(fd, -1, "somebody listens");
    if (fd >= 0)
        (void)close(fd); /* of a socket: nothing to lose */
}

static void expect_health(int fd)
{
    char text[4096] = "";
    struct raw_client client = {.fd = fd};
    cr_assert_geq(fd, 0, "nobody listens");
    cr_assert(raw_client_say(&client, "GET /__health HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(
        raw_client_read(&client, "\"ok\"", text, sizeof text, deadline_in_ms(END_MS)), "%s", text);
    raw_client_close(&client);
}

/* Posts and takes the message from the queue: who it says has sent it. */
static void expect_forwarded_for(int fd, const char *peer)
{
    char text[4096] = "";
    struct amqp_received received;
    struct raw_client client = {.fd = fd};
    cr_assert_geq(fd, 0, "nobody listens");
    cr_assert(
        raw_client_say(&client, "POST /out HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
    cr_assert(
        raw_client_read(&client, "{}", text, sizeof text, deadline_in_ms(END_MS)), "%s", text);
    raw_client_close(&client);
    cr_assert(amqp_client_take(&scene.amqp, "in", END_MS, &received));
    expect_amqp_header(&received, "X-Forwarded-For", peer);
    amqp_received_done(&received);
}

static void wait_for_broker(void)
{
    struct http_answer answer = scene_do_when_up(
        &scene, "/out", &(struct http_request){.method = "POST", .body = "x", .body_bytes = 1});
    expect_status(&answer, 200);
    http_answer_done(&answer);
    await(amqp_client_depth(&scene.amqp, "in") >= 0, END_MS, "no queue");
    amqp_client_purge(&scene.amqp, "in");
}

static mode_t mode_of(const char *path)
{
    struct stat stat;
    cr_assert_eq(lstat(path, &stat), 0, "%s: %s", path, strerror(errno));
    cr_assert(S_ISSOCK(stat.st_mode));
    return stat.st_mode & 07777;
}

/* ---- another one, which must not come up ---- */

/* The words with which `leveret run` on that file leaves. */
static char *refusal_of(const char *service)
{
    autofree char *text = file_with(service);
    autofree char *file = format_text("%s/second.json", place);
    autofree char *output = format_text("%s/second.log", place);
    struct child second;
    folder_write(file, text);
    child_start(&second, &(struct child_program){.argv = (const char *[]){getenv("LEVERET"), "run",
                                                     "-c", file, "--admin", "off", NULL},
                             .output = output});
    cr_assert(child_wait(&second, deadline_in_ms(END_MS)), "it serves");
    cr_assert_neq(second.code, 0);
    char *said = folder_read(output);
    cr_assert_not_null(said);
    return said;
}

static void expect_said(const char *said, const char *word)
{
    cr_expect_not_null(strstr(said, word), "no %s in %s", word, said);
}

/* ---- TCP ---- */

Test(listen, nobody_but_this_machine_reaches_it_unless_the_file_says_so)
{
    set_up("loopback");
    begin("\"port\":PORT,");
    expect_health(reach_ipv4("127.0.0.1"));
    expect_no_one(reach_ipv4("127.0.0.2")); /* as any other address of this machine */
    sidecar_stop(&scene.sidecar);
    tear_down();
}

Test(listen, listen_ip_is_the_address)
{
    set_up("listen_ip");
    begin("\"port\":PORT,\"listen_ip\":\"0.0.0.0\",");
    expect_health(reach_ipv4("127.0.0.1"));
    expect_health(reach_ipv4("127.0.0.2"));
    sidecar_stop(&scene.sidecar);
    tear_down();
}

Test(listen, every_address_that_is_listed_is_served_and_no_other)
{
    set_up("addresses");
    begin("\"port\":9," LISTEN("\"127.0.0.1:PORT\",\"127.0.0.3:PORT\""));
    expect_health(reach_ipv4("127.0.0.1"));
    expect_health(reach_ipv4("127.0.0.3"));
    expect_no_one(reach_ipv4("127.0.0.2"));
    sidecar_stop(&scene.sidecar);
    expect_no_one(reach_ipv4("127.0.0.1"));
    tear_down();
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd); /* of a socket: nothing to lose */
    return has;
}

Test(listen, an_ipv6_address_is_served_and_named_in_the_message)
{
    if (!has_ipv6())
        cr_skip_test("there is no IPv6 here");
    set_up("ipv6");
    begin(LISTEN("\"127.0.0.1:PORT\",\"[::1]:PORT\""));
    wait_for_broker();
    expect_health(reach_ipv6());
    expect_forwarded_for(reach_ipv6(), "::1");
    sidecar_stop(&scene.sidecar);
    tear_down();
}

Test(listen, an_address_that_is_taken_is_refused_by_name)
{
    set_up("taken");
    begin(LISTEN("\"127.0.0.1:PORT\""));
    autofree char *name = format_text("127.0.0.1:%u", port);
    autofree char *said = refusal_of("\"port\":PORT,");
    expect_said(said, name);
    expect_health(reach_ipv4("127.0.0.1"));
    sidecar_stop(&scene.sidecar);
    tear_down();
}

/* ---- unix ---- */

Test(listen, a_unix_socket_has_its_mode_is_served_and_goes_with_the_sidecar)
{
    set_up("sockets");
    begin(LISTEN("\"127.0.0.1:PORT\",\"unix:PLACE/plain\",\"unix:PLACE/mine?mode=0600\","
                 "\"unix:PLACE/all?mode=0666\""));
    autofree char *plain = format_text("%s/plain", place), *mine = format_text("%s/mine", place),
                  *all = format_text("%s/all", place);
    cr_assert_eq(mode_of(plain), 0660);
    cr_assert_eq(mode_of(mine), 0600);
    cr_assert_eq(mode_of(all), 0666);
    wait_for_broker();
    expect_health(reach_unix(plain));
    expect_health(reach_unix(all));
    expect_forwarded_for(reach_unix(mine), "unknown");
    sidecar_stop(&scene.sidecar);
    cr_assert_neq(access(plain, F_OK), 0);
    cr_assert_neq(access(mine, F_OK), 0);
    cr_assert_neq(access(all, F_OK), 0);
    tear_down();
}

Test(listen, what_a_killed_sidecar_left_behind_is_replaced)
{
    static const char service[] = LISTEN("\"127.0.0.1:PORT\",\"unix:PLACE/socket\"");
    set_up("left_behind");
    begin(service);
    autofree char *path = format_text("%s/socket", place);
    child_signal(&scene.sidecar.supervisor, SIGKILL);
    sidecar_forget(&scene.sidecar);
    await(!is_served(path), END_MS, "its front does not leave");
    cr_assert_eq(mode_of(path), 0660, "it left nothing behind");
    begin(service);
    expect_health(reach_unix(path));
    sidecar_stop(&scene.sidecar);
    cr_assert_neq(access(path, F_OK), 0);
    tear_down();
}

Test(listen, a_socket_on_which_somebody_listens_is_refused_by_name)
{
    set_up("live");
    begin(LISTEN("\"127.0.0.1:PORT\",\"unix:PLACE/socket\""));
    autofree char *path = format_text("%s/socket", place);
    autofree char *said = refusal_of(LISTEN("\"unix:PLACE/socket\""));
    expect_said(said, path);
    expect_health(reach_unix(path));
    sidecar_stop(&scene.sidecar);
    tear_down();
}

Test(listen, a_file_that_is_no_socket_is_left_alone_and_refused_by_name)
{
    set_up("no_socket");
    autofree char *path = format_text("%s/file", place);
    folder_write(path, "precious");
    autofree char *said = refusal_of(LISTEN("\"unix:PLACE/file\""));
    expect_said(said, path);
    autofree char *text = folder_read(path);
    cr_assert_str_eq(text, "precious");
    tear_down();
}
